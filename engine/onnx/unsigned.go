package onnx

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// uint64 is carried as the int64 of the same bits. Sums, products and copies need nothing more; what looks at the order of numbers or
// divides them is written here, and everything else is refused.

// modular lists operators, beside those that make no new numbers, that are right for either sign.
var modular = setOf("Add", "Sub", "Mul", "Sum", "Equal", "CumSum", "CumProd", "ReduceSum", "ReduceProd", "ReduceSumSquare", "Einsum", "MatMul", "Neg", "Identity", "If", "Loop", "Scan", "Shape", "Size", "NonZero")

// ordering lists operators of exactFor that compare.
var ordering = setOf("Max", "Min", "MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "TopK", "Unique", "Relu")

var unsignedRules = map[string]rule{
	"Less": one(unsignedComparison("Less")), "Greater": one(unsignedComparison("Greater")),
	"LessOrEqual": one(unsignedComparison("LessOrEqual")), "GreaterOrEqual": one(unsignedComparison("GreaterOrEqual")),
	"Max": one(unsignedFold("Max")), "Min": one(unsignedFold("Min")),
	"Div": one(func(n *node) graph.Ref { return n.unsignedDiv(n.need(0), n.need(1)) }),
	"Mod": one(func(n *node) graph.Ref {
		x, y := n.need(0), n.need(1)
		return n.sub(x, n.mul(n.unsignedDiv(x, y), y))
	}),
	"Pow":  one(unsignedPower),
	"TopK": topK,
}

// unsigned is the rule for a node that has an input of uint64.
func (n *node) unsigned(do rule) rule {
	if !slices.ContainsFunc(n.in, func(v *value) bool { return v != nil && n.l.elementOf(v) == Uint64 }) {
		return do
	}
	op := n.p.op
	if r := unsignedRules[op]; r != nil {
		return r
	}
	if !modular[op] && (!exactFor[op] || ordering[op]) && bitRules[op] == nil {
		unsupported("uint64")
	}
	return do
}

// flipped moves uint64 so that int64 orders it.
func (n *node) flipped(x graph.Ref) graph.Ref { return n.add(x, n.i(math.MinInt64)) }

func unsignedComparison(name string) func(*node) graph.Ref {
	return func(n *node) graph.Ref { return n.compare(name, n.flipped(n.need(0)), n.flipped(n.need(1))) }
}

func unsignedFold(name string) func(*node) graph.Ref {
	return func(n *node) graph.Ref {
		y := n.flipped(n.need(0))
		for i := 1; i < len(n.in); i++ {
			y = n.arith(name, y, n.flipped(n.need(i)))
		}
		return n.flipped(y)
	}
}

// half is x/2 of a uint64.
func (n *node) half(x graph.Ref) graph.Ref {
	two := n.i(2)
	return n.where(n.negative(x), n.add(n.div(n.flipped(x), two), n.i(1<<62)), n.div(x, two))
}

// unsignedDiv is a/b: by a b of 2^63 and more it is 0 or 1, otherwise twice the quotient of half of a, and one more if there is room.
func (n *node) unsignedDiv(a, b graph.Ref) graph.Ref {
	atLeast := func(p, q graph.Ref) graph.Ref {
		return n.cast(n.compare("GreaterOrEqual", n.flipped(p), n.flipped(q)), tensor.Int64)
	}
	q := n.mul(n.div(n.half(a), b), n.i(2))
	q = n.add(q, atLeast(n.sub(a, n.mul(q, b)), b))
	q = n.where(n.negative(b), atLeast(a, b), q)
	return n.where(n.compare("Equal", b, n.i(0)), n.i(0), q)
}

// unsignedPower takes the exponents as floats.
func unsignedPower(n *node) graph.Ref {
	if n.element(0) == Uint64 {
		unsupported("powers of uint64")
	}
	sub := &node{l: n.l, p: n.p, in: []*value{n.in[0], {ref: n.unsignedToFloat(n.need(1))}}}
	return power(sub)
}
