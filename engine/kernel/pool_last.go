package kernel

import (
	"runtime"
)

// PoolLast is MaxPool for values that have their channels last. It is not changed by use and safe for concurrent use.
type PoolLast struct {
	Window
	batch, channels int
	offsets         []int // of the places of a window that has no padding, in bytes from the first
	inner           [2]stretch
}

// MaxPoolLast sets y to what MaxPool does; x is [batch, in..., channels] and y is [batch, out..., channels]. The maximum of some numbers is the
// same in whatever order they are taken, so rows are folded first, then columns.
func MaxPoolLast(batch, channels int, w Window) *PoolLast {
	p := &PoolLast{Window: w, batch: batch, channels: channels}
	if w[0] != (Axis{1, 1, 1, 1, 0, 1}) || w[2].Stride == 1 {
		return p // folds of whole rows are faster
	}
	for k := range w.places() {
		at := w.place(k)
		p.offsets = append(p.offsets, 4*channels*(at[1]*w[1].Dilation*w[2].In+at[2]*w[2].Dilation))
	}
	for i, a := range w[1:] {
		lead := min(a.Out, (a.Before+a.Stride-1)/a.Stride)
		last := a.In - 1 - (a.Kernel-1)*a.Dilation + a.Before // what the last output that reads no padding begins at
		if last >= lead*a.Stride {
			p.inner[i] = stretch{lead: lead, n: min(a.Out, last/a.Stride+1) - lead}
		}
	}
	return p
}

// Run computes y. It panics if a length does not fit.
func (p *PoolLast) Run(y, x []float32) {
	checkLen("x", len(x), p.batch*p.channels*p.in())
	checkLen("y", len(y), p.batch*p.channels*p.out())
	rows := p.batch * p.Window[0].Out * p.Window[1].Out
	const foldsPerTask = 1 << 17
	grain := max(1, foldsPerTask/(p.channels*(p.Window[2].In*p.Window[0].Kernel*p.Window[1].Kernel+p.Window[2].Out*p.Window[2].Kernel)))
	if rows <= grain || runtime.GOMAXPROCS(0) == 1 {
		p.some(y, x, 0, rows)
		return
	}
	parallel(rows, grain, func(lo, hi int) { p.some(y, x, lo, hi) })
}

// some computes some rows of outputs, counted over all images.
func (p *PoolLast) some(y, x []float32, lo, hi int) {
	w, n := &p.Window, p.channels
	scratch := poolScratches.Get().(*[]float32)
	width := w[2].In * n
	fold := room(scratch, width)
	for r := lo; r < hi; r++ {
		out := y[r*w[2].Out*n:][:w[2].Out*n]
		image, line := r/(w[0].Out*w[1].Out), r%(w[0].Out*w[1].Out)
		in := x[image*p.in()*n:][:p.in()*n]
		if p.unpadded(out, in, line) {
			continue
		}
		if !p.foldRows(fold, in, line/w[1].Out, line%w[1].Out) {
			spread(out, negativeInfinity)
			continue
		}
		p.foldColumns(out, fold)
	}
	poolScratches.Put(scratch)
}

// unpadded computes a row of outputs that reads no padding but at its ends, if there is a fast way.
func (p *PoolLast) unpadded(out, x []float32, line int) bool {
	w, n, rows, cols := &p.Window, p.channels, p.inner[0], p.inner[1]
	if line < rows.lead || line >= rows.lead+rows.n || cols.n == 0 {
		return false
	}
	top := line*w[1].Stride - w[1].Before
	from := x[(top*w[2].In+cols.lead*w[2].Stride-w[2].Before)*n:]
	if !maxPixels(out[cols.lead*n:], from, 4*w[2].Stride*n, p.offsets, cols.n, n) {
		return false
	}
	for o := range w[2].Out {
		if o >= cols.lead && o < cols.lead+cols.n {
			continue
		}
		pixel := out[o*n:][:n]
		spread(pixel, negativeInfinity)
		for k := range w.places() {
			at := w.place(k)
			if i := o*w[2].Stride + at[2]*w[2].Dilation - w[2].Before; i >= 0 && i < w[2].In {
				binaryActive(opMaximum, pixel, pixel, x[((top+at[1]*w[1].Dilation)*w[2].In+i)*n:][:n])
			}
		}
	}
	return true
}

// foldRows sets fold to the maximum of the rows that a row of outputs reads. It reports false if there are none.
func (p *PoolLast) foldRows(fold, x []float32, o0, o1 int) bool {
	w, any := &p.Window, false
	for k0 := range w[0].Kernel {
		for k1 := range w[1].Kernel {
			i0, i1 := o0*w[0].Stride+k0*w[0].Dilation-w[0].Before, o1*w[1].Stride+k1*w[1].Dilation-w[1].Before
			if i0 < 0 || i0 >= w[0].In || i1 < 0 || i1 >= w[1].In {
				continue
			}
			row := x[(i0*w[1].In+i1)*len(fold):][:len(fold)]
			if any {
				binaryActive(opMaximum, fold, fold, row)
			} else {
				copy(fold, row)
			}
			any = true
		}
	}
	return any
}

// foldColumns sets out to the maxima of what each output reads of a row.
func (p *PoolLast) foldColumns(out, row []float32) {
	a, n := p.Window[2], p.channels
	if a.Stride == 1 {
		spread(out, negativeInfinity)
		for k := range a.Kernel {
			if s := inside(k*a.Dilation-a.Before, 1, a.Out, a.In); s.n > 0 {
				part := out[s.lead*n:][:s.n*n]
				binaryActive(opMaximum, part, part, row[s.at*n:][:s.n*n])
			}
		}
		return
	}
	for o := range a.Out {
		pixel := out[o*n:][:n]
		s := inside(o*a.Stride-a.Before, a.Dilation, a.Kernel, a.In)
		if s.n == 0 {
			spread(pixel, negativeInfinity)
			continue
		}
		copy(pixel, row[s.at*n:])
		for k := 1; k < s.n; k++ {
			binaryActive(opMaximum, pixel, pixel, row[(s.at+k*a.Dilation)*n:][:n])
		}
	}
}
