package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// The words in which the rules write compositions. Each adds a node and ends the rule if it is not valid.

func (n *node) op(name string, attrs graph.Attrs, in ...graph.Ref) graph.Ref {
	r := n.l.b.Op(name, attrs, in...)
	n.check()
	return r
}

func (n *node) shape(r graph.Ref) []int        { return n.l.b.Shape(r) }
func (n *node) dtype(r graph.Ref) tensor.DType { return n.l.b.Value(r).DType }
func (n *node) constant(t *tensor.Tensor) graph.Ref {
	r := n.l.initializer(t)
	n.check()
	return r
}
func (n *node) f(v float32) graph.Ref { return n.l.b.Float(v) }
func (n *node) i(v int64) graph.Ref {
	return n.constant(tensor.FromInt64([]int64{v}))
}

// same is a scalar of the value in r's element type, float32 or an integer.
func (n *node) same(r graph.Ref, v float32) graph.Ref {
	return n.cast(n.f(v), n.dtype(r))
}

func (n *node) cast(r graph.Ref, to tensor.DType) graph.Ref {
	if n.dtype(r) == to {
		return r
	}
	return n.op("Cast", graph.Attrs{"to": int(to)}, r)
}

// arith is an operator on numbers. The engine computes with float32 and int64; a narrower integer is widened and narrowed again, which
// gives the same low bits.
func (n *node) arith(name string, in ...graph.Ref) graph.Ref {
	dt := n.dtype(in[0])
	for _, r := range in {
		if n.dtype(r) != dt {
			unsupported("inputs of %v and %v", dt, n.dtype(r))
		}
	}
	if dt == tensor.Float32 || dt == tensor.Int64 {
		return n.op(name, nil, in...)
	}
	if dt == tensor.Bool {
		unsupported("bool")
	}
	wide := make([]graph.Ref, len(in))
	for i, r := range in {
		wide[i] = n.cast(r, tensor.Int64)
	}
	return n.cast(n.op(name, nil, wide...), dt)
}

func (n *node) add(a, b graph.Ref) graph.Ref { return n.arith("Add", a, b) }
func (n *node) sub(a, b graph.Ref) graph.Ref { return n.arith("Sub", a, b) }
func (n *node) mul(a, b graph.Ref) graph.Ref { return n.arith("Mul", a, b) }
func (n *node) div(a, b graph.Ref) graph.Ref { return n.arith("Div", a, b) }
func (n *node) max(a, b graph.Ref) graph.Ref { return n.arith("Max", a, b) }
func (n *node) min(a, b graph.Ref) graph.Ref { return n.arith("Min", a, b) }

// compare is a comparison; bool and narrow integers are widened.
func (n *node) compare(name string, a, b graph.Ref) graph.Ref {
	if n.dtype(a) != n.dtype(b) {
		unsupported("inputs of %v and %v", n.dtype(a), n.dtype(b))
	}
	if dt := n.dtype(a); dt != tensor.Float32 && dt != tensor.Int64 {
		a, b = n.cast(a, tensor.Int64), n.cast(b, tensor.Int64)
	}
	return n.op(name, nil, a, b)
}

func (n *node) where(c, x, y graph.Ref) graph.Ref { return n.op("Where", nil, c, x, y) }
func (n *node) bool(v bool) graph.Ref             { return n.constant(tensor.FromBool([]bool{v})) }
func (n *node) not(a graph.Ref) graph.Ref         { return n.where(a, n.bool(false), n.bool(true)) }
func (n *node) and(a, b graph.Ref) graph.Ref      { return n.where(a, b, n.bool(false)) }
func (n *node) or(a, b graph.Ref) graph.Ref       { return n.where(a, n.bool(true), b) }

// reshape gives r a shape of as many elements.
func (n *node) reshape(r graph.Ref, shape ...int) graph.Ref {
	if slices.Equal(n.shape(r), shape) {
		return r
	}
	if len(shape) == 0 {
		return n.op("Squeeze", nil, r)
	}
	return n.op("Reshape", nil, r, n.l.b.Ints(shape...))
}

func (n *node) transpose(r graph.Ref, perm ...int) graph.Ref {
	return n.op("Transpose", graph.Attrs{"perm": perm}, r)
}

// moved takes an axis to another place; the others keep their order.
func (n *node) moved(r graph.Ref, from, to int) graph.Ref {
	if from == to {
		return r
	}
	var perm []int
	for i := range n.shape(r) {
		if i != from {
			perm = append(perm, i)
		}
	}
	return n.transpose(r, slices.Insert(perm, to, from)...)
}

func (n *node) expand(r graph.Ref, shape ...int) graph.Ref {
	if slices.Equal(n.shape(r), shape) {
		return r
	}
	return n.op("Expand", nil, r, n.l.b.Ints(shape...))
}

// slice takes the elements of an axis from start to before end, step apart.
func (n *node) slice(r graph.Ref, axis, start, end, step int) graph.Ref {
	if start == 0 && end == n.shape(r)[axis] && step == 1 {
		return r
	}
	b := n.l.b
	return n.op("Slice", nil, r, b.Ints(start), b.Ints(end), b.Ints(axis), b.Ints(step))
}

// reversed turns an axis around.
func (n *node) reversed(r graph.Ref, axis int) graph.Ref {
	return n.slice(r, axis, -1, -1<<31, -1)
}

func (n *node) concat(axis int, parts ...graph.Ref) graph.Ref {
	if len(parts) == 1 {
		return parts[0]
	}
	for len(parts) > graph.MaxArity {
		parts = append([]graph.Ref{n.op("Concat", graph.Attrs{"axis": axis}, parts[:graph.MaxArity]...)}, parts[graph.MaxArity:]...)
	}
	return n.op("Concat", graph.Attrs{"axis": axis}, parts...)
}

// filled is a tensor of one value.
func (n *node) filled(like graph.Ref, v float32, shape ...int) graph.Ref {
	return n.expand(n.same(like, v), shape...)
}

func (n *node) reduce(name string, r graph.Ref, keep bool, axes ...int) graph.Ref {
	k := 0
	if keep {
		k = 1
	}
	if len(axes) == 0 {
		return r
	}
	return n.op(name, graph.Attrs{"keepdims": k}, r, n.l.b.Ints(axes...))
}

// iota is the list 0, 1, … of the element type, along an axis of a tensor with that many axes.
func (n *node) iota(length, axis, rank int, dt tensor.DType) graph.Ref {
	n.spend(length)
	data := make([]int64, length)
	for i := range data {
		data[i] = int64(i)
	}
	shape := slices.Repeat([]int{1}, rank)
	shape[axis] = length
	return n.cast(n.constant(tensor.FromInt64(data, shape...)), dt)
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func product(list []int) int {
	p := 1
	for _, v := range list {
		p *= v
	}
	return p
}
