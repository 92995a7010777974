package workshop

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/verify/trace"
)

// example is the trainer of a run in examples/, on text that every checkout has.
func example(b testing.TB, name string, change func(*recipe.Recipe)) *round.Trainer {
	b.Helper()
	examples := filepath.Join("..", "..", "examples")
	file, err := os.ReadFile(filepath.Join(examples, name, "run.toml"))
	if err != nil {
		b.Fatal(err)
	}
	r, err := recipe.Parse(file)
	if err != nil {
		b.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	t, err := round.NewTrainer(r, exampleSet(b, name, r))
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// exampleSet is the data of an example: the measurements of examples/diagnosis, read as a table or as text.
func exampleSet(b testing.TB, name string, r *recipe.Recipe) *data.Set {
	b.Helper()
	table, err := os.ReadFile(filepath.Join("..", "..", "examples", "diagnosis", "wdbc.csv"))
	if err != nil {
		b.Fatal(err)
	}
	set, err := data.CutText(table, max(r.Model.Context, 1))
	if r.Data.Kind == recipe.Table {
		set, err = data.ReadTable(table, r.Data.Label)
	}
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return set
}

// BenchmarkHashing reports what share of a unit's time goes into the roots of its trace, at the points that a provider
// hashes and at every step, and what that makes the whole cost of trust: hashing, and audits of 3 % of all units by an execution that
// hashes too, and the aggregate, which all of four verifiers compute where one would be enough, over six units. It hashes the states
// as a provider does; the start is known from the model, which is checked once a round.
func BenchmarkHashing(b *testing.B) {
	for _, c := range []struct {
		name, run string
		change    func(*recipe.Recipe)
	}{
		{"diagnosis", "diagnosis", nil},
		{"gocode", "gocode", nil},
		{"transformer10M", "gocode", func(r *recipe.Recipe) {
			r.Model.Width, r.Model.Layers, r.Model.Heads, r.Model.Context = 320, 8, 5, 128
			r.Train.Batch, r.Train.Steps = 8, 2
		}},
	} {
		t := example(b, c.run, c.change)
		public, err := t.Initial()
		if err != nil {
			b.Fatal(err)
		}
		steps := t.Recipe().Train.Steps
		run := func(observe func(int, []round.Entry) error) (took time.Duration, out round.Output) {
			began := time.Now()
			out, err := t.Unit(context.Background(), round.Task{Theta: public.Theta, Steps: steps}, observe)
			if err != nil {
				b.Fatal(err)
			}
			return time.Since(began), out
		}
		b.Run(c.name, func(b *testing.B) {
			computing, hashing, one := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			points, params := 0, 0
			for b.Loop() {
				took, out := run(nil)
				computing = min(computing, took)
				points = 0
				spent := time.Duration(0)
				run(func(point int, state []round.Entry) error {
					if point == 0 || t.PointStep(point, steps) == t.PointStep(point-1, steps) {
						return nil
					}
					began := time.Now()
					hash(state)
					once := time.Since(began)
					one, spent = min(one, once), spent+once
					points++
					return nil
				})
				began := time.Now()
				trace.PayloadRoot(out.Payload)
				hashing = min(hashing, spent+time.Since(began))
			}
			for _, w := range t.Layout() {
				params += w.Tensor.Len()
			}
			_, out := run(nil)
			contributions := slices.Repeat([]round.Contribution{{Payload: out.Payload, Tokens: out.Tokens}}, 6)
			folding := time.Duration(math.MaxInt64)
			for turn, first := 0, time.Now(); turn < 3 || turn < 300 && time.Since(first) < time.Second; turn++ {
				began := time.Now()
				if _, _, err := t.Aggregate(public, contributions); err != nil {
					b.Fatal(err)
				}
				folding = min(folding, time.Since(began))
			}
			share, again := hashing.Seconds()/computing.Seconds(), 3*folding.Seconds()/(6*computing.Seconds())
			b.ReportMetric(100*share, "%hashed")
			b.ReportMetric(100*one.Seconds()*float64(steps)/computing.Seconds(), "%at-every-step")
			b.ReportMetric(100*(share+0.03*(1+share)+again), "%trust")
			b.ReportMetric(100*again, "%aggregates")
			b.ReportMetric(float64(points), "points")
			b.ReportMetric(float64(params), "params")
		})
	}
}

func hash(state []round.Entry) {
	list := make([]trace.Entry, len(state))
	for i, e := range state {
		list[i] = trace.Entry(e)
	}
	trace.StateRoot(list)
}

// TestStateIsTheProgramsState checks that the tensors which a unit commits to are those that its program says pass from one
// step to the next.
func TestStateIsTheProgramsState(t *testing.T) {
	trainer := example(t, "diagnosis", nil)
	p, err := trace.NewProgram(trainer.StepGraph())
	if err != nil {
		t.Fatal(err)
	}
	public, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	_, err = trainer.Unit(context.Background(), round.Task{Theta: public.Theta, Steps: 1}, func(_ int, state []round.Entry) error {
		if len(state) != p.States {
			t.Errorf("%d tensors in a state, %d in the program", len(state), p.States)
		}
		byName := map[string]*tensor.Tensor{}
		for _, e := range state {
			byName[e.Name] = e.Tensor
		}
		for i := range p.States {
			record, _ := p.Record(p.StateAt(i))
			s, err := trace.ParseState(record)
			if err != nil || byName[s.Name] == nil {
				t.Errorf("state %d of the program is %+v, %v", i, s, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if int(p.Guard) >= p.Values {
		t.Error("the program has no guard")
	}
}
