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
	stage      *staging    // nil if a staging would be too large
	near       *nearWindow // nil if there is no assembly for whole planes
	apart      *apart      // nil if places are folded one by one
	rows, cols int         // outputs that are staged together
}

// MaxPool sets y[c,j] to the greatest element that window j reads of plane c, by the rule of Maximum; padding is -Inf. x is
// [planes, in...] and y is [planes, out...]. Source: ONNX MaxPool-12 without indices.
func MaxPool(planes int, w Window) *Pool { return newPool(planes, w, opMaximum, float32(math.Inf(-1))) }

// SumPool sets y[c,j] to the sum of what window j reads of plane c, places in row-major order added from the first to the last;
// padding is +0. Shapes are those of MaxPool. Order: spec/numerics.md §12.
func SumPool(planes int, w Window) *Pool { return newPool(planes, w, opAdd, 0) }

func newPool(planes int, w Window, op binaryOp, fill float32) *Pool {
	p := &Pool{Window: w, planes: planes, op: op, fill: fill}
	if op == opMaximum {
		if p.near = nearMaximum(&w); p.near != nil {
			return p
		}
	}
	p.cols = min(w[2].Out, 1024)
	p.rows = max(1, min(w[1].Out, stagedPlane/(p.cols*w[0].Kernel*min(w[1].Stride, w[1].Kernel)*min(w[2].Stride, w[2].Kernel))))
	if p.stage = stagingOf(&w, p.rows, p.cols); p.stage != nil && op == opMaximum {
		p.apart = p.stage.apart(&w)
	}
	return p
}

// apart is a maximum over the rows of a window first and then down its columns, which takes fewer steps than over all places and gives the
// same, whatever the order.
type apart struct {
	rows [][]int // for rows of each remainder by the stride: where the places of a row of the window are
	down []int   // for each row of the window: where the maxima of its places are
	size int     // of the maxima for rows of one remainder
}

// apart is nil if it would take as many steps.
func (s *staging) apart(w *Window) *apart {
	a := &apart{size: s.rows * s.cols}
	index := map[int]int{}
	for k1 := range w[1].Kernel {
		at := k1 * w[1].Dilation
		phase, shift := at%w[1].Stride, at/w[1].Stride*s.cols
		i, ok := index[phase]
		if !ok {
			i = len(a.rows)
			index[phase] = i
			var row []int
			for k2 := range w[2].Kernel {
				row = append(row, s.offsets[k1*w[2].Kernel+k2]-shift)
			}
			a.rows = append(a.rows, row)
		}
		a.down = append(a.down, i*a.size+shift)
	}
	if w[0].Kernel != 1 || len(a.rows)*w[2].Kernel+w[1].Kernel >= w.places() {
		return nil
	}
	return a
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
	if p.near != nil && len(y) > 0 {
		p.nearby(y[lo*p.out():hi*p.out()], x[lo*p.in():hi*p.in()])
		return
	}
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
	size, folds := s.channel(w), p.rows*s.cols
	if p.apart != nil {
		folds += len(p.apart.rows) * p.apart.size
	}
	both := room(scratch, size+folds)
	band, fold := both[:size], both[size:]
	for o := range w[0].Out {
		for r := 0; r < w[1].Out; r += p.rows {
			rows := min(p.rows, w[1].Out-r)
			for c := 0; c < w[2].Out; c += p.cols {
				cols := min(p.cols, w[2].Out-c)
				s.fill(band, x, w, o, r, c, p.fill)
				part := fold[:(rows-1)*s.cols+cols]
				if p.apart != nil {
					p.apart.fold(part, band, fold[p.rows*s.cols:])
				} else {
					foldPlaces(p.op, part, band, s.offsets)
				}
				for i := range rows {
					copy(y[(o*w[1].Out+r+i)*w[2].Out+c:][:cols], part[i*s.cols:])
				}
			}
		}
	}
}

// foldPlaces folds what begins at the given places, element by element.
func foldPlaces(op binaryOp, dst, band []float32, places []int) {
	if len(places) == 1 {
		copy(dst, band[places[0]:])
		return
	}
	binaryActive(op, dst, band[places[0]:][:len(dst)], band[places[1]:][:len(dst)])
	for _, at := range places[2:] {
		binaryActive(op, dst, dst, band[at:][:len(dst)])
	}
}

// fold sets dst to the maxima of windows, with maxima of rows on the way.
func (a *apart) fold(dst, band, maxima []float32) {
	for i, places := range a.rows {
		n := a.size
		for _, at := range places {
			n = min(n, len(band)-at)
		}
		foldPlaces(opMaximum, maxima[i*a.size:][:n], band, places)
	}
	foldPlaces(opMaximum, dst, maxima, a.down)
}
