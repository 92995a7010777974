package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// moveRules copy elements elsewhere.
var moveRules = map[string]rule{
	"Concat": concat, "Slice": slice, "Split": split, "Gather": one(gather), "GatherElements": one(gatherElements),
	"GatherND":        one(gatherND),
	"ScatterElements": one(scatterElements), "Scatter": one(scatterElements), "Compress": orNothing(compressed, compress), "ReverseSequence": one(reverseSequence),
	"NonZero": nonZero, "TopK": topK,
	"DepthToSpace": one(depthToSpace), "SpaceToDepth": one(spaceToDepth), "Trilu": one(trilu), "OneHot": one(oneHot), "Pad": one(pad),
}

func concat(n *node) []*value {
	if list, ok := n.lists(); ok {
		return []*value{{known: tensor.FromInt64(list, len(list))}} // a list of dimensions may be empty
	}
	var parts []graph.Ref
	for i := range n.in {
		if n.has(i) && n.in[i].ref == graph.None && n.in[i].known.Len() == 0 {
			continue // an empty list adds nothing
		}
		parts = append(parts, n.need(i))
	}
	if n.given(0); len(parts) == 0 {
		return []*value{n.joinedNothing()}
	}
	axis := n.axis(n.integer("axis", 1), len(n.shape(parts[0])))
	if len(parts) == 1 {
		return []*value{{ref: n.op("Identity", nil, parts[0])}}
	}
	return []*value{{ref: n.concat(axis, parts...)}}
}

// lists joins the inputs if all are known lists of int64 and one is empty, which the engine cannot hold.
func (n *node) lists() ([]int64, bool) {
	all, empty := []int64{}, false
	for i := range n.in {
		if !n.has(i) || n.in[i].known == nil || n.in[i].known.DType() != tensor.Int64 || len(n.in[i].known.Shape()) != 1 {
			return nil, false
		}
		all = append(all, n.in[i].known.Int64()...)
		empty = empty || n.in[i].known.Len() == 0
	}
	return all, empty
}

func slice(n *node) []*value {
	starts, ends := n.listOrAttr(1, "starts"), n.listOrAttr(2, "ends")
	axes, steps := n.listOrAttr(3, "axes"), n.list(4)
	if axes == nil {
		axes = upTo(len(starts))
	}
	if steps == nil {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if v := n.in[0]; len(starts) == 1 && len(ends) == 1 && v != nil && v.known != nil && v.known.DType() == tensor.Int64 && len(v.known.Shape()) == 1 {
		if part, ok := sliceList(v.known.Int64(), starts[0], ends[0], steps); ok {
			return []*value{{known: tensor.FromInt64(part, len(part))}} // a list of dimensions may be empty
		}
	}
	x, b := n.need(0), n.l.b
	if shape := n.slicedShape(x, starts, ends, axes, steps); slices.Contains(shape, 0) {
		return []*value{n.nothing(x, shape)}
	}
	return []*value{{ref: n.op("Slice", nil, x, b.Ints(starts...), b.Ints(ends...), b.Ints(axes...), b.Ints(steps...))}}
}

// slicedShape is the shape of a slice. What is wrong with its bounds is for the operator to say.
func (n *node) slicedShape(x graph.Ref, starts, ends, axes, steps []int) []int {
	shape := slices.Clone(n.shape(x))
	if len(starts) != len(ends) || len(starts) != len(axes) || len(starts) != len(steps) {
		return shape
	}
	for i, a := range axes {
		d := n.shape(x)[n.axis(a, len(shape))]
		start, end := starts[i], ends[i]
		if start < 0 {
			start += d
		}
		if end < 0 {
			end += d
		}
		if steps[i] > 0 {
			start, end = min(max(start, 0), d), min(max(end, 0), d)
		} else {
			start, end = min(max(start, 0), d-1), min(max(end, -1), d-1)
		}
		if steps[i] > 0 && start >= end || steps[i] < 0 && start <= end {
			shape[n.axis(a, len(shape))] = 0
		}
	}
	return shape
}

// sliceList is a part of a list, forwards.
func sliceList(list []int64, start, end int, steps []int) ([]int64, bool) {
	if len(steps) != 1 || steps[0] != 1 {
		return nil, false
	}
	clamp := func(i int) int {
		if i < 0 {
			i += len(list)
		}
		return min(max(i, 0), len(list))
	}
	start, end = clamp(start), clamp(end)
	return slices.Clone(list[start:max(start, end)]), true
}

func split(n *node) []*value {
	x := n.need(0)
	axis := n.axis(n.integer("axis", 0), len(n.shape(x)))
	parts := n.listOrAttr(1, "split")
	count := len(n.p.outputs)
	if slices.Contains(parts, 0) {
		return n.splitWithEmpty(x, axis, parts)
	}
	attrs, in := graph.Attrs{"axis": axis}, []graph.Ref{x}
	if parts == nil {
		attrs["num_outputs"] = count
	} else {
		in = append(in, n.l.b.Ints(parts...))
	}
	refs := n.l.b.OpN("Split", count, attrs, in...)
	n.check()
	var out []*value
	for _, r := range refs {
		out = append(out, &value{ref: r})
	}
	return out
}

// splitWithEmpty is a split some of whose parts have no elements.
func (n *node) splitWithEmpty(x graph.Ref, axis int, parts []int) []*value {
	var out []*value
	at, d := 0, n.shape(x)[axis]
	for _, size := range parts {
		if size < 0 || size > d-at {
			unsupported("parts %v of %d", parts, d)
		}
		if size == 0 {
			shape := slices.Clone(n.shape(x))
			shape[axis] = 0
			out = append(out, n.nothing(x, shape))
		} else {
			out = append(out, &value{ref: n.op("Identity", nil, n.slice(x, axis, at, at+size, 1))})
		}
		at += size
	}
	if at != d {
		unsupported("parts %v of %d", parts, d)
	}
	return out
}

// gather moves the axis to the front and the indices' axes back to where it was.
func gather(n *node) graph.Ref {
	x, indices := n.need(0), n.cast(n.need(1), tensor.Int64)
	axis := n.axis(n.integer("axis", 0), len(n.shape(x)))
	return n.gather(x, indices, axis)
}

func (n *node) gather(x, indices graph.Ref, axis int) graph.Ref {
	if v := n.l.b.Const(indices); axis > 0 && len(v) == 1 && v[0] >= -n.shape(x)[axis] && v[0] < n.shape(x)[axis] {
		// One known place is a slice; others move the axis to the front and back.
		at := n.axis(v[0], n.shape(x)[axis])
		s := n.shape(x)
		return n.reshape(n.slice(x, axis, at, at+1, 1), slices.Concat(s[:axis], n.shape(indices), s[axis+1:])...)
	}
	if axis == 0 {
		return n.op("Gather", nil, x, indices)
	}
	rank := len(n.shape(indices))
	y := n.op("Gather", nil, n.moved(x, axis, 0), indices)
	var perm []int
	for i := range axis {
		perm = append(perm, rank+i)
	}
	perm = append(perm, upTo(rank)...)
	for i := rank + axis; i < len(n.shape(y)); i++ {
		perm = append(perm, i)
	}
	return n.transpose(y, perm...)
}

// tuples makes of indices along one axis the full indices of every element, [..., rank].
func (n *node) tuples(indices graph.Ref, axis int) graph.Ref {
	shape := n.shape(indices)
	if len(shape) == graph.MaxRank {
		unsupported("%d axes", len(shape))
	}
	wide := append(slices.Clone(shape), 1)
	var columns []graph.Ref
	for i, d := range shape {
		if i == axis {
			columns = append(columns, n.reshape(indices, wide...))
		} else {
			columns = append(columns, n.expand(n.iota(d, i, len(wide), tensor.Int64), wide...))
		}
	}
	return n.concat(len(shape), columns...)
}

func gatherElements(n *node) graph.Ref {
	x, indices := n.need(0), n.cast(n.need(1), tensor.Int64)
	rank := len(n.shape(x))
	if len(n.shape(indices)) != rank {
		unsupported("indices of shape %v for %v", n.shape(indices), n.shape(x))
	}
	return n.op("GatherND", nil, x, n.tuples(indices, n.axis(n.integer("axis", 0), rank)))
}

func (n *node) image(x graph.Ref) (batch, channels, height, width int) {
	s := n.shape(x)
	if len(s) != 4 {
		unsupported("shape %v, want [batch, channels, height, width]", s)
	}
	return s[0], s[1], s[2], s[3]
}

func depthToSpace(n *node) graph.Ref {
	x := n.need(0)
	b, c, h, w := n.image(x)
	k := n.integer("blocksize", 0)
	if k < 1 || k > 1<<10 || c%(k*k) != 0 {
		unsupported("blocksize %d of %d channels", k, c)
	}
	c /= k * k
	if n.text("mode", "DCR") == "CRD" {
		return n.reshape(n.transpose(n.reshape(x, b, c, k, k, h, w), 0, 1, 4, 2, 5, 3), b, c, h*k, w*k)
	}
	return n.reshape(n.transpose(n.reshape(x, b, k, k, c, h, w), 0, 3, 4, 1, 5, 2), b, c, h*k, w*k)
}

func spaceToDepth(n *node) graph.Ref {
	x := n.need(0)
	b, c, h, w := n.image(x)
	k := n.integer("blocksize", 0)
	if k < 1 || k > 1<<10 || h%k != 0 || w%k != 0 {
		unsupported("blocksize %d of %dx%d", k, h, w)
	}
	perm := []int{0, 3, 5, 1, 2, 4}
	if n.text("mode", "DCR") == "CRD" {
		perm = []int{0, 1, 3, 5, 2, 4}
	}
	return n.reshape(n.transpose(n.reshape(x, b, c, h/k, k, w/k, k), perm...), b, c*k*k, h/k, w/k)
}

func trilu(n *node) graph.Ref {
	x := n.need(0)
	s := n.shape(x)
	if len(s) < 2 {
		unsupported("shape %v", s)
	}
	k := 0
	if n.has(1) {
		k = n.only(1)
	}
	row := n.add(n.iota(s[len(s)-2], 0, 2, tensor.Int64), n.i(int64(k)))
	name := "GreaterOrEqual"
	if n.integer("upper", 1) == 0 {
		name = "LessOrEqual"
	}
	return n.where(n.compare(name, n.iota(s[len(s)-1], 1, 2, tensor.Int64), row), x, n.same(x, 0))
}

func oneHot(n *node) graph.Ref {
	depth := n.contents(1)
	if depth == nil || depth.Len() != 1 {
		unsupported("depth")
	}
	d := 0
	if depth.DType() == tensor.Float32 {
		d = int(depth.Float32()[0])
	} else {
		d = n.only(1)
	}
	if d < 1 || d > graph.MaxElements {
		unsupported("depth %d", d)
	}
	indices := n.cast(n.need(0), tensor.Int64)
	indices = n.where(n.negative(indices), n.add(indices, n.i(int64(d))), indices)
	rank := len(n.shape(indices)) + 1
	if rank > graph.MaxRank {
		unsupported("%d axes", rank)
	}
	axis := n.axis(n.integer("axis", -1), rank)
	hit := n.compare("Equal", n.op("Unsqueeze", nil, indices, n.l.b.Ints(axis)), n.iota(d, axis, rank, tensor.Int64))
	values := n.need(2)
	return n.where(hit, n.slice(values, 0, 1, 2, 1), n.slice(values, 0, 0, 1, 1))
}

func pad(n *node) graph.Ref {
	x := n.need(0)
	rank := len(n.shape(x))
	pads := n.listOrAttr(1, "pads")
	if n.l.opset < 2 {
		pads = n.integers("paddings")
	}
	axes := upTo(rank)
	if n.has(3) {
		axes = n.list(3)
	}
	if len(pads) != 2*len(axes) {
		unsupported("%d pads for %d axes", len(pads), len(axes))
	}
	fill := n.same(x, n.float("value", 0))
	if n.has(2) {
		fill = n.x(2)
	}
	mode := n.text("mode", "constant")
	for i, a := range axes {
		x = n.pad(x, n.axis(a, rank), pads[i], pads[len(axes)+i], mode, fill)
	}
	return x
}

// pad lengthens an axis at both ends, or shortens it where the number is negative.
func (n *node) pad(x graph.Ref, axis, before, after int, mode string, fill graph.Ref) graph.Ref {
	d := n.shape(x)[axis]
	if before < 0 || after < 0 {
		x = n.slice(x, axis, max(0, -before), d-max(0, -after), 1)
		d = n.shape(x)[axis]
		before, after = max(before, 0), max(after, 0)
	}
	if before > graph.MaxElements || after > graph.MaxElements {
		unsupported("pads %d and %d", before, after)
	}
	part := func(count, where int) graph.Ref { return graph.None }
	switch mode {
	case "constant":
		part = func(count, _ int) graph.Ref {
			shape := slices.Clone(n.shape(x))
			shape[axis] = count
			return n.expand(n.reshape(fill), shape...)
		}
	case "edge":
		part = func(count, at int) graph.Ref {
			shape := slices.Clone(n.shape(x))
			shape[axis] = count
			return n.expand(n.slice(x, axis, at, at+1, 1), shape...)
		}
	case "reflect":
		if before >= d || after >= d {
			unsupported("reflecting %d and %d of %d", before, after, d)
		}
		part = func(count, at int) graph.Ref {
			if at == 0 {
				return n.reversed(n.slice(x, axis, 1, count+1, 1), axis)
			}
			return n.reversed(n.slice(x, axis, d-1-count, d-1, 1), axis)
		}
	case "wrap":
		if before > d || after > d {
			unsupported("wrapping %d and %d of %d", before, after, d)
		}
		part = func(count, at int) graph.Ref {
			if at == 0 {
				return n.slice(x, axis, d-count, d, 1)
			}
			return n.slice(x, axis, 0, count, 1)
		}
	default:
		unsupported("mode %q", mode)
	}
	parts := []graph.Ref{x}
	if before > 0 {
		parts = append([]graph.Ref{part(before, 0)}, parts...)
	}
	if after > 0 {
		parts = append(parts, part(after, d-1))
	}
	return n.concat(axis, parts...)
}
