package workshop

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
)

// court is a ledger with one run, whose only worker has a unit to compute.
type court struct {
	t      testing.TB
	ledger *ledgertest.Ledger
	run    protocol.Hash
	shard  protocol.Hash
	id     protocol.Hash // of the dispute
	sent   int           // bytes of the defender
}

// Who is in court, and what they have at stake.
var (
	worker, accuser  = protocol.Account{'w'}, protocol.Account{'a'}
	workerBond, fund = money.MUT(3), money.MUT(10)
)

// newCourt opens a run of units with these terms, whose trace and payload are nobody's yet.
func newCourt(t testing.TB, terms bisect.Terms) *court {
	t.Helper()
	c := &court{t: t, ledger: ledgertest.New()}
	author, checker := protocol.Account{'o'}, protocol.Account{'v'}
	set := registry.RegisterDataset{Root: terms.Dataset, Blob: merkle.Leaf(nil), Schema: merkle.Leaf(nil), Records: uint64(terms.Records), RecordSize: 4, Name: "d", Licence: "CC0-1.0"}
	s := work.DefaultSpec()
	s.Name, s.Dataset, s.Program, s.InferenceProgram = "r", registry.DatasetID(author, set), terms.Program, merkle.Leaf(nil)
	s.Params, s.Rounds, s.Steps, s.MaxUnits = []string{"w"}, 2, uint32(terms.Steps), 4
	s.Initial = work.StateRef{Model: terms.Model, Outer: merkle.Leaf(nil), Blob: merkle.Leaf(nil)}
	s.Price.PerUnit, s.ProviderBond, s.VerifierBond, s.Windows.Wait = money.MUT(1), workerBond, workerBond, 300
	create := work.CreateRun{Spec: s}
	c.ledger.Mint(author, s.Budget())
	c.must(author, set)
	c.must(author, create)
	c.run = work.RunID(author, create)
	for who, role := range map[protocol.Account]work.Role{worker: work.Provider, checker: work.Verifier} {
		c.ledger.Mint(who, workerBond)
		c.must(who, work.Join{Run: c.run, Role: role})
	}
	c.ledger.Mint(accuser, fund)
	c.ledger.Advance()
	run, err := c.ledger.Run(c.run)
	if err != nil {
		t.Fatal(err)
	}
	c.shard = run.Round.Units[0].Shard
	return c
}

func (c *court) must(who protocol.Account, m protocol.Msg) {
	c.t.Helper()
	if err := c.ledger.Submit(who, m); err != nil {
		c.t.Fatal(err)
	}
}

// claim lets the worker seal and open its claim, and the accuser dispute it.
func (c *court) claim(terms bisect.Terms, source bisect.Source) {
	c.t.Helper()
	c.ledger.Judge(func(*work.State, *dispute.State) dispute.Referee { return judge{source} })
	result := work.Result{Payload: work.PayloadRef{Root: terms.Payload, Blob: merkle.Leaf(nil), Size: 1}, Trace: terms.Trace}
	salt := merkle.Leaf([]byte("salt"))
	c.must(worker, work.Commit{Run: c.run, Round: 1, Seal: work.CommitSeal(c.run, 1, 0, c.shard, worker, result, salt)})
	c.ledger.Advance()
	c.must(worker, work.Reveal{Run: c.run, Round: 1, Result: result, Salt: salt})
	c.ledger.Advance()
	c.must(accuser, dispute.Open{Run: c.run, Round: 1})
	c.id = c.ledger.Disputes(c.run)[0].ID
}

// judge is a ledger's referee. A signature is the account and the digest: this ledger trusts its clients.
type judge struct{ bisect.Source }

func (judge) Signed(who protocol.Account, digest protocol.Hash, s []byte) bool {
	return bytes.Equal(s, signed(who, digest))
}

func signed(who protocol.Account, digest protocol.Hash) []byte { return append(who[:], digest[:]...) }

// state is the dispute as it stands.
func (c *court) state() *dispute.State {
	c.t.Helper()
	d, err := c.ledger.Dispute(c.id)
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

// answer and choice are the move that is due.
func (c *court) answer(a []byte) dispute.Move {
	return dispute.Move{Dispute: c.id, Turn: c.state().Turn, Side: dispute.Defender, Answer: a}
}

func (c *court) choice(choice bisect.Choice) dispute.Move {
	return dispute.Move{Dispute: c.id, Turn: c.state().Turn, Side: dispute.Challenger, Choice: uint32(choice.Part), Answer: choice.Shown}
}

// play sends a move in a block of its own and reports whether the rules took it.
func (c *court) play(m dispute.Move) bool {
	c.t.Helper()
	who := map[dispute.Side]protocol.Account{dispute.Defender: worker, dispute.Challenger: accuser}[m.Side]
	err := c.ledger.Submit(protocol.Account{'c'}, dispute.Play{Move: m, Signature: signed(who, m.Digest())})
	if err != nil && !errors.Is(err, protocol.ErrInvalid) {
		c.t.Fatal(err)
	}
	if err == nil {
		c.sent += len(m.Answer)
	}
	c.block()
	return err == nil
}

func (c *court) block() {
	c.t.Helper()
	c.ledger.Advance()
	if err := c.ledger.Check(); err != nil {
		c.t.Fatal(err)
	}
}

// wait lets blocks pass until the dispute has ended: whoever is to move is silent.
func (c *court) wait() {
	for !c.state().Ended {
		c.block()
	}
}

// convicted checks that the claim is refuted, that the worker has lost its bond, half of it to the accuser, and that nobody is ever paid
// for the unit.
func (c *court) convicted(what string) {
	c.t.Helper()
	r := c.ledger.Rulings(c.run)
	run, err := c.ledger.Run(c.run)
	if err != nil || len(r) != 1 {
		c.t.Fatalf("%s: %d rulings, %v", what, len(r), err)
	}
	m, _ := run.Member(worker)
	if r[0].Verdict != bisect.Refuted || m.Status != work.Expelled || !m.Bond.IsZero() || c.ledger.Balance(accuser) != fund.Plus(workerBond.Part(1, 2)) {
		c.t.Errorf("%s: %s (%s); the worker is %s with a bond of %s, the accuser has %s", what, r[0].Verdict, r[0].Reason, m.Status, m.Bond.Coins(), c.ledger.Balance(accuser).Coins())
	}
	for range 100 {
		c.ledger.Advance()
	}
	for _, x := range c.ledger.Receipts(c.run) {
		if x.Kind == work.ForUnit && !x.Amount.IsZero() {
			c.t.Errorf("%s: a wrong unit is paid: %+v", what, x)
		}
	}
}

// acquitted checks that the claim is upheld and the accuser has lost its bond, half of it to the worker.
func (c *court) acquitted(what string) {
	c.t.Helper()
	r := c.ledger.Rulings(c.run)[0]
	run, err := c.ledger.Run(c.run)
	if err != nil {
		c.t.Fatal(err)
	}
	bond := ledgertest.DisputeParams.Bond
	m, _ := run.Member(worker)
	if r.Verdict != bisect.Upheld || m.Status != work.Active || m.Bond != workerBond || c.ledger.Balance(accuser) != fund.Minus(bond) || c.ledger.Balance(worker) != bond.Part(1, 2) {
		c.t.Errorf("%s: %s (%s); the worker is %s with %s, the accuser has %s", what, r.Verdict, r.Reason, m.Status, c.ledger.Balance(worker).Coins(), c.ledger.Balance(accuser).Coins())
	}
}
