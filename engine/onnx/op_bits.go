package onnx

import (
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// bitRules work on the bits of integers, by arithmetic of int64.
var bitRules = map[string]rule{
	"BitShift":   one(bitShift),
	"BitwiseNot": one(func(n *node) graph.Ref { return n.bitsBack(n.sub(n.i(-1), n.bits(0))) }),
	"BitwiseAnd": one(func(n *node) graph.Ref {
		return n.bitsBack(n.bitAnd(n.bits(0), n.bits(1)))
	}),
	"BitwiseOr": one(func(n *node) graph.Ref { // a + b - (a and b)
		a, b := n.bits(0), n.bits(1)
		return n.bitsBack(n.sub(n.add(a, b), n.bitAnd(a, b)))
	}),
	"BitwiseXor": one(func(n *node) graph.Ref { // a + b - 2(a and b)
		a, b := n.bits(0), n.bits(1)
		return n.bitsBack(n.sub(n.add(a, b), n.mul(n.i(2), n.bitAnd(a, b))))
	}),
}

// bits is an integer input as int64.
func (n *node) bits(i int) graph.Ref {
	x := n.need(i)
	if dt := n.dtype(x); dt == tensor.Float32 || dt == tensor.Bool {
		unsupported("%v, want integers", n.element(i))
	}
	return n.cast(x, tensor.Int64)
}

// bitsBack is a result in the carrier of input 0.
func (n *node) bitsBack(x graph.Ref) graph.Ref { return n.cast(x, n.element(0).Carrier()) }

// bitShift multiplies by a power of two or divides by it. To the right a signed number keeps its sign, and zeros come into others. By a
// negative number, or as many bits as the type has or more, all bits go.
func bitShift(n *node) graph.Ref {
	x, by := n.bits(0), n.bits(1)
	traits := n.element(0).traits()
	out := n.or(n.compare("Greater", by, n.i(int64(traits.bits-1))), n.negative(by))
	by = n.where(out, n.i(0), by)
	powers := make([]int64, 64)
	for i := range powers {
		powers[i] = 1 << i
	}
	power := n.op("Gather", nil, n.constant(tensor.FromInt64(powers, 64)), by)
	gone := n.i(0)
	var y graph.Ref
	switch d := n.text("direction", ""); {
	case d == "LEFT":
		y = n.mul(x, power)
	case d == "RIGHT" && traits.signed: // rounded down
		y = n.div(x, power)
		below := n.and(n.negative(x), n.not(n.compare("Equal", n.mul(y, power), x)))
		y = n.where(below, n.sub(y, n.i(1)), y)
		y = n.where(n.and(n.negative(x), n.compare("Equal", by, n.i(63))), n.i(-1), y) // 2^63 is no int64
		gone = n.where(n.negative(x), n.i(-1), gone)
	case d == "RIGHT":
		// The sign bit of uint64 goes ahead: half of x by half of the power.
		y = n.where(n.compare("Equal", by, n.i(0)), x, n.div(n.half(x), n.max(n.half(power), n.i(1))))
	default:
		unsupported("direction %q", d)
	}
	return n.bitsBack(n.where(out, gone, y))
}

// bitAnd goes through the numbers four bits at a time, from the lowest, with a table of the 256 pairs.
func (n *node) bitAnd(a, b graph.Ref) graph.Ref {
	table := make([]int64, 256)
	for i := range table {
		table[i] = int64(i>>4) & int64(i&15)
	}
	pairs := n.constant(tensor.FromInt64(table, 256))
	nibble := func(x graph.Ref) (low, rest graph.Ref) { // rest is x/16, rounded down; low is from 0 to 15
		q := n.div(x, n.i(16))
		r := n.sub(x, n.mul(q, n.i(16)))
		below := n.negative(r)
		return n.where(below, n.add(r, n.i(16)), r), n.where(below, n.sub(q, n.i(1)), q)
	}
	var sum graph.Ref
	for shift := 0; shift < 64; shift += 4 {
		var la, lb graph.Ref
		la, a = nibble(a)
		lb, b = nibble(b)
		part := n.mul(n.op("Gather", nil, pairs, n.add(n.mul(la, n.i(16)), lb)), n.i(1<<shift))
		if sum == graph.None {
			sum = part
		} else {
			sum = n.add(sum, part)
		}
	}
	return sum
}
