package onnx

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// gatherND writes batch dimensions as further columns of the indices.
func gatherND(n *node) graph.Ref {
	x, indices := n.need(0), n.cast(n.need(1), tensor.Int64)
	batch := n.integer("batch_dims", 0)
	s := slices.Clone(n.shape(indices))
	if batch < 0 || batch >= len(s) || batch >= len(n.shape(x)) {
		unsupported("batch_dims %d", batch)
	}
	wide := slices.Clone(s)
	wide[len(s)-1] = 1
	var columns []graph.Ref
	for i := range batch {
		if s[i] != n.shape(x)[i] {
			unsupported("indices of shape %v for %v", s, n.shape(x))
		}
		columns = append(columns, n.expand(n.iota(s[i], i, len(s), tensor.Int64), wide...))
	}
	return n.op("GatherND", nil, x, n.concat(len(s)-1, append(columns, indices)...))
}

func scatterElements(n *node) graph.Ref {
	x, indices, updates := n.need(0), n.cast(n.need(1), tensor.Int64), n.need(2)
	rank := len(n.shape(x))
	if len(n.shape(indices)) != rank {
		unsupported("indices of shape %v for %v", n.shape(indices), n.shape(x))
	}
	tuples := n.tuples(indices, n.axis(n.integer("axis", 0), rank))
	return n.op("ScatterND", graph.Attrs{"reduction": n.text("reduction", "none")}, x, tuples, updates)
}

// compress keeps what a known condition selects.
func compress(n *node) graph.Ref {
	x, condition := n.need(0), n.contents(1)
	if condition == nil || condition.DType() != tensor.Bool {
		unsupported("condition")
	}
	axis := 0
	if n.attr("axis") != nil {
		axis = n.axis(n.integer("axis", 0), len(n.shape(x)))
	} else {
		x = n.reshape(x, product(n.shape(x)))
	}
	var kept []int64
	for i, keep := range condition.Bool() {
		if keep {
			kept = append(kept, int64(i))
		}
	}
	return n.gather(x, n.constant(tensor.FromInt64(kept, len(kept))), axis)
}

// reverseSequence turns the beginning of each row around, as long as the known lengths say.
func reverseSequence(n *node) graph.Ref {
	x, lengths := n.need(0), n.list(1)
	s := n.shape(x)
	batch, time := n.integer("batch_axis", 1), n.integer("time_axis", 0)
	if len(s) < 2 || batch+time != 1 || batch < 0 || time < 0 || len(lengths) != s[batch] {
		unsupported("batch_axis %d, time_axis %d and %d lengths for %v", batch, time, len(lengths), s)
	}
	n.spend(2 * s[0] * s[1])
	var tuples []int64
	for i := range s[0] {
		for j := range s[1] {
			at := []int{i, j}
			if l := lengths[at[batch]]; l < 0 || l > s[time] {
				unsupported("length %d of %d", l, s[time])
			} else if at[time] < l {
				at[time] = l - 1 - at[time]
			}
			tuples = append(tuples, int64(at[0]), int64(at[1]))
		}
	}
	return n.op("GatherND", nil, x, n.constant(tensor.FromInt64(tuples, s[0], s[1], 2)))
}

// nonZero lists the places of what is not zero in known contents: its shape depends on them.
func nonZero(n *node) []*value {
	n.given(0)
	t := n.contents(0)
	n.spend(t.Len() * (1 + len(t.Shape())))
	truth := make([]bool, t.Len())
	switch t.DType() {
	case tensor.Float32:
		for i, v := range t.Float32() {
			truth[i] = v != 0
		}
	case tensor.Bool:
		copy(truth, t.Bool())
	default:
		for i, v := range n.list(0) {
			truth[i] = v != 0
		}
	}
	s := t.Shape()
	rows := make([][]int64, len(s))
	count := 0
	for i, keep := range truth {
		if !keep {
			continue
		}
		count++
		for axis := len(s) - 1; axis >= 0; axis-- {
			rows[axis] = append(rows[axis], int64(i%s[axis]))
			i /= s[axis]
		}
	}
	return []*value{{known: tensor.FromInt64(slices.Concat(rows...), len(s), count)}}
}

// topK has its K as an attribute before operator set 10. Indices are in order of value, also if that is not asked for.
func topK(n *node) []*value {
	x := n.need(0)
	k := n.integer("k", 0)
	if n.has(1) {
		k = n.only(1)
	}
	if n.dtype(x) != tensor.Float32 {
		return n.topIntegers(x, k)
	}
	attrs := graph.Attrs{"axis": n.axis(n.integer("axis", -1), len(n.shape(x)))}
	if n.integer("largest", 1) == 0 {
		attrs["largest"] = 0
	}
	if shape := slices.Clone(n.shape(x)); k == 0 {
		shape[attrs["axis"].(int)] = 0
		return []*value{n.nothing(x, shape), {known: tensor.New(tensor.Int64, shape...)}}
	}
	refs := n.l.b.OpN("TopK", 2, attrs, x, n.l.b.Ints(k))
	n.check()
	return []*value{{ref: refs[0]}, {ref: refs[1]}}
}

// maxTop bounds the k of topIntegers, which finds the elements one after the other.
const maxTop = 256

// topIntegers finds the greatest element that is left, k times; of equal ones the first. Upside down, x is -1 - x.
func (n *node) topIntegers(x graph.Ref, k int) []*value {
	dt, shape := n.dtype(x), n.shape(x)
	axis := n.axis(n.integer("axis", -1), len(shape))
	d := shape[axis]
	if k < 1 || k > min(d, maxTop) || dt == tensor.Bool {
		unsupported("k is %d of %d, of %v", k, d, dt)
	}
	turned := func(r graph.Ref) graph.Ref {
		if n.element(0) == Uint64 {
			r = n.flipped(r)
		}
		if n.integer("largest", 1) == 0 {
			return n.sub(n.i(-1), r)
		}
		return r
	}
	from, least := turned(n.cast(x, tensor.Int64)), n.i(math.MinInt64)
	iota := n.iota(d, axis, len(shape), tensor.Int64)
	left := n.expand(n.bool(true), shape...)
	var values, indices []graph.Ref
	for range k {
		rest := n.where(left, from, least)
		most := n.folded("Max", rest, true, axis)
		hit := n.and(n.compare("Equal", rest, most), left)
		index := n.folded("Min", n.where(hit, iota, n.i(int64(d))), true, axis)
		values, indices = append(values, most), append(indices, index)
		left = n.and(left, n.not(n.compare("Equal", iota, index)))
	}
	// Upside down and flipped, both are undone by themselves in the other order.
	y := n.concat(axis, values...)
	if n.integer("largest", 1) == 0 {
		y = n.sub(n.i(-1), y)
	}
	if n.element(0) == Uint64 {
		y = n.flipped(y)
	}
	return []*value{{ref: n.cast(y, dt)}, {ref: n.concat(axis, indices...)}}
}
