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

// maxGrad is MaxPoolGrad for one plane. Most often its elements have no sign, as after Relu, and none is NaN: then their bits are in
// their order. That is found on the way, and if it does not hold the plane is done again.
func (w *Window) maxGrad(dx, dy, x []float32) {
	if w[2].Kernel != 2 || w[2].Stride != 2 || w[2].Dilation != 1 {
		w.maxGradBy(nil, dx, dy, x)
		return
	}
	if w.maxGradBy(maxGrad2x2Positive, dx, dy, x) {
		return
	}
	clear(dx)
	if sum := Sum(x); sum != sum {
		w.maxGradBy(nil, dx, dy, x)
		return
	}
	w.maxGradBy(maxGrad2x2, dx, dy, x)
}

// maxGradBy takes windows of 2x2 without padding, those of a row together, to by2x2 if it is not nil, and stops if that reports false.
func (w *Window) maxGradBy(by2x2 func(dx, dy, x []float32, i, down int) bool, dx, dy, x []float32) bool {
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
				if by2x2 != nil && o == from && from < to && s.count[0] == 1 && s.count[1] == 2 {
					if !by2x2(dx, row[from:to], x, s.first[0]+s.first[1]+from*2-w[2].Before, s.step[1]) {
						return false
					}
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
	return true
}

// whole is the range of outputs whose window has no padding along the axis.
func (a *Axis) whole() (from, to int) {
	from = min(a.Out, (a.Before+a.Stride-1)/a.Stride)
	if last := a.In - 1 - (a.Kernel-1)*a.Dilation + a.Before; last >= 0 {
		to = min(a.Out, last/a.Stride+1)
	}
	return from, to
}

// maxGrad2x2 adds each dy to the maximum of four elements, none of them NaN: at i, right of it, down and right of down, two further
// for each next dy. Without branches on data, which would be mispredicted: the greatest of four keys names the element.
func maxGrad2x2(dx, dy, x []float32, i, down int) bool {
	offsets := [4]int{down + 1, down, 1, 0}
	for _, d := range dy {
		upper, lower := x[i:i+2], x[i+down:i+down+2]
		key := max(max(poolKey(upper[0], 3), poolKey(upper[1], 2)), max(poolKey(lower[0], 1), poolKey(lower[1], 0)))
		dx[i+offsets[key&3]] += d
		i += 2
	}
	return true
}

// maxGrad2x2Positive is maxGrad2x2 for elements without sign. It reports false if one has a sign or is NaN, and what it did is void.
func maxGrad2x2Positive(dx, dy, x []float32, i, down int) bool {
	offsets := [4]int{down + 1, down, 1, 0}
	greatest := int64(0)
	for _, d := range dy {
		upper, lower := x[i:i+2], x[i+down:i+down+2]
		a, b := int64(math.Float32bits(upper[0])), int64(math.Float32bits(upper[1]))
		c, e := int64(math.Float32bits(lower[0])), int64(math.Float32bits(lower[1]))
		key := max(max(a*4+3, b*4+2), max(c*4+1, e*4))
		dx[i+offsets[key&3]] += d
		greatest = max(greatest, key)
		i += 2
	}
	return greatest>>2 <= 0x7f800000 // +Inf
}

// poolKey orders numbers as integers, zeros equal, and among equal ones by rank.
func poolKey(x float32, rank int64) int64 {
	bits := int32(math.Float32bits(x))
	sign := bits >> 31
	return int64((bits&math.MaxInt32^sign)-sign)<<2 | rank
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
