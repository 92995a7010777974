//go:build (amd64 || arm64) && !purego

package kernel

import (
	"math"
	"unsafe"
)

// thenTile is the argument of one assembly call: the steps of Then for a few rows and some vectors of columns.
// Strides are in bytes. Steps that are not asked for are done with a number that changes nothing.
type thenTile struct {
	rows             int
	c                unsafe.Pointer
	cRow             int
	rowBias          unsafe.Pointer
	rowStep          int // 4, or 0 to read one bias for all rows
	cols             unsafe.Pointer
	add              unsafe.Pointer
	addRow           int
	scale, low, high float32
	zero             float32    // added to the maximum: +0 turns the -0 that VMAXPS may return for a bound of +0 into +0
	mask             [16]uint32 // of two vectors, on amd64
	vectors          int        // of a row, on arm64
}

// minusZeros is added where nothing is: x ⊕ -0 = x for every x.
var minusZeros = func() (z [panelCols]float32) {
	for i := range z {
		z[i] = float32(math.Copysign(0, -1))
	}
	return z
}()

// fill sets what all tiles of a product have in common. It reports false if the assembly cannot do these steps: for
// bounds that are NaN, or -0 above.
func (s *thenTile) fill(t *Then, n int) bool {
	const size = 4
	*s = thenTile{cRow: size * n, scale: 1, low: float32(math.Inf(-1)), high: float32(math.Inf(1)), zero: minusZeros[0]}
	if t.Scale != 0 {
		s.scale = t.Scale
	}
	if t.Rows != nil {
		s.rowStep = size
	}
	if t.Add != nil {
		s.addRow = size * n
	}
	if t.Clip {
		s.low, s.high = t.Low, t.High
		if math.Float32bits(t.Low) == 0 {
			s.zero = 0
		}
	}
	return s.low == s.low && s.high == s.high && math.Float32bits(s.high) != signBit
}

// runThen does all steps but Apply, of which there are some, for a block of c.
func (p *product) runThen(s *matmulScratch, t *tiling, i0, i1, j0, j1 int) {
	if s.thenGeneric {
		p.thenRows(i0, i1, j0, j1)
		return
	}
	f := &s.then
	f.rows = i1 - i0
	f.rowBias, f.cols, f.add = unsafe.Pointer(&minusZeros[0]), unsafe.Pointer(&minusZeros[0]), unsafe.Pointer(&minusZeros[0])
	if p.then.Rows != nil {
		f.rowBias = unsafe.Pointer(&p.then.Rows[i0])
	}
	for j := j0; j < j1; j += t.width() {
		f.c = unsafe.Pointer(&p.c[i0*p.n+j])
		if p.then.Cols != nil {
			f.cols = unsafe.Pointer(&p.then.Cols[j])
		}
		if p.then.Add != nil {
			f.add = unsafe.Pointer(&p.then.Add[i0*p.n+j])
		}
		w := min(t.width(), j1-j)
		if done := t.then(f, w); done < w {
			p.thenRows(i0, i1, j+done, j+w)
		}
	}
}

// thenRows is the definition of runThen.
func (p *product) thenRows(i0, i1, j0, j1 int) {
	for i := i0; i < i1; i++ {
		p.then.generic(p.c[i*p.n+j0:i*p.n+j1], i, j0, p.n)
	}
}
