package workshop

import (
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
	"github.com/mutirao/mutirao/verify/trace"
)

// assembly is a ledger with one run, whose two verifiers are to name the aggregate of its first round.
type assembly struct {
	t      testing.TB
	ledger *ledgertest.Ledger
	run    protocol.Hash
}

// Who votes: one is accused, the other names what is right.
var accused, checker = protocol.Account{'v', '1'}, protocol.Account{'v', '2'}

// assembly brings a round of as many units as there are payloads to its vote.
func (f folding) assembly(t testing.TB) *assembly {
	t.Helper()
	a := &assembly{t: t, ledger: ledgertest.New()}
	a.ledger.Judge(func(_ *work.State, d *dispute.State) dispute.Referee {
		return judge{NewFoldSource(f.trainer.Outline, d.Claim.Terms.Model, d.Inputs)}
	})
	a.ledger.Programs(func(_ *work.State, units int) (protocol.Hash, error) {
		_, p, err := FoldProgram(f.trainer.Outline, units)
		return p.Root(), err
	})
	author, one := protocol.Account{'o'}, merkle.Leaf(nil)
	set := registry.RegisterDataset{Root: one, Blob: one, Schema: one, Records: 4, RecordSize: 4, Name: "d", Licence: "CC0-1.0"}
	units := len(f.honest.sent)
	s := work.DefaultSpec()
	s.Name, s.Dataset, s.Program, s.InferenceProgram, s.Params = "r", registry.DatasetID(author, set), one, one, []string{"w"}
	s.Initial = work.StateRef{Model: modelRoot(f.public), Outer: outerRoot(f.public), Blob: one}
	s.Rounds, s.Steps, s.MaxUnits, s.MinProviders, s.MinVerifiers = 2, 1, uint32(units), uint32(units), 2
	s.Windows.Challenge = 0
	s.Price.PerUnit, s.ProviderBond, s.VerifierBond = money.MUT(1), workerBond, workerBond
	create := work.CreateRun{Spec: s}
	a.ledger.Mint(author, s.Budget())
	a.must(author, set)
	a.must(author, create)
	a.run = work.RunID(author, create)
	for i := range units {
		a.join(protocol.Account{'p', byte(i)}, work.Provider)
	}
	a.join(accused, work.Verifier)
	a.join(checker, work.Verifier)
	a.ledger.Mint(accuser, fund)
	a.block()
	a.work(f.honest.sent)
	return a
}

func (a *assembly) join(who protocol.Account, role work.Role) {
	a.ledger.Mint(who, workerBond)
	a.must(who, work.Join{Run: a.run, Role: role})
}

// work has the units of the round sealed, opened and audited. Nobody executes them: their points are zero.
func (a *assembly) work(payloads [][]byte) {
	a.t.Helper()
	salt := merkle.Leaf([]byte("salt"))
	result := func(unit uint32) work.Result {
		root := trace.PayloadRoot(payloads[unit])
		o := work.Opening{Payload: root}
		return work.Result{Payload: work.PayloadRef{Root: root, Blob: root, Size: uint64(len(payloads[unit]))}, Trace: o.TraceRoot()}
	}
	for _, u := range a.state().Round.Units {
		a.must(u.Worker, work.Commit{Run: a.run, Round: 1, Unit: u.Index, Seal: work.CommitSeal(a.run, 1, u.Index, u.Shard, u.Worker, result(u.Index), salt)})
	}
	a.block()
	for _, u := range a.state().Round.Units {
		a.must(u.Worker, work.Reveal{Run: a.run, Round: 1, Unit: u.Index, Result: result(u.Index), Salt: salt})
	}
	a.block()
	report := func(who protocol.Account) (r work.Report) {
		for _, u := range a.state().Round.Units {
			r.Available = append(r.Available, true)
			if u.Auditor == who {
				r.Audits = append(r.Audits, work.Opening{Unit: u.Index, Payload: u.Result.Payload.Root})
			}
		}
		return r
	}
	for _, who := range []protocol.Account{accused, checker} {
		a.must(who, work.AuditCommit{Run: a.run, Round: 1, Pass: 1, Seal: work.ReportSeal(a.run, 1, 1, who, report(who), salt)})
	}
	a.block()
	for _, who := range []protocol.Account{accused, checker} {
		a.must(who, work.AuditReveal{Run: a.run, Round: 1, Pass: 1, Report: report(who), Salt: salt})
	}
	a.block()
	if s := a.state(); s.Phase != work.PhaseAggregate || len(s.Admitted()) != len(payloads) {
		a.t.Fatalf("phase %s, %d units are admitted", s.Phase, len(s.Admitted()))
	}
}

func (a *assembly) must(who protocol.Account, m protocol.Msg) {
	a.t.Helper()
	if err := a.ledger.Submit(who, m); err != nil {
		a.t.Fatal(err)
	}
}

func (a *assembly) block() {
	a.t.Helper()
	a.ledger.Advance()
	if err := a.ledger.Check(); err != nil {
		a.t.Fatal(err)
	}
}

func (a *assembly) state() *work.State {
	a.t.Helper()
	s, err := a.ledger.Run(a.run)
	if err != nil {
		a.t.Fatal(err)
	}
	return s
}

func (a *assembly) vote(who protocol.Account, v work.Vote) {
	a.t.Helper()
	a.must(who, work.Aggregate{Run: a.run, Round: 1, Next: v.Next, Rejected: v.Rejected, Trace: v.Trace})
}

func (a *assembly) seat(who protocol.Account) int {
	for i, s := range a.state().Round.Seats {
		if s.Account == who {
			return i
		}
	}
	a.t.Fatal("no seat")
	return 0
}

func (a *assembly) dispute() *dispute.State { return a.ledger.Disputes(a.run)[0] }

// play sends a move in a block of its own and reports whether the rules took it.
func (a *assembly) play(m dispute.Move) bool {
	a.t.Helper()
	who := map[dispute.Side]protocol.Account{dispute.Defender: accused, dispute.Challenger: accuser}[m.Side]
	err := a.ledger.Submit(protocol.Account{'c'}, dispute.Play{Move: m, Signature: signed(who, m.Digest())})
	if err != nil && !errors.Is(err, protocol.ErrInvalid) {
		a.t.Fatal(err)
	}
	a.block()
	return err == nil
}

// judged checks who has lost what by a verdict, and that the round closes on the true aggregate.
func (a *assembly) judged(v verdictOf, honest work.Vote) {
	a.t.Helper()
	bond := ledgertest.DisputeParams.Bond
	m, _ := a.state().Member(accused)
	refuted := v.verdict == bisect.Refuted
	want := fund.Minus(bond)
	if refuted {
		want = fund.Plus(workerBond.Part(1, 2))
	}
	if has := a.ledger.Balance(accuser); (m.Status == work.Expelled) != refuted || m.Bond.IsZero() != refuted || has != want {
		a.t.Errorf("%s: the verifier is %s with a bond of %s, who disputed has %s", v.verdict, m.Status, m.Bond.Coins(), has.Coins())
	}
	for range 100 {
		if a.state().Done > 0 {
			break
		}
		a.block()
	}
	if s := a.state(); s.Done != 1 || s.Current != honest.Next {
		a.t.Errorf("%s: after %d rounds the model is %s, must be %s", v.verdict, s.Done, s.Current.Model, honest.Next.Model)
	}
}
