package split

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/split/splittest"
	"github.com/mutirao/mutirao/verify/trace"
)

// TestEveryOperatorHasASplit walks the operator table: an operator without a split may not enter it, nor one without a case in
// the test below.
func TestEveryOperatorHasASplit(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range splittest.Cases() {
		tested[c.Op] = true
	}
	for _, op := range graph.Operators() {
		if rules[op] == nil {
			t.Errorf("operator %s has no split", op)
		}
		if !tested[op] {
			t.Errorf("the split of operator %s is not tested", op)
		}
	}
	for _, op := range Operators() {
		if !slices.Contains(graph.Operators(), op) {
			t.Errorf("there is a split of %s, which is no operator", op)
		}
	}
}

// tensors reads elements of whole tensors and notes which tiles a micro-operation touches.
type tensors struct {
	list  []*tensor.Tensor
	tiles map[[2]int]bool
}

func (r *tensors) Element(input, i int) (uint64, error) {
	x := r.list[input]
	r.tiles[[2]int{input, trace.TileOf(x.Shape(), i)}] = true
	return trace.Element(x, i), nil
}

// TestSplitsGiveTheEnginesBits runs every case on the engine and, element by element and micro-operation by micro-operation,
// by the splits.
func TestSplitsGiveTheEnginesBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 9))
	for i, c := range splittest.Cases() {
		rounds := 2
		if c.Elements() > 10000 {
			rounds = 1
		}
		for range rounds {
			g, in := build(t, c, rng)
			program, err := exec.CompileTraced(g)
			if err != nil {
				t.Fatal(err)
			}
			values, err := program.Run(in)
			if err != nil {
				t.Fatalf("case %d, %s: %v", i, c.Op, err)
			}
			calls, err := graph.Calls(g)
			if err != nil {
				t.Fatal(err)
			}
			r := &tensors{tiles: map[[2]int]bool{}}
			constants := map[string]*tensor.Tensor{}
			for _, x := range g.Initializers {
				constants[x.Name] = x.Tensor
			}
			for _, name := range g.Nodes[0].Inputs {
				x := in[name]
				if x == nil {
					x = constants[name]
				}
				r.list = append(r.list, x)
			}
			for o := range c.Outputs {
				check(t, fmt.Sprintf("case %d, %s %v", i, c.Op, c.Attrs), &calls[0], o, values[len(g.Inputs)+o], r)
			}
		}
	}
}

func check(t *testing.T, name string, c *graph.Call, output int, want *tensor.Tensor, r *tensors) {
	for e := range want.Len() {
		s, err := Of(c, output, e)
		if err != nil {
			t.Fatal(err)
		}
		if s.Ops < 1 || s.Words > MaxWords {
			t.Fatalf("%s: %d micro-operations on %d words", name, s.Ops, s.Words)
		}
		a := s.Start()
		for op := range s.Ops {
			clear(r.tiles)
			if err := s.Run(op, a, r); err != nil {
				t.Fatalf("%s: output %d, element %d, micro-operation %d: %v", name, output, e, op, err)
			}
			if len(r.tiles) > MaxTiles {
				t.Fatalf("%s: micro-operation %d reads %d tiles", name, op, len(r.tiles))
			}
		}
		if got := a.Result(); got != trace.Element(want, e) {
			t.Errorf("%s: output %d, element %d is %x by its split, the engine has %x", name, output, e, got, trace.Element(want, e))
			return
		}
	}
}

// build makes the graph of a case and random inputs for it.
func build(t testing.TB, c splittest.Case, rng *rand.Rand) (*graph.Graph, map[string]*tensor.Tensor) {
	t.Helper()
	b := graph.NewBuilder("case")
	for i, r := range c.Add(b) {
		b.Output(fmt.Sprint("out", i), r)
	}
	g, err := b.Graph()
	if err != nil {
		t.Fatalf("%s: %v", c.Op, err)
	}
	return g, c.Random(rng)
}

// TestNoValue checks that a split fails where the engine refuses to run.
func TestNoValue(t *testing.T) {
	for _, c := range []struct {
		node splittest.Case
		bad  string
		at   int64
	}{
		{splittest.One("Gather", nil, splittest.F(4, 2), splittest.N(4, 1)), "in1", 4}, {splittest.One("GatherND", nil, splittest.F(4, 2), splittest.N(2, 1, 2)), "in1", -5},
		{splittest.One("ScatterND", nil, splittest.F(4, 2), splittest.N(4, 1, 1), splittest.F(1, 2)), "in1", 4}, {splittest.One("TensorScatter", nil, splittest.F(1, 5, 2), splittest.F(1, 2, 2), splittest.N(3, 1)), "in2", 4},
		{splittest.One("SoftmaxCrossEntropyLoss", nil, splittest.F(1, 3), splittest.N(3, 1)), "in1", 3}, {splittest.One("SoftmaxCrossEntropyLossGrad", nil, splittest.F(), splittest.F(1, 3), splittest.N(3, 1)), "in2", -1},
		{splittest.One("Attention", nil, splittest.F(1, 1, 2, 3), splittest.F(1, 1, 4, 3), splittest.F(1, 1, 4, 3), splittest.None, splittest.None, splittest.None, splittest.N(4, 1)), "in6", 5},
	} {
		g, in := build(t, c.node, rand.New(rand.NewPCG(1, 1)))
		in[c.bad].Int64()[0] = c.at
		calls, err := graph.Calls(g)
		if err != nil {
			t.Fatal(err)
		}
		r := &tensors{tiles: map[[2]int]bool{}}
		for _, name := range g.Nodes[0].Inputs {
			r.list = append(r.list, in[name])
		}
		s, err := Of(&calls[0], 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		a := s.Start()
		for op := 0; op < s.Ops && err == nil; op++ {
			err = s.Run(op, a, r)
		}
		if !errors.Is(err, ErrValue) {
			t.Errorf("%s with index %d: %v", c.node.Op, c.at, err)
		}
		program, err := exec.Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := program.Run(in); err == nil {
			t.Errorf("the engine runs %s with index %d", c.node.Op, c.at)
		}
	}
}

// TestOf refuses what does not exist.
func TestOf(t *testing.T) {
	g, _ := build(t, splittest.One("Neg", nil, splittest.F(3)), rand.New(rand.NewPCG(1, 1)))
	calls, err := graph.Calls(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range [][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 3}} {
		if _, err := Of(&calls[0], at[0], at[1]); !errors.Is(err, ErrSplit) {
			t.Errorf("output %d, element %d: %v", at[0], at[1], err)
		}
	}
	s, err := Of(&calls[0], 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range []int{-1, 1} {
		if err := s.Run(op, s.Start(), &tensors{}); !errors.Is(err, ErrSplit) {
			t.Errorf("micro-operation %d: %v", op, err)
		}
	}
	if err := s.Run(0, nil, &tensors{}); !errors.Is(err, ErrSplit) {
		t.Errorf("no accumulator: %v", err)
	}
}

// TestCheckFindsWhatHasNoSplit: a recurrent layer whose hidden values do not fit an accumulator is refused, a smaller one is not.
func TestCheckFindsWhatHasNoSplit(t *testing.T) {
	for hidden, ok := range map[int]bool{64: true, 1400: false} {
		b := graph.NewBuilder("layer")
		x := b.Input("x", tensor.Float32, 1, 1, 3)
		w, r := b.Input("w", tensor.Float32, 1, 4*hidden, 3), b.Input("r", tensor.Float32, 1, 4*hidden, hidden)
		b.Output("y", b.OpN("LSTM", 3, graph.Attrs{"hidden_size": hidden}, x, w, r)[0])
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(g); (err == nil) != ok || err != nil && !errors.Is(err, ErrSplit) {
			t.Errorf("%d hidden values: %v", hidden, err)
		}
	}
}
