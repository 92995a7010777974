package kernel

import (
	"math"
	"runtime"
	"sync"
)

// Pool is MaxPool or SumPool of one shape. It is not changed by use and safe for concurrent use.
type Pool struct {
	Window
	planes     int
	op         binaryOp
	fill       float32
	stage      *staging // nil if a staging would be too large
	rows, cols int      // outputs that are staged together
}

// MaxPool sets y[c,j] to the greatest element that window j reads of plane c, by the rule of Maximum; padding is -Inf. x is
// [planes, in...] and y is [planes, out...]. Source: ONNX MaxPool-12 without indices.
func MaxPool(planes int, w Window) *Pool { return newPool(planes, w, opMaximum, float32(math.Inf(-1))) }

// SumPool sets y[c,j] to the sum of what window j reads of plane c, places in row-major order added from the first to the last;
// padding is +0. Shapes are those of MaxPool. Order: spec/numerics.md §12.
func SumPool(planes int, w Window) *Pool { return newPool(planes, w, opAdd, 0) }

func newPool(planes int, w Window, op binaryOp, fill float32) *Pool {
	p := &Pool{Window: w, planes: planes, op: op, fill: fill}
	p.cols = min(w[2].Out, 1024)
	p.rows = max(1, min(w[1].Out, stagedPlane/(p.cols*w[0].Kernel*min(w[1].Stride, w[1].Kernel)*min(w[2].Stride, w[2].Kernel))))
	p.stage = stagingOf(&w, p.rows, p.cols)
	return p
}

// stagedPlane is how many elements of a plane are staged together at most, about: they fit half of an L1 cache.
const stagedPlane = 4096

// poolScratches hold staged planes and folds of them.
var poolScratches = sync.Pool{New: func() any { return new([]float32) }}

// Run computes y. It panics if a length does not fit.
func (p *Pool) Run(y, x []float32) {
	checkLen("x", len(x), p.planes*p.in())
	checkLen("y", len(y), p.planes*p.out())
	const foldsPerTask = 1 << 17
	grain := max(1, foldsPerTask/(p.out()*p.places()))
	if p.planes <= grain || runtime.GOMAXPROCS(0) == 1 {
		p.some(y, x, 0, p.planes)
		return
	}
	parallel(p.planes, grain, func(lo, hi int) { p.some(y, x, lo, hi) })
}

// some computes some planes.
func (p *Pool) some(y, x []float32, lo, hi int) {
	scratch := poolScratches.Get().(*[]float32)
	for c := lo; c < hi; c++ {
		in, out := x[c*p.in():][:p.in()], y[c*p.out():][:p.out()]
		if p.stage == nil {
			p.gathered(out, in, scratch)
		} else {
			p.staged(out, in, scratch)
		}
	}
	poolScratches.Put(scratch)
}

// room is n elements of scratch.
func room(scratch *[]float32, n int) []float32 {
	if cap(*scratch) < n {
		*scratch = make([]float32, n)
	}
	return (*scratch)[:n]
}

// gathered folds row by row: the definition.
func (p *Pool) gathered(y, x []float32, scratch *[]float32) {
	width := p.Window[2].Out
	read := room(scratch, width)
	for r := range p.out() / width {
		out := y[r*width:][:width]
		p.row(out, x, r, 0, [3]int{}, p.fill)
		for k := 1; k < p.places(); k++ {
			p.row(read, x, r, 0, p.place(k), p.fill)
			binaryActive(p.op, out, out, read)
		}
	}
}

// staged folds whole pieces of a staged plane: rows of outputs with what is staged between them, which is dropped at the end.
func (p *Pool) staged(y, x []float32, scratch *[]float32) {
	w, s := &p.Window, p.stage
	size := s.channel(w)
	both := room(scratch, size+p.rows*s.cols)
	band, fold := both[:size], both[size:]
	for o := range w[0].Out {
		for r := 0; r < w[1].Out; r += p.rows {
			rows := min(p.rows, w[1].Out-r)
			for c := 0; c < w[2].Out; c += p.cols {
				cols := min(p.cols, w[2].Out-c)
				s.fill(band, x, w, o, r, c, p.fill)
				part := fold[:(rows-1)*s.cols+cols]
				copy(part, band[s.offsets[0]:])
				for _, at := range s.offsets[1:] {
					binaryActive(p.op, part, part, band[at:][:len(part)])
				}
				for i := range rows {
					copy(y[(o*w[1].Out+r+i)*w[2].Out+c:][:cols], part[i*s.cols:])
				}
			}
		}
	}
}
