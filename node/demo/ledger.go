package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/validator"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
)

// ledger is the network's validators, all in this process.
type ledger struct {
	nodes []*validator.Node
	log   *os.File
}

// blockPause is the pause after each block.
const blockPause = 300 * time.Millisecond

// openLedger starts n validators over dir, which they continue if it holds their state. The first serves Ethereum's JSON-RPC
// at rpc, or at a free port if that is empty.
func openLedger(ctx context.Context, dir, rpc string, master [32]byte, n int, accounts []genesis.Balance) (_ *ledger, err error) {
	keys := genesis.DeriveKeys(master, n)
	doc, err := firstState(dir, keys, accounts)
	if err != nil {
		return nil, err
	}
	addresses, err := validator.FreeAddresses(2*n + 1)
	if err != nil {
		return nil, err
	}
	l, programs := &ledger{}, workshop.NewPrograms()
	defer func() {
		if err != nil {
			l.stop()
		}
	}()
	if l.log, err = os.OpenFile(filepath.Join(dir, "log.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	for i := range n {
		c := validator.Config{
			Home: filepath.Join(dir, fmt.Sprintf("validator-%d", i+1)), Genesis: doc, Keys: keys[i],
			P2P: addresses[2*i], RPC: addresses[2*i+1], TimeoutCommit: blockPause, Log: l.log, Programs: programs,
		}
		for j := range n {
			if j != i {
				c.Peers = append(c.Peers, validator.PeerAddress(keys[j], addresses[2*j]))
			}
		}
		if i == 0 {
			c.JSONRPC = cmp.Or(rpc, addresses[2*n])
		}
		node, err := validator.Start(ctx, c)
		if err != nil {
			next := "try again; what was committed in " + dir + " is kept"
			if errors.Is(err, validator.ErrAddressInUse) || errors.Is(err, validator.ErrAddress) {
				next = "end the program that listens there, or choose another address with --json-rpc"
			}
			return nil, failure.New(failure.Network, fmt.Sprintf("validator %d did not start", i+1), err, next)
		}
		l.nodes = append(l.nodes, node)
	}
	return l, nil
}

// firstState reads the genesis of a network that exists, or makes it and keeps it before any validator starts.
func firstState(dir string, keys []genesis.Keys, accounts []genesis.Balance) (*cmttypes.GenesisDoc, error) {
	file := filepath.Join(dir, "genesis.json")
	if _, err := os.Stat(file); err == nil {
		return cmttypes.GenesisDocFromFile(file)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	doc, err := genesis.New(genesis.Spec{Time: time.Now(), Validators: keys, Accounts: accounts, Market: marketParams(), Commons: commonsParams()})
	if err != nil {
		return nil, err
	}
	if err := doc.SaveAs(file + ".next"); err != nil {
		return nil, err
	}
	return doc, os.Rename(file+".next", file)
}

// marketParams are the rules' defaults with shorter batches, and time enough to accept a lease and to join for machines that share two cores.
func marketParams() *market.Params {
	p := market.DefaultParams(protocol.Account{}, protocol.Account{})
	p.BatchBlocks, p.RevealBlocks, p.AckBlocks, p.JoinBlocks, p.AskBlocks = 6, 2, 20, 40, 600
	return &p
}

// commonsParams are the rules' defaults with a vote of a minute and a few voters: the demo's day is short.
func commonsParams() *commons.Params {
	p := commons.DefaultParams(protocol.Account{})
	p.StepBlocks, p.VoteSteps, p.SwingSteps, p.ElectoratePPM = 10, 20, 4, 1
	return &p
}

// endpoints are the addresses that clients may ask.
func (l *ledger) endpoints() []string {
	var list []string
	for _, n := range l.nodes {
		list = append(list, n.RPC())
	}
	return list
}

func (l *ledger) jsonRPC() string { return l.nodes[0].JSONRPC() }

func (l *ledger) stop() error {
	var errs []error
	for _, n := range l.nodes {
		errs = append(errs, n.Stop())
	}
	l.nodes = nil
	if l.log != nil {
		errs = append(errs, l.log.Close())
	}
	return errors.Join(errs...)
}

// funds is what everybody starts with: a bond where one is needed, that of a dispute too, and a little for transactions.
func (s *show) funds() []genesis.Balance {
	pocket := money.MUT(10)
	var list []genesis.Balance
	for _, a := range s.cast.everyone() {
		amount := pocket
		switch a.name[0] {
		case 'v':
			amount = pocket.Plus(s.spec.VerifierBond).Plus(dispute.DefaultParams().For(s.spec.Price.PerUnit).Bond)
		case 'p':
			amount = pocket.Plus(s.spec.ProviderBond)
		case 't':
			amount = pocket.Plus(s.spec.Budget()).Plus(s.spec.Price.PerUnit.Times(uint64(len(s.cast.providers)))) // and the deposit of its bid
		}
		list = append(list, genesis.Balance{Address: a.account, Amount: amount})
	}
	return list
}
