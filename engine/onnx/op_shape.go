package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// shapeRules make constants and shapes, and give tensors other shapes.
var shapeRules = map[string]rule{
	"Constant": constantRule, "Shape": shapeRule, "Size": sizeRule, "ConstantOfShape": constantOfShape, "Range": rangeRule, "EyeLike": eyeLike,
	"Reshape": one(reshape), "Flatten": one(flatten), "Squeeze": one(squeeze), "Unsqueeze": one(unsqueeze),
	"Expand": orNothing(expanded, expand), "Tile": orNothing(tiled, tile),
}

func constantRule(n *node) []*value {
	if len(n.p.attrs) != 1 {
		unsupported("%d attributes", len(n.p.attrs))
	}
	switch a := &n.p.attrs[0]; a.name {
	case "value":
		if a.tensor == nil {
			unsupported("attribute \"value\" without a tensor")
		}
		t, err := a.tensor.tensor(n.l.open)
		if err != nil {
			panic(stop{err})
		}
		return []*value{{known: t, element: Element(a.tensor.dtype)}}
	case "value_float":
		return []*value{{known: tensor.Scalar(a.float)}}
	case "value_int":
		return []*value{{known: tensor.FromInt64([]int64{a.integer})}}
	case "value_floats":
		return []*value{{known: tensor.FromFloat32(slices.Clone(a.floats), len(a.floats))}}
	case "value_ints":
		return []*value{{known: tensor.FromInt64(slices.Clone(a.ints), len(a.ints))}}
	default:
		unsupported("attribute %q", a.name)
	}
	return nil
}

// shapeIn is the shape of input i, also if it is empty and known.
func (n *node) shapeIn(i int) []int {
	if n.has(i) && n.in[i].ref == graph.None {
		return n.in[i].known.Shape()
	}
	return n.shape(n.need(i))
}

func shapeRule(n *node) []*value {
	shape := n.shapeIn(0)
	clamp := func(i int) int {
		if i < 0 {
			i += len(shape)
		}
		return min(max(i, 0), len(shape))
	}
	start, end := clamp(n.integer("start", 0)), clamp(n.integer("end", len(shape)))
	list := []int64{}
	for i := start; i < end; i++ {
		list = append(list, int64(shape[i]))
	}
	return []*value{{known: tensor.FromInt64(list, len(list))}}
}

func sizeRule(n *node) []*value {
	return []*value{{known: tensor.FromInt64([]int64{int64(product(n.shapeIn(0)))})}}
}

// size checks a shape that a file asks for.
func size(shape []int) []int {
	if len(shape) > graph.MaxRank {
		unsupported("%d axes", len(shape))
	}
	if n, err := tensor.Elements(shape, graph.MaxElements); err != nil {
		unsupported("%v", err)
	} else if n == 0 && len(shape) == 0 {
		unsupported("shape %v", shape)
	}
	return shape
}

func constantOfShape(n *node) []*value {
	shape := size(n.list(0))
	one, element := tensor.Scalar(0), Element(tensor.Float32)
	if a := n.attr("value"); a != nil && a.tensor != nil {
		t, err := a.tensor.tensor(n.l.open)
		if err != nil {
			panic(stop{err})
		}
		if t.Len() != 1 {
			unsupported("value of %d elements", t.Len())
		}
		one, element = t, Element(a.tensor.dtype)
	}
	if product(shape) == 0 {
		return []*value{{known: tensor.New(one.DType(), shape...), element: element}} // no elements
	}
	return []*value{{ref: n.expand(n.constant(one.Reshape()), shape...), element: element}}
}

// rangeRule lists start + i·delta, computed in the element type.
func rangeRule(n *node) []*value {
	start, limit, delta := n.contents(0), n.contents(1), n.contents(2)
	for i := range 3 {
		if t := n.contents(i); t == nil || t.Len() != 1 || t.DType() != start.DType() {
			unsupported("input %d is no number of the type of start", i)
		}
	}
	if start.DType() == tensor.Float32 {
		s, l, d := start.Float32()[0], limit.Float32()[0], delta.Float32()[0]
		data := make([]float32, n.steps(float64(s), float64(l), float64(d)))
		for i := range data {
			data[i] = s + float32(float32(i)*d)
		}
		return []*value{{known: tensor.FromFloat32(data, len(data))}}
	}
	s, l, d := n.only(0), n.only(1), n.only(2)
	if d == 0 {
		unsupported("delta is 0")
	}
	data := make([]int64, n.steps(float64(s), float64(l), float64(d)))
	for i := range data {
		data[i] = int64(s + i*d)
	}
	if len(data) == 0 {
		return []*value{{known: tensor.New(start.DType(), 0)}}
	}
	return []*value{{ref: n.cast(n.constant(tensor.FromInt64(data, len(data))), start.DType())}}
}

func eyeLike(n *node) []*value {
	shape := n.shapeIn(0)
	if len(shape) != 2 {
		unsupported("shape %v", shape)
	}
	k := n.integer("k", 0)
	same := n.compare("Equal", n.add(n.iota(shape[0], 0, 2, tensor.Int64), n.i(int64(k))), n.iota(shape[1], 1, 2, tensor.Int64))
	return []*value{{ref: n.cast(same, n.resultOf(0).Carrier())}}
}

func reshape(n *node) graph.Ref {
	x := n.need(0)
	shape := n.listOrAttr(1, "shape")
	in := n.shape(x)
	if len(shape) > graph.MaxRank {
		unsupported("%d axes", len(shape))
	}
	if len(shape) == 0 {
		if product(in) != 1 {
			unsupported("shape %v to a scalar", in)
		}
		return n.reshape(x)
	}
	return n.op("Reshape", graph.Attrs{"allowzero": n.integer("allowzero", 0)}, x, n.l.b.Ints(shape...))
}

func flatten(n *node) graph.Ref {
	x := n.need(0)
	shape := n.shape(x)
	at := n.integer("axis", 1)
	if at < 0 {
		at += len(shape)
	}
	if at < 0 || at > len(shape) {
		unsupported("axis %d of %v", at, shape)
	}
	return n.reshape(x, product(shape[:at]), product(shape[at:]))
}

func squeeze(n *node) graph.Ref {
	x := n.need(0)
	axes := n.listOrAttr(1, "axes")
	if axes == nil {
		return n.op("Squeeze", nil, x)
	}
	return n.op("Squeeze", nil, x, n.l.b.Ints(axes...))
}

func unsqueeze(n *node) graph.Ref {
	return n.op("Unsqueeze", nil, n.need(0), n.l.b.Ints(n.listOrAttr(1, "axes")...))
}

func expand(n *node) graph.Ref {
	x := n.need(0)
	shape := n.list(1)
	if len(shape) == 0 {
		return n.op("Identity", nil, x)
	}
	return n.op("Expand", nil, x, n.l.b.Ints(shape...))
}

func tile(n *node) graph.Ref {
	x := n.need(0)
	repeats := n.list(1)
	if len(repeats) != len(n.shape(x)) {
		unsupported("%d repeats for %v", len(repeats), n.shape(x))
	}
	for axis, r := range repeats {
		if r < 1 || r > graph.MaxElements/product(n.shape(x)) {
			unsupported("%d repeats", r)
		}
		if r == 1 {
			continue
		}
		shape := n.shape(x)
		wide := slices.Insert(slices.Clone(shape), axis, 1)
		if len(wide) > graph.MaxRank {
			unsupported("%d axes", len(shape))
		}
		target := slices.Clone(wide)
		target[axis] = r
		whole := slices.Clone(shape)
		whole[axis] *= r
		x = n.reshape(n.expand(n.reshape(x, wide...), target...), whole...)
	}
	return x
}
