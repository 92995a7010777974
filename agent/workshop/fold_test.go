package workshop

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/split"
	"github.com/mutirao/mutirao/verify/trace"
)

// folding is the aggregate of a round of some units of diagnosis, and the run as the ledger has it when verifiers vote.
type folding struct {
	trainer *round.Trainer
	run     *work.State
	public  round.Public
	honest  *Fold
	traced  *exec.Traced
}

func newFolding(t testing.TB, trainer *round.Trainer, units int) folding {
	t.Helper()
	public, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	var payloads [][]byte
	for i := range units {
		out, err := trainer.Unit(t.Context(), round.Task{Theta: public.Theta, Seed: protocol.Hash{byte(i)}, Steps: trainer.Recipe().Train.Steps}, nil)
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, out.Payload)
	}
	// The state of a later round: nothing in it is zero any more.
	if public, _, err = trainer.Aggregate(public, []round.Contribution{{Payload: payloads[0], Tokens: trainer.UnitTokens(trainer.Recipe().Train.Steps)}}); err != nil {
		t.Fatal(err)
	}
	f := folding{trainer: trainer, public: public, honest: &Fold{sent: payloads}}
	f.run = f.assembly(t).state()
	if f.honest, err = NewFold(NewFoldSource(trainer.Outline, f.run.Current.Model, dispute.AggregateInputs(f.run)), public, payloads); err != nil {
		t.Fatal(err)
	}
	if f.traced, err = exec.CompileTraced(f.honest.graph); err != nil {
		t.Fatal(err)
	}
	return f
}

// vote is what a machine votes for.
func (f folding) vote(t testing.TB, m bisect.Machine) work.Vote {
	t.Helper()
	b, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	v := work.Vote{Next: work.StateRef{Model: merkle.Hash(b[:32]), Outer: merkle.Hash(b[32:64]), Blob: merkle.Leaf(b)}}
	for i, out := range b[64:] {
		if out != 0 {
			v.Rejected = append(v.Rejected, uint32(i))
		}
	}
	var points [trace.Points]merkle.Hash
	for p := range points {
		state, err := m.State(f.honest.PointStep(p))
		if err != nil {
			t.Fatal(err)
		}
		points[p] = trace.StateRoot(state)
	}
	if !bytes.Equal(dispute.AggregateBytes(v, f.run.Admitted()), b) {
		t.Fatalf("%x is not the vote %+v", b, v)
	}
	v.Trace = trace.TraceRoot(points, trace.PayloadRoot(b))
	return v
}

// claim is what a verifier claims who votes as a machine says.
func (f folding) claim(t testing.TB, m bisect.Machine) dispute.Claim {
	t.Helper()
	run, v := f.run.Clone(), f.vote(t, m)
	run.Round.Seats[0].Vote = &v
	return dispute.AggregateClaim(run, f.honest.program.Root(), 0)
}

// dishonest is an aggregate that is not what it should be.
type dishonest struct {
	*Fold
	states [2][]trace.Entry
	list   []*tensor.Tensor
	sent   []byte
}

func (d *dishonest) State(step int) ([]trace.Entry, error)    { return d.states[step], nil }
func (d *dishonest) Values(int) ([]*tensor.Tensor, error)     { return d.list, nil }
func (d *dishonest) Payload() ([]byte, error)                 { return d.sent, nil }
func (d *dishonest) entry(step int, name string) *trace.Entry { return find(d.states[step], name) }

func find(list []trace.Entry, name string) *trace.Entry {
	return &list[slices.IndexFunc(list, func(e trace.Entry) bool { return e.Name == name })]
}

// lie computes the aggregate with other inputs, or with one wrong number that all else follows.
func (f folding) lie(t *testing.T, change func(in map[string]*tensor.Tensor), value, element int) *dishonest {
	t.Helper()
	one := *f.honest
	one.inputs, one.values = map[string]*tensor.Tensor{}, nil
	for k, v := range f.honest.inputs {
		one.inputs[k] = v
	}
	if change != nil {
		change(one.inputs)
	}
	values, err := one.Values(0)
	if err != nil {
		t.Fatal(err)
	}
	if value >= 0 {
		one.values = believe(t, one.graph, f.traced, one.inputs, value, flipped(values[value], element, 1))
	}
	d := &dishonest{Fold: &one, list: one.values}
	for step := range d.states {
		if d.states[step], err = one.State(step); err != nil {
			t.Fatal(err)
		}
	}
	if d.sent, err = one.Payload(); err != nil {
		t.Fatal(err)
	}
	return d
}

// trial plays a dispute about a vote on a ledger, and checks what becomes of who votes, of who disputes, and of the model.
func (f folding) trial(t *testing.T, defender bisect.Machine, choose func(*bisect.Game) bisect.Choice) (v verdictOf) {
	t.Helper()
	a := f.assembly(t)
	honest := f.vote(t, f.honest)
	a.vote(accused, f.vote(t, defender))
	a.vote(checker, honest)
	a.must(accuser, dispute.Open{Run: a.run, Round: 1, Unit: work.VoteUnit(a.seat(accused))})
	for d := a.dispute(); !d.Ended; d = a.dispute() {
		m := dispute.Move{Dispute: d.ID, Turn: d.Turn, Side: d.ToMove()}
		v.place = where(d.Game, f.honest.program)
		if m.Side == dispute.Challenger {
			c := choose(d.Game)
			m.Choice, m.Answer = uint32(c.Part), c.Shown
		} else if answer, err := bisect.Defend(d.Game, defender); err == nil {
			m.Answer = answer
		}
		switch taken := a.play(m); {
		case taken:
			v.moves++
			if m.Side == dispute.Defender {
				v.bytes += len(m.Answer)
			}
		case m.Side == dispute.Defender:
			v.end = "no proof (" + string(d.Game.Stage) + ")"
			for !a.dispute().Ended {
				a.block()
			}
		}
	}
	d := a.dispute()
	if v.verdict = d.Game.Verdict; v.end == "" {
		v.place, v.end = where(d.Game, f.honest.program), string(v.verdict)
	}
	a.judged(v, honest)
	return v
}

func (f folding) challenger(t *testing.T, what string) func(*bisect.Game) bisect.Choice {
	return func(g *bisect.Game) bisect.Choice {
		t.Helper()
		c, found, err := bisect.Challenge(g, f.honest)
		if err != nil || !found {
			t.Fatalf("%s: the challenger finds nothing at %s: %v", what, g.Stage, err)
		}
		return c
	}
}

// node is the last value of so many axes that a node of an operator puts out, for the first weight that has whole blocks.
func (f folding) node(t *testing.T, op string, axes int) (value int) {
	t.Helper()
	for i := range f.honest.program.Nodes {
		record, _ := f.honest.program.Record(f.honest.program.NodeAt(i))
		c, _, err := trace.ParseNode(record)
		if err != nil {
			t.Fatal(err)
		}
		if ref, err := trace.ParseRef(c.Node.Outputs[0]); c.Node.Op == op && err == nil && c.Out[0].Len() > 512 && len(c.Out[0].Shape) == axes {
			value = int(ref)
		}
	}
	if value == 0 {
		t.Fatalf("no %s", op)
	}
	return value
}

// aggregates lies about the aggregate of a round.
func aggregates(t *testing.T, b *table, u unitUnderTest) {
	b.WriteString("## Lies about an aggregate\n\nA verifier names a wrong next state for a round of three units of `diagnosis`; another names the true one and somebody disputes the vote. The row fails if the liar keeps its bond, if the challenger is not paid, or if any other than the true state becomes the model.\n\n| Fault | Found at | End | Moves | Bytes |\n|---|---|---|---|---|\n")
	f := newFolding(t, u.m.trainer, 3)
	p, inputs := f.honest.program, f.honest.graph.Inputs
	layout := f.trainer.Layout()
	first, last := layout[0].Name, layout[len(layout)-1].Name
	input := func(name string, element int) string {
		i := slices.IndexFunc(inputs, func(v graph.Value) bool { return v.Name == name })
		return placeOf(p, 0, i, trace.TileOf(inputs[i].Shape, element), element)
	}
	sum, rounded := f.node(t, "Add", 3), f.node(t, "Mul", 2)
	values, err := f.honest.Values(0)
	if err != nil {
		t.Fatal(err)
	}
	codes := f.honest.inputs[round.FoldCodes+last]
	at := codes.Len() / 3 * 2 // of the third unit
	for tensor.Data[int8](codes)[at] == 0 {
		at++
	}
	after := f.lie(t, nil, -1, 0)
	e := after.entry(1, round.FoldMomentum+last)
	e.Tensor = flipped(e.Tensor, 3, 1)
	stale := f.lie(t, func(in map[string]*tensor.Tensor) {
		in[round.FoldMomentum+first] = tensor.New(tensor.Float32, layout[0].Tensor.Shape()...)
	}, -1, 0)
	root, flag := f.lie(t, nil, -1, 0), f.lie(t, nil, -1, 0)
	root.sent[40] ^= 1
	flag.sent[65] ^= 1
	for _, c := range []struct {
		name  string
		liar  bisect.Machine
		place string
	}{
		{"an ulp of the weighted sum", f.lie(t, nil, sum, 77), placeOf(p, 0, sum, trace.TileOf(values[sum].Shape(), 77), 77)},
		{"wrong int8 rounding", f.lie(t, nil, rounded, 200), placeOf(p, 0, rounded, trace.TileOf(values[rounded].Shape(), 200), 200)},
		{"a unit left out", f.lie(t, func(in map[string]*tensor.Tensor) {
			in[round.FoldTokens] = in[round.FoldTokens].Clone()
			in[round.FoldTokens].Int64()[1] = 0
		}, -1, 0), input(round.FoldTokens, 1)},
		{"another payload than the admitted one", f.lie(t, func(in map[string]*tensor.Tensor) {
			in[round.FoldCodes+last] = codes.Clone()
			tensor.Data[int8](in[round.FoldCodes+last])[at] = 0
		}, -1, 0), input(round.FoldCodes+last, at)},
		{"stale momentum", stale, "start, " + round.FoldMomentum + first},
		{"a next state that the step did not put out", after, "after step 1, " + round.FoldMomentum + last},
		{"a root of another state", root, "payload, byte 40"},
		{"a unit called rejected that is not", flag, "payload, byte 65"},
	} {
		v := f.trial(t, c.liar, f.challenger(t, c.name))
		if v.place != c.place || v.verdict != bisect.Refuted {
			t.Errorf("%s: %s at %s, the lie is at %s", c.name, v.end, v.place, c.place)
		}
		b.row(c.name, v.place, v.end, v.moves, v.bytes)
	}
	b.WriteString("\n")
}

// TestFold: the program of an aggregate names the state that the rule names, its claim is upheld whoever accuses it of whatever, and
// every node of it can be disputed.
func TestFold(t *testing.T) {
	trainer := example(t, "diagnosis", func(r *recipe.Recipe) { r.Train.Batch, r.Train.Steps = 8, 6 })
	f := newFolding(t, trainer, 3)
	var list []round.Contribution
	for _, b := range f.honest.sent {
		list = append(list, round.Contribution{Payload: b, Tokens: f.honest.tokens()})
	}
	want, rejected, err := trainer.Aggregate(f.public, list)
	if err != nil {
		t.Fatal(err)
	}
	v := f.vote(t, f.honest)
	if v.Next.Model != modelRoot(want) || v.Next.Outer != outerRoot(want) || slices.Contains(rejected, true) != (len(v.Rejected) > 0) {
		t.Errorf("%+v", v)
	}
	quick := foldTrace(trainer.Layout(), rootsOf(f.public), rootsOf(want), rejected, dispute.AggregateBytes(v, f.run.Admitted()))
	if root, err := f.honest.Trace(); err != nil || root != v.Trace || root != quick {
		t.Errorf("trace %s, by what is known of the states %s, by the points %s, %v", root, quick, v.Trace, err)
	}
	calls, err := graph.Calls(f.honest.graph)
	if err != nil {
		t.Fatal(err)
	}
	for i := range calls {
		for o, out := range calls[i].Out {
			if _, err := split.Of(&calls[i], o, out.Len()-1); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		}
	}
	rng := rand.New(rand.NewPCG(31, 32))
	places := map[string]int{}
	for range 60 {
		v := f.trial(t, f.honest, func(g *bisect.Game) bisect.Choice {
			part := rng.IntN(g.Choices())
			if g.Stage == bisect.PickSegment {
				part = []int{0, trace.Points - 1, trace.Points}[rng.IntN(3)]
			}
			c, err := bisect.Show(g, f.honest, part)
			if err != nil {
				t.Fatal(err)
			}
			return c
		})
		if v.verdict != bisect.Upheld {
			t.Errorf("an honest aggregate: %s at %s", v.end, v.place)
		}
		places[v.place[:5]]++
	}
	if len(places) < 3 {
		t.Errorf("accused of %v", places)
	}
}

// FuzzFold: no bytes make the referee of an aggregate panic, at any stage.
func FuzzFold(f *testing.F) {
	trainer := example(f, "diagnosis", func(r *recipe.Recipe) { r.Train.Batch, r.Train.Steps = 8, 2 })
	fold := newFolding(f, trainer, 2)
	var games []*bisect.Game
	for _, first := range []int{0, trace.Points - 1, trace.Points} {
		for _, share := range []int{0, 1, 2} { // of each list of branches the first, the middle, the last
			g := bisect.New(fold.claim(f, fold.honest).Terms)
			for g.Stage != bisect.Over {
				if g.Stage.Picks() {
					part := share * (g.Choices() - 1) / 2
					if g.Stage == bisect.PickSegment {
						part = first
					}
					c, err := bisect.Show(g, fold.honest, part)
					if err != nil {
						f.Fatal(err)
					}
					if err := g.Choose(c, fold.honest); err != nil {
						f.Fatal(err)
					}
					continue
				}
				a, err := bisect.Defend(g, fold.honest)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(len(games), a)
				games = append(games, g.Clone())
				if err := g.Answer(a, fold.honest); err != nil {
					f.Fatal(err)
				}
			}
			if g.Verdict != bisect.Upheld {
				f.Fatal(g.Words())
			}
		}
	}
	f.Fuzz(func(t *testing.T, at int, b []byte) {
		g := games[uint(at)%uint(len(games))].Clone()
		if err := g.Answer(b, fold.honest.FoldSource); err != nil && !errors.Is(err, bisect.ErrAnswer) {
			t.Fatal(err)
		}
	})
}
