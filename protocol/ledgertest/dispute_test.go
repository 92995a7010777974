package ledgertest

import (
	"errors"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/bisect/bisecttest"
	"github.com/mutirao/mutirao/verify/split/splittest"
	"github.com/mutirao/mutirao/verify/trace"
)

// arena is a run whose only worker has claimed an execution of the toy unit, in the phase of audits.
func arena(t *testing.T, claimed, truth *bisecttest.Toy) (*Ledger, protocol.Hash) {
	t.Helper()
	l, author := New(), account("author")
	l.Judge(func(*work.State, *dispute.State) dispute.Referee { return Referee(truth) })
	terms := claimed.Terms(t)
	d := data
	d.Root, d.Records = terms.Dataset, uint64(terms.Records)
	create := newRun(t, l, author)
	if err := l.Submit(author, d); err != nil {
		t.Fatal(err)
	}
	create.Spec.Dataset, create.Spec.Program, create.Spec.Steps = registry.DatasetID(author, d), terms.Program, uint32(terms.Steps)
	create.Spec.Initial.Model, create.Spec.Windows.Wait = terms.Model, 200
	l.Mint(author, money.MUT(8))
	if err := l.Submit(author, create); err != nil {
		t.Fatal(err)
	}
	run := work.RunID(author, create)
	for name, role := range map[string]work.Role{"p": work.Provider, "v": work.Verifier} {
		l.Mint(account(name), money.MUT(3))
		if err := l.Submit(account(name), work.Join{Run: run, Role: role}); err != nil {
			t.Fatal(err)
		}
	}
	l.Advance()
	s, err := l.Run(run)
	if err != nil {
		t.Fatal(err)
	}
	result := work.Result{Payload: work.PayloadRef{Root: terms.Payload, Blob: hash("z"), Size: 1}, Trace: terms.Trace}
	p, salt := account("p"), hash("salt")
	for _, m := range []protocol.Msg{
		work.Commit{Run: run, Round: 1, Seal: work.CommitSeal(run, 1, 0, s.Round.Units[0].Shard, p, result, salt)},
		work.Reveal{Run: run, Round: 1, Result: result, Salt: salt},
	} {
		if err := l.Submit(p, m); err != nil {
			t.Fatal(err)
		}
		l.Advance()
	}
	return l, run
}

// play makes the move that is due, for whichever side, or lets a block pass if it has none that counts.
func play(t *testing.T, l *Ledger, id protocol.Hash, defender, challenger *bisecttest.Toy) bool {
	t.Helper()
	d, err := l.Dispute(id)
	if err != nil {
		t.Fatal(err)
	}
	if d.Ended {
		return false
	}
	m := dispute.Move{Dispute: id, Turn: d.Turn, Side: d.ToMove()}
	who := d.Claim.Defender
	if m.Side == dispute.Challenger {
		c, _, err := bisect.Challenge(d.Game, challenger)
		if err != nil {
			t.Fatal(err)
		}
		m.Choice, m.Answer, who = uint32(c.Part), c.Shown, d.Challenger
	} else if m.Answer, err = bisect.Defend(d.Game, defender); err != nil {
		t.Fatal(err)
	}
	if err := l.Submit(account("carrier"), dispute.Play{Move: m, Signature: Signature(who, m.Digest())}); err != nil && !errors.Is(err, protocol.ErrInvalid) {
		t.Fatal(err)
	}
	l.Advance()
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	return true
}

var plain = splittest.One("MatMul", nil, splittest.F(3, 70), splittest.F(70, 2))

// TestLiarIsSlashed disputes a lie twice at once: the first to win takes the bounty, with its backer, and the other is moot.
func TestLiarIsSlashed(t *testing.T) {
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	for _, f := range []bisecttest.Fault{{Kind: "flip", Step: 15, Value: truth.Inputs(), Element: 3}, {Kind: "batch", Step: 3, Element: 700}, {Kind: "payload", Element: 2600}} {
		liar := bisecttest.New(t, plain, f, -1)
		l, run := arena(t, liar, truth)
		a, b, c := account("a"), account("b"), account("c")
		for _, who := range []protocol.Account{a, b, c} {
			l.Mint(who, money.MUT(4))
		}
		for _, who := range []protocol.Account{a, b} {
			if err := l.Submit(who, dispute.Open{Run: run, Round: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Submit(a, dispute.Open{Run: run, Round: 1}); !errors.Is(err, protocol.ErrExists) {
			t.Errorf("the same dispute again: %v", err)
		}
		open := l.Disputes(run)
		if err := l.Submit(c, dispute.Back{Dispute: open[0].ID, Amount: money.MUT(3)}); err != nil {
			t.Fatal(err)
		}
		for play(t, l, open[0].ID, liar, truth) {
		}
		rulings := l.Rulings(run)
		if len(rulings) != 2 || rulings[0].Verdict != bisect.Refuted || rulings[1].Verdict != bisect.Undecided {
			t.Fatalf("%+v: rulings %+v", f, rulings)
		}
		s, err := l.Run(run)
		if err != nil {
			t.Fatal(err)
		}
		if m, _ := s.Member(account("p")); m.Status != work.Expelled || !m.Bond.IsZero() {
			t.Errorf("%+v: the liar is %s with a bond of %s", f, m.Status, m.Bond.Coins())
		}
		// Bond 3, bounty 1.5: a quarter for a's 1 MUT at stake, the rest for c's 3.
		if l.Balance(a).Minus(money.MUT(4)).Times(8) != money.MUT(3) || l.Balance(c).Minus(money.MUT(4)).Times(8) != money.MUT(9) || l.Balance(b) != money.MUT(4) {
			t.Errorf("%+v: balances %s, %s, %s", f, l.Balance(a).Coins(), l.Balance(b).Coins(), l.Balance(c).Coins())
		}
		for range 400 {
			l.Advance()
		}
		for _, r := range l.Receipts(run) {
			if r.Kind == work.ForUnit && !r.Amount.IsZero() {
				t.Errorf("%+v: a wrong unit is paid: %+v", f, r)
			}
		}
	}
}

// TestAccuserLoses disputes an honest claim while the round goes on: it waits for the verdict, then admits the unit. The next dispute
// of the loser costs twice as much.
func TestAccuserLoses(t *testing.T) {
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	l, run := arena(t, truth, truth)
	a := account("a")
	l.Mint(a, money.MUT(4))
	if err := l.Submit(a, dispute.Open{Run: run, Round: 2}); !errors.Is(err, protocol.ErrRound) {
		t.Errorf("a round that is not open: %v", err)
	}
	if err := l.Submit(a, dispute.Open{Run: run, Round: 1}); err != nil {
		t.Fatal(err)
	}
	id := l.Disputes(run)[0].ID
	v, salt := account("v"), hash("salt")
	terms := truth.Terms(t)
	var points work.Points
	for i := range points {
		state, err := truth.State(truth.PointStep(i))
		if err != nil {
			t.Fatal(err)
		}
		points[i] = trace.StateRoot(state)
	}
	report := work.Report{Available: []bool{true}, Audits: []work.Opening{{Points: points, Payload: terms.Payload}}}
	for _, m := range []protocol.Msg{
		work.AuditCommit{Run: run, Round: 1, Pass: 1, Seal: work.ReportSeal(run, 1, 1, v, report, salt)},
		work.AuditReveal{Run: run, Round: 1, Pass: 1, Report: report, Salt: salt},
	} {
		if err := l.Submit(v, m); err != nil {
			t.Fatal(err)
		}
		l.Advance()
	}
	s, err := l.Run(run)
	if err != nil || s.Phase != work.PhasePlay {
		t.Fatalf("phase %s, %v", s.Phase, err)
	}
	if reason, _, _ := work.Waiting(s, l.Height()); reason != work.WaitPlay {
		t.Errorf("waiting: %s", reason)
	}
	for play(t, l, id, truth, truth) {
	}
	l.Advance()
	if s, err = l.Run(run); err != nil || s.Phase != work.PhaseAggregate || len(s.Admitted()) != 1 {
		t.Fatalf("phase %s, %v", s.Phase, err)
	}
	if r := l.Rulings(run)[0]; r.Verdict != bisect.Upheld || l.Balance(account("p")).Times(2) != money.MUT(1) || l.Balance(a) != money.MUT(3) {
		t.Errorf("%s: the defender has %s, the accuser %s", r.Verdict, l.Balance(account("p")).Coins(), l.Balance(a).Coins())
	}
	if err := l.Submit(a, dispute.Open{Run: run, Round: 1, Nonce: 1}); !errors.Is(err, protocol.ErrPhase) {
		t.Errorf("a dispute in the phase of the aggregate: %v", err)
	}
	if h := l.history(a); h.Lost != 1 || h.Open != 0 {
		t.Errorf("history %+v", h)
	}
}
