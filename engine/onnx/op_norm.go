package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// normRules are normalisations. All but layer norm are compositions: mean and variance by N §4, then (x - mean) / sqrt(variance + epsilon).
var normRules = map[string]rule{
	"LayerNormalization": layerNorm, "BatchNormalization": batchNorm, "InstanceNormalization": one(instanceNorm),
	"GroupNormalization": one(groupNorm), "MeanVarianceNormalization": one(meanVariance), "LpNormalization": one(lpNorm), "LRN": one(localResponse),
}

// layerNorm also gives the mean and the inverse of the standard deviation if they are asked for.
func layerNorm(n *node) []*value {
	x := n.need(0)
	shape := n.shape(x)
	axis := n.axis(n.integer("axis", -1), len(shape))
	eps := n.float("epsilon", 1e-5)
	in := []graph.Ref{x, n.expand(n.need(1), shape[axis:]...)}
	if n.has(2) {
		in = append(in, n.expand(n.x(2), shape[axis:]...))
	}
	y := n.op("LayerNormalization", graph.Attrs{"axis": axis, "epsilon": eps}, in...)
	axes := upTo(len(shape))[axis:]
	mean := n.reduce("ReduceMean", x, true, axes...)
	return []*value{{ref: y}, {ref: mean}, {ref: n.div(n.f(1), n.deviation(n.sub(x, mean), eps, axes...))}}
}

// deviation is sqrt(SumSquares(d)/count + epsilon) along axes.
func (n *node) deviation(d graph.Ref, eps float32, axes ...int) graph.Ref {
	count := 1
	for _, a := range axes {
		count *= n.shape(d)[a]
	}
	variance := n.div(n.reduce("ReduceSumSquare", d, true, axes...), n.f(float32(count)))
	return n.op("Sqrt", nil, n.add(variance, n.f(eps)))
}

// perChannel gives a list for each channel the shape to broadcast along axis 1.
func (n *node) perChannel(r graph.Ref, rank, channels int) graph.Ref {
	shape := slices.Repeat([]int{1}, rank)
	if rank < 2 || product(n.shape(r)) != channels {
		unsupported("%v for %d channels", n.shape(r), channels)
	}
	shape[1] = channels
	return n.reshape(r, shape...)
}

// channels is the size of axis 1.
func (n *node) channels(x graph.Ref) int {
	if len(n.shape(x)) < 2 {
		unsupported("shape %v, want [batch, channels, ...]", n.shape(x))
	}
	return n.shape(x)[1]
}

// batchNorm is, in inference, ((x - mean) / sqrt(variance + epsilon))·scale + bias with the division first rounded to a factor. In training
// mode mean and variance are the batch's, and the running ones are put out.
func batchNorm(n *node) []*value {
	x := n.need(0)
	c, rank := n.channels(x), len(n.shape(x))
	per := func(i int) graph.Ref { return n.perChannel(n.need(i), rank, c) }
	eps := n.float("epsilon", 1e-5)
	if !n.flag("training_mode") {
		factor := n.div(per(1), n.op("Sqrt", nil, n.add(per(4), n.f(eps))))
		return []*value{{ref: n.add(n.mul(n.sub(x, per(3)), factor), per(2))}}
	}
	axes := slices.Delete(upTo(rank), 1, 2)
	mean := n.reduce("ReduceMean", x, true, axes...)
	d := n.sub(x, mean)
	variance := n.div(n.reduce("ReduceSumSquare", d, true, axes...), n.f(float32(product(n.shape(x))/c)))
	y := n.add(n.mul(n.div(d, n.op("Sqrt", nil, n.add(variance, n.f(eps)))), per(1)), per(2))
	m := n.float("momentum", 0.9)
	running := func(old, now graph.Ref) graph.Ref {
		return n.add(n.mul(old, n.f(m)), n.mul(n.reshape(now, c), n.f(1-m)))
	}
	return []*value{{ref: y}, {ref: running(n.need(3), mean)}, {ref: running(n.need(4), variance)}}
}

func instanceNorm(n *node) graph.Ref {
	x := n.need(0)
	c, rank := n.channels(x), len(n.shape(x))
	axes := upTo(rank)[2:]
	d := n.sub(x, n.reduce("ReduceMean", x, true, axes...))
	y := n.div(d, n.deviation(d, n.float("epsilon", 1e-5), axes...))
	return n.add(n.mul(y, n.perChannel(n.need(1), rank, c)), n.perChannel(n.need(2), rank, c))
}

// groupNorm normalises groups of channels. Before operator set 21 scale and bias are per group.
func groupNorm(n *node) graph.Ref {
	x := n.need(0)
	c, shape := n.channels(x), slices.Clone(n.shape(x))
	groups := n.integer("num_groups", 0)
	if groups < 1 || c%groups != 0 {
		unsupported("%d groups of %d channels", groups, c)
	}
	flat := n.reshape(x, shape[0], groups, product(shape[1:])/groups)
	d := n.sub(flat, n.reduce("ReduceMean", flat, true, 2))
	y := n.div(d, n.deviation(d, n.float("epsilon", 1e-5), 2))
	if n.l.opset < 21 {
		y = n.add(n.mul(y, n.perChannel(n.need(1), 3, groups)), n.perChannel(n.need(2), 3, groups))
		return n.reshape(y, shape...)
	}
	y = n.reshape(y, shape...)
	return n.add(n.mul(y, n.perChannel(n.need(1), len(shape), c)), n.perChannel(n.need(2), len(shape), c))
}

func meanVariance(n *node) graph.Ref {
	x := n.need(0)
	axes := n.integers("axes")
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	axes = n.axes(axes, len(n.shape(x)))
	d := n.sub(x, n.reduce("ReduceMean", x, true, axes...))
	return n.div(d, n.add(n.deviation(d, 0, axes...), n.f(1e-9)))
}

func lpNorm(n *node) graph.Ref {
	x := n.need(0)
	axis := n.axis(n.integer("axis", -1), len(n.shape(x)))
	var norm graph.Ref
	switch p := n.integer("p", 2); p {
	case 1:
		norm = n.reduce("ReduceSum", n.op("Abs", nil, x), true, axis)
	case 2:
		norm = n.op("Sqrt", nil, n.reduce("ReduceSumSquare", x, true, axis))
	default:
		unsupported("p is %d", p)
	}
	return n.where(n.compare("Equal", norm, n.f(0)), n.f(0), n.div(x, norm))
}

// localResponse is x / (bias + alpha/size·sum of the squares of the channels around)^beta, the sum from the lowest channel on.
func localResponse(n *node) graph.Ref {
	x := n.need(0)
	c, size := n.channels(x), n.integer("size", 0)
	if size < 1 || size > 1<<8 {
		unsupported("size is %d", size)
	}
	square := n.pad(n.mul(x, x), 1, (size-1)/2, size/2, "constant", n.f(0))
	sum := n.slice(square, 1, 0, c, 1)
	for i := 1; i < size; i++ {
		sum = n.add(sum, n.slice(square, 1, i, i+c, 1))
	}
	base := n.add(n.f(n.float("bias", 1)), n.mul(n.f(n.float("alpha", 0.0001)/float32(size)), sum))
	return n.mul(x, n.op("Exp", nil, n.mul(n.f(-n.float("beta", 0.75)), n.op("Log", nil, base))))
}

// isFloat ends the rule if r is not float32.
func (n *node) isFloat(r graph.Ref) {
	if n.dtype(r) != tensor.Float32 {
		unsupported("%v", n.dtype(r))
	}
}
