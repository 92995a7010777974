package onnx

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// reduceRules reduce axes, normalise along them or run along them.
var reduceRules = map[string]rule{
	"ReduceSum": one(reduction("ReduceSum", nil, nil)), "ReduceMean": one(reduction("ReduceMean", nil, nil)),
	"ReduceMax": one(reduction("ReduceMax", nil, nil)), "ReduceMin": one(reduction("ReduceMin", nil, nil)),
	"ReduceSumSquare": one(reduction("ReduceSumSquare", nil, nil)),
	"ReduceL1":        one(reduction("ReduceSum", unaryOf("Abs"), nil)),
	"ReduceL2":        one(reduction("ReduceSumSquare", nil, unaryOf("Sqrt"))),
	"ReduceLogSum":    one(reduction("ReduceSum", nil, unaryOf("Log"))),
	"ReduceLogSumExp": one(logSumExp), "ReduceProd": one(reduceProd),
	"ArgMax": one(argExtreme("ReduceMax")), "ArgMin": one(argExtreme("ReduceMin")),
	"Softmax": one(alongAxis("Softmax")), "LogSoftmax": one(alongAxis("LogSoftmax")), "Hardmax": one(alongAxis("Hardmax")),
	"CumSum": one(cumSum),
}

func unaryOf(name string) func(*node, graph.Ref) graph.Ref {
	return func(n *node, r graph.Ref) graph.Ref { return n.op(name, nil, r) }
}

// reducedAxes are the axes to reduce, ascending.
func (n *node) reducedAxes(rank int) []int {
	list := n.listOrAttr(1, "axes")
	if len(list) == 0 {
		if n.flag("noop_with_empty_axes") {
			return nil
		}
		return upTo(rank)
	}
	return n.axes(list, rank)
}

func reduction(name string, before, after func(*node, graph.Ref) graph.Ref) func(*node) graph.Ref {
	return func(n *node) graph.Ref {
		x := n.need(0)
		if n.dtype(x) != tensor.Float32 {
			return n.reducedIntegers(x)
		}
		axes := n.reducedAxes(len(n.shape(x)))
		if before != nil {
			x = before(n, x)
		}
		if len(axes) > 0 {
			x = n.reduce(name, x, n.integer("keepdims", 1) != 0, axes...)
		} else if name == "ReduceSumSquare" {
			x = n.mul(x, x)
		}
		if after != nil {
			x = after(n, x)
		}
		return n.op("Identity", nil, x)
	}
}

// reducedIntegers is a reduction of integers, exact modulo 2^64, or the greatest or least truth value. A mean is cut off.
func (n *node) reducedIntegers(x graph.Ref) graph.Ref {
	dt, axes, keep := n.dtype(x), n.reducedAxes(len(n.shape(x))), n.integer("keepdims", 1) != 0
	if dt == tensor.Bool && n.p.op != "ReduceMax" && n.p.op != "ReduceMin" {
		unsupported("bool")
	}
	count := 1
	for _, a := range axes {
		count *= n.shape(x)[a]
	}
	x = n.cast(x, tensor.Int64)
	switch n.p.op {
	case "ReduceMax":
		x = n.folded("Max", x, keep, axes...)
	case "ReduceMin":
		x = n.folded("Min", x, keep, axes...)
	case "ReduceSum":
		x = n.folded("Add", x, keep, axes...)
	case "ReduceL1":
		x = n.folded("Add", n.max(x, n.sub(n.i(0), x)), keep, axes...)
	case "ReduceSumSquare":
		x = n.folded("Add", n.mul(x, x), keep, axes...)
	case "ReduceMean":
		x = n.div(n.folded("Add", x, keep, axes...), n.i(int64(count)))
	default:
		unsupported("%v", dt)
	}
	return n.op("Identity", nil, n.cast(x, dt))
}

// logSumExp is m + log(Sum(exp(x - m))) with m the maximum.
func logSumExp(n *node) graph.Ref {
	x := n.need(0)
	axes := n.reducedAxes(len(n.shape(x)))
	m := n.reduce("ReduceMax", x, true, axes...)
	y := n.add(m, n.op("Log", nil, n.reduce("ReduceSum", n.op("Exp", nil, n.sub(x, m)), true, axes...)))
	if n.integer("keepdims", 1) == 0 && len(axes) > 0 {
		y = n.op("Squeeze", nil, y, n.l.b.Ints(axes...))
	}
	return y
}

func reduceProd(n *node) graph.Ref {
	x := n.need(0)
	return n.op("Identity", nil, n.folded("Mul", x, n.integer("keepdims", 1) != 0, n.reducedAxes(len(n.shape(x)))...))
}

// folded applies an operator to the first half of an axis and the second until one is left; of an odd number the last waits for the end.
func (n *node) folded(name string, x graph.Ref, keep bool, axes ...int) graph.Ref {
	for _, a := range axes {
		var waiting []graph.Ref
		for d := n.shape(x)[a]; d > 1; d = n.shape(x)[a] {
			if d%2 == 1 {
				waiting = append(waiting, n.slice(x, a, d-1, d, 1))
				x = n.slice(x, a, 0, d-1, 1)
			}
			x = n.arith(name, n.slice(x, a, 0, d/2, 1), n.slice(x, a, d/2, d/2*2, 1))
		}
		for _, w := range waiting {
			x = n.arith(name, x, w)
		}
	}
	if !keep && len(axes) > 0 {
		x = n.op("Squeeze", nil, x, n.l.b.Ints(axes...))
	}
	return x
}

// argExtreme finds the extreme value, then the least (or with select_last_index the greatest) index that has it. If there is a NaN, every
// index counts as having it.
func argExtreme(name string) func(*node) graph.Ref {
	return func(n *node) graph.Ref {
		x := n.cast(n.need(0), tensor.Float32)
		rank := len(n.shape(x))
		axis := n.axis(n.integer("axis", 0), rank)
		d := n.shape(x)[axis]
		if d > 1<<24 {
			unsupported("an axis of %d", d)
		}
		other := map[string]string{"ReduceMax": "Less", "ReduceMin": "Greater"}[name]
		less := n.compare(other, x, n.reduce(name, x, true, axis))
		pick, out := "ReduceMin", float32(d)
		if n.flag("select_last_index") {
			pick, out = "ReduceMax", -1
		}
		index := n.where(less, n.f(out), n.iota(d, axis, rank, tensor.Float32))
		return n.cast(n.reduce(pick, index, n.integer("keepdims", 1) != 0, axis), tensor.Int64)
	}
}

// alongAxis is a softmax of some kind. Before operator set 13 all axes from the given one on counted as one.
func alongAxis(name string) func(*node) graph.Ref {
	return func(n *node) graph.Ref {
		x := n.need(0)
		shape := slices.Clone(n.shape(x))
		axis := -1
		if n.l.opset < 13 {
			axis = 1
		}
		axis = n.axis(n.integer("axis", axis), len(shape))
		if n.l.opset < 13 {
			x = n.reshape(x, product(shape[:axis]), product(shape[axis:]))
			axis = 1
		}
		if name == "Hardmax" {
			d, rank := n.shape(x)[axis], len(n.shape(x))
			iota := n.iota(d, axis, rank, tensor.Float32)
			less := n.compare("Less", x, n.reduce("ReduceMax", x, true, axis))
			first := n.reduce("ReduceMin", n.where(less, n.f(float32(d)), iota), true, axis)
			x = n.cast(n.compare("Equal", iota, first), tensor.Float32)
		} else {
			x = n.op(name, graph.Attrs{"axis": axis}, x)
		}
		return n.reshape(x, shape...)
	}
}

// cumSum adds to every element the one before it, then the sum two before, four before and so on.
func cumSum(n *node) graph.Ref { return n.running("Add", 0) }

// running applies an operator along the axis of input 1 to each element and all before it; its neutral element stands before the first.
func (n *node) running(name string, neutral float32) graph.Ref {
	x := n.need(0)
	axis := n.axis(n.only(1), len(n.shape(x)))
	d := n.shape(x)[axis]
	if n.flag("reverse") {
		x = n.reversed(x, axis)
	}
	shift := func(x graph.Ref, by int) graph.Ref {
		return n.slice(n.pad(x, axis, by, 0, "constant", n.same(x, neutral)), axis, 0, d, 1)
	}
	if n.flag("exclusive") {
		x = shift(x, 1)
	}
	for by := 1; by < d; by *= 2 {
		x = n.arith(name, x, shift(x, by))
	}
	if n.flag("reverse") {
		x = n.reversed(x, axis)
	}
	return n.op("Identity", nil, x)
}

var negativeInfinity = float32(math.Inf(-1))
