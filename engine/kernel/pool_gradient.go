package kernel

import "math"

// MaxPoolGrad sets dx to the derivative of MaxPool: dx is +0, then for each window in ascending order its dy is added to the element
// that the window's maximum is: the first in row-major order which no other exceeds, zeros being equal, or the first NaN if there
// is one. A window of padding alone adds nothing. Shapes: x and dx [planes, in...], dy [planes, out...].
// Order: spec/numerics.md §13.
func MaxPoolGrad(dx, dy, x []float32, planes int, w Window) {
	checkLen("dx", len(dx), planes*w.in())
	checkLen("x", len(x), planes*w.in())
	checkLen("dy", len(dy), planes*w.out())
	if grain := w.planeGrain(); !serial(planes, grain) {
		v := w // a copy, so that w stays on the stack in the serial case
		parallel(planes, grain, func(lo, hi int) { v.maxGrads(dx, dy, x, lo, hi) })
		return
	}
	w.maxGrads(dx, dy, x, 0, planes)
}

// maxGrads is MaxPoolGrad for the planes lo to hi.
func (w *Window) maxGrads(dx, dy, x []float32, lo, hi int) {
	for c := lo; c < hi; c++ {
		in, out := x[c*w.in():][:w.in()], dx[c*w.in():][:w.in()]
		clear(out)
		w.maxGrad(out, dy[c*w.out():][:w.out()], in)
	}
}

// planeGrain is how many planes are worth a goroutine.
func (w *Window) planeGrain() int { return max(1, elementGrain/(w.out()*w.places())) }

// maxGrad is MaxPoolGrad for one plane of zeros. Windows without padding along the last axis, in rows, are taken together.
func (w *Window) maxGrad(dx, dy, x []float32) {
	from, to := w[2].whole()
	size := [3]int{w[1].In * w[2].In, w[2].In, 1}
	var s span
	for a := range w {
		s.step[a] = w[a].Dilation * size[a]
	}
	for o0 := range w[0].Out {
		s.set(w, 0, o0, size[0])
		for o1 := range w[1].Out {
			s.set(w, 1, o1, size[1])
			row := dy[:w[2].Out]
			dy = dy[w[2].Out:]
			for o := 0; o < len(row); {
				if o == from && from < to && s.count[0] == 1 && s.count[1] == 2 && w[2].Kernel == 2 {
					start := s.first[0] + s.first[1] + from*w[2].Stride - w[2].Before
					maxGrad2x2(dx, row[from:to], x, start, w[2].Stride, s.step[1], s.step[2])
					o = to
					continue
				}
				s.set(w, 2, o, 1)
				if at := s.argmax(x); at >= 0 {
					dx[at] += row[o]
				}
				o++
			}
		}
	}
}

// whole is the range of outputs whose window has no padding along the axis.
func (a *Axis) whole() (from, to int) {
	from = min(a.Out, (a.Before+a.Stride-1)/a.Stride)
	if last := a.In - 1 - (a.Kernel-1)*a.Dilation + a.Before; last >= 0 {
		to = min(a.Out, last/a.Stride+1)
	}
	return from, to
}

// maxGrad2x2 adds each dy to the maximum of four elements: at i, right of it, down and right of down. Without branches on data,
// which would be mispredicted: the greatest of four keys names the element.
func maxGrad2x2(dx, dy, x []float32, i, stride, down, right int) {
	offsets := [4]int{down + right, down, right, 0}
	for _, d := range dy {
		key := max(poolKey(x[i], 3), poolKey(x[i+right], 2), poolKey(x[i+down], 1), poolKey(x[i+down+right], 0))
		dx[i+offsets[key&3]] += d
		i += stride
	}
}

// poolKey orders numbers as integers, zeros equal and NaN above all, and among equal ones by rank.
func poolKey(x float32, rank int64) int64 {
	bits := int32(math.Float32bits(x + 0)) // -0 + 0 is +0
	if x != x {
		bits = math.MaxInt32
	}
	bits ^= bits >> 31 & math.MaxInt32
	return int64(bits)<<2 | rank
}

// SumPoolGrad sets dx to the derivative of SumPool: dx is +0, then for each window in ascending order its dy is added to every
// element that it reads. Shapes are those of MaxPoolGrad. Order: spec/numerics.md §13.
func SumPoolGrad(dx, dy []float32, planes int, w Window) {
	checkLen("dx", len(dx), planes*w.in())
	checkLen("dy", len(dy), planes*w.out())
	parallel(planes, w.planeGrain(), func(lo, hi int) {
		for c := lo; c < hi; c++ {
			out := dx[c*w.in():][:w.in()]
			clear(out)
			j := 0
			w.windows(func(s *span) {
				s.add(out, dy[c*w.out()+j])
				j++
			})
		}
	})
}

// span is what one window reads of a plane: along each axis count elements from first on, step apart. Steps of the outer axes are
// in elements of the plane.
type span struct{ first, step, count [3]int }

// windows calls f for each window in row-major order.
func (w *Window) windows(f func(*span)) {
	size := [3]int{w[1].In * w[2].In, w[2].In, 1}
	var s span
	for a := range w {
		s.step[a] = w[a].Dilation * size[a]
	}
	for o0 := range w[0].Out {
		s.set(w, 0, o0, size[0])
		for o1 := range w[1].Out {
			s.set(w, 1, o1, size[1])
			for o2 := range w[2].Out {
				s.set(w, 2, o2, size[2])
				f(&s)
			}
		}
	}
}

// set finds the places of one axis that are not padding.
func (s *span) set(w *Window, axis, output, size int) {
	a := &w[axis]
	start := output*a.Stride - a.Before
	skip := 0
	if start < 0 {
		skip = (-start + a.Dilation - 1) / a.Dilation
	}
	s.count[axis] = 0
	if first := start + skip*a.Dilation; first < a.In {
		s.first[axis] = first * size
		s.count[axis] = max(0, min(a.Kernel-skip, (a.In-1-first)/a.Dilation+1))
	}
}

// argmax is the place of the maximum as MaxPoolGrad has it, -1 if the window reads nothing.
func (s *span) argmax(x []float32) int {
	at := -1
	var best float32
	for i0 := range s.count[0] {
		for i1 := range s.count[1] {
			i := s.first[0] + i0*s.step[0] + s.first[1] + i1*s.step[1] + s.first[2]
			for range s.count[2] {
				if v := x[i]; at < 0 || v > best || v != v && best == best {
					at, best = i, v
				}
				i += s.step[2]
			}
		}
	}
	return at
}

// add adds d to all that the window reads.
func (s *span) add(x []float32, d float32) {
	for i0 := range s.count[0] {
		for i1 := range s.count[1] {
			i := s.first[0] + i0*s.step[0] + s.first[1] + i1*s.step[1] + s.first[2]
			for range s.count[2] {
				x[i] += d
				i += s.step[2]
			}
		}
	}
}
