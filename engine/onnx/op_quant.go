package onnx

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// quantRules are operators on 8-bit integers. Products of them are exact: the engine's own operators add them in int32. Where those do not
// reach (zero points by row, several right factors), at most 256 products are added in float32, which holds every integer below 2^24, and what is
// longer is added in int64.
var quantRules = map[string]rule{
	"QuantizeLinear": one(quantizeLinear), "DequantizeLinear": one(dequantizeLinear), "DynamicQuantizeLinear": dynamicQuantize,
	"MatMulInteger": one(matMulInteger), "QLinearMatMul": one(qLinearMatMul), "ConvInteger": one(convInteger), "QLinearConv": one(qLinearConv),
}

// along gives a scale or zero point, one number or one for each entry of an axis, the shape to broadcast.
func (n *node) along(r graph.Ref, like graph.Ref, axis int) graph.Ref {
	rank := len(n.shape(like))
	count := product(n.shape(r))
	if count == 1 {
		return n.reshape(r)
	}
	axis = n.axis(axis, rank)
	if len(n.shape(r)) == rank && rank > 1 {
		return n.blocked(r, like, axis)
	}
	if len(n.shape(r)) != 1 || count != n.shape(like)[axis] {
		unsupported("%v scales for shape %v", n.shape(r), n.shape(like))
	}
	shape := slices.Repeat([]int{1}, rank)
	shape[axis] = count
	return n.reshape(r, shape...)
}

// blocked repeats each entry along an axis for a block of elements.
func (n *node) blocked(r, like graph.Ref, axis int) graph.Ref {
	shape, d := slices.Clone(n.shape(r)), n.shape(like)[axis]
	block := n.integer("block_size", 0)
	if block == 0 {
		block = (d + shape[axis] - 1) / shape[axis]
	}
	if block < 1 || (d+block-1)/block != shape[axis] || len(shape) == graph.MaxRank {
		unsupported("%v scales for shape %v in blocks of %d", shape, n.shape(like), block)
	}
	wide := slices.Insert(slices.Clone(shape), axis+1, 1)
	full := slices.Clone(wide)
	full[axis+1] = block
	flat := slices.Clone(shape)
	flat[axis] *= block
	return n.slice(n.reshape(n.expand(n.reshape(r, wide...), full...), flat...), axis, 0, d, 1)
}

// quantizedTo is quantized for every element type, with scales by block too.
func (n *node) quantizedTo(x, scale, zero graph.Ref, e Element) graph.Ref {
	t := e.traits()
	y := n.div(x, scale)
	if e.isFloat() {
		return n.narrowed(y, e, n.saturates())
	}
	least, most := float32(0), float32(math.Ldexp(1, t.bits)-1)
	if t.signed {
		least, most = float32(-math.Ldexp(1, t.bits-1)), float32(math.Ldexp(1, t.bits-1)-1)
	}
	if t.bits > 16 {
		unsupported("quantising to %v", e)
	}
	y = n.round(y)
	if zero != graph.None {
		y = n.add(y, n.cast(zero, tensor.Float32))
	}
	return n.cast(n.min(n.max(y, n.f(least)), n.f(most)), t.carrier)
}

// quantized is saturate(round(x / scale) + zero) in an 8-bit type; the conversion saturates.
func (n *node) quantized(x, scale, zero graph.Ref, dt tensor.DType) graph.Ref {
	if dt != tensor.Uint8 && dt != tensor.Int8 {
		unsupported("quantising to %v", dt)
	}
	y := n.round(n.div(x, scale))
	if zero != graph.None {
		y = n.add(y, n.cast(zero, tensor.Float32))
	}
	return n.cast(y, dt)
}

func quantizeLinear(n *node) graph.Ref {
	x, axis := n.cast(n.need(0), tensor.Float32), n.integer("axis", 1)
	zero := graph.None
	if e := n.resultOf(0); e != Element(tensor.Uint8) && e != Element(tensor.Int8) || len(n.shape(n.need(1))) > 1 {
		if n.has(2) {
			zero = n.along(n.x(2), x, axis)
		}
		return n.quantizedTo(x, n.along(n.need(1), x, axis), zero, e)
	}
	if n.has(2) {
		zero = n.x(2)
		n.isByte(zero)
	} else {
		zero = n.expand(n.constant(tensor.From([]uint8{0})), n.shape(n.need(1))...)
	}
	if product(n.shape(zero)) == 1 && product(n.shape(n.need(1))) == 1 {
		return n.op("QuantizeLinear", nil, x, n.reshape(n.need(1)), n.reshape(zero))
	}
	return n.op("QuantizeLinear", graph.Attrs{"axis": n.axis(axis, len(n.shape(x)))}, x, n.need(1), zero)
}

func dequantizeLinear(n *node) graph.Ref {
	x, axis := n.need(0), n.integer("axis", 1)
	scale := n.along(n.need(1), x, axis)
	return n.mul(n.centred(x, 2, axis), scale)
}

// centred is an integer input, less the zero point in input i, as float32.
func (n *node) centred(x graph.Ref, i, axis int) graph.Ref {
	y := n.cast(x, tensor.Float32)
	if n.has(i) {
		y = n.sub(y, n.cast(n.along(n.x(i), x, axis), tensor.Float32))
	}
	return y
}

// dynamicQuantize takes scale and zero point from the least and greatest element.
func dynamicQuantize(n *node) []*value {
	x := n.need(0)
	all := upTo(len(n.shape(x)))
	low := n.min(n.f(0), n.reduce("ReduceMin", x, false, all...))
	high := n.max(n.f(0), n.reduce("ReduceMax", x, false, all...))
	scale := n.div(n.sub(high, low), n.f(255))
	zero := n.cast(n.round(n.div(n.op("Neg", nil, low), scale)), tensor.Uint8)
	return []*value{{ref: n.quantized(x, scale, zero, tensor.Uint8)}, {ref: scale}, {ref: zero}}
}

// isByte ends the rule if r is not an 8-bit integer.
func (n *node) isByte(r graph.Ref) {
	if dt := n.dtype(r); dt != tensor.Uint8 && dt != tensor.Int8 {
		unsupported("%v, want 8-bit integers", dt)
	}
}

// exactTerms is how many products of 8-bit integers less their zero points float32 adds without rounding.
const exactTerms = 256

// exact is the product of matrices of small integers in int64.
func (n *node) exact(a, b graph.Ref) graph.Ref {
	sa, sb := n.shape(a), n.shape(b)
	if len(sa) < 2 || len(sb) < 2 || sa[len(sa)-1] != sb[len(sb)-2] {
		unsupported("matrices of shape %v and %v", sa, sb)
	}
	k := sa[len(sa)-1]
	var sum graph.Ref
	for from := 0; from < k; from += exactTerms {
		to := min(k, from+exactTerms)
		part := n.cast(n.op("MatMul", nil, n.slice(a, len(sa)-1, from, to, 1), n.slice(b, len(sb)-2, from, to, 1)), tensor.Int64)
		if sum == graph.None {
			sum = part
		} else {
			sum = n.add(sum, part)
		}
	}
	return sum
}

func matMulInteger(n *node) graph.Ref {
	a, b := n.need(0), n.need(1)
	n.isByte(a)
	n.isByte(b)
	if y, ok := n.integerProduct(a, b, 2, 3); ok {
		return y
	}
	return n.cast(n.exact(n.centred(a, 2, -2), n.centred(b, 3, -1)), tensor.Int32)
}

// integerProduct is the engine's own product of matrices of 8-bit integers with zero points in inputs i and j, if it can have those.
func (n *node) integerProduct(a, b graph.Ref, i, j int) (graph.Ref, bool) {
	sa, sb := n.shape(a), n.shape(b)
	if len(sa) < 2 || len(sb) != 2 || n.has(i) && product(n.shape(n.x(i))) != 1 {
		return graph.None, false
	}
	if n.has(j) && product(n.shape(n.x(j))) != 1 && len(n.shape(n.x(j))) != 1 {
		return graph.None, false
	}
	return n.op("MatMulInteger", nil, n.withZeros(a, b, i, j)...), true
}

// withZeros are factors and their zero points, numbers where they are one number.
func (n *node) withZeros(a, b graph.Ref, i, j int) []graph.Ref {
	zero := func(at int, of graph.Ref) graph.Ref {
		switch {
		case !n.has(at):
			if n.dtype(of) == tensor.Int8 {
				return n.reshape(n.constant(tensor.From([]int8{0})))
			}
			return n.reshape(n.constant(tensor.From([]uint8{0})))
		case product(n.shape(n.x(at))) == 1:
			return n.reshape(n.x(at))
		}
		return n.x(at)
	}
	return []graph.Ref{a, b, zero(i, a), zero(j, b)}
}

// rescaled is round(sum · (a·b/y)) + zero in the type of the zero point.
func (n *node) rescaled(sum, a, b, y, zero graph.Ref) graph.Ref {
	factor := n.div(n.mul(a, b), y)
	r := n.add(n.round(n.mul(n.cast(sum, tensor.Float32), factor)), n.cast(zero, tensor.Float32))
	n.isByte(zero)
	return n.cast(r, n.dtype(zero))
}

func qLinearMatMul(n *node) graph.Ref {
	a, b := n.need(0), n.need(3)
	n.isByte(a)
	n.isByte(b)
	sum, ok := n.integerProduct(a, b, 2, 5)
	if !ok {
		sum = n.exact(n.centred(a, 2, -2), n.centred(b, 5, -1))
	}
	return n.rescaled(sum, n.along(n.need(1), a, -2), n.along(n.need(4), b, -1), n.along(n.need(6), a, -2), n.along(n.need(7), a, -2))
}

// integerConv is a convolution of the 8-bit integers in inputs x and weights with the zero points in two more.
func (n *node) integerConv(x, xZero, weights, wZero int) graph.Ref {
	a, b := n.need(x), n.need(weights)
	n.isByte(a)
	n.isByte(b)
	if sa, sb := n.shape(a), n.shape(b); len(sa) < 3 || len(sa) != len(sb) {
		unsupported("weights of shape %v for an input of shape %v", sb, sa)
	}
	w := n.window(slices.Clone(n.shape(a)[2:]), slices.Clone(n.shape(b)[2:]))
	attrs := w.attrs()
	attrs["group"] = n.integer("group", 1)
	return n.op("ConvInteger", attrs, n.withZeros(a, b, xZero, wZero)...)
}

func convInteger(n *node) graph.Ref { return n.integerConv(0, 2, 1, 3) }

func qLinearConv(n *node) graph.Ref {
	sum := n.cast(n.integerConv(0, 2, 3, 5), tensor.Int64)
	if n.has(8) {
		sum = n.add(sum, n.perChannel(n.cast(n.x(8), tensor.Int64), len(n.shape(sum)), n.shape(sum)[1]))
	}
	return n.rescaled(sum, n.along(n.need(1), sum, 1), n.along(n.need(4), sum, 1), n.along(n.need(6), sum, 1), n.along(n.need(7), sum, 1))
}

// quantizedElement is the type of the zero point, or the one that an attribute names.
func quantizedElement(n *node, _ int) Element {
	if n.has(2) {
		return n.element(2)
	}
	if a := n.attr("output_dtype"); a != nil && a.integer != 0 {
		return n.elementNumbered(a.integer)
	}
	return Element(tensor.Uint8)
}

// dequantizedElement is the type of the scale, or the one that an attribute names.
func dequantizedElement(n *node, _ int) Element {
	if a := n.attr("output_dtype"); a != nil && a.integer != 0 {
		return n.elementNumbered(a.integer)
	}
	return n.element(1)
}
