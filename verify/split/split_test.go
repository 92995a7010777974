package split

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/trace"
)

// TestEveryOperatorHasASplit walks the operator table: an operator without a split may not enter it, nor one without a case in
// the test below.
func TestEveryOperatorHasASplit(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range cases() {
		tested[c.op] = true
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

// node is a test case: one node over inputs of these shapes.
type node struct {
	op      string
	attrs   graph.Attrs
	outputs int
	in      []input
}

// input is a tensor of a test: random unless its list is given, which makes it an initializer.
type input struct {
	dtype tensor.DType
	shape []int
	below int            // int64: random numbers from 0 to below - 1
	ints  []int          // initializer
	fixed *tensor.Tensor // initializer
	none  bool           // left out
	wild  bool           // NaN, infinities, zeros and subnormals among the numbers
}

func f(shape ...int) input                      { return input{dtype: tensor.Float32, shape: shape} }
func wild(shape ...int) input                   { return input{dtype: tensor.Float32, shape: shape, wild: true} }
func n(below int, shape ...int) input           { return input{dtype: tensor.Int64, shape: shape, below: below} }
func yes(shape ...int) input                    { return input{dtype: tensor.Bool, shape: shape} }
func list(ints ...int) input                    { return input{dtype: tensor.Int64, ints: ints} }
func typed(dt tensor.DType, shape ...int) input { return input{dtype: dt, shape: shape} }

var none = input{none: true}

func one(op string, attrs graph.Attrs, in ...input) node { return node{op, attrs, 1, in} }

// cases has every operator, with its attributes, broadcasts, types and awkward sizes.
func cases() []node {
	var all []node
	add := func(n ...node) { all = append(all, n...) }
	for _, op := range []string{"Neg", "Abs", "Sign", "Relu", "Sqrt", "Reciprocal", "Exp", "Log", "Tanh", "Erf", "Sigmoid", "Sin", "Cos", "Gelu"} {
		add(one(op, nil, wild(3, 40)))
	}
	add(one("GeluGrad", nil, wild(3, 40), wild(3, 40)), one("Identity", nil, wild(5)))
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Max", "Min"} {
		add(one(op, nil, wild(2, 3, 5), wild(3, 1)), one(op, nil, n(7, 4), n(3, 2, 1)))
	}
	add(one("Max", nil, wild(4), wild(3, 1), wild()), one("Min", nil, wild(6)), one("Max", nil, n(4, 3), n(4, 2, 1), n(5)))
	for _, op := range []string{"Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"} {
		add(one(op, nil, wild(2, 3, 5), wild(3, 1)), one(op, nil, n(3, 4), n(3, 2, 1)))
	}
	add(one("Where", nil, yes(3, 1), wild(1, 4), wild(2, 1, 1)), one("Where", nil, yes(5), n(9, 5), n(9)))
	types := []tensor.DType{tensor.Float32, tensor.Uint8, tensor.Int8, tensor.Int32, tensor.Int64, tensor.Bool}
	for _, from := range types {
		for _, to := range types {
			x := typed(from, 60)
			x.wild = from == tensor.Float32
			add(one("Cast", graph.Attrs{"to": int(to)}, x))
		}
	}
	add(one("Transpose", nil, f(3, 40)), one("Transpose", graph.Attrs{"perm": []int{1, 2, 0}}, f(2, 3, 4)),
		one("Reshape", nil, f(3, 4), list(2, -1)), one("Squeeze", nil, f(1, 4, 1), list(0)), one("Unsqueeze", nil, f(4), list(0, 2)),
		one("Expand", nil, f(3, 1), list(2, 1, 4)), one("Concat", graph.Attrs{"axis": 1}, f(2, 3), f(2, 1), f(2, 4)), one("Concat", graph.Attrs{"axis": -1}, n(9, 3)),
		one("Slice", nil, f(5, 6), list(1, -1), list(5, -6), list(0, 1), list(2, -2)), one("Slice", nil, n(9, 7), list(2), list(5)),
		one("SliceGrad", graph.Attrs{"shape": []int{5, 6}}, f(2, 3), list(1, -1), list(5, -7), list(0, 1), list(2, -2)),
		node{"Split", graph.Attrs{"axis": 1}, 3, []input{f(2, 6), list(1, 2, 3)}}, node{"Split", graph.Attrs{"num_outputs": 2}, 2, []input{f(5, 2)}})
	add(one("Gather", nil, f(6, 5), n(6, 2, 3)), one("Gather", nil, n(9, 6), n(6)), one("GatherND", nil, f(3, 4, 5), n(3, 2, 2)))
	for _, r := range []string{"none", "add", "mul", "max", "min"} {
		add(one("ScatterND", graph.Attrs{"reduction": r}, f(4, 3), n(4, 7, 1), f(7, 3)), one("ScatterND", graph.Attrs{"reduction": r}, f(4, 4), n(4, 9, 2), f(9)))
	}
	add(one("TensorScatter", nil, f(2, 3, 5, 4), f(2, 3, 2, 4), n(4, 2)), one("TensorScatter", graph.Attrs{"mode": "circular", "axis": 1}, f(2, 5, 4), f(2, 3, 4), n(9, 2)),
		one("TensorScatter", nil, f(2, 5, 4), f(2, 2, 4)))
	add(one("MatMul", nil, f(3, 300), f(300, 2)), one("MatMul", nil, wild(3, 20), wild(20, 4)), one("MatMul", nil, f(2, 1, 3, 17), f(5, 17, 2)),
		one("MatMul", nil, f(33), f(33, 4)), one("MatMul", nil, f(2, 3, 33), f(33)), one("MatMul", nil, f(600), f(600)))
	for _, trans := range []int{0, 1} {
		a, b := f(3, 270), f(270, 5)
		if trans == 1 {
			a, b = f(270, 3), f(5, 270)
		}
		add(one("Gemm", graph.Attrs{"transA": trans, "transB": trans}, a, b), one("Gemm", graph.Attrs{"transA": trans, "transB": trans, "alpha": float32(0.3), "beta": float32(1.7)}, a, b, f(5)),
			one("Gemm", graph.Attrs{"transA": trans, "transB": trans, "beta": float32(0)}, a, b, f(3, 1)), one("Gemm", graph.Attrs{"transA": trans, "transB": trans}, a, b, f(3, 1)))
	}
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceMax", "ReduceMin"} {
		add(one(op, nil, wild(3, 50)), one(op, graph.Attrs{"keepdims": 0}, f(3, 50, 2), list(1)), one(op, nil, f(3, 5, 70), list(0, -1)),
			one(op, graph.Attrs{"keepdims": 0}, f(70, 3), list(0)), one(op, graph.Attrs{"noop_with_empty_axes": 1}, wild(20)), one(op, nil, f(1, 4), list(0)), one(op, nil, f(9), none))
	}
	add(one("ReduceSum", nil, f(200000)), one("ReduceSumSquare", nil, f(3, 65536)), one("ReduceMean", nil, f(65537, 2), list(0)), one("ReduceSum", nil, f(5*65536+1)))
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		add(one(op, nil, f(3, 70)), one(op, graph.Attrs{"axis": 0}, f(70, 3)), one(op, graph.Attrs{"axis": 1}, wild(2, 9, 3)))
	}
	add(one("LayerNormalization", nil, f(3, 70), f(70), f(70)), one("LayerNormalization", graph.Attrs{"axis": 1, "epsilon": float32(0.5)}, f(3, 4, 5), f(4, 5)),
		one("RMSNormalization", nil, f(3, 70), f(70)), one("RMSNormalization", nil, wild(3, 7), wild(7)),
		node{"LayerNormalizationGrad", nil, 3, []input{f(35, 6), f(35, 6), f(6)}}, node{"LayerNormalizationGrad", graph.Attrs{"axis": 1}, 3, []input{f(2, 3, 12), f(2, 3, 12), f(3, 12)}},
		node{"RMSNormalizationGrad", nil, 2, []input{f(5, 40), f(5, 40), f(40)}})
	for _, r := range []string{"none", "sum", "mean"} {
		dloss := f()
		if r == "none" {
			dloss = f(5)
		}
		for _, a := range []graph.Attrs{{"reduction": r}, {"reduction": r, "ignore_index": 2}} {
			add(node{"SoftmaxCrossEntropyLoss", a, 2, []input{f(5, 7), n(7, 5)}}, node{"SoftmaxCrossEntropyLoss", a, 1, []input{f(5, 7), n(7, 5)}},
				one("SoftmaxCrossEntropyLossGrad", a, dloss, f(5, 7), n(7, 5)))
		}
	}
	for _, causal := range []int{0, 1} {
		a := graph.Attrs{"is_causal": causal}
		add(one("Attention", a, f(2, 4, 5, 3), f(2, 2, 5, 3), f(2, 2, 5, 6)), one("Attention", graph.Attrs{"is_causal": causal, "scale": float32(0.4), "softcap": float32(2)}, f(1, 2, 3, 33), f(1, 1, 7, 33), f(1, 1, 7, 2)),
			one("Attention", a, f(1, 1, 2, 3), f(1, 1, 300, 3), f(1, 1, 300, 2)), one("Attention", a, f(1, 2, 4, 3), f(1, 1, 6, 3), f(1, 1, 6, 2), yes(4, 6)),
			one("Attention", a, f(1, 2, 4, 3), f(1, 1, 6, 3), wild(1, 1, 6, 2), yes(2, 1, 6)), one("Attention", a, f(2, 2, 4, 3), f(2, 1, 6, 3), f(2, 1, 6, 2), f(2, 1, 4, 6)),
			node{"Attention", a, 3, []input{f(1, 2, 3, 4), f(1, 1, 3, 4), f(1, 1, 3, 2), none, f(1, 1, 5, 4), f(1, 1, 5, 2)}},
			one("Attention", a, f(2, 1, 2, 4), f(2, 1, 6, 4), f(2, 1, 6, 2), none, none, none, n(7, 2)),
			one("Attention", a, wild(1, 1, 5, 3), wild(1, 1, 5, 3), wild(1, 1, 5, 3)),
			node{"AttentionGrad", a, 3, []input{f(1, 2, 4, 2), f(1, 2, 4, 3), f(1, 1, 4, 3), f(1, 1, 4, 2)}},
			node{"AttentionGrad", a, 3, []input{f(1, 1, 3, 2), f(1, 1, 3, 2), f(1, 1, 5, 2), wild(1, 1, 5, 2)}},
			node{"AttentionGrad", a, 3, []input{f(1, 1, 6, 2), f(1, 1, 6, 2), f(1, 1, 4, 2), f(1, 1, 4, 2)}},
			node{"AttentionGrad", a, 3, []input{wild(1, 1, 4, 2), f(1, 1, 4, 2), wild(1, 1, 4, 2), f(1, 1, 4, 2)}})
	}
	add(node{"AttentionGrad", graph.Attrs{"is_causal": 1}, 3, []input{f(1, 1, 260, 1), f(1, 1, 260, 1), f(1, 1, 3, 1), f(1, 1, 3, 1)}})
	add(one("Conv", graph.Attrs{"pads": []int{1, 1, 1, 1}, "strides": []int{2, 1}}, f(2, 4, 5, 6), f(6, 4, 3, 3), f(6)),
		one("Conv", graph.Attrs{"group": 2, "dilations": []int{2}}, f(1, 4, 9), f(6, 2, 3)), one("Conv", nil, f(1, 70, 2, 3, 2), f(2, 70, 2, 2, 2)),
		one("Conv", graph.Attrs{"group": 4, "pads": []int{1, 0, 0, 1}}, wild(1, 4, 4, 4), f(4, 1, 3, 3)))
	for _, a := range []tensor.DType{tensor.Uint8, tensor.Int8} {
		for _, b := range []tensor.DType{tensor.Uint8, tensor.Int8} {
			add(one("MatMulInteger", nil, typed(a, 2, 3, 70), typed(b, 70, 5), typed(a), typed(b, 5)), one("MatMulInteger", nil, typed(a, 3, 9), typed(b, 9, 2)),
				one("ConvInteger", graph.Attrs{"pads": []int{1, 1, 1, 1}, "strides": []int{2, 1}}, typed(a, 2, 4, 5, 6), typed(b, 10, 4, 3, 3), typed(a), typed(b)),
				one("ConvInteger", graph.Attrs{"group": 4, "pads": []int{1, 0}}, typed(a, 1, 4, 9), typed(b, 8, 1, 3), typed(a), typed(b, 8)))
		}
		add(one("QuantizeLinear", nil, wild(3, 40), f(), typed(a)), one("QuantizeLinear", graph.Attrs{"axis": -2}, f(2, 3, 5), f(3), typed(a, 3)))
	}
	for _, op := range []string{"MaxPool", "AveragePool"} {
		add(one(op, graph.Attrs{"kernel_shape": []int{3, 2}, "pads": []int{1, 1, 1, 0}, "strides": []int{2, 1}}, wild(1, 2, 5, 6)), one(op, graph.Attrs{"kernel_shape": []int{3}, "dilations": []int{2}}, f(1, 2, 9)))
	}
	add(one("AveragePool", graph.Attrs{"kernel_shape": []int{2, 2}, "pads": []int{1, 1, 1, 1}, "count_include_pad": 1}, f(1, 1, 3, 3)))
	add(one("ConvWeightGrad", graph.Attrs{"kernel_shape": []int{3, 2}, "pads": []int{1, 0, 1, 1}, "strides": []int{2, 1}, "group": 2}, f(2, 4, 3, 6), f(2, 6, 5, 6)),
		one("ConvWeightGrad", graph.Attrs{"kernel_shape": []int{2}}, f(2, 1, 299), f(2, 1, 300)),
		one("MaxPoolGrad", graph.Attrs{"kernel_shape": []int{3, 2}, "pads": []int{1, 1, 1, 0}, "strides": []int{2, 1}}, f(1, 2, 3, 6), wild(1, 2, 5, 6)),
		one("MaxPoolGrad", graph.Attrs{"kernel_shape": []int{2}, "strides": []int{3}}, f(1, 1, 3), f(1, 1, 9)),
		one("AveragePoolGrad", graph.Attrs{"kernel_shape": []int{3, 2}, "pads": []int{1, 1, 1, 0}, "strides": []int{2, 1}, "shape": []int{1, 2, 5, 6}}, f(1, 2, 3, 6)),
		one("AveragePoolGrad", graph.Attrs{"kernel_shape": []int{2}, "dilations": []int{2}, "pads": []int{1, 1}, "count_include_pad": 1, "shape": []int{2, 1, 9}}, f(2, 1, 9)))
	add(trees3("SUM", 40), trees3("MIN", 40), trees3("MAX", 1))
	return all
}

// trees3 is a TreeEnsemble of three trees: two that differ in depth, with one child that two nodes share, and a leaf alone. Some leaves
// have several weights, or none for a target.
func trees3(aggregate string, rows int) node {
	ints := func(shape []int, list ...int32) input { return input{fixed: tensor.From(list, shape...)} }
	floats := func(list ...float32) input { return input{fixed: tensor.FromFloat32(list, len(list))} }
	return one("TreeEnsemble", graph.Attrs{"aggregate": aggregate, "targets": 3}, wild(rows, 2),
		floats(0, 0.5, -1, 0, float32(math.NaN()), float32(math.Inf(1)), 0),
		ints([]int{7, 4}, 0, 1, -1, 0, 1, 2, 3, 1, 0, 3, -2, 0, 1, 4, -3, 1, 0, 5, -1, 1, 1, -4, -2, 0, 1, -5, -6, 1),
		ints([]int{3}, 0, 6, -2), ints([]int{7}, 0, 1, 3, 8, 8, 9, 10), ints([]int{10}, 0, 1, 0, 2, 2, 2, 0, 0, 1, 0),
		floats(1, 2, 3, -4, 0.25, 1e-40, 7, 8, float32(math.Inf(1)), 10))
}

// build makes the graph of a case and random inputs for it.
func (c node) build(t testing.TB, rng *rand.Rand) (*graph.Graph, map[string]*tensor.Tensor) {
	b := graph.NewBuilder("case")
	in := map[string]*tensor.Tensor{}
	var refs []graph.Ref
	for i, v := range c.in {
		switch {
		case v.none:
			refs = append(refs, graph.None)
		case v.ints != nil:
			refs = append(refs, b.Ints(v.ints...))
		case v.fixed != nil:
			refs = append(refs, b.Initializer(fmt.Sprint("fixed", i), v.fixed))
		default:
			name := fmt.Sprint("in", i)
			refs = append(refs, b.Input(name, v.dtype, v.shape...))
			in[name] = v.random(rng)
		}
	}
	for i, r := range b.OpN(c.op, c.outputs, c.attrs, refs...) {
		b.Output(fmt.Sprint("out", i), r)
	}
	g, err := b.Graph()
	if err != nil {
		t.Fatalf("%s: %v", c.op, err)
	}
	return g, in
}

func (v input) random(rng *rand.Rand) *tensor.Tensor {
	special := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, -1e-40, 3e38, -300, 127.5}
	x := tensor.New(v.dtype, v.shape...)
	switch v.dtype {
	case tensor.Float32:
		for i := range x.Float32() {
			x.Float32()[i] = float32(rng.NormFloat64())
			if v.wild && rng.IntN(6) == 0 {
				x.Float32()[i] = special[rng.IntN(len(special))]
			}
		}
	case tensor.Int64:
		for i := range x.Int64() {
			if x.Int64()[i] = int64(rng.Uint64()); v.below > 0 {
				x.Int64()[i] = rng.Int64N(int64(v.below))
			}
		}
	case tensor.Uint8:
		for i := range tensor.Data[uint8](x) {
			tensor.Data[uint8](x)[i] = uint8(rng.Uint32())
		}
	case tensor.Int8:
		for i := range tensor.Data[int8](x) {
			tensor.Data[int8](x)[i] = int8(rng.Uint32())
		}
	case tensor.Int32:
		for i := range tensor.Data[int32](x) {
			tensor.Data[int32](x)[i] = int32(rng.Uint32())
		}
	case tensor.Bool:
		for i := range x.Bool() {
			x.Bool()[i] = rng.IntN(2) == 1
		}
	}
	return x
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
	for i, c := range cases() {
		rounds := 2
		if c.in[0].shape != nil && size(c.in[0].shape) > 10000 {
			rounds = 1
		}
		for range rounds {
			g, in := c.build(t, rng)
			program, err := exec.CompileTraced(g)
			if err != nil {
				t.Fatal(err)
			}
			values, err := program.Run(in)
			if err != nil {
				t.Fatalf("case %d, %s: %v", i, c.op, err)
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
			for o := range c.outputs {
				check(t, fmt.Sprintf("case %d, %s %v", i, c.op, c.attrs), &calls[0], o, values[len(g.Inputs)+o], r)
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

// TestNoValue checks that a split fails where the engine refuses to run.
func TestNoValue(t *testing.T) {
	for _, c := range []struct {
		node node
		bad  string
		at   int64
	}{
		{one("Gather", nil, f(4, 2), n(4, 1)), "in1", 4}, {one("GatherND", nil, f(4, 2), n(2, 1, 2)), "in1", -5},
		{one("ScatterND", nil, f(4, 2), n(4, 1, 1), f(1, 2)), "in1", 4}, {one("TensorScatter", nil, f(1, 5, 2), f(1, 2, 2), n(3, 1)), "in2", 4},
		{one("SoftmaxCrossEntropyLoss", nil, f(1, 3), n(3, 1)), "in1", 3}, {one("SoftmaxCrossEntropyLossGrad", nil, f(), f(1, 3), n(3, 1)), "in2", -1},
		{one("Attention", nil, f(1, 1, 2, 3), f(1, 1, 4, 3), f(1, 1, 4, 3), none, none, none, n(4, 1)), "in6", 5},
	} {
		g, in := c.node.build(t, rand.New(rand.NewPCG(1, 1)))
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
			t.Errorf("%s with index %d: %v", c.node.op, c.at, err)
		}
		program, err := exec.Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := program.Run(in); err == nil {
			t.Errorf("the engine runs %s with index %d", c.node.op, c.at)
		}
	}
}

// TestOf refuses what does not exist.
func TestOf(t *testing.T) {
	g, _ := one("Neg", nil, f(3)).build(t, rand.New(rand.NewPCG(1, 1)))
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
