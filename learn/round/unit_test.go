package round

import (
	"bytes"
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/payload"
	"github.com/mutirao/mutirao/learn/recipe"
)

func firstTask(t testing.TB, trainer *Trainer, steps int) Task {
	p, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	return Task{Theta: p.Theta, Seed: shardSeed(0, 0), Steps: steps}
}

func unit(t testing.TB, trainer *Trainer, task Task) Output {
	out, err := trainer.Unit(context.Background(), task, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestUnitIsPure checks that neither the number of threads, nor an earlier unit on the same trainer,
// nor watching it changes a bit.
func TestUnitIsPure(t *testing.T) {
	trainer := diagnosis(t, nil)
	task := firstTask(t, trainer, 40)
	before := digest(task.Theta)
	want := unit(t, trainer, task)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, threads := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(threads)
		again, err := trainer.Unit(context.Background(), task, func(int, []Entry) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Payload, want.Payload) || again.Loss != want.Loss {
			t.Errorf("%d threads: another payload or loss", threads)
		}
		if fresh := unit(t, diagnosis(t, nil), task); !bytes.Equal(fresh.Payload, want.Payload) {
			t.Errorf("%d threads: a new trainer gives another payload", threads)
		}
	}
	if digest(task.Theta) != before {
		t.Error("the unit wrote to its task's weights")
	}
	task.Seed = shardSeed(0, 1)
	if other := unit(t, trainer, task); bytes.Equal(other.Payload, want.Payload) {
		t.Error("another seed gives the same payload")
	}
}

// TestPoints checks when the 17 states are shown, and that they are what they say: the start is the
// task's weights with zero moments, the end minus the start is the payload.
func TestPoints(t *testing.T) {
	for _, steps := range []int{1, 7, 16, 40} {
		trainer := diagnosis(t, nil)
		task := firstTask(t, trainer, steps)
		var digests []string
		var first, last []Entry
		out, err := trainer.Unit(context.Background(), task, func(point int, state []Entry) error {
			if point != len(digests) {
				t.Fatalf("point %d comes after %d others", point, len(digests))
			}
			digests = append(digests, digest(weightsOf(trainer, state)))
			if point == 0 {
				first = state
			}
			last = state
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(digests) != Points {
			t.Fatalf("%d steps: %d points", steps, len(digests))
		}
		for p := 1; p < Points; p++ {
			if same := trainer.PointStep(p, steps) == trainer.PointStep(p-1, steps); same != (digests[p] == digests[p-1]) {
				t.Errorf("%d steps: points %d and %d are after steps %d and %d, same state: %v", steps, p-1, p,
					trainer.PointStep(p-1, steps), trainer.PointStep(p, steps), digests[p] == digests[p-1])
			}
		}
		if digests[0] != digest(task.Theta) {
			t.Errorf("%d steps: the first point is not the start", steps)
		}
		for _, e := range first {
			start := e.Tensor.Float32()[0]
			if strings.HasPrefix(e.Name, "m/") && start != 0 || strings.HasSuffix(e.Name, "_power") && start != 1 {
				t.Errorf("%d steps: %s starts at %v", steps, e.Name, start)
			}
		}
		if want := 3*len(trainer.Layout()) + 2; len(first) != want || len(last) != want {
			t.Errorf("%d steps: states of %d and %d tensors, want %d", steps, len(first), len(last), want)
		}
		sent, err := trainer.pack(task.Theta, weightsOf(trainer, last))
		if err != nil || !bytes.Equal(sent, out.Payload) {
			t.Errorf("%d steps: the last point does not give the payload (%v)", steps, err)
		}
		if out.Tokens != uint64(steps*trainer.Recipe().Train.Batch) || out.Skips != 0 {
			t.Errorf("%d steps: %d tokens, %d skips", steps, out.Tokens, out.Skips)
		}
	}
}

// TestSkips gives a unit weights whose gradients overflow: every step is skipped, nothing moves.
func TestSkips(t *testing.T) {
	trainer := diagnosis(t, nil)
	task := firstTask(t, trainer, 20)
	for _, w := range task.Theta {
		for i := range w.Tensor.Float32() {
			w.Tensor.Float32()[i] = 1e30
		}
	}
	out := unit(t, trainer, task)
	if out.Skips != 20 || !math.IsNaN(float64(out.Loss)) {
		t.Errorf("%d skips, loss %v", out.Skips, out.Loss)
	}
	codes, err := payload.Decode(out.Payload, trainer.Layout())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range codes {
		for i, c := range q.Codes {
			if c != 0 {
				t.Fatalf("%s[%d] has code %d", q.Name, i, c)
			}
		}
	}
}

// TestUnitRefuses checks bad tasks: each an error of its kind, none a panic.
func TestUnitRefuses(t *testing.T) {
	trainer := diagnosis(t, nil)
	good := firstTask(t, trainer, 5)
	bad := func(change func(*Task)) Task {
		task := Task{Theta: clone(good.Theta), Seed: good.Seed, Steps: good.Steps}
		change(&task)
		return task
	}
	for name, task := range map[string]Task{
		"no steps":        bad(func(k *Task) { k.Steps = 0 }),
		"too many steps":  bad(func(k *Task) { k.Steps = trainer.Recipe().Train.Steps + 1 }),
		"no weights":      bad(func(k *Task) { k.Theta = nil }),
		"missing weights": bad(func(k *Task) { k.Theta = k.Theta[1:] }),
		"missing tensor":  bad(func(k *Task) { k.Theta[2].Tensor = nil }),
		"other name":      bad(func(k *Task) { k.Theta[0].Name = "fc9.bias" }),
		"other shape":     bad(func(k *Task) { k.Theta[0].Tensor = tensor.New(tensor.Float32, 3) }),
		"other type":      bad(func(k *Task) { k.Theta[0].Tensor = tensor.New(tensor.Int64, 32) }),
		"not finite":      bad(func(k *Task) { k.Theta[1].Tensor.Float32()[7] = float32(math.Inf(1)) }),
	} {
		if _, err := trainer.Unit(context.Background(), task, nil); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := trainer.Unit(ctx, good, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	stop := errors.New("stop")
	if _, err := trainer.Unit(context.Background(), good, func(p int, _ []Entry) error {
		if p == 9 {
			return stop
		}
		return nil
	}); !errors.Is(err, stop) {
		t.Errorf("observer's error: %v", err)
	}
}

// TestUnitDiverges checks that weights which leave every scale are an error, not a payload. A rate of
// one with weights of 2^105 decays them by a tenth in a step, which no scale holds.
func TestUnitDiverges(t *testing.T) {
	trainer := diagnosis(t, func(r *recipe.Recipe) { r.Train.LR = 1; r.Train.WeightDecay = 1 })
	task := firstTask(t, trainer, 5)
	// The weight of the last layer's bias alone: its score saturates, gradients stay finite.
	for _, w := range task.Theta {
		if w.Name == "fc3.bias" {
			w.Tensor.Float32()[0] = 0x1p105
		}
	}
	if _, err := trainer.Unit(context.Background(), task, nil); !errors.Is(err, ErrDiverged) {
		t.Errorf("got %v, want %v", err, ErrDiverged)
	}
}

func BenchmarkUnit(b *testing.B) {
	for _, c := range []struct {
		name    string
		trainer *Trainer
	}{
		{"diagnosis", diagnosis(b, nil)},
		{"text", text(b, func(r *recipe.Recipe) { r.Train.Batch = 16 })}, // as in examples/gocode
	} {
		b.Run(c.name, func(b *testing.B) {
			task := firstTask(b, c.trainer, c.trainer.Recipe().Train.Steps)
			for b.Loop() {
				unit(b, c.trainer, task)
			}
			tokens := float64(c.trainer.UnitTokens(task.Steps)) * float64(b.N)
			b.ReportMetric(tokens/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// weightsOf lists the weights of an observed state in name order.
func weightsOf(trainer *Trainer, state []Entry) []tensor.Named {
	var theta []tensor.Named
	for _, w := range trainer.Layout() {
		for _, e := range state {
			if e.Name == w.Name {
				theta = append(theta, tensor.Named{Name: e.Name, Tensor: e.Tensor})
			}
		}
	}
	return theta
}

// TestSegments checks that the points of long units are 16 segments apart and those of short ones fewer, and that every
// unit ends at its last point.
func TestSegments(t *testing.T) {
	trainer := diagnosis(t, nil)
	trainer.stepMACs, trainer.stateBytes = 1_000_000, 100
	for _, c := range []struct {
		macs uint64
		want int
	}{{1_000_000, 16}, {17 * 100 * hashMACs, 16}, {17*100*hashMACs - 1, 8}, {5 * 100 * hashMACs, 4}, {1, 1}} {
		trainer.stepMACs = c.macs
		if got := trainer.segments(100); got != c.want {
			t.Errorf("%d operations a step: %d segments, want %d", c.macs, got, c.want)
		}
		if trainer.PointStep(0, 100) != 0 || trainer.PointStep(Points-1, 100) != 100 {
			t.Errorf("%d operations a step: the unit is from %d to %d", c.macs, trainer.PointStep(0, 100), trainer.PointStep(Points-1, 100))
		}
	}
}
