package work_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// disputeFund is what a verifier has beyond its bond.
var disputeFund = money.MUT(10_000)

func init() { ledgertest.DisputeParams.Clock = 3 }

// world is a ledger with one run and members that act on it. What they compute is a hash of the unit's shard: as good as
// training for the rules, which see nothing but hashes.
type world struct {
	ledger *ledgertest.Ledger
	run    protocol.Hash
	author protocol.Account
}

// account turns a short name into an account that shows it.
func account(name string) protocol.Account {
	var a protocol.Account
	copy(a[:], name)
	return a
}

func name(a protocol.Account) string { return strings.TrimRight(string(a[:]), "\x00") }

func hash(parts ...string) protocol.Hash { return merkle.Leaf([]byte(strings.Join(parts, "|"))) }

func state(label string) work.StateRef {
	return work.StateRef{Model: hash("model", label), Outer: hash("outer", label), Blob: hash("blob", label)}
}

// testSpec is a small run in which every unit is audited.
func testSpec() work.Spec {
	s := work.DefaultSpec()
	s.Name, s.Program, s.InferenceProgram = "test", hash("program"), hash("inference")
	s.Params, s.Recipe = []string{"fc1.bias", "fc1.weight"}, []byte("recipe")
	s.Initial, s.Seed = state("0"), hash("seed")
	s.Rounds, s.Steps, s.MaxUnits, s.MinProviders, s.MinVerifiers = 2, 10, 8, 3, 4
	s.Price.PerUnit = money.MUT(10)
	s.ProviderBond, s.VerifierBond = money.MUT(50), money.MUT(50)
	s.Audit.NewcomerUnits, s.Vesting = 1000, work.Vesting{} // terms that tests of their own are about
	s.Windows = work.Windows{Compute: 3, Reveal: 2, AuditCommit: 3, AuditReveal: 2, Dispute: 2, Aggregate: 2, Wait: 20}
	return s
}

// newWorld funds an author, registers a dataset and creates the run.
func newWorld(spec work.Spec) (*world, error) {
	w := &world{ledger: ledgertest.New(), author: account("author")}
	w.ledger.Judge(func(*work.State, *dispute.State) dispute.Referee { return ledgertest.Referee(nil) })
	w.ledger.Mint(w.author, spec.Budget())
	data := registry.RegisterDataset{Root: hash("root"), Blob: hash("blob"), Schema: hash("schema"), Records: 569, RecordSize: 124, Name: "d", Licence: "CC-BY-4.0"}
	if err := w.ledger.Submit(w.author, data); err != nil {
		return nil, err
	}
	spec.Dataset = registry.DatasetID(w.author, data)
	create := work.CreateRun{Spec: spec}
	w.run = work.RunID(w.author, create)
	return w, w.ledger.Submit(w.author, create)
}

func (w *world) state() *work.State {
	s, err := w.ledger.Run(w.run)
	if err != nil {
		panic(err)
	}
	return s
}

// join gives an account its bond, a verifier also what its first dispute takes, and makes it a member.
func (w *world) join(who string, role work.Role) error {
	w.ledger.Mint(account(who), w.state().Spec.Bond(role))
	if role == work.Verifier {
		w.ledger.Mint(account(who), disputeFund)
	}
	return w.ledger.Submit(account(who), work.Join{Run: w.run, Role: role, Peer: "/peer/" + who})
}

// strategy is how a member behaves.
type strategy string

const (
	honest     strategy = "honest"
	liar       strategy = "liar"       // computes something else, consistently
	copier     strategy = "copier"     // seals what another sealed and tries to open it as its own
	contrarian strategy = "contrarian" // as a verifier disagrees with everybody and disputes what it cannot refute
	shy        strategy = "shy"        // as a verifier disagrees with everybody and disputes nothing
	accomplice strategy = "accomplice" // as a verifier that knows the liars' points: it agrees with everybody
	echo       strategy = "echo"       // as a verifier agrees with whatever was revealed, without the points
	stray      strategy = "stray"      // as a verifier votes for another aggregate
	mute       strategy = "mute"       // seals, but never opens
	withholder strategy = "withholder" // seals and opens, but serves the payload to nobody
)

// opening is what an execution of a unit finds, wrong if twist is not empty.
func opening(u work.Unit, twist string) work.Opening {
	o := work.Opening{Unit: u.Index, Payload: hash("payload", u.Shard.String(), twist)}
	for i := range o.Points {
		o.Points[i] = hash("point", u.Shard.String(), fmt.Sprint(i), twist)
	}
	return o
}

func result(o work.Opening) work.Result {
	return work.Result{
		Payload: work.PayloadRef{Root: o.Payload, Blob: hash("address", o.Payload.String()), Size: 64},
		Trace:   trace.TraceRoot([trace.Points]merkle.Hash(o.Points), o.Payload),
	}
}

// next is the aggregate of what was admitted.
func next(s *work.State) work.StateRef {
	label := s.Current.Model.String()
	for _, i := range s.Admitted() {
		label += s.Round.Units[i].Result.Payload.Root.String()
	}
	return state(label)
}

func salt(who protocol.Account, what protocol.Hash) protocol.Hash {
	return hash("salt", who.String(), what.String())
}

// claimed is what a worker of that strategy claims for its unit.
func claimed(s *work.State, u work.Unit, how strategy) (work.Result, protocol.Hash) {
	switch how {
	case liar:
		return result(opening(u, "lie of "+name(u.Worker))), salt(u.Worker, u.Shard)
	case copier:
		for _, v := range s.Round.Units {
			if v.Worker != u.Worker && !v.Salt.IsZero() {
				return v.Result, v.Salt
			}
		}
	}
	return result(opening(u, "")), salt(u.Worker, u.Shard)
}

// message answers one task, or returns nil if the strategy does nothing about it.
func (w *world) message(who protocol.Account, how strategy, t work.Task) []protocol.Msg {
	s := w.state()
	r := s.Round
	switch t.Kind {
	case work.TaskReady:
		return []protocol.Msg{work.Ready{Run: w.run}}
	case work.TaskCompute:
		var list []protocol.Msg
		for _, i := range t.Units {
			u := r.Units[i]
			res, sa := claimed(s, u, how)
			seal := work.CommitSeal(w.run, r.Number, i, u.Shard, who, res, sa)
			if how == copier {
				at := slices.IndexFunc(r.Units, func(v work.Unit) bool { return v.Worker != who && !v.Seal.IsZero() })
				if at < 0 {
					continue // nothing to copy yet
				}
				seal = r.Units[at].Seal
			}
			list = append(list, work.Commit{Run: w.run, Round: r.Number, Unit: i, Seal: seal})
		}
		return list
	case work.TaskReveal:
		if how == mute {
			return nil
		}
		var list []protocol.Msg
		for _, i := range t.Units {
			res, sa := claimed(s, r.Units[i], how)
			list = append(list, work.Reveal{Run: w.run, Round: r.Number, Unit: i, Result: res, Salt: sa})
		}
		return list
	case work.TaskAuditCommit:
		seal := work.ReportSeal(w.run, r.Number, r.Pass, who, w.report(who, how, t), salt(who, r.Draw))
		return []protocol.Msg{work.AuditCommit{Run: w.run, Round: r.Number, Pass: r.Pass, Seal: seal}}
	case work.TaskAuditReveal:
		if how == mute {
			return nil
		}
		return []protocol.Msg{work.AuditReveal{Run: w.run, Round: r.Number, Pass: r.Pass, Report: w.report(who, how, t), Salt: salt(who, r.Draw)}}
	case work.TaskDispute:
		if how == shy {
			return nil
		}
		var list []protocol.Msg
		for _, i := range t.Units {
			list = append(list, dispute.Open{Run: w.run, Round: r.Number, Unit: i, Nonce: uint64(r.Pass)})
		}
		return list
	case work.TaskAggregate:
		v := next(s)
		if how == stray {
			v = state("stray " + name(who))
		}
		return []protocol.Msg{work.Aggregate{Run: w.run, Round: r.Number, Next: v, Trace: hash("trace", v.Model.String())}}
	}
	return nil
}

// withheld marks the payload of a withholder in the world of hashes: its worker's name says so.
func withheld(u work.Unit) bool { return strings.HasPrefix(name(u.Worker), "w") }

func (w *world) report(who protocol.Account, how strategy, t work.Task) work.Report {
	r := work.Report{Audits: w.openings(how, t)}
	for _, u := range w.state().Round.Units {
		r.Available = append(r.Available, u.Opened() && !withheld(u))
	}
	return r
}

func (w *world) openings(how strategy, t work.Task) []work.Opening {
	list := []work.Opening{}
	for _, i := range t.Units {
		u := w.state().Round.Units[i]
		o := opening(u, "")
		switch how {
		case contrarian, shy:
			o = opening(u, "contrary")
		case accomplice:
			if lie := opening(u, "lie of "+name(u.Worker)); lie.Agrees(u.Result) {
				o = lie
			}
		case echo:
			o = opening(u, "echo")
			o.Payload = u.Result.Payload.Root
		}
		if !o.Agrees(u.Result) {
			o.Detail = "differs"
		}
		list = append(list, o)
	}
	return list
}

// act does all that a member has to do now, once.
func (w *world) act(who string, how strategy) error {
	for _, t := range work.Duty(w.state(), account(who)) {
		for _, m := range w.message(account(who), how, t) {
			if err := w.ledger.Submit(account(who), m); err != nil {
				return err
			}
		}
	}
	return w.play(account(who))
}

// play makes the first move of a defender whose points lead to its trace, which is all that can be shown in a world of hashes: who lies
// has none, and no challenger has anything to point at. So silence decides, as it must: against who lies.
func (w *world) play(who protocol.Account) error {
	for _, d := range w.ledger.Disputes(w.run) {
		if d.Ended || d.Player() != who || d.Turn > 0 {
			continue
		}
		o := opening(work.Unit{Index: d.Claim.Unit, Shard: d.Claim.Shard}, "")
		m := dispute.Move{Dispute: d.ID, Side: dispute.Defender}
		for _, p := range o.Points {
			m.Answer = append(m.Answer, p[:]...)
		}
		err := w.ledger.Submit(who, dispute.Play{Move: m, Signature: ledgertest.Signature(who, m.Digest())})
		if err != nil && !errors.Is(err, protocol.ErrInvalid) && !errors.Is(err, protocol.ErrPhase) {
			return err
		}
	}
	return nil
}

// check verifies the ledger and what must hold for every state.
func (w *world) check() error {
	if err := w.ledger.Check(); err != nil {
		return err
	}
	return sound(w.state())
}

// sound verifies that a state survives JSON, that waiting has a reason and a deadline, and that a round has what its phase
// needs.
func sound(s *work.State) error {
	first, err := json.Marshal(s)
	if err != nil {
		return err
	}
	var back work.State
	if err := json.Unmarshal(first, &back); err != nil {
		return err
	}
	second, err := json.Marshal(&back)
	if err != nil {
		return err
	}
	if string(first) != string(second) {
		return fmt.Errorf("state changes in JSON:\n%s\n%s", first, second)
	}
	clone, err := json.Marshal(s.Clone())
	if err != nil {
		return err
	}
	if string(first) != string(clone) {
		return errors.New("clone differs")
	}
	reason, deadline, who := work.Waiting(s, 0)
	if reason == "" || (deadline == 0) != s.Phase.Ended() {
		return fmt.Errorf("phase %s waits for %q until %d", s.Phase, reason, deadline)
	}
	for _, a := range who {
		if len(work.Duty(s, a)) == 0 {
			return fmt.Errorf("phase %s waits for %s, who has no duty", s.Phase, name(a))
		}
	}
	if (s.Round == nil) != (s.Phase == work.PhaseGather || s.Phase.Ended()) {
		return fmt.Errorf("phase %s with round %v", s.Phase, s.Round != nil)
	}
	if s.Phase.Ended() && !s.Claims().IsZero() {
		return fmt.Errorf("%s run owes %s", s.Phase, s.Claims())
	}
	return nil
}

// settle lets members act, each once a block in the order of the list, until the run has ended or so many blocks are over.
func (w *world) settle(t *testing.T, blocks int, members []string, how map[string]strategy) {
	t.Helper()
	for range blocks {
		for _, m := range members {
			h := how[m]
			if h == "" {
				h = honest
			}
			err := w.act(m, h)
			if err != nil && h == honest {
				t.Fatalf("block %d: %s: %v", w.ledger.Height()+1, m, err)
			}
			if err := w.check(); err != nil {
				t.Fatalf("block %d, after %s: %v", w.ledger.Height()+1, m, err)
			}
		}
		w.ledger.Advance()
		if err := w.check(); err != nil {
			t.Fatalf("block %d: %v", w.ledger.Height(), err)
		}
		if w.state().Phase.Ended() {
			return
		}
	}
}

// paid sums what a run paid an account for units.
func (w *world) paid(who string) money.Amount {
	var sum money.Amount
	for _, r := range w.ledger.Receipts(w.run) {
		if r.To == account(who) && r.Kind == work.ForUnit {
			sum = sum.Plus(r.Amount)
		}
	}
	return sum
}

// slashed lists who lost a bond.
func (w *world) slashed() []string {
	var list []string
	for _, s := range w.ledger.Summaries(w.run) {
		for _, x := range s.Slashes {
			list = append(list, name(x.Account))
		}
	}
	slices.Sort(list)
	return list
}
