package graph

import "math/bits"

// Effort bounds the time in picoseconds that decoding, compiling and running g once takes on one core of the reference machine
// (a Zen 5 server with AVX-512), encoded being the length of its encoding in bytes. It is a rule, not a measurement: every node
// computes the same number from the graph alone, and a ledger charges gas by it. Unlike MACs it knows which shapes are slow, because it counts
// what package exec does for them: rows that are walked one by one, windows that are copied together, factors that are packed. Its numbers
// were fitted to random graphs of every operator, with inputs chosen against it. The measurement is TestGasAgainstTime of package
// protocol/registry. It returns Infer's error. Rule: spec/graph.md §5.
func Effort(g *Graph, encoded int) (uint64, error) {
	calls, err := Calls(g)
	if err != nil {
		return 0, err
	}
	sum := plus(effortCall, times(effortByte, uint64(encoded)), times(effortConstant, uint64(len(g.Initializers))), times(effortMemory, peak(calls)))
	for i := range calls {
		c := &calls[i]
		sum = plus(sum, effortNode, times(effortIn, uint64(len(c.In))), times(effortOut, uint64(len(c.Out))), efforts[opKey{c.Node.Domain, c.Node.Op}](c))
	}
	return sum, nil
}

// What a graph takes beside its operators, in picoseconds.
const (
	effortCall     = 4_800_000
	effortByte     = 550
	effortConstant = 1_600_000 // of each initializer
	effortNode     = 200_000
	effortIn       = 200_000 // of each input of a node
	effortOut      = 630_000 // of each output
	effortMemory   = 47      // of each byte that is held at a time, at most
)

// efforts has a line for every operator. Numbers are picoseconds.
var efforts = func() map[opKey]func(*Call) uint64 {
	table := map[opKey]func(*Call) uint64{}
	add := func(domain string, f func(*Call) uint64, names ...string) {
		for _, name := range names {
			table[opKey{domain, name}] = f
		}
	}
	own := func(f func(*Call) uint64, names ...string) { add(Domain, f, names...) }
	onnx := func(f func(*Call) uint64, names ...string) { add("", f, names...) }

	onnx(func(*Call) uint64 { return 0 }, "Reshape", "Squeeze", "Unsqueeze", "Identity")
	onnx(perElement(95), "Neg", "Abs", "Relu")
	onnx(perElement(260), "Sqrt", "Reciprocal")
	onnx(perElement(1500), "Sign")
	onnx(perElement(290), "Exp")
	onnx(perElement(370), "Sigmoid")
	onnx(perElement(600), "Tanh")
	onnx(perElement(770), "Log")
	onnx(perElement(1300), "Erf")
	onnx(perElement(1800), "Gelu")
	own(perElement(1600), "GeluGrad")
	onnx(perElement(37_000), "Sin", "Cos")
	onnx(effortPairs(33, 2300), "Add", "Sub", "Mul", "Max", "Min")
	onnx(effortPairs(250, 2300), "Div")
	onnx(effortCompare, "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
	onnx(effortWhere, "Where")
	onnx(effortCast, "Cast")
	onnx(effortMatMul, "MatMul")
	onnx(effortGemm, "Gemm")
	onnx(effortMatMulInteger, "MatMulInteger")
	onnx(effortQuantize, "QuantizeLinear")
	onnx(effortExpand, "Expand")
	onnx(effortConcat, "Concat")
	onnx(effortSplit, "Split")
	onnx(effortSlice, "Slice")
	own(effortSlice, "SliceGrad")
	onnx(effortTranspose, "Transpose")
	onnx(effortTensorScatter, "TensorScatter")
	onnx(effortGather, "Gather", "GatherND")
	onnx(effortScatter, "ScatterND")
	onnx(effortReduce, "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare")
	onnx(effortSoftmax(830, 58_000), "Softmax")
	onnx(effortSoftmax(360, 99_000), "LogSoftmax")
	onnx(effortNorm(1, 2_700_000, 430, 140_000), "LayerNormalization")
	onnx(effortNorm(1, 2_700_000, 170, 100_000), "RMSNormalization")
	own(effortNorm(2, 1_800_000, 2000, 260_000), "LayerNormalizationGrad")
	own(effortNorm(2, 1_800_000, 1100, 180_000), "RMSNormalizationGrad")
	onnx(effortLoss(0, 820, 150_000), "SoftmaxCrossEntropyLoss")
	own(effortLoss(1, 720, 130_000), "SoftmaxCrossEntropyLossGrad")
	onnx(effortAttention, "Attention")
	own(effortAttentionGrad, "AttentionGrad")
	onnx(effortConv, "Conv")
	onnx(effortConvInteger, "ConvInteger")
	own(effortConvGrad, "ConvWeightGrad")
	onnx(effortPool, "MaxPool", "AveragePool")
	own(effortPoolGrad, "MaxPoolGrad", "AveragePoolGrad")
	onnx(effortRecurrent, "LSTM", "GRU")
	onnx(effortTopK, "TopK")
	own(effortTrees, "TreeEnsemble")
	return table
}()

// times and plus saturate: what is that large is refused anyway.
func times(first uint64, others ...uint64) uint64 {
	for _, n := range others {
		high, low := bits.Mul64(first, n)
		if high != 0 {
			return 1<<64 - 1
		}
		first = low
	}
	return first
}

func plus(list ...uint64) uint64 {
	sum := uint64(0)
	for _, n := range list {
		carry := uint64(0)
		if sum, carry = bits.Add64(sum, n, 0); carry != 0 {
			return 1<<64 - 1
		}
	}
	return sum
}

// divUp is a/b rounded up.
func divUp(a, b uint64) uint64 { return (a + b - 1) / b }

// upTo is a rounded up to a multiple of b.
func upTo(a, b uint64) uint64 { return divUp(a, b) * b }

// lengthOf and count are numbers of elements.
func lengthOf(v Value) uint64 { return uint64(v.Len()) }

func count(shape []int) uint64 {
	n := uint64(1)
	for _, d := range shape {
		n = times(n, uint64(d))
	}
	return n
}

// logUp is the number of bits of n.
func logUp(n uint64) uint64 { return uint64(bits.Len64(n)) }

func perElement(ps uint64) func(*Call) uint64 {
	return func(c *Call) uint64 { return times(ps, lengthOf(c.Out[0])) }
}

// walk is how arrays are walked together: rows of n elements, along which array i steps by steps[i]. Axes that all arrays can walk as one are
// one, as in package exec.
type walk struct {
	rows, n uint64
	steps   []int
}

// walkOf walks an index space, in which array i has the given strides.
func walkOf(dims []int, strides ...[]int) walk {
	w := walk{rows: 1, n: 1, steps: make([]int, len(strides))}
	for i := range w.steps {
		w.steps[i] = 1
	}
	last := -1 // the outermost axis of those that were joined
	inner, first := 1, true
	for axis := len(dims) - 1; axis >= 0; axis-- {
		if dims[axis] == 1 {
			continue
		}
		joined := last >= 0
		for _, s := range strides {
			joined = joined && s[axis] == s[last]*dims[last]
		}
		if last < 0 {
			for i, s := range strides {
				w.steps[i] = s[axis]
			}
		} else if !joined {
			if first {
				w.n, first = uint64(inner), false
			}
		}
		inner *= dims[axis]
		last = axis
	}
	if first {
		w.n = uint64(inner)
	}
	w.rows = uint64(inner) / w.n
	return w
}

// elementWalk walks an output and inputs that broadcast to it.
func elementWalk(out []int, in ...[]int) walk {
	list := [][]int{stridesOf(out)}
	for _, shape := range in {
		strides := make([]int, len(out))
		for i, s := range stridesOf(shape) {
			if shape[i] != 1 {
				strides[len(out)-len(shape)+i] = s
			}
		}
		list = append(list, strides)
	}
	return walkOf(out, list...)
}

// stridesOf are those of a row-major array.
func stridesOf(shape []int) []int {
	strides, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = n
		n *= shape[i]
	}
	return strides
}

// outer is what rows take: none if there is one.
func (w walk) outer(ps uint64) uint64 {
	if w.rows == 1 {
		return 0
	}
	return times(ps, w.rows)
}
