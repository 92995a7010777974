package kernel

import "slices"

// Axis is what a window does along one spatial axis: at output o and place k it reads input o·Stride + k·Dilation - Before. What
// is outside of [0, In) is padding.
type Axis struct{ In, Kernel, Stride, Dilation, Before, Out int }

// Window is what a window does along three spatial axes. Tensors with fewer have axes of one element in front (see Along).
type Window [3]Axis

// Along makes a window of one to three axes. Those of one element, in which there is nothing to walk, come first: rows of outputs are
// along the last one, and the order of the others, which is all that shows in a sum, stays.
func Along(axes ...Axis) Window {
	w := Window{{1, 1, 1, 1, 0, 1}, {1, 1, 1, 1, 0, 1}, {1, 1, 1, 1, 0, 1}}
	at := len(w)
	for _, a := range slices.Backward(axes) {
		if a.In != 1 || a.Kernel != 1 || a.Before != 0 || a.Out != 1 {
			at--
			w[at] = a
		}
	}
	return w
}

// in, out and places are the elements of an input plane, of an output plane, and of the window.
func (w *Window) in() int     { return w[0].In * w[1].In * w[2].In }
func (w *Window) out() int    { return w[0].Out * w[1].Out * w[2].Out }
func (w *Window) places() int { return w[0].Kernel * w[1].Kernel * w[2].Kernel }

// identity reports whether each output reads the input at its own place only.
func (w *Window) identity() bool {
	for _, a := range w {
		if a.Kernel != 1 || a.Stride != 1 || a.Before != 0 || a.In != a.Out {
			return false
		}
	}
	return true
}

// place is the position of place p, counted in row-major order, along each axis.
func (w *Window) place(p int) (k [3]int) {
	for a := 2; a >= 0; a-- {
		k[a] = p % w[a].Kernel
		p /= w[a].Kernel
	}
	return k
}

// row sets dst to what place k reads for one row of outputs, from column c on; padding is fill. Rows are counted over the
// first two axes together.
func (w *Window) row(dst, plane []float32, row, c int, k [3]int, fill float32) {
	o0, o1 := row/w[1].Out, row%w[1].Out
	i0, i1 := o0*w[0].Stride+k[0]*w[0].Dilation-w[0].Before, o1*w[1].Stride+k[1]*w[1].Dilation-w[1].Before
	if i0 < 0 || i0 >= w[0].In || i1 < 0 || i1 >= w[1].In {
		for o := range dst {
			dst[o] = fill
		}
		return
	}
	x := plane[(i0*w[1].In+i1)*w[2].In:][:w[2].In]
	i, step := c*w[2].Stride+k[2]*w[2].Dilation-w[2].Before, w[2].Stride
	for o := range dst {
		if uint(i) < uint(len(x)) {
			dst[o] = x[i]
		} else {
			dst[o] = fill
		}
		i += step
	}
}

// staging is a copy of a part of the input in which a window reads, for consecutive outputs of a row, consecutive elements: padding is
// written out, and rows and columns that are a multiple of the stride apart stand together. It covers some rows and columns of
// outputs at one place of the first axis. For one channel it is [places of the first axis][phases][rows][columns], where a phase is a
// remainder of row and column by their strides; phases that no place reads are left out.
type staging struct {
	phases     [][2]int // remainders of row and column
	rows, cols int      // of one phase
	offsets    []int    // where place p of output (0, 0) is; output (r, c) is r·cols + c further
}

// channel is the number of elements of one channel.
func (s *staging) channel(w *Window) int { return w[0].Kernel * len(s.phases) * s.rows * s.cols }

// phase is the remainder of place k by the stride, and how many strides it is away.
func (a *Axis) phase(k int) (remainder, steps int) {
	return k * a.Dilation % a.Stride, k * a.Dilation / a.Stride
}

// newStaging covers at most the given rows and columns of outputs.
func newStaging(w *Window, rows, cols int) *staging {
	s := &staging{rows: rows, cols: cols, offsets: make([]int, 0, w.places())}
	index := make([]int, w[1].Stride*w[2].Stride) // of a phase, and 1; 0 for one that no place reads
	for k1 := range w[1].Kernel {
		for k2 := range w[2].Kernel {
			p1, s1 := w[1].phase(k1)
			p2, s2 := w[2].phase(k2)
			s.rows, s.cols = max(s.rows, rows+s1), max(s.cols, cols+s2)
			if i := &index[p1*w[2].Stride+p2]; *i == 0 {
				s.phases = append(s.phases, [2]int{p1, p2})
				*i = len(s.phases)
			}
		}
	}
	for k0 := range w[0].Kernel {
		for k1 := range w[1].Kernel {
			for k2 := range w[2].Kernel {
				p1, s1 := w[1].phase(k1)
				p2, s2 := w[2].phase(k2)
				phase := k0*len(s.phases) + index[p1*w[2].Stride+p2] - 1
				s.offsets = append(s.offsets, (phase*s.rows+s1)*s.cols+s2)
			}
		}
	}
	return s
}

// stagingOf is newStaging, nil if the staging would be much larger than what is read.
func stagingOf(w *Window, rows, cols int) *staging {
	for _, a := range w {
		if a.Stride > 64 || a.Dilation > 4096 || a.Kernel > blockK {
			return nil
		}
	}
	if w.places() > blockK*blockK {
		return nil
	}
	if s := newStaging(w, rows, cols); s.channel(w) <= 2*w.places()*rows*cols+stagedPlane {
		return s
	}
	return nil
}

// fill copies what outputs from row r and column c on, at place o of the first axis, read of one channel. dst has a channel's elements.
func (s *staging) fill(dst, plane []float32, w *Window, o, r, c int, padding float32) {
	for k := range w[0].Kernel {
		i := o*w[0].Stride + k*w[0].Dilation - w[0].Before
		for _, phase := range s.phases {
			part := dst[:s.rows*s.cols]
			dst = dst[s.rows*s.cols:]
			rows := inside(r*w[1].Stride+phase[0]-w[1].Before, w[1].Stride, s.rows, w[1].In)
			cols := inside(c*w[2].Stride+phase[1]-w[2].Before, w[2].Stride, s.cols, w[2].In)
			if i < 0 || i >= w[0].In || rows.n == 0 || cols.n == 0 {
				spread(part, padding)
				continue
			}
			if rows.n < s.rows || cols.n < s.cols {
				spread(part, padding)
			}
			src := plane[(i*w[1].In+rows.at)*w[2].In+cols.at:]
			stageRows(part[rows.lead*s.cols+cols.lead:], src, s.cols, w[1].Stride*w[2].In, rows.n, cols.n, w[2].Stride)
		}
	}
}

// piece is a part of a staged plane that is not padding.
type piece struct{ to, from, rows, n int }

// pieces are what fill copies of a plane whose outputs are all at place 0 of the first axis: what lies between them is padding, the
// same for every plane.
func (s *staging) pieces(w *Window) []piece {
	var list []piece
	for k := range w[0].Kernel {
		i := k*w[0].Dilation - w[0].Before
		for j, phase := range s.phases {
			rows := inside(phase[0]-w[1].Before, w[1].Stride, s.rows, w[1].In)
			cols := inside(phase[1]-w[2].Before, w[2].Stride, s.cols, w[2].In)
			if i < 0 || i >= w[0].In || rows.n == 0 || cols.n == 0 {
				continue
			}
			to := ((k*len(s.phases)+j)*s.rows+rows.lead)*s.cols + cols.lead
			list = append(list, piece{to, (i*w[1].In+rows.at)*w[2].In + cols.at, rows.n, cols.n})
		}
	}
	return list
}

// copy stages a plane where another one of the same window was staged before, or where padding is.
func (s *staging) copy(dst, plane []float32, w *Window, pieces []piece) {
	for _, p := range pieces {
		stageRows(dst[p.to:], plane[p.from:], s.cols, w[1].Stride*w[2].In, p.rows, p.n, w[2].Stride)
	}
}

// stretch is the part of some consecutive reads that is not padding: n of them after lead, the first at input at.
type stretch struct{ lead, n, at int }

// inside is the stretch of reads from, from + step, …, of which there are count, that are in [0, size).
func inside(from, step, count, size int) stretch {
	lead := 0
	if from < 0 {
		lead = min(count, (-from+step-1)/step)
	}
	at := from + lead*step
	if at >= size {
		return stretch{}
	}
	return stretch{lead, min(count-lead, (size-at+step-1)/step), at}
}

// stageRowsGeneric copies rows of n elements that are step apart in src.
func stageRowsGeneric(dst, src []float32, dstRow, srcRow, rows, n, step int) {
	for i := range rows {
		out, in := dst[i*dstRow:][:n], src[i*srcRow:][:(n-1)*step+1]
		if step == 1 {
			copy(out, in)
			continue
		}
		for j := range out {
			out[j] = in[j*step]
		}
	}
}

// spread sets all elements to v.
func spread(x []float32, v float32) {
	if v == 0 {
		clear(x)
		return
	}
	for i := range x {
		x[i] = v
	}
}
