package kernel

import (
	"runtime"
	"sync"
)

// MatMulAdd continues the sums of MatMul: c[i,j], which holds T after some blocks of k (spec/numerics.md §3), is added the blocks of
// a and b in ascending order. With c zero it is MatMul.
func MatMulAdd(c, a, b []float32, m, k, n int, transA, transB bool) {
	checkLen("a", len(a), m*k)
	checkLen("b", len(b), k*n)
	checkLen("c", len(c), m*n)
	p := newProduct(c, a, b, m, k, n, transA, transB)
	p.continued = true
	if k > 0 {
		p.start()
	}
}

// convBuffer is what one goroutine needs for derivatives of convolutions; kept between calls.
type convBuffer struct{ columns, sums []float32 }

var convBuffers = sync.Pool{New: func() any { return new(convBuffer) }}

// patchElements bounds the columns that one goroutine lays out at a time: 1 MiB, half of a usual L2 cache.
const patchElements = 1 << 18

// ConvWeightGrad sets dw to the derivative by the weights of a convolution:
//
//	dw[o,c,p] = Σ_b Σ_j dy[b,o,j]·x[b,c,j at place p]
//
// Images b in ascending order; within an image the positions j in row-major order are contracted as MatMul contracts k, in blocks of
// 256 from position 0, and T goes on from one image to the next. Padding takes part as products with +0. Shapes are those of Conv:
// dy [Batch, Groups·Outputs, out...], x [Batch, Groups·Channels, in...], dw [Groups·Outputs, Channels, window...].
// It panics if a length does not fit. Order: spec/numerics.md §13.
func ConvWeightGrad(dw, dy, x []float32, s ConvShape) {
	k, n := s.depth(), s.out()
	checkLen("dw", len(dw), s.Groups*s.Outputs*k)
	checkLen("dy", len(dy), s.Batch*s.Groups*s.Outputs*n)
	checkLen("x", len(x), s.Batch*s.Groups*s.Channels*s.in())
	rows := max(1, min(patchElements/n, (k+2*runtime.GOMAXPROCS(0)-1)/(2*runtime.GOMAXPROCS(0))))
	if runtime.GOMAXPROCS(0) == 1 {
		rows = max(1, min(patchElements/n, k))
	}
	tasks := (k + rows - 1) / rows
	g := convGradient{ConvShape: s, dw: dw, dy: dy, x: x}
	if s.Groups*tasks == 1 || runtime.GOMAXPROCS(0) == 1 {
		for i := range s.Groups * tasks {
			g.run(i/tasks, i%tasks*rows, min(i%tasks*rows+rows, k))
		}
		return
	}
	q := g // a copy, so that g itself stays on the stack in the serial case
	parallel(s.Groups*tasks, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			q.run(i/tasks, i%tasks*rows, min(i%tasks*rows+rows, k))
		}
	})
}

// convGradient is one derivative by weights.
type convGradient struct {
	ConvShape
	dw, dy, x []float32
}

// run computes, for all outputs of a group, the weights from lo to hi, counted as (channel, place).
func (g *convGradient) run(group, lo, hi int) {
	s := convBuffers.Get().(*convBuffer)
	defer convBuffers.Put(s)
	rows, n, k := hi-lo, g.out(), g.depth()
	s.columns = sized(s.columns, rows*n)
	s.sums = sized(s.sums, rows*g.Outputs)
	clear(s.sums)
	// Either factor may be the left one, a product of two numbers being the same both ways: the one that fills vectors better.
	swapped := g.Outputs%panelCols == 0 || g.Outputs >= rows
	for b := range g.Batch {
		at := b*g.Groups + group
		g.patches(s.columns, g.x[at*g.Channels*g.in():][:g.Channels*g.in()], lo, hi)
		dy := g.dy[at*g.Outputs*n:][:g.Outputs*n]
		if swapped {
			MatMulAdd(s.sums, s.columns, dy, rows, n, g.Outputs, false, true)
		} else {
			MatMulAdd(s.sums, dy, s.columns, g.Outputs, n, rows, false, true)
		}
	}
	for o := range g.Outputs {
		out := g.dw[(group*g.Outputs+o)*k+lo:][:rows]
		if !swapped {
			copy(out, s.sums[o*rows:])
			continue
		}
		for i := range out {
			out[i] = s.sums[i*g.Outputs+o]
		}
	}
}

// patches sets a row of columns for each weight from lo to hi to what its place reads at all outputs.
func (g *convGradient) patches(columns, x []float32, lo, hi int) {
	n, places := g.out(), g.places()
	for i := lo; i < hi; i++ {
		plane, p := x[i/places*g.in():][:g.in()], i%places
		k2, k1, k0 := p%g.Window[2].Kernel, p/g.Window[2].Kernel%g.Window[1].Kernel, p/g.Window[2].Kernel/g.Window[1].Kernel
		g.read(columns[(i-lo)*n:][:n], plane, k0, k1, k2)
	}
}

// read sets dst to what one place of the window reads at all outputs, padding being +0.
func (g *convGradient) read(dst, plane []float32, k0, k1, k2 int) {
	w := &g.Window
	last := &w[2]
	start := k2*last.Dilation - last.Before
	from, to := last.inside(start)
	if last.Stride == 1 && w[1].Stride == 1 && last.In == last.Out && from < to {
		g.shift(dst, plane, k0, k1*w[1].Dilation-w[1].Before, start, from, to)
		return
	}
	for o0 := range w[0].Out {
		i0 := o0*w[0].Stride + k0*w[0].Dilation - w[0].Before
		for o1 := range w[1].Out {
			i1 := o1*w[1].Stride + k1*w[1].Dilation - w[1].Before
			row := dst[:last.Out]
			dst = dst[last.Out:]
			if i0 < 0 || i0 >= w[0].In || i1 < 0 || i1 >= w[1].In || from >= to {
				clear(row)
				continue
			}
			src := plane[(i0*w[1].In+i1)*last.In:][:last.In]
			clear(row[:from])
			clear(row[to:])
			if last.Stride == 1 {
				copy(row[from:to], src[start+from:])
				continue
			}
			for o := from; o < to; o++ {
				row[o] = src[start+o*last.Stride]
			}
		}
	}
}

// shift is read for a window that moves by one and gives rows as long as those of the input: the rows are a piece of the input, moved
// down and right, but for what then comes from a neighbouring row.
func (g *convGradient) shift(dst, plane []float32, k0, down, right, from, to int) {
	w := &g.Window
	width := w[2].In
	top, bottom := w[1].inside(down)
	for o0 := range w[0].Out {
		i0 := o0*w[0].Stride + k0*w[0].Dilation - w[0].Before
		out := dst[:w[1].Out*width]
		dst = dst[len(out):]
		if i0 < 0 || i0 >= w[0].In || top == bottom {
			clear(out)
			continue
		}
		clear(out[:top*width])
		clear(out[bottom*width:])
		rows := out[top*width : bottom*width]
		src := plane[(i0*w[1].In+top+down)*width+right+from:]
		copy(rows[from:len(rows)-(width-to)], src)
		for ; len(rows) > 0; rows = rows[width:] {
			clear(rows[:from])
			clear(rows[to:width])
		}
	}
}

// inside is the range of outputs for which start + output·Stride is not padding.
func (a *Axis) inside(start int) (from, to int) {
	if start < 0 {
		from = min(a.Out, (-start+a.Stride-1)/a.Stride)
	}
	if start < a.In {
		to = min(a.Out, (a.In-1-start)/a.Stride+1)
	}
	return from, max(from, to)
}

// sized returns a slice of n elements of any contents, s itself if it is large enough.
func sized(s []float32, n int) []float32 {
	if n > cap(s) {
		s = make([]float32, n)
	}
	return s[:n]
}
