package onnx

import (
	"hash/fnv"
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// randomRules draw random numbers. A graph has none: they are drawn while the file is read, from Philox (spec/numerics.md §9) with the
// bits of attribute "seed" (of 0 if there is none) and a hash of the name of the node's output as key. Every run of a graph has the same.
var randomRules = map[string]rule{
	"RandomUniform": one(func(n *node) graph.Ref { return n.uniformIn(n.integers("shape")) }),
	"RandomUniformLike": one(func(n *node) graph.Ref {
		return n.uniformIn(n.shapeIn(0))
	}),
	"RandomNormal":     one(func(n *node) graph.Ref { return n.normalIn(n.integers("shape")) }),
	"RandomNormalLike": one(func(n *node) graph.Ref { return n.normalIn(n.shapeIn(0)) }),
	"Bernoulli": one(func(n *node) graph.Ref {
		p := n.need(0)
		return n.cast(n.compare("Less", n.uniform(n.shape(p)), p), n.resultOf(0).Carrier())
	}),
	"Multinomial": one(multinomial),
}

// uniform are numbers from [0, 1).
func (n *node) uniform(shape []int) graph.Ref {
	count := product(size(slices.Clone(shape)))
	if count == 0 {
		unsupported("shape %v", shape)
	}
	n.spend(count)
	hash := fnv.New32a()
	for _, name := range n.p.outputs[:min(1, len(n.p.outputs))] {
		hash.Write([]byte(name))
	}
	data := make([]float32, count)
	kernel.Uniform(data, [2]uint32{math.Float32bits(n.seed()), hash.Sum32()}, 0)
	return n.constant(tensor.FromFloat32(data, shape...))
}

func (n *node) seed() float32 {
	if a := n.attr("seed"); a != nil && a.kind == kindInt {
		return float32(a.integer)
	}
	return n.float("seed", 0)
}

// uniformIn is low + u·(high - low).
func (n *node) uniformIn(shape []int) graph.Ref {
	low, high := n.float("low", 0), n.float("high", 1)
	return n.add(n.f(low), n.mul(n.uniform(shape), n.f(high-low)))
}

// normalIn is mean + scale·sqrt(-2·log(1 - u))·cos(2πv), by Box and Muller, of pairs of uniform numbers u and v.
func (n *node) normalIn(shape []int) graph.Ref {
	pairs := n.uniform(append(slices.Clone(shape), 2))
	last := len(shape)
	u := n.reshape(n.slice(pairs, last, 0, 1, 1), shape...)
	v := n.reshape(n.slice(pairs, last, 1, 2, 1), shape...)
	radius := n.op("Sqrt", nil, n.mul(n.f(-2), n.op("Log", nil, n.sub(n.f(1), u))))
	z := n.mul(radius, n.op("Cos", nil, n.mul(n.f(2*math.Pi), v)))
	return n.add(n.f(n.float("mean", 0)), n.mul(n.f(n.float("scale", 1)), z))
}

// multinomial draws classes by their unnormalised logarithms of probabilities, each as the class that is greatest after -log(-log(u)) is
// added (Gumbel).
func multinomial(n *node) graph.Ref {
	x, count := n.need(0), n.integer("sample_size", 1)
	s := n.shape(x)
	n.isFloat(x)
	if len(s) != 2 || count < 1 || count > foldLimit {
		unsupported("%d samples of shape %v", count, s)
	}
	u := n.uniform([]int{s[0], count, s[1]})
	noise := n.op("Neg", nil, n.op("Log", nil, n.op("Neg", nil, n.op("Log", nil, u))))
	score := n.add(n.reshape(x, s[0], 1, s[1]), noise)
	less := n.compare("Less", score, n.reduce("ReduceMax", score, true, 2))
	index := n.where(less, n.f(float32(s[1]-1)), n.iota(s[1], 2, 3, tensor.Float32))
	return n.cast(n.reduce("ReduceMin", index, false, 2), n.resultOf(0).Carrier())
}

// dropout lets everything pass in inference. In training an element passes, times 1/(1 - ratio), if its uniform number is at least ratio.
func dropout(n *node) []*value {
	x := n.need(0)
	if !n.training() {
		return []*value{{ref: n.op("Identity", nil, x)}, {ref: n.expand(n.bool(true), n.shape(x)...)}}
	}
	ratio := n.f(0.5)
	if n.has(1) {
		ratio = n.reshape(n.x(1))
	}
	mask := n.compare("GreaterOrEqual", n.uniform(n.shape(x)), ratio)
	scale := n.div(n.f(1), n.sub(n.f(1), ratio))
	return []*value{{ref: n.where(mask, n.mul(x, scale), n.f(0))}, {ref: mask}}
}

// training reports whether a Dropout drops anything: as its third input says, before operator set 7 always unless is_test is set.
func (n *node) training() bool {
	if n.l.opset < 7 {
		return n.attr("is_test") != nil && !n.flag("is_test")
	}
	if !n.has(2) {
		return false
	}
	mode := n.contents(2)
	if mode.DType() != tensor.Bool || mode.Len() != 1 {
		unsupported("training_mode of type %v and shape %v", mode.DType(), mode.Shape())
	}
	return mode.Bool()[0]
}

// Random reports whether the file has nodes that draw random numbers, so that two programs need not agree on its outputs.
func (m *Model) Random() bool {
	random := false
	m.proto.graph.each(func(g *graphProto) {
		for i := range g.nodes {
			p := &g.nodes[i]
			random = random || isStandard(p.domain) && (randomRules[p.op] != nil || p.op == "Dropout" && len(p.inputs) > 2)
		}
	})
	return random
}
