package onnx

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Results without elements of inputs that have some: what nothing is made of that others make nothing of is in empty.go.

// orNothing is a rule whose result has a shape without elements where shape returns one, and is what do gives where it returns nil.
func orNothing(shape func(n *node) []int, do func(n *node) graph.Ref) rule {
	return func(n *node) []*value {
		if s := shape(n); slices.Contains(s, 0) {
			return []*value{n.nothing(n.need(0), s)}
		}
		return []*value{{ref: do(n)}}
	}
}

// compressed is the shape of a Compress whose condition holds nowhere.
func compressed(n *node) []int {
	condition := n.contents(1)
	if condition == nil || condition.DType() != tensor.Bool || slices.Contains(condition.Bool(), true) {
		return nil
	}
	if n.attr("axis") == nil {
		return []int{0}
	}
	shape := slices.Clone(n.shape(n.need(0)))
	shape[n.axis(n.integer("axis", 0), len(shape))] = 0
	return shape
}

// expanded is the shape of an Expand to nothing.
func expanded(n *node) []int {
	want := n.list(1)
	if !slices.Contains(want, 0) {
		return nil
	}
	shape, ok := graph.Broadcast(n.shape(n.need(0)), want)
	if !ok {
		unsupported("shape %v for %v", want, n.shape(n.need(0)))
	}
	return shape
}

// tiled is the shape of a Tile that repeats not once.
func tiled(n *node) []int {
	shape, repeats := slices.Clone(n.shape(n.need(0))), n.list(1)
	if !slices.Contains(repeats, 0) || len(repeats) != len(shape) {
		return nil
	}
	for i, r := range repeats {
		if r < 0 || r > graph.MaxElements {
			unsupported("%d repeats", r)
		}
		shape[i] *= r
	}
	return shape
}

// joinedNothing is what a Concat makes of inputs of which none has elements.
func (n *node) joinedNothing() *value {
	var shape []int
	axis := 0
	for i, v := range n.in {
		s := v.known.Shape()
		if i == 0 {
			shape, axis = slices.Clone(s), n.axis(n.integer("axis", 1), len(s))
			continue
		}
		if len(s) != len(shape) || v.known.DType() != n.in[0].known.DType() {
			unsupported("%v%v beside %v", v.known.DType(), s, shape)
		}
		shape[axis] = min(shape[axis]+s[axis], graph.MaxElements)
	}
	if !slices.Contains(shape, 0) {
		unsupported("shape %v of nothing", shape)
	}
	return &value{known: tensor.New(n.in[0].known.DType(), shape...)}
}

// scatterND of nothing changes nothing.
func scatterND(n *node) []*value {
	if n.has(2) && n.in[2].known != nil && n.in[2].known.Len() == 0 {
		return []*value{{ref: n.op("Identity", nil, n.need(0))}}
	}
	return own(n)
}

// steps is how many numbers a range has.
func (n *node) steps(start, limit, delta float64) int {
	count := math.Ceil((limit - start) / delta)
	if count != count || count > foldLimit {
		unsupported("a range of %v numbers", count)
	}
	n.spend(int(max(0, count)))
	return int(max(0, count))
}
