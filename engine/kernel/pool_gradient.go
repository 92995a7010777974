package kernel

// MaxPoolGrad sets dx to the derivative of MaxPool: dx is +0, then for each window in ascending order its dy is added to the element
// that the window's maximum is: the first in row-major order which no other exceeds, zeros being equal, or the first NaN if there
// is one. A window of padding alone adds nothing. Shapes: x and dx [planes, in...], dy [planes, out...].
// Order: spec/numerics.md §13.
func MaxPoolGrad(dx, dy, x []float32, planes int, w Window) {
	checkLen("dx", len(dx), planes*w.in())
	checkLen("x", len(x), planes*w.in())
	checkLen("dy", len(dy), planes*w.out())
	parallelPlanes(planes, w, func(c int) {
		in, out := x[c*w.in():][:w.in()], dx[c*w.in():][:w.in()]
		clear(out)
		j := 0
		w.windows(func(s *span) {
			if at := s.argmax(in); at >= 0 {
				out[at] += dy[c*w.out()+j]
			}
			j++
		})
	})
}

// SumPoolGrad sets dx to the derivative of SumPool: dx is +0, then for each window in ascending order its dy is added to every
// element that it reads. Shapes are those of MaxPoolGrad. Order: spec/numerics.md §13.
func SumPoolGrad(dx, dy []float32, planes int, w Window) {
	checkLen("dx", len(dx), planes*w.in())
	checkLen("dy", len(dy), planes*w.out())
	parallelPlanes(planes, w, func(c int) {
		out := dx[c*w.in():][:w.in()]
		clear(out)
		j := 0
		w.windows(func(s *span) {
			s.add(out, dy[c*w.out()+j])
			j++
		})
	})
}

func parallelPlanes(planes int, w Window, f func(c int)) {
	parallel(planes, max(1, elementGrain/(w.out()*w.places())), func(lo, hi int) {
		for c := lo; c < hi; c++ {
			f(c)
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
