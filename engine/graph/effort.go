package graph

import (
	"math/bits"

	"github.com/mutirao/mutirao/engine/tensor"
)

// Effort bounds the time in picoseconds that decoding, compiling and running g once takes on one core of the reference machine
// (a Zen 5 server with AVX-512), encoded being the length of its encoding in bytes. It is a rule, not a measurement: every node
// computes the same number from the graph alone, and a ledger charges gas by it. Unlike MACs it knows which shapes are slow: it
// was fitted so that no operator at no shape takes longer than it says, and few take less than a third of it. The
// measurement is TestGasAgainstTime of package protocol/registry. It returns Infer's error. Rule: spec/graph.md §5.
func Effort(g *Graph, encoded int) (uint64, error) {
	calls, err := Calls(g)
	if err != nil {
		return 0, err
	}
	sum := plus(effortCall, times(effortByte, uint64(encoded)))
	for i := range calls {
		c := &calls[i]
		ends := uint64(len(c.In) + len(c.Out))
		sum = plus(sum, plus(effortNode+effortEnd*ends, efforts[opKey{c.Node.Domain, c.Node.Op}](c)))
	}
	return sum, nil
}

// What a graph takes beside its operators, in picoseconds.
const (
	effortCall = 9_000_000
	effortByte = 600
	effortNode = 1_400_000
	effortEnd  = 300_000 // of each input and output of a node
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

	onnx(perElement(0), "Reshape", "Squeeze", "Unsqueeze")
	onnx(perElement(45), "Identity", "Neg", "Abs", "Relu", "Sqrt", "Reciprocal")
	onnx(perElement(300), "Sign")
	onnx(perElement(140), "Exp", "Log", "Tanh", "Sigmoid")
	onnx(perElement(170), "Erf")
	onnx(perElement(280), "Gelu")
	onnx(perElement(10_000), "Sin", "Cos")
	onnx(effortPairwise(33, 50), "Add", "Sub", "Mul", "Div", "Max", "Min", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
	onnx(effortPairwise(340, 600), "Where")
	onnx(effortCast, "Cast")
	onnx(effortProduct(430, 540), "MatMul")
	onnx(effortProduct(760, 1_150), "Gemm")
	onnx(effortProductInteger, "MatMulInteger")
	onnx(perElement(700), "QuantizeLinear")
	onnx(effortMove(250, 60_000), "Expand")
	onnx(effortMove(180, 20_000), "Concat", "TensorScatter")
	onnx(effortMove(200, 36_000), "Split")
	onnx(effortSlice, "Slice")
	own(perElement(250), "SliceGrad")
	onnx(effortTranspose, "Transpose")
	onnx(effortGather, "Gather", "GatherND")
	onnx(perElement(4_000), "ScatterND")
	onnx(effortReduce(70, 100, 1_500), "ReduceSum", "ReduceMean")
	onnx(effortReduce(150, 150, 1_500), "ReduceMax", "ReduceMin")
	onnx(effortReduce(90, 2_300, 40_000), "ReduceSumSquare")
	onnx(effortSoftmax, "Softmax", "LogSoftmax")
	onnx(effortRows(140, 105_000), "LayerNormalization", "RMSNormalization")
	own(effortRows(470, 220_000), "LayerNormalizationGrad")
	own(effortRows(470, 150_000), "RMSNormalizationGrad")
	onnx(perWork(80, 500), "SoftmaxCrossEntropyLoss")
	own(perWork(80, 500), "SoftmaxCrossEntropyLossGrad")
	own(perElement(700), "GeluGrad")
	onnx(effortAttention(23, 1_800), "Attention")
	own(effortAttention(26, 1_500), "AttentionGrad")
	onnx(effortConv(23, 160), "Conv")
	onnx(effortConv(90, 1_000), "ConvInteger")
	own(effortConvGrad, "ConvWeightGrad")
	onnx(effortPool, "MaxPool", "AveragePool")
	own(effortPoolGrad, "MaxPoolGrad", "AveragePoolGrad")
	onnx(effortRecurrent, "LSTM", "GRU")
	onnx(perWork(830, 1_000), "TopK")
	own(perWork(440, 5_000), "TreeEnsemble")
	return table
}()

// effortAttention adds what it takes to compile one.
func effortAttention(work, element uint64) func(*Call) uint64 {
	return func(c *Call) uint64 { return plus(10_000_000, perWork(work, element)(c)) }
}

// times and plus saturate: what is that large is refused anyway.
func times(a, b uint64) uint64 {
	if high, low := bits.Mul64(a, b); high == 0 {
		return low
	}
	return 1<<64 - 1
}

func plus(a, b uint64) uint64 {
	if sum, carry := bits.Add64(a, b, 0); carry == 0 {
		return sum
	}
	return 1<<64 - 1
}

// traffic is the number of elements that a call reads and writes. Of int64 each counts four times: no operator on them has a fast path.
func traffic(c *Call) uint64 {
	n := uint64(0)
	for _, list := range [][]Value{c.In, c.Out} {
		for _, v := range list {
			weight := uint64(1)
			if v.DType == tensor.Int64 {
				weight = 4
			}
			n = plus(n, times(weight, uint64(v.Len())))
		}
	}
	return n
}

// width is the length of a value's last axis, 1 of a scalar.
func width(v Value) uint64 {
	if len(v.Shape) == 0 {
		return 1
	}
	return uint64(v.Shape[len(v.Shape)-1])
}

// rowsOf is how many runs along the last axis a value has.
func rowsOf(v Value) uint64 { return uint64(v.Len()) / width(v) }

func perElement(ps uint64) func(*Call) uint64 {
	return func(c *Call) uint64 { return times(ps, traffic(c)) }
}

// perWork takes so much for each multiply-accumulate that the operator counts, and for each element that it reads or writes.
func perWork(work, element uint64) func(*Call) uint64 {
	return func(c *Call) uint64 { return plus(times(work, c.op.cost(c)), times(element, traffic(c))) }
}

// effortPairwise adds 35 ns for each row if inputs are broadcast.
func effortPairwise(element, broadcast uint64) func(*Call) uint64 {
	return func(c *Call) uint64 {
		for _, v := range c.In {
			if v.Len() != 1 && v.Len() != c.Out[0].Len() {
				return plus(times(broadcast, traffic(c)), times(35_000, rowsOf(c.Out[0])))
			}
		}
		if c.Out[0].DType == tensor.Int64 {
			return times(300, traffic(c))
		}
		return times(element, traffic(c))
	}
}

// effortCast counts elements whatever their type.
func effortCast(c *Call) uint64 { return times(3_000, uint64(c.Out[0].Len())) }

// effortProduct: with few terms (under 32) the products are as slow as moving what comes out.
func effortProduct(element, outer uint64) func(*Call) uint64 {
	return func(c *Call) uint64 {
		element := element
		if c.op.cost(c) < 32*uint64(c.Out[0].Len()) {
			element = outer
		}
		batch := uint64(1)
		if shape := c.Out[0].Shape; c.Node.Op == "MatMul" && len(shape) > 2 {
			for _, d := range shape[:len(shape)-2] {
				batch *= uint64(d)
			}
		}
		effort := plus(times(10, c.op.cost(c)), times(element, traffic(c)))
		return plus(effort, times(80_000, batch))
	}
}

func effortProductInteger(c *Call) uint64 {
	return plus(times(8, c.op.cost(c)), plus(times(600, uint64(c.In[0].Len())), plus(times(2_700, uint64(c.In[1].Len())), times(2_200, uint64(c.Out[0].Len())))))
}

func effortMove(element, row uint64) func(*Call) uint64 {
	return func(c *Call) uint64 {
		rows := uint64(0)
		for _, v := range c.Out {
			rows += rowsOf(v)
		}
		return plus(times(element, traffic(c)), times(row, rows))
	}
}

// effortSlice counts what is written; steps other than 1 are slow along the last axis.
func effortSlice(c *Call) uint64 {
	out := uint64(c.Out[0].Len())
	element := uint64(400)
	for _, step := range c.Const(4) {
		if step != 1 {
			element = 420
		}
	}
	if c.Out[0].DType == tensor.Int64 {
		element *= 4
	}
	return plus(times(2*element, out), times(20_000, rowsOf(c.Out[0])))
}

// effortTranspose: up to two axes that are longer than 1 are a transposed matrix; more are walked.
func effortTranspose(c *Call) uint64 {
	axes := 0
	for _, d := range c.In[0].Shape {
		if d > 1 {
			axes++
		}
	}
	if axes <= 2 {
		return times(850, traffic(c))
	}
	return times(3_500, traffic(c))
}

func effortGather(c *Call) uint64 {
	return plus(times(250, traffic(gathered(c))), times(5_000, uint64(c.In[1].Len())))
}

// gathered is c without the table, of which only what the indices name is read.
func gathered(c *Call) *Call { return &Call{Node: c.Node, In: c.In[1:], Out: c.Out, op: c.op} }

// effortReduce tells a reduction along the last axis from one across it.
func effortReduce(along, across, out uint64) func(*Call) uint64 {
	return func(c *Call) uint64 {
		element := along
		if in := c.In[0]; width(c.Out[0]) != 1 && width(in) != 1 {
			element = across
		}
		return plus(times(element, traffic(c)), times(out, uint64(c.Out[0].Len())))
	}
}

// effortSoftmax: across the rows it is walked number by number.
func effortSoftmax(c *Call) uint64 {
	if a := c.Int("axis"); a != -1 && a != len(c.In[0].Shape)-1 {
		return times(10_000, uint64(c.In[0].Len()))
	}
	return plus(times(480, traffic(c)), times(60_000, rowsOf(c.In[0])))
}

func effortRows(element, row uint64) func(*Call) uint64 {
	return func(c *Call) uint64 { return plus(times(element, traffic(c)), times(row, rowsOf(c.In[0]))) }
}

// effortConv: a window over one channel has no product of matrices behind it. Compiling one packs its weights.
func effortConv(work, element uint64) func(*Call) uint64 {
	return func(c *Call) uint64 {
		effort := plus(times(element, traffic(c)), 6_000_000)
		switch shape := c.In[1].Shape; {
		case shape[1] > 1 && len(shape) == 3 && c.Node.Op == "Conv":
			return plus(effort, times(54, c.op.cost(c)))
		case shape[1] > 1:
			return plus(effort, plus(times(work, c.op.cost(c)), times(5_000, rowsOf(c.Out[0]))))
		case c.Node.Op == "ConvInteger":
			return plus(effort, times(1_000, c.op.cost(c)))
		case c.In[1].Len()/shape[0] <= 49:
			return plus(effort, times(70, c.op.cost(c)))
		}
		return plus(effort, times(180, c.op.cost(c)))
	}
}

func effortConvGrad(c *Call) uint64 {
	if c.Int("group") > 1 {
		return plus(times(240, c.op.cost(c)), times(1_200, traffic(c)))
	}
	work := uint64(26)
	if c.In[1].Shape[1] == 1 {
		work = 220
	}
	return plus(times(work, c.op.cost(c)), times(300, traffic(c)))
}

// effortPool: where the output is narrower than a vector, it is walked number by number.
func effortPool(c *Call) uint64 {
	element := uint64(6_000)
	if c.Node.Op == "MaxPool" {
		element = 4_500
	}
	if width(c.Out[0]) < 16 {
		return plus(times(600, c.op.cost(c)), times(element, traffic(c)))
	}
	work := uint64(20)
	if c.Node.Op == "AveragePool" {
		work = 45
	}
	return plus(times(work, c.op.cost(c)), times(400, traffic(c)))
}

// effortPoolGrad counts the places of each window, and for each window that its greatest place must be found.
func effortPoolGrad(c *Call) uint64 {
	places := c.op.cost(c) - uint64(c.Out[0].Len())
	return plus(plus(times(950, places), times(5_200, uint64(c.In[0].Len()))), times(300, traffic(c)))
}

// effortRecurrent adds 0.72 us for each step and direction.
func effortRecurrent(c *Call) uint64 {
	steps := uint64(c.In[0].Shape[0]) * uint64(len(c.Directions()))
	return plus(plus(times(12, c.op.cost(c)), times(3_000, traffic(c))), times(720_000, steps))
}
