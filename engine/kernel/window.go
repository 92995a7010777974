package kernel

// Axis is what a window does along one spatial axis: at output o and place k it reads input o·Stride + k·Dilation - Before. What
// is outside of [0, In) is padding.
type Axis struct{ In, Kernel, Stride, Dilation, Before, Out int }

// Window is what a window does along three spatial axes. Tensors with fewer have axes of one element in front (see Along).
type Window [3]Axis

// Along makes a window of one to three axes.
func Along(axes ...Axis) Window {
	w := Window{{1, 1, 1, 1, 0, 1}, {1, 1, 1, 1, 0, 1}, {1, 1, 1, 1, 0, 1}}
	copy(w[len(w)-len(axes):], axes)
	return w
}

// in, out and places are the elements of an input plane, of an output plane, and of the window.
func (w *Window) in() int     { return w[0].In * w[1].In * w[2].In }
func (w *Window) out() int    { return w[0].Out * w[1].Out * w[2].Out }
func (w *Window) places() int { return w[0].Kernel * w[1].Kernel * w[2].Kernel }

// place is the position of place p, counted in row-major order, along each axis.
func (w *Window) place(p int) (k [3]int) {
	for a := 2; a >= 0; a-- {
		k[a] = p % w[a].Kernel
		p /= w[a].Kernel
	}
	return k
}

// row sets dst to what place k reads for the outputs (o0, o1, 0 … ) of one row, padding being fill.
func (w *Window) row(dst, plane []float32, o0, o1 int, k [3]int, fill float32) {
	i0, i1 := o0*w[0].Stride+k[0]*w[0].Dilation-w[0].Before, o1*w[1].Stride+k[1]*w[1].Dilation-w[1].Before
	if i0 < 0 || i0 >= w[0].In || i1 < 0 || i1 >= w[1].In {
		for o := range dst {
			dst[o] = fill
		}
		return
	}
	x := plane[(i0*w[1].In+i1)*w[2].In:][:w[2].In]
	i, step := k[2]*w[2].Dilation-w[2].Before, w[2].Stride
	for o := range dst {
		if uint(i) < uint(len(x)) {
			dst[o] = x[i]
		} else {
			dst[o] = fill
		}
		i += step
	}
}
