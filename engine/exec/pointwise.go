package exec

import (
	"slices"
	"sync"

	"github.com/mutirao/mutirao/engine/tensor"
)

// pointwise is a function of one number as several operators in a row, the others of their operands being constants: a Gelu that a
// file writes as Div, Erf, Add, Mul and Mul, or x·sigmoid(x). It runs on short pieces, so that what is between the operators stays in
// the cache; each operator rounds as it does alone.
type pointwise struct {
	steps []pointStep
}

// pointStep is one operator. Its operands are places of values; the result goes to place out.
type pointStep struct {
	unary func(dst, src []float32)
	pair  *rowwise
	a, b  pointOperand
	out   int
}

// pointOperand is a place or, if scalar is set, a number.
type pointOperand struct {
	place  int
	scalar bool
	number float32
}

// Places of a pointwise function: its argument, its result, and intermediate results.
const (
	pointX = iota
	pointY
	pointTemporary
	pointPlaces = 4
	// maxPointwise bounds the operators that are joined.
	maxPointwise = 16
)

// pointBuffers holds intermediate results between calls.
var pointBuffers = sync.Pool{New: func() any { return new([pointPlaces - pointTemporary][chunkLength]float32) }}

// apply sets dst to the function of src. dst may be src.
func (f *pointwise) apply(dst, src []float32) {
	if one := f.steps[0].unary; one != nil && len(f.steps) == 1 {
		one(dst, src)
		return
	}
	buffers := pointBuffers.Get().(*[pointPlaces - pointTemporary][chunkLength]float32)
	for lo := 0; lo < len(src); lo += chunkLength {
		hi := min(lo+chunkLength, len(src))
		places := [pointPlaces][]float32{src[lo:hi], dst[lo:hi]}
		for i := range buffers {
			places[pointTemporary+i] = buffers[i][:hi-lo]
		}
		for i := range f.steps {
			f.steps[i].run(&places)
		}
	}
	pointBuffers.Put(buffers)
}

func (s *pointStep) run(places *[pointPlaces][]float32) {
	out := places[s.out]
	switch {
	case s.unary != nil:
		s.unary(out, places[s.a.place])
	case !s.a.scalar && !s.b.scalar:
		s.pair.rows(out, places[s.a.place], places[s.b.place])
	case s.b.scalar:
		s.pair.rowScalar(out, places[s.a.place], s.b.number)
	case s.pair.commutative:
		s.pair.rowScalar(out, places[s.b.place], s.a.number)
	default:
		s.pair.scalarRow(out, s.a.number, places[s.b.place])
	}
}

// isPointwise reports whether an instruction is an elementwise operator on float32 whose operands are constants of one element and
// values of x's or the group's, all of n elements.
func (c *compiler) isPointwise(in *instruction, group []int, n int) bool {
	op := in.call.Node.Op
	if in.then != nil || in.call.Out[0].DType != tensor.Float32 || in.call.Out[0].Len() != n {
		return false
	}
	if fusedUnary[op] == nil && (fusedBinary[op] == nil || fusedBinary[op].rowScalar == nil || len(in.in) != 2) {
		return false
	}
	values := 0
	for _, id := range in.in {
		switch {
		case slices.Contains(group, id):
			values++
		case c.scalar(id) == nil:
			return false
		}
	}
	return values > 0
}

// scalar is the constant of one element that a storage holds, nil if it holds something else.
func (c *compiler) scalar(id int) *float32 {
	t := c.initializers[id]
	if t == nil || t.DType() != tensor.Float32 || t.Len() != 1 {
		return nil
	}
	return &t.Float32()[0]
}

// pointwiseGroup finds operators that together are a function of storage x, ending with one value that others read. It returns
// their numbers in the code, ascending, or nil.
func (f *products) pointwiseGroup(x int) []int {
	n := f.c.storages[x].len
	values := []int{x}
	var members, next []int
	add := func(id int) {
		if len(f.readers[id]) <= maxPointwise { // more cannot all be members
			next = append(next, f.readers[id]...)
		}
	}
	add(x)
	for len(next) > 0 && len(members) < maxPointwise {
		slices.Sort(next)
		i := next[0]
		next = slices.Compact(next)[1:]
		in := &f.c.code[i]
		if f.gone[i] || !f.c.isPointwise(in, values, n) {
			continue
		}
		members = append(members, i)
		values = append(values, in.out[0])
		add(in.out[0])
	}
	for ; len(members) > 0; members = members[:len(members)-1] {
		if f.closed(members) {
			return members
		}
	}
	return nil
}

// closed reports whether only the last of the members has a value that anything else reads.
func (f *products) closed(members []int) bool {
	for _, i := range members[:len(members)-1] {
		id := f.c.code[i].out[0]
		if f.needed[id] {
			return false
		}
		for _, r := range f.readers[id] {
			if !slices.Contains(members, r) {
				return false
			}
		}
	}
	return true
}

// compose makes a pointwise function of instructions that are a group; false if it needs too many places.
func (c *compiler) compose(x int, members []int) (*pointwise, bool) {
	f := &pointwise{}
	place := map[int]int{x: pointX}
	last := map[int]int{} // storage -> the member that reads it last
	for _, i := range members {
		for _, id := range c.code[i].in {
			last[id] = i
		}
	}
	var used [pointPlaces]bool
	for _, i := range members {
		in := &c.code[i]
		op := in.call.Node.Op
		operand := func(id int) pointOperand {
			if p, ok := place[id]; ok {
				return pointOperand{place: p}
			}
			return pointOperand{scalar: true, number: *c.scalar(id)}
		}
		s := pointStep{unary: fusedUnary[op], pair: fusedBinary[op], a: operand(in.in[0]), out: pointY}
		if s.pair != nil {
			s.b = operand(in.in[1])
		}
		for _, id := range in.in {
			if p, ok := place[id]; ok && last[id] == i && p >= pointTemporary {
				used[p] = false
			}
		}
		if i != members[len(members)-1] {
			s.out = slices.Index(used[pointTemporary:], false) + pointTemporary
			if s.out < pointTemporary {
				return nil, false
			}
			used[s.out] = true
		}
		place[in.out[0]] = s.out
		f.steps = append(f.steps, s)
	}
	return f, true
}
