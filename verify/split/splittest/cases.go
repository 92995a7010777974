// Package splittest has nodes for tests of every operator: with their attributes, broadcasts, element types and awkward sizes, and
// random inputs. It is for tests only and imports the engine.
package splittest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Case is a test case: one node over inputs of these shapes.
type Case struct {
	Op      string
	Attrs   graph.Attrs
	Outputs int
	In      []Input
}

// Input is a tensor of a test: random unless its list is given, which makes it an initializer.
type Input struct {
	dtype tensor.DType
	shape []int
	below int            // int64: random numbers from 0 to below - 1
	ints  []int          // initializer
	fixed *tensor.Tensor // initializer
	none  bool           // left out
	wild  bool           // NaN, infinities, zeros and subnormals among the numbers
}

// F is an input of random floats.
func F(shape ...int) Input    { return Input{dtype: tensor.Float32, shape: shape} }
func wild(shape ...int) Input { return Input{dtype: tensor.Float32, shape: shape, wild: true} }

// N is an input of random int64 from 0 to below - 1.
func N(below int, shape ...int) Input           { return Input{dtype: tensor.Int64, shape: shape, below: below} }
func yes(shape ...int) Input                    { return Input{dtype: tensor.Bool, shape: shape} }
func list(ints ...int) Input                    { return Input{dtype: tensor.Int64, ints: ints} }
func typed(dt tensor.DType, shape ...int) Input { return Input{dtype: dt, shape: shape} }

// None leaves an optional input out.
var None = Input{none: true}

// One is a case of a node with one output.
func One(op string, attrs graph.Attrs, in ...Input) Case { return Case{op, attrs, 1, in} }

// Cases has every operator, with its attributes, broadcasts, types and awkward sizes.
func Cases() []Case {
	var all []Case
	add := func(n ...Case) { all = append(all, n...) }
	for _, op := range []string{"Neg", "Abs", "Sign", "Relu", "Sqrt", "Reciprocal", "Exp", "Log", "Tanh", "Erf", "Sigmoid", "Sin", "Cos", "Gelu"} {
		add(One(op, nil, wild(3, 40)))
	}
	add(One("GeluGrad", nil, wild(3, 40), wild(3, 40)), One("Identity", nil, wild(5)))
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Max", "Min"} {
		add(One(op, nil, wild(2, 3, 5), wild(3, 1)), One(op, nil, N(7, 4), N(3, 2, 1)))
	}
	add(One("Max", nil, wild(4), wild(3, 1), wild()), One("Min", nil, wild(6)), One("Max", nil, N(4, 3), N(4, 2, 1), N(5)))
	for _, op := range []string{"Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"} {
		add(One(op, nil, wild(2, 3, 5), wild(3, 1)), One(op, nil, N(3, 4), N(3, 2, 1)))
	}
	add(One("Where", nil, yes(3, 1), wild(1, 4), wild(2, 1, 1)), One("Where", nil, yes(5), N(9, 5), N(9)))
	types := []tensor.DType{tensor.Float32, tensor.Uint8, tensor.Int8, tensor.Int32, tensor.Int64, tensor.Bool}
	for _, from := range types {
		for _, to := range types {
			x := typed(from, 60)
			x.wild = from == tensor.Float32
			add(One("Cast", graph.Attrs{"to": int(to)}, x))
		}
	}
	add(One("Transpose", nil, F(3, 40)), One("Transpose", graph.Attrs{"perm": []int{1, 2, 0}}, F(2, 3, 4)),
		One("Reshape", nil, F(3, 4), list(2, -1)), One("Squeeze", nil, F(1, 4, 1), list(0)), One("Unsqueeze", nil, F(4), list(0, 2)),
		One("Expand", nil, F(3, 1), list(2, 1, 4)), One("Concat", graph.Attrs{"axis": 1}, F(2, 3), F(2, 1), F(2, 4)), One("Concat", graph.Attrs{"axis": -1}, N(9, 3)),
		One("Slice", nil, F(5, 6), list(1, -1), list(5, -6), list(0, 1), list(2, -2)), One("Slice", nil, N(9, 7), list(2), list(5)),
		One("SliceGrad", graph.Attrs{"shape": []int{5, 6}}, F(2, 3), list(1, -1), list(5, -7), list(0, 1), list(2, -2)),
		Case{"Split", graph.Attrs{"axis": 1}, 3, []Input{F(2, 6), list(1, 2, 3)}}, Case{"Split", graph.Attrs{"num_outputs": 2}, 2, []Input{F(5, 2)}})
	add(One("Gather", nil, F(6, 5), N(6, 2, 3)), One("Gather", nil, N(9, 6), N(6)), One("GatherND", nil, F(3, 4, 5), N(3, 2, 2)))
	for _, r := range []string{"none", "add", "mul", "max", "min"} {
		add(One("ScatterND", graph.Attrs{"reduction": r}, F(4, 3), N(4, 7, 1), F(7, 3)), One("ScatterND", graph.Attrs{"reduction": r}, F(4, 4), N(4, 9, 2), F(9)))
	}
	add(One("TensorScatter", nil, F(2, 3, 5, 4), F(2, 3, 2, 4), N(4, 2)), One("TensorScatter", graph.Attrs{"mode": "circular", "axis": 1}, F(2, 5, 4), F(2, 3, 4), N(9, 2)),
		One("TensorScatter", nil, F(2, 5, 4), F(2, 2, 4)))
	add(One("MatMul", nil, F(3, 300), F(300, 2)), One("MatMul", nil, wild(3, 20), wild(20, 4)), One("MatMul", nil, F(2, 1, 3, 17), F(5, 17, 2)),
		One("MatMul", nil, F(33), F(33, 4)), One("MatMul", nil, F(2, 3, 33), F(33)), One("MatMul", nil, F(600), F(600)))
	for _, trans := range []int{0, 1} {
		a, b := F(3, 270), F(270, 5)
		if trans == 1 {
			a, b = F(270, 3), F(5, 270)
		}
		add(One("Gemm", graph.Attrs{"transA": trans, "transB": trans}, a, b), One("Gemm", graph.Attrs{"transA": trans, "transB": trans, "alpha": float32(0.3), "beta": float32(1.7)}, a, b, F(5)),
			One("Gemm", graph.Attrs{"transA": trans, "transB": trans, "beta": float32(0)}, a, b, F(3, 1)), One("Gemm", graph.Attrs{"transA": trans, "transB": trans}, a, b, F(3, 1)))
	}
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceMax", "ReduceMin"} {
		add(One(op, nil, wild(3, 50)), One(op, graph.Attrs{"keepdims": 0}, F(3, 50, 2), list(1)), One(op, nil, F(3, 5, 70), list(0, -1)),
			One(op, graph.Attrs{"keepdims": 0}, F(70, 3), list(0)), One(op, graph.Attrs{"noop_with_empty_axes": 1}, wild(20)), One(op, nil, F(1, 4), list(0)), One(op, nil, F(9), None))
	}
	add(One("ReduceSum", nil, F(200000)), One("ReduceSumSquare", nil, F(3, 65536)), One("ReduceMean", nil, F(65537, 2), list(0)), One("ReduceSum", nil, F(5*65536+1)))
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		add(One(op, nil, F(3, 70)), One(op, graph.Attrs{"axis": 0}, F(70, 3)), One(op, graph.Attrs{"axis": 1}, wild(2, 9, 3)))
	}
	add(One("LayerNormalization", nil, F(3, 70), F(70), F(70)), One("LayerNormalization", graph.Attrs{"axis": 1, "epsilon": float32(0.5)}, F(3, 4, 5), F(4, 5)),
		One("RMSNormalization", nil, F(3, 70), F(70)), One("RMSNormalization", nil, wild(3, 7), wild(7)),
		Case{"LayerNormalizationGrad", nil, 3, []Input{F(35, 6), F(35, 6), F(6)}}, Case{"LayerNormalizationGrad", graph.Attrs{"axis": 1}, 3, []Input{F(2, 3, 12), F(2, 3, 12), F(3, 12)}},
		Case{"RMSNormalizationGrad", nil, 2, []Input{F(5, 40), F(5, 40), F(40)}})
	for _, r := range []string{"none", "sum", "mean"} {
		dloss := F()
		if r == "none" {
			dloss = F(5)
		}
		for _, a := range []graph.Attrs{{"reduction": r}, {"reduction": r, "ignore_index": 2}} {
			add(Case{"SoftmaxCrossEntropyLoss", a, 2, []Input{F(5, 7), N(7, 5)}}, Case{"SoftmaxCrossEntropyLoss", a, 1, []Input{F(5, 7), N(7, 5)}},
				One("SoftmaxCrossEntropyLossGrad", a, dloss, F(5, 7), N(7, 5)))
		}
	}
	for _, causal := range []int{0, 1} {
		a := graph.Attrs{"is_causal": causal}
		add(One("Attention", a, F(2, 4, 5, 3), F(2, 2, 5, 3), F(2, 2, 5, 6)), One("Attention", graph.Attrs{"is_causal": causal, "scale": float32(0.4), "softcap": float32(2)}, F(1, 2, 3, 33), F(1, 1, 7, 33), F(1, 1, 7, 2)),
			One("Attention", a, F(1, 1, 2, 3), F(1, 1, 300, 3), F(1, 1, 300, 2)), One("Attention", a, F(1, 2, 4, 3), F(1, 1, 6, 3), F(1, 1, 6, 2), yes(4, 6)),
			One("Attention", a, F(1, 2, 4, 3), F(1, 1, 6, 3), wild(1, 1, 6, 2), yes(2, 1, 6)), One("Attention", a, F(2, 2, 4, 3), F(2, 1, 6, 3), F(2, 1, 6, 2), F(2, 1, 4, 6)),
			Case{"Attention", a, 3, []Input{F(1, 2, 3, 4), F(1, 1, 3, 4), F(1, 1, 3, 2), None, F(1, 1, 5, 4), F(1, 1, 5, 2)}},
			One("Attention", a, F(2, 1, 2, 4), F(2, 1, 6, 4), F(2, 1, 6, 2), None, None, None, N(7, 2)),
			One("Attention", a, wild(1, 1, 5, 3), wild(1, 1, 5, 3), wild(1, 1, 5, 3)),
			Case{"AttentionGrad", a, 3, []Input{F(1, 2, 4, 2), F(1, 2, 4, 3), F(1, 1, 4, 3), F(1, 1, 4, 2)}},
			Case{"AttentionGrad", a, 3, []Input{F(1, 1, 3, 2), F(1, 1, 3, 2), F(1, 1, 5, 2), wild(1, 1, 5, 2)}},
			Case{"AttentionGrad", a, 3, []Input{F(1, 1, 6, 2), F(1, 1, 6, 2), F(1, 1, 4, 2), F(1, 1, 4, 2)}},
			Case{"AttentionGrad", a, 3, []Input{wild(1, 1, 4, 2), F(1, 1, 4, 2), wild(1, 1, 4, 2), F(1, 1, 4, 2)}})
	}
	add(Case{"AttentionGrad", graph.Attrs{"is_causal": 1}, 3, []Input{F(1, 1, 260, 1), F(1, 1, 260, 1), F(1, 1, 3, 1), F(1, 1, 3, 1)}})
	add(One("Conv", graph.Attrs{"pads": []int{1, 1, 1, 1}, "strides": []int{2, 1}}, F(2, 4, 5, 6), F(6, 4, 3, 3), F(6)),
		One("Conv", graph.Attrs{"group": 2, "dilations": []int{2}}, F(1, 4, 9), F(6, 2, 3)), One("Conv", nil, F(1, 70, 2, 3, 2), F(2, 70, 2, 2, 2)),
		One("Conv", graph.Attrs{"group": 4, "pads": []int{1, 0, 0, 1}}, wild(1, 4, 4, 4), F(4, 1, 3, 3)))
	for _, a := range []tensor.DType{tensor.Uint8, tensor.Int8} {
		for _, b := range []tensor.DType{tensor.Uint8, tensor.Int8} {
			add(One("MatMulInteger", nil, typed(a, 2, 3, 70), typed(b, 70, 5), typed(a), typed(b, 5)), One("MatMulInteger", nil, typed(a, 3, 9), typed(b, 9, 2)),
				One("ConvInteger", graph.Attrs{"pads": []int{1, 1, 1, 1}, "strides": []int{2, 1}}, typed(a, 2, 4, 5, 6), typed(b, 10, 4, 3, 3), typed(a), typed(b)),
				One("ConvInteger", graph.Attrs{"group": 4, "pads": []int{1, 0}}, typed(a, 1, 4, 9), typed(b, 8, 1, 3), typed(a), typed(b, 8)))
		}
		add(One("QuantizeLinear", nil, wild(3, 40), F(), typed(a)), One("QuantizeLinear", graph.Attrs{"axis": -2}, F(2, 3, 5), F(3), typed(a, 3)))
	}
	for _, op := range []string{"MaxPool", "AveragePool"} {
		add(One(op, graph.Attrs{"kernel_shape": []int{3, 2}, "pads": []int{1, 1, 1, 0}, "strides": []int{2, 1}}, wild(1, 2, 5, 6)), One(op, graph.Attrs{"kernel_shape": []int{3}, "dilations": []int{2}}, F(1, 2, 9)))
	}
	add(One("AveragePool", graph.Attrs{"kernel_shape": []int{2, 2}, "pads": []int{1, 1, 1, 1}, "count_include_pad": 1}, F(1, 1, 3, 3)))
	add(One("ConvWeightGrad", graph.Attrs{"kernel_shape": []int{3, 2}, "pads": []int{1, 0, 1, 1}, "strides": []int{2, 1}, "group": 2}, F(2, 4, 3, 6), F(2, 6, 5, 6)),
		One("ConvWeightGrad", graph.Attrs{"kernel_shape": []int{2}}, F(2, 1, 299), F(2, 1, 300)),
		One("MaxPoolGrad", graph.Attrs{"kernel_shape": []int{3, 2}, "pads": []int{1, 1, 1, 0}, "strides": []int{2, 1}}, F(1, 2, 3, 6), wild(1, 2, 5, 6)),
		One("MaxPoolGrad", graph.Attrs{"kernel_shape": []int{2}, "strides": []int{3}}, F(1, 1, 3), F(1, 1, 9)),
		One("AveragePoolGrad", graph.Attrs{"kernel_shape": []int{3, 2}, "pads": []int{1, 1, 1, 0}, "strides": []int{2, 1}, "shape": []int{1, 2, 5, 6}}, F(1, 2, 3, 6)),
		One("AveragePoolGrad", graph.Attrs{"kernel_shape": []int{2}, "dilations": []int{2}, "pads": []int{1, 1}, "count_include_pad": 1, "shape": []int{2, 1, 9}}, F(2, 1, 9)))
	for _, d := range []string{"forward", "reverse", "bidirectional"} {
		n := 1
		if d == "bidirectional" {
			n = 2
		}
		add(Case{"LSTM", graph.Attrs{"direction": d}, 3, []Input{F(3, 2, 5), F(n, 12, 5), F(n, 12, 3), F(n, 24), None, F(n, 2, 3), F(n, 2, 3)}},
			Case{"LSTM", graph.Attrs{"direction": d}, 3, []Input{wild(3, 1, 2), F(n, 8, 2), F(n, 8, 2)}},
			Case{"GRU", graph.Attrs{"direction": d}, 2, []Input{F(3, 2, 5), F(n, 9, 5), F(n, 9, 3), F(n, 18), None, F(n, 2, 3)}},
			Case{"GRU", graph.Attrs{"direction": d, "linear_before_reset": 1}, 2, []Input{F(3, 2, 5), F(n, 9, 5), F(n, 9, 3), F(n, 18)}})
	}
	add(Case{"LSTM", nil, 3, []Input{F(2, 1, 20), F(1, 80, 20), F(1, 80, 20)}})
	for _, largest := range []int{0, 1} {
		add(Case{"TopK", graph.Attrs{"largest": largest}, 2, []Input{wild(3, 40), list(7)}}, Case{"TopK", graph.Attrs{"largest": largest, "axis": 0}, 2, []Input{wild(9, 3), list(9)}})
	}
	add(trees3("SUM", 40), trees3("MIN", 40), trees3("MAX", 1))
	return all
}

// trees3 is a TreeEnsemble of three trees: two that differ in depth, with one child that two nodes share, and a leaf alone. Some leaves
// have several weights, or none for a target.
func trees3(aggregate string, rows int) Case {
	ints := func(shape []int, list ...int32) Input { return Input{fixed: tensor.From(list, shape...)} }
	floats := func(list ...float32) Input { return Input{fixed: tensor.FromFloat32(list, len(list))} }
	return One("TreeEnsemble", graph.Attrs{"aggregate": aggregate, "targets": 3}, wild(rows, 2),
		floats(0, 0.5, -1, 0, float32(math.NaN()), float32(math.Inf(1)), 0),
		ints([]int{7, 4}, 0, 1, -1, 0, 1, 2, 3, 1, 0, 3, -2, 0, 1, 4, -3, 1, 0, 5, -1, 1, 1, -4, -2, 0, 1, -5, -6, 1),
		ints([]int{3}, 0, 6, -2), ints([]int{7}, 0, 1, 3, 8, 8, 9, 10), ints([]int{10}, 0, 1, 0, 2, 2, 2, 0, 0, 1, 0),
		floats(1, 2, 3, -4, 0.25, 1e-40, 7, 8, float32(math.Inf(1)), 10))
}

// Add adds the case's node to a graph that is being built, with inputs named in0, in1 … and initializers, and returns its outputs.
func (c Case) Add(b *graph.Builder) []graph.Ref {
	var refs []graph.Ref
	for i, v := range c.In {
		switch {
		case v.none:
			refs = append(refs, graph.None)
		case v.ints != nil:
			refs = append(refs, b.Ints(v.ints...))
		case v.fixed != nil:
			refs = append(refs, b.Initializer(fmt.Sprint("fixed", i), v.fixed))
		default:
			refs = append(refs, b.Input(fmt.Sprint("in", i), v.dtype, v.shape...))
		}
	}
	return b.OpN(c.Op, c.Outputs, c.Attrs, refs...)
}

// Random returns random tensors for the inputs that Add declares.
func (c Case) Random(rng *rand.Rand) map[string]*tensor.Tensor {
	in := map[string]*tensor.Tensor{}
	for i, v := range c.In {
		if !v.none && v.ints == nil && v.fixed == nil {
			in[fmt.Sprint("in", i)] = v.random(rng)
		}
	}
	return in
}

// Elements is the number of elements of the largest input.
func (c Case) Elements() int {
	most := 1
	for _, v := range c.In {
		n := 1
		for _, d := range v.shape {
			n *= d
		}
		most = max(most, n)
	}
	return most
}

func (v Input) random(rng *rand.Rand) *tensor.Tensor {
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
