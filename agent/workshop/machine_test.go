package workshop

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

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
	shown              int // bytes of the challenger
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
			choice, found, err := bisect.Challenge(r.game, challenger)
			if err != nil || !found {
				t.Fatalf("%s: %v", r.game.Stage, err)
			}
			r.picking += time.Since(began)
			judge(func() error { return r.game.Choose(choice, source) })
			r.shown += 4 + len(choice.Shown)
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
			l := newLiar(t, m, deceit{lie: &lie{3, value, size / 3, 1 << 20}}) // an ulp is often lost in a later rounding, and then no lie
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
				c, err := bisect.Show(g, m, part)
				if err != nil {
					t.Fatal(err)
				}
				if err := g.Choose(c, m.Source); err != nil {
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
	l := newLiar(b, m, deceit{lie: &lie{1, value, size / 3, 1 << 20}})
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
		b.ReportMetric(float64(r.shown), "challenger-bytes")
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
