package validatorcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/client"
	paramshost "github.com/mutirao/mutirao/chain/x/params"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/params"
)

// maxProposal bounds a proposal's file in bytes.
const maxProposal = 256 << 10

// Proposal is the content of a proposal's file.
type Proposal struct {
	Title    string            `json:"title"`
	Summary  string            `json:"summary"`
	Deposit  string            `json:"deposit"`  // in MUT
	Set      map[string]uint64 `json:"set"`      // numbers and their new values
	Cancel   []string          `json:"cancel"`   // numbers whose waiting change is taken back
	Upgrade  *Upgrade          `json:"upgrade"`  // of the program
	Messages []json.RawMessage `json:"messages"` // of any module, with "@type"
}

// Upgrade names a version of the rules and the first block that follows it.
type Upgrade struct {
	Name   string `json:"name"`
	Height int64  `json:"height"`
	Info   string `json:"info"` // where the program is found
}

// Voter is a connection in the name of an account.
type Voter struct{ *client.Client }

// OpenVoter connects to a network in the name of a folder's account: a node's or any other.
func OpenVoter(ctx context.Context, dir, networkName string) (*Voter, error) {
	key, err := role.Key(dir)
	if err != nil {
		return nil, err
	}
	if networkName == "" {
		h, err := Open(dir)
		if err != nil {
			return nil, failure.New(failure.Usage, "which network is meant", errors.New("no network is named, and no node lives in "+dir), "name it by --network, or a node's folder by --dir")
		}
		networkName = h.rpc()
	}
	c, err := running.Dial(ctx, networkName, key)
	if err != nil {
		return nil, err
	}
	return &Voter{c}, nil
}

// load reads a proposal and makes its messages.
func (v *Voter) load(file string) (Proposal, []sdk.Msg, error) {
	var p Proposal
	bad := func(err error) (Proposal, []sdk.Msg, error) {
		return p, nil, failure.New(failure.Usage, file+" is no proposal", err, "docs/operating.md has an example")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return p, nil, failure.New(failure.NotFound, "the proposal cannot be read", err, "name a file")
	}
	if err := protocol.DecodeJSON(raw, maxProposal, &p); err != nil {
		return bad(err)
	}
	from := client.Governance()
	var msgs []sdk.Msg
	for _, b := range params.Bounds { // in the order of names
		if value, ok := p.Set[b.Name]; ok {
			m, _, err := client.Wrap(from, params.Set{Name: b.Name, Value: value})
			if err != nil {
				return bad(err)
			}
			msgs = append(msgs, m)
			delete(p.Set, b.Name)
		}
	}
	for name := range p.Set {
		return bad(fmt.Errorf("%q is not governed: mutirao proposal numbers lists what is", name))
	}
	for _, name := range p.Cancel {
		m, _, err := client.Wrap(from, params.Cancel{Name: name})
		if err != nil {
			return bad(err)
		}
		msgs = append(msgs, m)
	}
	if p.Upgrade != nil {
		msgs = append(msgs, client.Upgrade(p.Upgrade.Name, p.Upgrade.Height, p.Upgrade.Info))
	}
	for _, raw := range p.Messages {
		m, err := v.DecodeMsg(raw)
		if err != nil {
			return bad(err)
		}
		msgs = append(msgs, m)
	}
	if len(msgs) == 0 {
		return bad(errors.New("it would do nothing"))
	}
	return p, msgs, nil
}

// Simulated is the report of a simulation.
type Simulated struct{ paramshost.Report }

var errFails = errors.New("governance carries out all messages of a proposal or none")

// Try tells what the proposal in a file would change if it were accepted now. It fails if the proposal would.
func (v *Voter) Try(ctx context.Context, file string) (Simulated, error) {
	_, msgs, err := v.load(file)
	if err != nil {
		return Simulated{}, err
	}
	r, err := v.Simulate(ctx, msgs...)
	if err != nil {
		return Simulated{}, failure.New(failure.Usage, "the proposal cannot be tried", err, "check its messages")
	}
	return Simulated{r}, nil
}

// Failure says why the proposal would fail, or is nil.
func (s Simulated) Failure() error {
	for i, m := range s.Messages {
		if m.Error != "" {
			return failure.New(failure.Unverified, fmt.Sprintf("message %d of the proposal would fail", i+1), fmt.Errorf("%s: %w", m.Error, errFails), "change it and try again")
		}
	}
	for _, n := range s.Numbers {
		if n.Refused != "" {
			return failure.New(failure.Unverified, n.Name+" would keep its value", errors.New(n.Refused), "choose another value")
		}
	}
	return nil
}

// Print writes the report for people.
func (s Simulated) Print(w io.Writer) error {
	fmt.Fprintf(w, "on a copy of the state after block %d\n", s.Height)
	for i, m := range s.Messages {
		result := fmt.Sprintf("ok, gas %d", m.Gas)
		if m.Error != "" {
			result = "fails: " + plain(m.Error)
		}
		fmt.Fprintf(w, "message %d  %s  %s\n", i+1, m.Type, result)
	}
	for _, n := range s.Numbers {
		fmt.Fprintf(w, "number     %s  %d -> %d  from block %d on (if accepted now)\n", n.Name, n.From, n.Value, n.At)
	}
	for _, c := range s.Coins {
		fmt.Fprintf(w, "coins      %s  %s amut\n", plain(c.Account), c.Amount)
	}
	for _, c := range s.Writes {
		fmt.Fprintf(w, "writes     %s %s\n  before   %s\n  after    %s\n", c.Module, c.Key, plain(c.Before), plain(c.After))
	}
	return nil
}

// plain keeps a text from a ledger from steering a terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '·'
		}
		return r
	}, text)
}

// Submit puts the proposal in a file to the vote and returns its number.
func (v *Voter) Submit(ctx context.Context, file string) (uint64, error) {
	p, msgs, err := v.load(file)
	if err != nil {
		return 0, err
	}
	deposit, err := money.ParseMUT(p.Deposit)
	if err != nil {
		return 0, failure.New(failure.Usage, "the proposal has no deposit", err, `write "deposit": "100" into the file`)
	}
	if err := v.Propose(ctx, p.Title, p.Summary, deposit, msgs...); err != nil {
		return 0, failure.New(failure.General, "the ledger did not take the proposal", err, "mutirao proposal simulate "+file)
	}
	list, err := v.Ballots(ctx)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0].ID, nil
}

// Listed are proposals, for a table.
type Listed struct {
	Schema string            `json:"schema"` // "mutirao.proposals/v1"
	List   []client.Proposal `json:"list"`
}

// List lists proposals, the latest first.
func (v *Voter) List(ctx context.Context) (Listed, error) {
	l, err := v.Ballots(ctx)
	return Listed{"mutirao.proposals/v1", l}, err
}

// Print writes the table.
func (l Listed) Print(w io.Writer) error {
	fmt.Fprintf(w, "%4s  %-9s  %12s  %12s  %12s  %s\n", "no.", "status", "yes MUT", "no MUT", "veto MUT", "title")
	for _, p := range l.List {
		fmt.Fprintf(w, "%4d  %-9s  %12s  %12s  %12s  %s\n", p.ID, p.Status, p.Yes, p.No, p.Veto, plain(p.Title))
		if p.Reason != "" {
			fmt.Fprintf(w, "      failed: %s\n", plain(p.Reason))
		}
	}
	return nil
}

// Governed are the numbers that governance may change.
type Governed struct{ paramshost.Listing }

// NumberList reads them.
func (v *Voter) NumberList(ctx context.Context) (Governed, error) {
	l, err := v.Numbers(ctx)
	return Governed{l}, err
}

// Print writes the table.
func (g Governed) Print(w io.Writer) error {
	fmt.Fprintf(w, "a change holds %d blocks after the decision, %d blocks after the last one, and is by a factor of %d at most\n", g.Terms.Delay, g.Terms.Rest, g.Terms.Factor)
	for _, e := range g.List {
		fmt.Fprintf(w, "%-30s %12d  (%d to %d %s)\n", e.Name, e.Value, e.Min, e.Max, e.Unit)
		if e.Pending != nil {
			fmt.Fprintf(w, "%30s %12d  from block %d on\n", "", e.Pending.Value, e.Pending.At)
		}
	}
	return nil
}
