package workshop

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// liar is a machine that lies about one element of one value of one step, and keeps to it: later nodes and steps follow from the lie.
type liar struct {
	*Machine
	step, value, element int
	states               [][]trace.Entry
	transcript           []*tensor.Tensor // of the step of the lie
	payload              []byte
}

// newLiar computes the unit with the lie.
func newLiar(t testing.TB, m *Machine, step, value, element int) *liar {
	t.Helper()
	l := &liar{Machine: m, step: step, value: value, element: element}
	var state []round.Entry
	for at := range m.steps + 1 {
		task := round.Task{Theta: m.theta, Seed: m.seed, Steps: m.steps}
		var inputs map[string]*tensor.Tensor
		err := m.trainer.Walk(t.Context(), task, at, state, func(_ int, in map[string]*tensor.Tensor) (bool, error) {
			inputs = map[string]*tensor.Tensor{}
			for k, v := range in {
				inputs[k] = v
			}
			return false, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var entries []trace.Entry
		state = nil
		for _, v := range m.trainer.StepGraph().Inputs {
			if m.isState(v.Name) {
				entries = append(entries, trace.Entry{Name: v.Name, Role: trace.RoleState, Tensor: inputs[v.Name]})
			}
		}
		l.states = append(l.states, entries)
		if at == m.steps {
			break
		}
		values, err := m.traced.Run(inputs)
		if err != nil {
			t.Fatal(err)
		}
		if at == step {
			lie := values[value].Clone()
			lie.Float32()[element] = math.Float32frombits(math.Float32bits(lie.Float32()[element]) ^ 1<<20) // an ulp is often lost in a later rounding, and then no lie
			values = believe(t, m, inputs, value, lie)
			l.transcript = values
		}
		for i := range m.program.States {
			record, _ := m.program.Record(m.program.StateAt(i))
			s, err := trace.ParseState(record)
			if err != nil {
				t.Fatal(err)
			}
			state = append(state, round.Entry{Name: s.Name, Role: trace.RoleState, Tensor: values[s.Next]})
		}
	}
	end := &Machine{Source: m.Source, theta: m.theta, at: m.steps, state: l.states[m.steps]}
	var err error
	if l.payload, err = end.Payload(); err != nil {
		t.Fatal(err)
	}
	return l
}

// believe computes the values of a step in which all nodes that read one of them read a lie instead.
func believe(t testing.TB, m *Machine, inputs map[string]*tensor.Tensor, value int, lie *tensor.Tensor) []*tensor.Tensor {
	t.Helper()
	g := *m.trainer.StepGraph()
	name := m.traced.Values()[value]
	g.Inputs = append(slices.Clone(g.Inputs), graph.Value{Name: "a lie", DType: lie.DType(), Shape: lie.Shape()})
	g.Nodes = slices.Clone(g.Nodes)
	for i := range g.Nodes {
		in := slices.Clone(g.Nodes[i].Inputs)
		for j := range in {
			if in[j] == name {
				in[j] = "a lie"
			}
		}
		g.Nodes[i].Inputs = in
	}
	traced, err := exec.CompileTraced(&g)
	if err != nil {
		t.Fatal(err)
	}
	with := map[string]*tensor.Tensor{"a lie": lie}
	for k, v := range inputs {
		with[k] = v
	}
	values, err := traced.Run(with)
	if err != nil {
		t.Fatal(err)
	}
	n := len(g.Inputs) - 1
	values = append(values[:n:n], values[n+1:]...)
	values[value] = lie
	return values
}

func (l *liar) State(step int) ([]trace.Entry, error) { return l.states[step], nil }
func (l *liar) Payload() ([]byte, error)              { return l.payload, nil }

func (l *liar) Values(step int) ([]*tensor.Tensor, error) {
	if step == l.step {
		return l.transcript, nil
	}
	return l.Machine.Values(step)
}

// arena is a unit of a run with the terms of a game about a machine's claim.
func arena(t testing.TB, trainer *round.Trainer, records [][]byte, steps int) (*Machine, func(bisect.Machine) bisect.Terms) {
	t.Helper()
	public, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	seed := protocol.Hash{3}
	m, err := NewMachine(t.Context(), trainer, public.Theta, records, seed, steps)
	if err != nil {
		t.Fatal(err)
	}
	var leaves []merkle.Hash
	for _, r := range records {
		leaves = append(leaves, merkle.Leaf(r))
	}
	return m, func(x bisect.Machine) bisect.Terms {
		var points [trace.Points]merkle.Hash
		for p := range points {
			if p > 0 && m.PointStep(p) == m.PointStep(p-1) {
				points[p] = points[p-1]
				continue
			}
			state, err := x.State(m.PointStep(p))
			if err != nil {
				t.Fatal(err)
			}
			points[p] = trace.StateRoot(state)
		}
		sent, err := x.Payload()
		if err != nil {
			t.Fatal(err)
		}
		root := trace.PayloadRoot(sent)
		return bisect.Terms{Program: m.program.Root(), Model: modelRoot(public), Dataset: merkle.Root(leaves), Records: len(records), Steps: steps,
			Trace: trace.TraceRoot(points, root), Payload: root}
	}
}

// match is a played game with what it cost.
type match struct {
	game               *bisect.Game
	answers, choices   int
	sent, text         int // bytes of the defender, and the same as JSON
	referee            time.Duration
	slowest            time.Duration
	defending, picking time.Duration
}

func playOut(t testing.TB, terms bisect.Terms, source bisect.Source, defender, challenger bisect.Machine) match {
	t.Helper()
	r := match{game: bisect.New(terms)}
	judge := func(f func() error) {
		began := time.Now()
		if err := f(); err != nil {
			t.Fatalf("%s: %v", r.game.Stage, err)
		}
		spent := time.Since(began)
		r.referee += spent
		r.slowest = max(r.slowest, spent)
	}
	for r.game.Stage != bisect.Over {
		began := time.Now()
		if r.game.Stage.Picks() {
			part, found, err := bisect.Challenge(r.game, challenger)
			if err != nil || !found {
				t.Fatalf("%s: %v", r.game.Stage, err)
			}
			r.picking += time.Since(began)
			judge(func() error { return r.game.Choose(part, source) })
			r.choices++
			continue
		}
		a, err := bisect.Defend(r.game, defender)
		if err != nil {
			t.Fatal(err)
		}
		r.defending += time.Since(began)
		judge(func() error { return r.game.Answer(a, source) })
		r.answers++
		form, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		r.sent, r.text = r.sent+len(a), r.text+len(form)
	}
	return r
}

// TestTrainingUnit plays a game over a real unit of either example: an eighth more or less in one element
// of the output of nodes of several kinds.
func TestTrainingUnit(t *testing.T) {
	played := 0
	for _, name := range []string{"diagnosis", "gocode"} {
		trainer := example(t, name, func(r *recipe.Recipe) { r.Train.Batch, r.Train.Steps = 4, 6 })
		records := recordsOf(t, trainer, name)
		m, terms := arena(t, trainer, records, 6)
		ops := []string{"Gemm", "Sub", "Gelu", "GeluGrad", "ReduceSumSquare"}
		if name == "gocode" {
			ops = []string{"Gemm", "AttentionGrad", "SoftmaxCrossEntropyLossGrad"}
		}
		for _, op := range ops {
			value, size, ok := lastOf(t, m, op)
			if !ok {
				continue
			}
			l := newLiar(t, m, 3, value, size/3)
			if terms(l) == terms(m) {
				continue // the lie was lost in a rounding
			}
			r := playOut(t, terms(l), m.Source, l, m)
			if r.game.Verdict != bisect.Refuted || r.game.From != 3 || r.game.Value != value || r.game.Element != size/3 {
				t.Errorf("%s, %s: %s", name, op, r.game.Words())
			}
			played++
			t.Logf("%s: %s; %d answers, %d choices, %d bytes", name, r.game.Words(), r.answers, r.choices, r.sent)
		}
		// The mirror: an honest defender against an accuser who points at the liar's differences has every answer.
		g := bisect.New(terms(m))
		for g.Stage != bisect.Over {
			if g.Stage.Picks() {
				part := 0
				if g.Stage == bisect.PickSegment {
					part = trace.Points - 1
				}
				if err := g.Choose(part, m.Source); err != nil {
					t.Fatal(err)
				}
				continue
			}
			a, err := bisect.Defend(g, m)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Answer(a, m.Source); err != nil {
				t.Fatalf("%s: %s: %v", name, g.Stage, err)
			}
		}
		if g.Verdict != bisect.Upheld {
			t.Errorf("%s: an honest defender: %s", name, g.Words())
		}
	}
	if played < 6 {
		t.Errorf("only %d lies had an effect", played)
	}
}

// lastOf finds the output of the last node of an operator in the program.
func lastOf(t testing.TB, m *Machine, op string) (value, size int, ok bool) {
	t.Helper()
	value = m.program.Inputs
	for i := range m.program.Nodes {
		record, _ := m.program.Record(m.program.NodeAt(i))
		c, _, err := trace.ParseNode(record)
		if err != nil {
			t.Fatal(err)
		}
		if c.Node.Op == op {
			ref, err := trace.ParseRef(c.Node.Outputs[0])
			if err != nil {
				t.Fatal(err)
			}
			value, size, ok = int(ref), c.Out[0].Len(), true
		}
	}
	return value, size, ok
}

// BenchmarkDispute plays one game over a unit of a transformer of ten million weights and reports what it costs, beside a full
// execution of the unit.
func BenchmarkDispute(b *testing.B) {
	const steps = 3
	trainer := example(b, "gocode", func(r *recipe.Recipe) {
		r.Model.Width, r.Model.Layers, r.Model.Heads, r.Model.Context = 320, 8, 5, 128
		r.Train.Batch, r.Train.Steps = 4, steps
	})
	m, terms := arena(b, trainer, recordsOf(b, trainer, "gocode"), steps)
	began := time.Now()
	if _, err := trainer.Unit(b.Context(), round.Task{Theta: m.theta, Seed: m.seed, Steps: steps}, nil); err != nil {
		b.Fatal(err)
	}
	unit := time.Since(began)
	value, size, _ := lastOf(b, m, "Gemm")
	l := newLiar(b, m, 1, value, size/3)
	claim := terms(l)
	for b.Loop() {
		r := playOut(b, claim, m.Source, l, m)
		if r.game.Verdict != bisect.Refuted || r.game.Value != value || r.game.Element != size/3 {
			b.Fatal(r.game.Words())
		}
		b.Log(r.game.Words())
		b.ReportMetric(float64(r.answers), "answers")
		b.ReportMetric(float64(r.choices), "choices")
		b.ReportMetric(float64(r.sent), "defender-bytes")
		b.ReportMetric(float64(4*r.choices), "challenger-bytes")
		b.ReportMetric(1e3*r.slowest.Seconds(), "referee-ms-most")
		b.ReportMetric(1e3*r.referee.Seconds(), "referee-ms-all")
		b.ReportMetric(r.defending.Seconds(), "defender-s")
		b.ReportMetric(r.picking.Seconds(), "challenger-s")
		b.ReportMetric(unit.Seconds(), "unit-s")
	}
}

func recordsOf(t testing.TB, trainer *round.Trainer, name string) [][]byte {
	t.Helper()
	return exampleSet(t, name, trainer.Recipe()).Leaves()
}
