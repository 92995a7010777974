package exec

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
)

// scores is attention as files write it out: a product of queries and keys for each pair of matrices, scaled and masked, a softmax, and a
// product with values. Joined, the scores of a block of queries stay in the cache from the first product to the last, and goroutines share the
// pairs. Every step rounds as it does alone, and a row of scores needs no other row.
type scores struct {
	pairs, m, d, n, dv int // pairs of q [m, d] , k [d, n] and v [n, dv]
	q, k, v, y         int
	strideK, strideV   int  // 1, or 0 if all pairs share the keys or values
	transB, transV     bool // k is stored [n, d], v [dv, n]
	steps              []scoreStep
}

// scoreStep is what happens to scores between product and softmax.
type scoreStep struct {
	pair    *rowwise
	number  float32
	storage int  // of the other operand or condition, -1 for a number
	where   bool // scores are kept where the condition holds, and else are the number
	offsets []int
	row     int // strides of the other operand or condition
	col     int
}

// attention joins what begins with the product of instruction i, if it is of that form.
func (f *products) attention(i int) {
	first := &f.c.code[i]
	if first.call.Node.Op != "MatMul" {
		return
	}
	s := newMatMulShape(first)
	if first.transA || s.single() || s.l.rows != 1 || s.l.step[0] != 1 || s.l.step[1] != 1 {
		return
	}
	a := &scores{pairs: s.l.inner, m: s.m, d: s.k, n: s.n, q: first.in[0], k: first.in[1], strideK: s.l.step[2], transB: first.transB}
	shape := first.call.Out[0].Shape
	members, at := []int{i}, i
	for {
		z := f.c.code[at].out[0]
		if f.needed[z] || len(f.readers[z]) != 1 {
			return
		}
		at = f.readers[z][0]
		members = append(members, at)
		next := &f.c.code[at]
		switch {
		case next.then != nil || next.group != nil || !slices.Equal(next.call.Out[0].Shape, shape):
			return
		case next.call.Node.Op == "Softmax" && next.call.Axis() == len(shape)-1:
			f.finish(a, members, next.out[0])
			return
		default:
			step, ok := f.c.scoreStep(next, z, shape)
			if !ok {
				return
			}
			a.steps = append(a.steps, step)
		}
	}
}

// finish looks for the product with the values after the softmax and puts the joined instruction in its place.
func (f *products) finish(a *scores, members []int, weights int) {
	if f.needed[weights] || len(f.readers[weights]) != 1 {
		return
	}
	at := f.readers[weights][0]
	last := f.c.code[at]
	if last.call.Node.Op != "MatMul" || last.in[0] != weights || last.in[1] == weights || last.transA || last.then != nil {
		return
	}
	s := newMatMulShape(&last)
	if s.single() || s.l.rows != 1 || s.l.inner != a.pairs || s.l.step[0] != 1 || s.l.step[1] != 1 || s.m != a.m || s.k != a.n {
		return
	}
	a.v, a.dv, a.strideV, a.transV, a.y = last.in[1], s.n, s.l.step[2], last.transB, last.out[0]
	in := []int{a.q, a.k, a.v}
	for _, step := range a.steps {
		if step.storage >= 0 {
			in = append(in, step.storage)
		}
	}
	for _, m := range members {
		f.gone[m] = true
	}
	last.in, last.scores = in, a
	f.c.code[at] = last
}

// scoreStep is the step that an instruction makes of scores z, if it is one.
func (c *compiler) scoreStep(in *instruction, z int, shape []int) (scoreStep, bool) {
	op := in.call.Node.Op
	s := scoreStep{storage: -1}
	other := -1
	switch {
	case op == "Where" && in.in[1] == z && in.in[0] != z:
		fill := c.scalar(in.in[2])
		if fill == nil {
			return s, false
		}
		s.where, s.number, other = true, *fill, 0
	case fusedBinary[op] != nil && fusedBinary[op].rowScalar != nil && len(in.in) == 2 && in.in[0] != in.in[1]:
		s.pair = fusedBinary[op]
		if other = 1; in.in[1] == z {
			other = 0
		}
		if other == 0 && !s.pair.commutative {
			return s, false
		}
		if number := c.scalar(in.in[other]); number != nil {
			s.number = *number
			return s, true
		}
	default:
		return s, false
	}
	s.storage = in.in[other]
	s.placed(in.call.In[other], shape)
	return s, s.where || s.col <= 1
}

// placed says where in the other operand the scores of each pair have theirs.
func (s *scoreStep) placed(v graph.Value, shape []int) {
	strides := broadcastStrides(v.Shape, shape)
	lead := len(shape) - 2
	s.row, s.col = strides[lead], strides[lead+1]
	s.offsets = []int{0}
	for axis, d := range shape[:lead] {
		var next []int
		for _, at := range s.offsets {
			for i := range d {
				next = append(next, at+i*strides[axis])
			}
		}
		s.offsets = next
	}
}

// run does the step to scores of the queries lo to hi of a pair.
func (s *scoreStep) run(p *Program, x []float32, pair, lo, hi, n int) {
	if s.storage < 0 {
		s.pair.rowScalar(x, x, s.number)
		return
	}
	for i := lo; i < hi; i++ {
		row, at := x[(i-lo)*n:(i-lo+1)*n], s.offsets[pair]+i*s.row
		switch {
		case s.where:
			keep := p.values[s.storage].Bool()
			for j := range row {
				if !keep[at+j*s.col] {
					row[j] = s.number
				}
			}
		case s.col == 0:
			s.pair.rowScalar(row, row, p.f32[s.storage][at])
		default:
			s.pair.rows(row, row, p.f32[s.storage][at:at+n])
		}
	}
}

// emitScores takes one pair after the other, keys and values packed once for all of its queries.
func emitScores(c *compiler, in *instruction) func(*Program) error {
	a := in.scores
	block := min(queryBlock, a.m)
	scratch := block * a.n
	packs := a.m >= packQueries
	if packs {
		scratch += kernel.PackedLen(a.d, a.n) + kernel.PackedLen(a.n, a.dv)
	}
	w := newCrew(c, a.pairs, scratch)
	return func(p *Program) error {
		w.do(p, a.pairs, func(p *Program, pair int, scratch []float32) {
			q, y := p.f32[a.q][pair*a.m*a.d:][:a.m*a.d], p.f32[a.y][pair*a.m*a.dv:][:a.m*a.dv]
			k, v := p.f32[a.k][pair*a.strideK*a.d*a.n:][:a.d*a.n], p.f32[a.v][pair*a.strideV*a.n*a.dv:][:a.n*a.dv]
			var keys, values kernel.Packed
			if packs {
				rest := scratch[block*a.n:]
				keys, rest = kernel.PackInto(rest, k, a.d, a.n, a.transB)
				values, _ = kernel.PackInto(rest, v, a.n, a.dv, a.transV)
			}
			for lo := 0; lo < a.m; lo += block {
				hi := min(lo+block, a.m)
				x, out := scratch[:(hi-lo)*a.n], y[lo*a.dv:hi*a.dv]
				if packs {
					kernel.MatMulPart(x, q[lo*a.d:hi*a.d], &keys, hi-lo, a.d, a.n, nil)
				} else {
					kernel.MatMul(x, q[lo*a.d:hi*a.d], k, hi-lo, a.d, a.n, false, a.transB)
				}
				for i := range a.steps {
					a.steps[i].run(p, x, pair, lo, hi, a.n)
				}
				kernel.Softmax(x, x, hi-lo, a.n)
				if packs {
					kernel.MatMulPart(out, x, &values, hi-lo, a.n, a.dv, nil)
				} else {
					kernel.MatMul(out, x, v, hi-lo, a.n, a.dv, false, a.transV)
				}
			}
		})
		return nil
	}
}
