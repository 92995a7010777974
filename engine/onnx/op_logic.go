package onnx

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// logicRules compare and combine truth values.
var logicRules = map[string]rule{
	"Equal": one(comparison("Equal")), "Greater": one(comparison("Greater")), "Less": one(comparison("Less")),
	"GreaterOrEqual": one(comparison("GreaterOrEqual")), "LessOrEqual": one(comparison("LessOrEqual")),
	"Not": one(func(n *node) graph.Ref { return n.not(n.need(0)) }),
	"And": one(func(n *node) graph.Ref { return n.and(n.need(0), n.need(1)) }),
	"Or":  one(func(n *node) graph.Ref { return n.or(n.need(0), n.need(1)) }),
	"Xor": one(func(n *node) graph.Ref { return n.where(n.need(0), n.not(n.need(1)), n.x(1)) }),
	"IsNaN": one(func(n *node) graph.Ref {
		return n.not(n.compare("Equal", n.need(0), n.x(0)))
	}),
	"IsInf": one(isInf),
}

func comparison(name string) func(*node) graph.Ref {
	return func(n *node) graph.Ref { return n.compare(name, n.need(0), n.need(1)) }
}

func isInf(n *node) graph.Ref {
	x, inf := n.need(0), float32(math.Inf(1))
	if n.dtype(x) != tensor.Float32 {
		unsupported("%v", n.dtype(x))
	}
	above, below := n.compare("Equal", x, n.f(inf)), n.compare("Equal", x, n.f(-inf))
	switch positive, negative := n.integer("detect_positive", 1) != 0, n.integer("detect_negative", 1) != 0; {
	case positive && negative:
		return n.or(above, below)
	case positive:
		return above
	case negative:
		return below
	}
	return n.expand(n.bool(false), n.shape(x)...)
}
