package disputecmd

import (
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// falseFold is an aggregate that is right but for one bit of one weight of the next model, and keeps to that.
type falseFold struct {
	*workshop.Fold
	name  string
	value int
}

func (f *falseFold) State(step int) ([]trace.Entry, error) {
	s, err := f.Fold.State(step)
	if err != nil || step == 0 {
		return s, err
	}
	lied := append([]trace.Entry(nil), s...)
	for i := range lied {
		if lied[i].Name == f.name {
			lied[i].Tensor = flipped(lied[i].Tensor)
		}
	}
	return lied, nil
}

func (f *falseFold) Values(step int) ([]*tensor.Tensor, error) {
	v, err := f.Fold.Values(step)
	if err != nil {
		return nil, err
	}
	lied := append([]*tensor.Tensor(nil), v...)
	lied[f.value] = flipped(lied[f.value])
	return lied, nil
}

// Payload says what a vote for its next state says.
func (f *falseFold) Payload() ([]byte, error) {
	v, units, err := stateNamed(f)
	return dispute.AggregateBytes(v, units), err
}

// stateNamed is the state that an aggregate of units without a number missing leads to.
func stateNamed(m bisect.Machine) (v work.Vote, units []uint32, err error) {
	s, err := m.State(1)
	if err != nil {
		return v, nil, err
	}
	var model, outer []trace.Entry
	for _, e := range s {
		kind, name, _ := strings.Cut(e.Name, "/")
		switch kind + "/" {
		case round.FoldTheta:
			model = append(model, trace.Entry{Name: name, Role: registry.RoleWeights, Tensor: e.Tensor})
		case round.FoldMomentum, round.FoldResidual:
			outer = append(outer, trace.Entry{Name: name, Role: kind, Tensor: e.Tensor})
		default: // who is rejected
			for i, out := range e.Tensor.Float32() {
				units = append(units, uint32(i))
				if out != 0 {
					v.Rejected = append(v.Rejected, uint32(i))
				}
			}
		}
	}
	v.Next = work.StateRef{Model: trace.StateRoot(model), Outer: trace.StateRoot(outer), Blob: trace.StateRoot(model)}
	return v, units, nil
}

// voteFor is the message of a verifier who claims an execution.
func (l *ledger) voteFor(m bisect.Machine) work.Aggregate {
	l.t.Helper()
	v, units, err := stateNamed(m)
	if err != nil {
		l.t.Fatal(err)
	}
	var points [trace.Points]merkle.Hash
	for p := range points {
		state, err := m.State(m.PointStep(p))
		if err != nil {
			l.t.Fatal(err)
		}
		points[p] = trace.StateRoot(state)
	}
	root := trace.TraceRoot(points, trace.PayloadRoot(dispute.AggregateBytes(v, units)))
	return work.Aggregate{Run: l.run, Round: l.state().Round.Number, Next: v.Next, Rejected: v.Rejected, Trace: root}
}

// council is a run over a real recipe with two providers and four verifiers.
type council struct {
	*ledger
	trainer *round.Trainer
	public  round.Public
	workers []client.Key
	voters  []client.Key // the last one is honest
}

func newCouncil(t *testing.T) *council {
	r, set := example(t, "diagnosis", func(r *recipe.Recipe) { r.Train.Batch, r.Train.Steps = 8, 2 })
	trainer, err := round.NewTrainer(r, set)
	if err != nil {
		t.Fatal(err)
	}
	c := &council{ledger: newLedger(t), trainer: trainer}
	c.workers, c.voters = []client.Key{c.worker, c.others[0]}, []client.Key{c.others[1], c.others[2], c.others[3], c.checker}
	if c.public, err = trainer.Initial(); err != nil {
		t.Fatal(err)
	}
	one := merkle.Leaf(nil)
	d := registry.RegisterDataset{Root: workshop.RecordsRoot(set), Blob: one, Schema: one, Records: uint64(set.Count), RecordSize: uint64(set.RecordSize), Name: "d", Licence: "CC0-1.0"}
	s := work.DefaultSpec()
	s.Name, s.Dataset, s.Program, s.InferenceProgram, s.Params, s.Recipe = "r", registry.DatasetID(c.author.Account(), d), trace.ProgramHash(trainer.StepGraph()), one, []string{"w"}, r.Encode()
	s.Initial, s.Rounds, s.MaxUnits, s.MinProviders, s.MinVerifiers = refOf(c.public), 2, 2, 2, 4
	s.Steps, s.UnitTokens = uint32(r.Train.Steps), trainer.UnitTokens(r.Train.Steps)
	s.Windows.Challenge = 0
	s.Price.PerUnit, s.ProviderBond, s.VerifierBond = money.MUT(1), money.MUT(50), money.MUT(50)
	create := work.CreateRun{Spec: s}
	c.run = work.RunID(c.author.Account(), create)
	c.must(c.author, d)
	c.must(c.author, create)
	for i, role := range []work.Role{work.Provider, work.Verifier} {
		for _, k := range [][]client.Key{c.workers, c.voters}[i] {
			c.must(k, work.Join{Run: c.run, Role: role})
		}
	}
	return c
}

func refOf(p round.Public) work.StateRef {
	var model, outer []trace.Entry
	for i, w := range p.Theta {
		model = append(model, trace.Entry{Name: w.Name, Role: registry.RoleWeights, Tensor: w.Tensor})
		outer = append(outer, trace.Entry{Name: w.Name, Role: "momentum", Tensor: p.Momentum[i].Tensor}, trace.Entry{Name: w.Name, Role: "residual", Tensor: p.Residual[i].Tensor})
	}
	return work.StateRef{Model: trace.StateRoot(model), Outer: trace.StateRoot(outer), Blob: trace.StateRoot(model)}
}

// assemble brings a round to its vote and returns the true aggregate. What is on trial is the aggregate: audits confirm units by points that
// are all zero.
func (c *council) assemble() *workshop.Fold {
	c.t.Helper()
	salt := merkle.Leaf([]byte("salt"))
	s := c.state()
	sent := make([][]byte, len(s.Round.Units))
	for _, u := range s.Round.Units {
		out, err := c.trainer.Unit(c.t.Context(), round.Task{Theta: c.public.Theta, Seed: u.Shard, Steps: int(s.Spec.Steps)}, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		sent[u.Index] = out.Payload
	}
	result := func(unit uint32) work.Result {
		root := trace.PayloadRoot(sent[unit])
		o := work.Opening{Payload: root}
		return work.Result{Payload: work.PayloadRef{Root: root, Blob: root, Size: uint64(len(sent[unit]))}, Trace: o.TraceRoot()}
	}
	n := s.Round.Number
	for _, u := range s.Round.Units {
		c.must(c.key(u.Worker), work.Commit{Run: c.run, Round: n, Unit: u.Index, Seal: work.CommitSeal(c.run, n, u.Index, u.Shard, u.Worker, result(u.Index), salt)})
	}
	for _, u := range s.Round.Units {
		c.must(c.key(u.Worker), work.Reveal{Run: c.run, Round: n, Unit: u.Index, Result: result(u.Index), Salt: salt})
	}
	s = c.state()
	reports := make([]work.Report, len(c.voters))
	for i, k := range c.voters {
		for _, u := range s.Round.Units {
			reports[i].Available = append(reports[i].Available, true)
			if u.Audited && u.Auditor == k.Account() {
				reports[i].Audits = append(reports[i].Audits, work.Opening{Unit: u.Index, Payload: u.Result.Payload.Root})
			}
		}
		if c.present(k) {
			c.must(k, work.AuditCommit{Run: c.run, Round: n, Pass: 1, Seal: work.ReportSeal(c.run, n, 1, k.Account(), reports[i], salt)})
		}
	}
	for i, k := range c.voters {
		if c.present(k) {
			c.must(k, work.AuditReveal{Run: c.run, Round: n, Pass: 1, Report: reports[i], Salt: salt})
		}
	}
	if s = c.state(); s.Phase != work.PhaseAggregate || len(s.Admitted()) != len(sent) {
		c.t.Fatalf("phase %s, %d units are admitted", s.Phase, len(s.Admitted()))
	}
	f, err := workshop.NewFold(workshop.NewFoldSource(c.trainer.Outline, s.Current.Model, dispute.AggregateInputs(s)), c.public, sent)
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

func (c *council) present(k client.Key) bool {
	return slices.ContainsFunc(c.state().Round.Seats, func(s work.Seat) bool { return s.Account == k.Account() && s.Present })
}

func (c *council) key(who protocol.Account) client.Key {
	for _, k := range slices.Concat(c.workers, c.voters, []client.Key{c.foe}) {
		if k.Account() == who {
			return k
		}
	}
	c.t.Fatal("a stranger")
	return client.Key{}
}

// object disputes the vote of a verifier and returns the id of the dispute.
func (c *council) object(by, about client.Key) protocol.Hash {
	c.t.Helper()
	seat := slices.IndexFunc(c.state().Round.Seats, func(s work.Seat) bool { return s.Account == about.Account() })
	_, program, err := workshop.FoldProgram(c.trainer.Outline, len(c.state().Admitted()))
	if err != nil {
		c.t.Fatal(err)
	}
	id := dispute.ID(dispute.AggregateClaim(c.state(), program.Root(), seat), by.Account(), 0)
	c.must(by, dispute.Open{Run: c.run, Round: c.state().Round.Number, Unit: work.VoteUnit(seat)})
	return id
}

// try plays a dispute until it has ended. It returns where it was at last.
func (c *council) try(id protocol.Hash, defender bisect.Machine, accuser bisect.Machine) (place string) {
	c.t.Helper()
	for {
		ctx, err := c.app.CreateQueryContext(c.height, false)
		if err != nil {
			c.t.Fatal(err)
		}
		d, err := c.app.Dispute.Dispute(ctx, id, escrow.Free)
		if err != nil {
			return place // it has ended
		}
		place = d.Game.Place()
		m := dispute.Move{Dispute: id, Turn: d.Turn, Side: d.ToMove()}
		if m.Side == dispute.Challenger {
			choice, found, err := bisect.Challenge(d.Game, accuser)
			if err != nil || !found {
				c.t.Fatalf("nothing is wrong at %s: %v", d.Game.Stage, err)
			}
			m.Choice, m.Answer = uint32(choice.Part), choice.Shown
		} else if m.Answer, err = bisect.Defend(d.Game, defender); err != nil {
			c.t.Fatal(err)
		}
		who := c.key(d.Player())
		signature, err := who.Sign(m.Digest())
		if err != nil {
			c.t.Fatal(err)
		}
		c.must(who, dispute.Play{Move: m, Signature: signature})
	}
}

// untilClosed lets blocks pass until so many rounds are done.
func (c *council) untilClosed(rounds uint32) {
	c.t.Helper()
	for range 200 {
		if c.state().Done >= rounds {
			return
		}
		c.block()
	}
	c.t.Fatalf("phase %s, %d rounds are done", c.state().Phase, c.state().Done)
}

// TestFalseMajorityOnTheChain has three of four verifiers name a next model with one wrong bit, by the keepers of the whole application. The fourth
// disputes all three and proves them wrong, so the false model never is the run's; then a stranger accuses the true aggregate of the next round
// by the same wrong bit and loses its bond.
func TestFalseMajorityOnTheChain(t *testing.T) {
	c := newCouncil(t)
	truth := c.assemble()
	program := truth.Program()
	lie := &falseFold{Fold: truth}
	for i := range program.States {
		record, _ := program.Record(program.StateAt(i))
		x, err := trace.ParseState(record)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(x.Name, round.FoldTheta) {
			lie.name, lie.value = x.Name, int(x.Next)
		}
	}
	liars, honest := c.voters[:3], c.voters[3]
	wrong, right := c.voteFor(lie), c.voteFor(truth)
	if wrong.Next.Model == right.Next.Model {
		t.Fatal("there is no lie")
	}
	for _, k := range liars {
		c.must(k, wrong)
	}
	if s := c.state(); s.Phase != work.PhaseContest || s.Outcome() == nil || s.Outcome().Next != wrong.Next {
		t.Fatalf("phase %s, the round would close on %+v", s.Phase, s.Outcome())
	}
	c.must(honest, right)
	var ids []protocol.Hash
	for _, k := range liars {
		ids = append(ids, c.object(honest, k))
	}
	for i, k := range liars {
		place := c.try(ids[i], lie, truth)
		if m, _ := c.state().Member(k.Account()); m.Status != work.Expelled || !m.Bond.IsZero() || c.state().Current.Model == wrong.Next.Model {
			t.Errorf("at %s: the liar is %s with a bond of %s", place, m.Status, m.Bond.Coins())
		}
		t.Log(place)
	}
	slashes := c.state().Round.Slashes
	if len(slashes) != 3 || slashes[0].To != honest.Account() {
		t.Errorf("slashes %+v", slashes)
	}
	c.untilClosed(1)
	if s := c.state(); s.Current != right.Next {
		t.Fatalf("the model is %s, must be %s", s.Current.Model, right.Next.Model)
	}

	next, _, err := truth.Next()
	if err != nil {
		t.Fatal(err)
	}
	c.public, c.voters = next, c.voters[3:]
	truth = c.assemble()
	c.must(honest, c.voteFor(truth))
	place := c.try(c.object(c.foe, honest), truth, &falseFold{Fold: truth, name: lie.name, value: lie.value})
	t.Log(place)
	if m, _ := c.state().Member(honest.Account()); m.Status != work.Active {
		t.Errorf("who named the truth is %s", m.Status)
	}
	ctx, err := c.app.CreateQueryContext(c.height, false)
	if err != nil {
		t.Fatal(err)
	}
	foe := c.foe.Account()
	if has := c.app.Bank.GetBalance(ctx, foe[:], network.Denom); has.Amount.GTE(network.Coins(money.MUT(993))[0].Amount) {
		t.Errorf("the accuser has %s, must have lost 8 MUT", has)
	}
	c.untilClosed(2)
}
