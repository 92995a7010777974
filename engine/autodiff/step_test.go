package autodiff

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// step builds one training step as one graph: a 30-32-16-1 classifier on 64 rows, its gradients, a clip by their norm and AdamW.
// The state is w and its moments m and v; outputs are the next state and the loss.
func step(t testing.TB) (*graph.Graph, []string) {
	t.Helper()
	b := graph.NewBuilder("step")
	op := func(name string, in ...graph.Ref) graph.Ref { return b.Op(name, nil, in...) }
	h := b.Input("x", tensor.Float32, 64, 30)
	var params []string
	sizes := []int{30, 32, 16, 1}
	for i := range 3 {
		w, bias := fmt.Sprint("w", i), fmt.Sprint("b", i)
		params = append(params, w, bias)
		h = op("Add", op("MatMul", h, b.Input(w, tensor.Float32, sizes[i], sizes[i+1])), b.Input(bias, tensor.Float32, sizes[i+1]))
		if i < 2 {
			h = op("Relu", h)
		}
	}
	z, y := op("Squeeze", h, b.Ints(1)), b.Input("y", tensor.Float32, 64)
	soft := op("Log", op("Add", op("Exp", op("Neg", op("Abs", z))), b.Float(1)))
	b.Output("loss", b.Op("ReduceMean", graph.Attrs{"keepdims": 0}, op("Add", op("Sub", op("Relu", z), op("Mul", z, y)), soft)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	g, names, err := Gradient(g, "loss", params)
	if err != nil {
		t.Fatal(err)
	}
	b = graph.Extend(g)
	b.DropOutputs()
	b.Output("loss", "loss")
	var norm graph.Ref
	for i, p := range params {
		square := b.Op("ReduceSumSquare", graph.Attrs{"keepdims": 0}, graph.Ref(names[p]))
		if i > 0 {
			square = op("Add", norm, square)
		}
		norm = square
	}
	norm = op("Sqrt", norm)
	clip := op("Div", b.Float(1), op("Max", norm, b.Float(1)))
	finite := op("Less", norm, b.Float(1e30))
	for _, p := range params {
		shape := b.Shape(graph.Ref(p))
		w, m, v := graph.Ref(p), b.Input("m/"+p, tensor.Float32, shape...), b.Input("v/"+p, tensor.Float32, shape...)
		d := op("Mul", graph.Ref(names[p]), clip)
		m1 := op("Add", op("Mul", m, b.Float(0.9)), op("Mul", d, b.Float(0.1)))
		v1 := op("Add", op("Mul", v, b.Float(0.999)), op("Mul", op("Mul", d, d), b.Float(0.001)))
		update := op("Add", op("Div", m1, op("Add", op("Sqrt", v1), b.Float(1e-8))), op("Mul", w, b.Float(0.01)))
		w1 := op("Sub", w, op("Mul", update, b.Float(0.003)))
		b.Output("next/"+p, op("Where", finite, w1, w))
		b.Output("next/m/"+p, op("Where", finite, m1, m))
		b.Output("next/v/"+p, op("Where", finite, v1, v))
	}
	g, err = b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g, params
}

// trainer holds two copies of the state, which take turns as input and output.
type trainer struct {
	program *exec.Program
	in, out [2]map[string]*tensor.Tensor
	steps   int
}

func newTrainer(t testing.TB) *trainer {
	g, params := step(t)
	tr := &trainer{program: compile(t, g)}
	x, y := tensor.New(tensor.Float32, 64, 30), tensor.New(tensor.Float32, 64)
	for i := range x.Float32() {
		x.Float32()[i] = float32(i*7919%101)/50 - 1
	}
	for i := range y.Float32() {
		if x.Float32()[i*30] > x.Float32()[i*30+1] {
			y.Float32()[i] = 1
		}
	}
	for side := range 2 {
		tr.in[side] = map[string]*tensor.Tensor{"x": x, "y": y}
		tr.out[side] = map[string]*tensor.Tensor{"loss": tensor.New(tensor.Float32)}
	}
	values, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range params {
		for _, name := range []string{p, "m/" + p, "v/" + p} {
			for side := range 2 {
				state := tensor.New(tensor.Float32, values[name].Shape...)
				if name == p && len(state.Shape()) == 2 {
					for i := range state.Float32() {
						state.Float32()[i] = (float32(i*104729%97)/48 - 1) / 4
					}
				}
				tr.in[side][name], tr.out[1-side]["next/"+name] = state, state
			}
		}
	}
	return tr
}

func (tr *trainer) step(t testing.TB) float32 {
	side := tr.steps % 2
	tr.steps++
	if err := tr.program.RunInto(tr.in[side], tr.out[side]); err != nil {
		t.Fatal(err)
	}
	return tr.out[side]["loss"].Float32()[0]
}

// goldenState is the hash of all parameters and moments after 200 steps, the same on every processor.
const goldenState = "e1c6613ab2c988fc2547f79b8fe8eaac5966e85a6a5d2dd5e64fe73a3897648c"

func TestTrainingStep(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var losses [2][]float32
	for i := range losses {
		runtime.GOMAXPROCS(i + 1)
		tr := newTrainer(t)
		for range 200 {
			losses[i] = append(losses[i], tr.step(t))
		}
		if got := tr.hash(); got != goldenState {
			t.Errorf("GOMAXPROCS %d: state has hash %s, want %s", i+1, got, goldenState)
		}
	}
	first, last := losses[0][0], losses[0][199]
	if !(last < first/4) {
		t.Errorf("loss went from %v to %v in 200 steps", first, last)
	}
	for i := range losses[0] {
		if losses[0][i] != losses[1][i] {
			t.Fatalf("step %d: loss %v on one processor, %v on two", i, losses[0][i], losses[1][i])
		}
	}
}

// hash is that of the state, in order of name.
func (tr *trainer) hash() string {
	state := tr.in[tr.steps%2]
	var names []string
	for name := range state {
		names = append(names, name)
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		h.Write(state[name].Bytes())
	}
	return hex.EncodeToString(h.Sum(nil))
}

func BenchmarkTrainingStep(b *testing.B) {
	tr := newTrainer(b)
	b.ReportAllocs()
	for b.Loop() {
		tr.step(b)
	}
}
