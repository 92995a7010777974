package exec

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// chains builds graphs of elementwise operations on x and y of n elements and scalars s and t, of which some results are outputs and
// all others are read at least once: what fuse joins, in every shape.
func chains(r *rand.Rand, n int) *graph.Builder {
	b := graph.NewBuilder("chains")
	whole := []graph.Ref{b.Input("x", tensor.Float32, n), b.Input("y", tensor.Float32, n)}
	scalars := []graph.Ref{b.Input("s", tensor.Float32), b.Input("t", tensor.Float32, 1), b.Float(0), b.Float(1.5)}
	pick := func() graph.Ref { return whole[max(0, len(whole)-1-r.IntN(5))] }
	for range 3 + r.IntN(30) {
		var y graph.Ref
		switch op := r.IntN(8); op {
		case 0, 1:
			unary := []string{"Neg", "Abs", "Relu", "Sqrt", "Reciprocal", "Exp", "Log", "Tanh", "Erf", "Sigmoid", "Gelu"}
			y = b.Op(unary[r.IntN(len(unary))], nil, pick())
		case 2, 3:
			operands := []graph.Ref{pick(), scalars[r.IntN(len(scalars))]}
			if r.IntN(2) == 0 {
				slices.Reverse(operands)
			}
			y = b.Op([]string{"Add", "Sub", "Mul", "Div", "Max", "Min"}[r.IntN(6)], nil, operands...)
		case 4:
			y = b.Op("Where", nil, b.Op("Greater", nil, pick(), b.Float(0)), pick(), b.Float(0))
		case 5:
			y = b.Op("GeluGrad", nil, pick(), pick())
		default:
			y = b.Op([]string{"Add", "Sub", "Mul", "Div", "Max", "Min"}[r.IntN(6)], nil, pick(), pick())
		}
		whole = append(whole, y)
		if r.IntN(4) == 0 {
			b.Output(fmt.Sprint("out", len(whole)), y)
		}
	}
	b.Output("last", whole[len(whole)-1])
	return b
}

// oneByOne runs each node of a graph as a graph of its own, so that nothing is fused.
func oneByOne(t *testing.T, g *graph.Graph, in map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	values, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]*tensor.Tensor{}
	for name, x := range in {
		known[name] = x
	}
	for _, x := range g.Initializers {
		known[x.Name] = x.Tensor
	}
	for _, n := range g.Nodes {
		one := &graph.Graph{Name: "one", Opset: graph.Opset, Nodes: []graph.Node{n}}
		feed := map[string]*tensor.Tensor{}
		for _, name := range n.Inputs {
			if feed[name] == nil {
				feed[name] = known[name]
				one.Inputs = append(one.Inputs, values[name])
			}
		}
		for _, name := range n.Outputs {
			one.Outputs = append(one.Outputs, values[name])
		}
		p, err := Compile(one)
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Run(feed)
		if err != nil {
			t.Fatal(err)
		}
		for name, x := range out {
			known[name] = x
		}
	}
	return known
}

func randomTensor(r *rand.Rand, shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.Float32() {
		x.Float32()[i] = float32(r.NormFloat64())
		if r.IntN(20) == 0 {
			x.Float32()[i] = []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.NaN()), 1e-42}[r.IntN(5)]
		}
	}
	return x
}

// TestFused: what runs joined has the bits of what runs alone, for lengths around a chunk and on several goroutines.
func TestFused(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	r := rand.New(rand.NewPCG(1, 1))
	joined := 0
	for round := range 150 {
		n := []int{2, 67, fuseChunk - 1, fuseChunk, fuseChunk + 1, 2*fuseGrain + 3}[round%6]
		g, err := chains(r, n).Graph()
		if err != nil {
			t.Fatal(err)
		}
		p, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.steps) < len(g.Nodes) {
			joined++
		}
		in := map[string]*tensor.Tensor{"x": randomTensor(r, n), "y": randomTensor(r, n), "s": randomTensor(r), "t": randomTensor(r, 1)}
		got, err := p.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		want := oneByOne(t, g, in)
		for name, x := range got {
			if !slices.Equal(x.Bytes(), want[name].Bytes()) {
				t.Fatalf("round %d, n %d: %s differs", round, n, name)
			}
		}
	}
	if joined < 100 {
		t.Errorf("only %d of 150 graphs had anything to join", joined)
	}
}

// TestUpdate: replacing inputs gives the bits of computing new tensors, whether a pair can share memory or not.
func TestUpdate(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	inPlace, copied := 0, 0
	for round := range 150 {
		n := []int{2, 67, fuseChunk + 1, 2*fuseGrain + 3}[round%4]
		b := chains(r, n)
		b.Output("guard", b.Op("ReduceSum", graph.Attrs{"keepdims": 0}, "x"))
		b.Output("next/y", b.Op("Mul", nil, "last", b.Float(0.5)))
		if round%3 == 0 {
			b.Output("next/x", "y") // another input, which is replaced too
		} else {
			b.Output("next/x", b.Op("Add", nil, "last", "x"))
		}
		if round%5 == 0 {
			b.Output("old", "y")
		}
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		u, err := CompileUpdate(g, Update{State: map[string]string{"next/x": "x", "next/y": "y"}, Guard: "guard"})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range u.state {
			if s.copied {
				copied++
			} else {
				inPlace++
			}
		}
		p, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]*tensor.Tensor{"x": randomTensor(r, n), "y": randomTensor(r, n), "s": randomTensor(r), "t": randomTensor(r, 1)}
		want, err := p.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		x, y := slices.Clone(in["x"].Bytes()), slices.Clone(in["y"].Bytes())
		got, err := u.Run(in)
		if sum := want["guard"].Float32()[0]; sum-sum != 0 {
			if !errors.Is(err, ErrSkipped) || !slices.Equal(x, in["x"].Bytes()) || !slices.Equal(y, in["y"].Bytes()) {
				t.Fatalf("round %d: guard %v, error %v, state changed %v", round, sum, err, !slices.Equal(x, in["x"].Bytes()))
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for name, w := range want {
			have := got[name]
			if input, ok := strings.CutPrefix(name, "next/"); ok {
				have = in[input]
			}
			if !slices.Equal(have.Bytes(), w.Bytes()) {
				t.Fatalf("round %d: %s differs", round, name)
			}
		}
	}
	if inPlace == 0 || copied == 0 {
		t.Errorf("%d pairs in place and %d copied, want some of each", inPlace, copied)
	}
}

func TestUpdateErrors(t *testing.T) {
	b := graph.NewBuilder("errors")
	x := b.Input("x", tensor.Float32, 3)
	b.Output("y", b.Op("Neg", nil, x))
	b.Output("sum", b.Op("ReduceSum", graph.Attrs{"keepdims": 0}, x))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]Update{
		"no guard":     {State: map[string]string{"y": "x"}},
		"wide guard":   {State: map[string]string{"y": "x"}, Guard: "y"},
		"other shape":  {State: map[string]string{"sum": "x"}, Guard: "sum"},
		"not an input": {State: map[string]string{"y": "y"}, Guard: "sum"},
	} {
		if _, err := CompileUpdate(g, u); !errors.Is(err, graph.ErrInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
