package validatorcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/validator"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/params"
)

// pocket is what the first operator begins with beside the stake.
var pocket = money.MUT(10_000)

// Addresses are what a person says about the node; empty for the defaults.
type Addresses struct {
	Moniker, P2P, External, RPC, JSONRPC, Metrics, BlockTime string
	Snapshots                                                uint64 // 0 for the default
	Pruning                                                  string
}

func (a Addresses) apply(c *Config) {
	for _, f := range []struct {
		to   *string
		from string
	}{{&c.Moniker, a.Moniker}, {&c.P2P, a.P2P}, {&c.External, a.External}, {&c.RPC, a.RPC}, {&c.JSONRPC, a.JSONRPC}, {&c.Metrics, a.Metrics}, {&c.BlockTime, a.BlockTime}, {&c.Pruning, a.Pruning}} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if a.Snapshots > 0 {
		c.Snapshots = a.Snapshots
	}
}

// Init are the decisions about a new network.
type Init struct {
	Home string
	Addresses
	Fund    []string // ADDRESS=MUT
	Stake   uint64   // of this validator, in MUT
	Voting  time.Duration
	Delay   uint64   // blocks from a decision about a number until it holds; 0 for the default
	Set     []string // NAME=VALUE of numbers that the network begins with
	Genesis string   // file of an exported network; empty to make one
}

// Made is the answer of init and join.
type Made struct {
	Schema  string           `json:"schema"` // "mutirao.validator/v1"
	Home    string           `json:"home"`
	Account protocol.Account `json:"account"`
	Peer    string           `json:"peer"` // how others connect to it
	Peers   []string         `json:"peers"`
	Bonded  bool             `json:"bonded"`
	Next    string           `json:"next"`
}

// Print writes the answer for people.
func (m Made) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "folder    %s\naccount   %s\npeer      %s\n", m.Home, m.Account, m.Peer)
	if err == nil && len(m.Peers) > 0 {
		_, err = fmt.Fprintf(w, "connects  %s\n", strings.Join(m.Peers, "\n          "))
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "next      %s\n", m.Next)
	}
	return err
}

func made(h *Home) Made {
	external := h.Config.P2P
	if h.Config.External != "" {
		external = h.Config.External
	}
	return Made{Schema: "mutirao.validator/v1", Home: h.Dir, Account: h.Key.Account(), Peer: validator.PeerAddress(h.Keys, external), Peers: h.Config.Peers,
		Next: "mutirao validator start --home " + h.Dir}
}

// Run makes the folder of the first validator of a network, with the network's genesis in it.
func (o Init) Run() (Made, error) {
	if err := free(o.Home); err != nil {
		return Made{}, err
	}
	key, keys, err := openKeys(o.Home)
	if err != nil {
		return Made{}, err
	}
	doc, err := o.genesis(keys)
	if err != nil {
		return Made{}, err
	}
	h := &Home{Dir: o.Home, Config: defaults(), Key: key, Keys: keys}
	o.apply(&h.Config)
	if _, err := h.node(); err != nil {
		return Made{}, err
	}
	if err := create(o.Home, h.Config, doc); err != nil {
		return Made{}, failure.New(failure.General, "the folder "+o.Home+" cannot be written", err, "choose another with --home")
	}
	return made(h), nil
}

func (o Init) genesis(keys genesis.Keys) (*cmttypes.GenesisDoc, error) {
	if o.Genesis != "" {
		doc, err := cmttypes.GenesisDocFromFile(o.Genesis)
		if err != nil {
			return nil, failure.New(failure.Usage, o.Genesis+" is no genesis", err, "mutirao ledger export --home DIR > genesis.json")
		}
		return doc, nil
	}
	spec := genesis.Spec{Time: time.Now(), Validators: []genesis.Keys{keys}, Stake: o.Stake, Voting: o.Voting}
	var err error
	if spec.Numbers, err = parseNumbers(o.Set); err != nil {
		return nil, err
	}
	if o.Delay > 0 {
		terms := params.DefaultTerms()
		terms.Delay, terms.Rest = protocol.Height(o.Delay), protocol.Height(o.Delay)
		spec.Changes = &terms
	}
	spec.Accounts = []genesis.Balance{{Address: keys.Operator, Amount: pocket}}
	for _, f := range o.Fund {
		b, err := parseFund(f)
		if err != nil {
			return nil, failure.New(failure.Usage, fmt.Sprintf("%q is no account with coins", f), err, "write it like --fund 0x3f…=1000")
		}
		if i := slices.IndexFunc(spec.Accounts, func(a genesis.Balance) bool { return a.Address == b.Address }); i >= 0 {
			spec.Accounts[i].Amount = spec.Accounts[i].Amount.Plus(b.Amount)
			continue
		}
		spec.Accounts = append(spec.Accounts, b)
	}
	doc, err := genesis.New(spec)
	if err != nil {
		return nil, failure.New(failure.Usage, "no network can begin like this", err, "mutirao validator init --help")
	}
	return doc, nil
}

// parseNumbers reads NAME=VALUE.
func parseNumbers(list []string) (map[string]uint64, error) {
	numbers := map[string]uint64{}
	for _, text := range list {
		name, value, _ := strings.Cut(text, "=")
		v, err := strconv.ParseUint(value, 10, 64)
		if err != nil || !slices.Contains(genesis.Settable(), name) {
			return nil, failure.New(failure.Usage, fmt.Sprintf("%q sets no number of the network", text), errors.Join(errNumber, err),
				"write it like --set slashing.window_blocks=100; the names are "+strings.Join(genesis.Settable(), ", "))
		}
		numbers[name] = v
	}
	return numbers, nil
}

var errNumber = errors.New("it must be NAME=VALUE with a known name and a whole number")

func parseFund(text string) (genesis.Balance, error) {
	address, amount, found := strings.Cut(text, "=")
	if !found {
		return genesis.Balance{}, errors.New("no = in it")
	}
	who, err := protocol.ParseAccount(address)
	if err != nil {
		return genesis.Balance{}, err
	}
	coins, err := money.ParseMUT(amount)
	if err == nil && (coins.IsZero() || coins.BitLen() > 128) {
		err = errors.New("the amount is nothing, or more than there can be")
	}
	return genesis.Balance{Address: who, Amount: coins}, err
}

// Join are the decisions about a node of a network that runs.
type Join struct {
	Home    string
	Network string
	Addresses
	Peers  []string
	Height int64 // of a trusted header, to take the state from a snapshot
	Hash   string
	Stake  string // in MUT, to become a validator; empty for a node without a vote

	Commission string // of what the stake of others earns, in percent; empty for nothing
}

var errChain = errors.New("another network")

// Run makes the folder of a node, unless it is there, and bonds its stake if one is given.
func (o Join) Run(ctx context.Context, say func(string)) (Made, error) {
	h, err := Open(o.Home)
	var f *failure.Error
	if errors.As(err, &f) && f.Code == failure.NotFound {
		h, err = o.create(ctx)
	}
	if err != nil {
		return Made{}, err
	}
	m := made(h)
	if o.Stake == "" {
		return m, nil
	}
	commission, err := parsePercent(o.Commission)
	if err != nil {
		return Made{}, err
	}
	if err := h.bond(ctx, o.Stake, commission, say); err != nil {
		return Made{}, err
	}
	m.Bonded, m.Next = true, "mutirao validator status --home "+h.Dir
	return m, nil
}

func (o Join) create(ctx context.Context) (*Home, error) {
	if o.Stake != "" {
		return nil, failure.New(failure.NotFound, "no node lives in "+o.Home, errNone, "first without --stake, then mutirao validator start --home "+o.Home+", then again with it")
	}
	key, keys, err := openKeys(o.Home)
	if err != nil {
		return nil, err
	}
	h := &Home{Dir: o.Home, Config: defaults(), Key: key, Keys: keys}
	o.apply(&h.Config)
	if _, err := h.node(); err != nil {
		return nil, err
	}
	urls, err := running.Endpoints(o.Network)
	if err != nil {
		return nil, err
	}
	c, err := dial(urls, key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, running.AnswerTimeout)
	defer cancel()
	n, err := c.Node(ctx)
	if err != nil {
		return nil, failure.New(failure.Network, "the network does not answer", fmt.Errorf("%s: %w", strings.Join(urls, ", "), err), "check the address")
	}
	if n.Chain != network.ChainID {
		return nil, failure.New(failure.Usage, "this program cannot take part", fmt.Errorf("%w: %.60q, this version takes part in %s", errChain, n.Chain, network.ChainID), "ask for the address of a node of "+network.ChainID)
	}
	doc, err := c.Genesis(ctx)
	if err != nil {
		return nil, failure.New(failure.Network, "the first state of the network cannot be read", err, "try another node")
	}
	h.Config.Peers = o.Peers
	if len(o.Peers) == 0 {
		h.Config.Peers = peersOf(n, validator.PeerAddress(keys, h.Config.P2P))
	}
	if o.Hash != "" {
		h.Config.Sync = &Sync{RPC: urls, Height: o.Height, Hash: o.Hash}
	}
	if err := create(o.Home, h.Config, doc); err != nil {
		return nil, failure.New(failure.General, "the folder "+o.Home+" cannot be written", err, "choose another with --home")
	}
	return h, nil
}

// parsePercent reads a commission in percent, with up to four decimal places, as millionths.
func parsePercent(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	whole, part, _ := strings.Cut(strings.TrimSuffix(text, "%"), ".")
	v, err := strconv.ParseUint(whole+(part + "0000")[:4], 10, 32)
	if err != nil || len(part) > 4 || v > 1_000_000 {
		return 0, failure.New(failure.Usage, fmt.Sprintf("%q is no commission", text), errors.Join(err, errors.New("it must be 0 to 100, in percent")), "write it like --commission 5")
	}
	return uint32(v), nil
}

// maxPeers bounds the nodes that a new one connects to by itself.
const maxPeers = 16

// peersOf are the node that answered and those that it knows, but not this one.
func peersOf(n client.Node, self string) []string {
	own, _, _ := strings.Cut(self, "@")
	list := []string{}
	for _, p := range append([]string{n.Address}, n.Peers...) {
		id, _, _ := strings.Cut(p, "@")
		if p != "" && id != own && !slices.Contains(list, p) && len(list) < maxPeers {
			list = append(list, p)
		}
	}
	return list
}

// dial is a client in the name of key.
func dial(urls []string, key client.Key) (*client.Client, error) {
	c, err := client.Dial(urls, key)
	if err != nil {
		return nil, failure.New(failure.Usage, "the network's address cannot be used", err, "write it like http://127.0.0.1:26657")
	}
	return c, nil
}

var (
	errBehind = errors.New("the node is still catching up")
	errPoor   = errors.New("not enough coins")
)

// bond makes the operator a validator once its node follows the chain: a vote that is counted before would be missed at once.
func (h *Home) bond(ctx context.Context, stake string, commission uint32, say func(string)) error {
	amount, err := money.ParseMUT(stake)
	if err != nil || amount.Compare(money.MUT(1)) < 0 {
		return failure.New(failure.Usage, fmt.Sprintf("%q is no stake", stake), errors.Join(err, errors.New("the least is 1 MUT, which is one vote")), "write it like --stake 1000")
	}
	c, err := dial([]string{h.rpc()}, h.Key)
	if err != nil {
		return err
	}
	if err := h.follows(ctx, c, say); err != nil {
		return err
	}
	if v, err := c.Validator(ctx, h.Key.Account()); err == nil {
		say(fmt.Sprintf("is a validator already, with %s", v.Stake.Coins()))
		return nil
	}
	have, err := h.coins(ctx, c, amount, say)
	if err != nil {
		return err
	}
	if have.Compare(amount) <= 0 {
		return failure.New(failure.Credit, "the stake cannot be paid", fmt.Errorf("%w: %s has %s, the stake is %s and a transaction costs a little", errPoor, h.Key.Account(), have.Coins(), amount.Coins()),
			"ask somebody to send coins to "+h.Key.Account().String())
	}
	name := h.Config.Moniker
	if name == "" {
		name = h.Key.Account().String()[:10]
	}
	if err := c.CreateValidator(ctx, h.Keys.Consensus.PubKey(), name, amount, commission); err != nil {
		return failure.New(failure.General, "the ledger did not take the stake", err, "mutirao validator status --home "+h.Dir)
	}
	return nil
}

// payTimeout is how long coins that were sent may need to show: the node may be behind the one that was told to send them.
const payTimeout = 15 * time.Second

// coins is what the account has, once it is more than amount or after a while.
func (h *Home) coins(ctx context.Context, c *client.Client, amount money.Amount, say func(string)) (have money.Amount, err error) {
	for began, said := time.Now(), false; ; {
		have, err = c.Balance(ctx, h.Key.Account())
		if err != nil || have.Compare(amount) > 0 || time.Since(began) > payTimeout {
			return have, err
		}
		if !said {
			said = true
			say(fmt.Sprintf("waiting %s for coins: %s has %s", payTimeout, h.Key.Account(), have.Coins()))
		}
		at, err := c.Height(ctx)
		if err != nil {
			return have, err
		}
		if _, err := c.Next(ctx, at); err != nil {
			return have, err
		}
	}
}

// catchUp is how long a command waits for a node to follow the chain.
const catchUp = 10 * time.Minute

// follows waits until the node has all blocks.
func (h *Home) follows(ctx context.Context, c *client.Client, say func(string)) error {
	for began := time.Now(); ; {
		n, err := h.ask(ctx, c)
		if err != nil {
			return err
		}
		if !n.CatchingUp && n.Height > 0 {
			return nil
		}
		if time.Since(began) > catchUp {
			return failure.New(failure.Timeout, "the node does not follow the chain yet", fmt.Errorf("%w, at block %d", errBehind, n.Height), "mutirao validator status --home "+h.Dir)
		}
		say(fmt.Sprintf("waiting for the node to catch up, at block %d", n.Height))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(watch):
		}
	}
}

// Sent is the answer of send.
type Sent struct {
	Schema  string           `json:"schema"` // "mutirao.validator-send/v1"
	To      protocol.Account `json:"to"`
	Amount  money.Amount     `json:"amount"`  // amut
	Balance money.Amount     `json:"balance"` // that the operator has left, amut
}

// Print writes the answer for people.
func (s Sent) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s has %s more; left are %s\n", s.To, s.Amount.Coins(), s.Balance.Coins())
	return err
}

// Send pays coins from the operator's account.
func Send(ctx context.Context, dir, to, amount string) (Sent, error) {
	s := Sent{Schema: "mutirao.validator-send/v1"}
	var err error
	if s.To, err = protocol.ParseAccount(to); err != nil {
		return s, failure.New(failure.Usage, fmt.Sprintf("%q is no account", to), err, "write it like 0x70997970c51812dc3a010c7d01b50e0d17dc79c8")
	}
	if s.Amount, err = money.ParseMUT(amount); err != nil {
		return s, failure.New(failure.Usage, fmt.Sprintf("%q is no amount", amount), err, "write it like 12.5")
	}
	h, err := Open(dir)
	if err != nil {
		return s, err
	}
	c, err := dial([]string{h.rpc()}, h.Key)
	if err != nil {
		return s, err
	}
	if _, err := h.ask(ctx, c); err != nil {
		return s, err
	}
	have, err := c.Balance(ctx, h.Key.Account())
	if err != nil {
		return s, err
	}
	if have.Compare(s.Amount) <= 0 {
		return s, failure.New(failure.Credit, "the coins cannot be sent", fmt.Errorf("%w: %s has %s, and a transaction costs a little", errPoor, h.Key.Account(), have.Coins()), "send less than that")
	}
	if err := c.Send(ctx, s.To, s.Amount); err != nil {
		return s, failure.New(failure.General, "the ledger did not move the coins", err, "mutirao validator status --home "+dir+"  shows what the account has")
	}
	s.Balance, err = c.Balance(ctx, h.Key.Account())
	return s, err
}

// ask is the node's own account of itself.
func (h *Home) ask(ctx context.Context, c *client.Client) (client.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, running.AnswerTimeout)
	defer cancel()
	n, err := c.Node(ctx)
	if err != nil {
		return n, failure.New(failure.Network, "the node in "+h.Dir+" does not answer", err, "mutirao validator start --home "+h.Dir)
	}
	return n, nil
}
