package kernel

import "math"

// Then is what follows a matrix product before its result leaves the cache. The steps that are asked for are done in
// this order, each rounded on its own, so that the bits are those of separate operations:
//
//	y = c[i,j]
//	y = y ⊗ Scale                       unless Scale is 0
//	y = y ⊕ Rows[i]                     unless Rows is nil: one bias per row, as of a channel-first convolution
//	y = y ⊕ Cols[j]                     unless Cols is nil: one bias per column, as of a dense layer
//	y = y ⊕ Add[i,j]                    unless Add is nil: a residual of the shape of c
//	y = min(max(y, Low), High)          if Clip; with bounds 0 and +Inf that is Relu
//	y = Apply(y)                        unless Apply is nil: any elementwise function of this package, as Sigmoid
//
// The slices are read during the call only and must not overlap c. Apply gets pieces of rows of c, dst and src being
// the same slice, on several goroutines at once, and must not depend on how c is cut.
type Then struct {
	Scale           float32
	Rows, Cols, Add []float32
	Clip            bool
	Low, High       float32
	Apply           func(dst, src []float32)
}

// Relu is the bounds of Clip that make it Relu.
func (t Then) Relu() Then {
	t.Clip, t.Low, t.High = true, 0, float32(math.Inf(1))
	return t
}

// check panics if a length does not fit a product of m rows and n columns.
func (t *Then) check(m, n int) {
	if t.Rows != nil {
		checkLen("Rows", len(t.Rows), m)
	}
	if t.Cols != nil {
		checkLen("Cols", len(t.Cols), n)
	}
	if t.Add != nil {
		checkLen("Add", len(t.Add), m*n)
	}
}

// plain reports whether Apply is the only step, if any.
func (t *Then) plain() bool {
	return t.Scale == 0 && t.Rows == nil && t.Cols == nil && t.Add == nil && !t.Clip
}

// generic is the definition of all steps but Apply, for the columns from j on of row i, n being the columns of c.
func (t *Then) generic(c []float32, i, j, n int) {
	for l, y := range c {
		if t.Scale != 0 {
			y = float32(y * t.Scale)
		}
		if t.Rows != nil {
			y += t.Rows[i]
		}
		if t.Cols != nil {
			y += t.Cols[j+l]
		}
		if t.Add != nil {
			y += t.Add[i*n+j+l]
		}
		if t.Clip {
			y = minimumGeneric(maximumGeneric(y, t.Low), t.High)
		}
		c[l] = y
	}
}

// thenGeneric does all steps for the rows lo to hi of c.
func (p *product) thenGeneric(lo, hi int) {
	if p.then == nil {
		return
	}
	for i := lo; i < hi; i++ {
		p.then.generic(p.c[i*p.n:(i+1)*p.n], i, 0, p.n)
	}
	p.apply(lo, hi, 0, p.n)
}

// apply does the last step for a block of c.
func (p *product) apply(i0, i1, j0, j1 int) {
	if p.then == nil || p.then.Apply == nil {
		return
	}
	for i := i0; i < i1; i++ {
		row := p.c[i*p.n+j0 : i*p.n+j1]
		p.then.Apply(row, row)
	}
}
