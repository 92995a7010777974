package onnx

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// castRules convert between element types.
var castRules = map[string]rule{
	"BitCast": one(bitCast),
	"Cast": one(func(n *node) graph.Ref {
		return n.convert(n.need(0), n.element(0), n.elementNumbered(int64(n.integer("to", 0))), n.saturates())
	}),
	"CastLike": one(func(n *node) graph.Ref {
		if !n.has(1) {
			unsupported("no second input")
		}
		return n.convert(n.need(0), n.element(0), n.element(1), n.saturates())
	}),
}

// bitCast reads the bits of integers as another type of integer of the same size; those of floats are not at hand in a graph.
func bitCast(n *node) graph.Ref {
	from, to := n.element(0), n.resultOf(0)
	for _, e := range []Element{from, to} {
		if e.isFloat() || from.traits().bits != to.traits().bits {
			unsupported("the bits of %v as %v", from, to)
		}
	}
	return n.op("Identity", nil, n.convert(n.need(0), from, to, false))
}

func (n *node) saturates() bool { return n.integer("saturate", 1) != 0 }

// convert brings values of one element type into another. A float becomes an integer by cutting its fraction off, saturating; NaN is 0.
// To integers of less than eight bits it goes by way of int64, of which the low bits stay. An integer keeps its low bits too, and is
// rounded to a float. Saturate is for floats of eight bits and less.
func (n *node) convert(x graph.Ref, from, to Element, saturate bool) graph.Ref {
	source, target := from.traits(), to.traits()
	switch {
	case from == to:
		return x
	case target.carrier == tensor.Bool:
		return n.cast(x, tensor.Bool)
	case to.isFloat():
		if from == Uint64 {
			x = n.unsignedToFloat(x)
		}
		saturate = saturate && target.bits <= 8
		return n.narrowed(n.cast(x, tensor.Float32), to, saturate)
	case to == Uint64 && source.carrier == tensor.Float32:
		return n.floatToUnsigned(x)
	case source.carrier == tensor.Float32 && target.bits > 8 && !to.own():
		least, most := int64(0), int64(1)<<target.bits-1
		if target.signed {
			least, most = -1<<(target.bits-1), 1<<(target.bits-1)-1
		}
		whole := n.cast(x, tensor.Int64)
		return n.cast(n.max(n.min(whole, n.i(most)), n.i(least)), target.carrier)
	case to.own():
		return n.cast(x, target.carrier)
	}
	return n.narrowed(n.cast(x, tensor.Int64), to, false)
}

// unsignedToFloat is a uint64 as float32, rounded once: half of what int64 takes for negative, with the lost bit kept in the last.
func (n *node) unsignedToFloat(x graph.Ref) graph.Ref {
	low := n.sub(x, n.mul(n.half(x), n.i(2)))
	sticky := n.max(n.half(x), n.add(n.mul(n.div(n.half(x), n.i(2)), n.i(2)), low))
	wide := n.mul(n.cast(sticky, tensor.Float32), n.f(2))
	return n.where(n.negative(x), wide, n.cast(x, tensor.Float32))
}

// floatToUnsigned cuts the fraction off and saturates; NaN is 0.
func (n *node) floatToUnsigned(x graph.Ref) graph.Ref {
	high := n.add(n.cast(n.sub(x, n.f(0x1p63)), tensor.Int64), n.i(math.MinInt64))
	low := n.max(n.cast(x, tensor.Int64), n.i(0))
	y := n.where(n.compare("GreaterOrEqual", x, n.f(0x1p63)), high, low)
	return n.where(n.compare("GreaterOrEqual", x, n.f(0x1p64)), n.i(-1), y)
}
