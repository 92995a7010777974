package graph

// sliding3 is a window of three axes: those of one element, in which there is nothing to walk, come first.
type sliding3 [3]Sliding

func window3(c *Call) sliding3 {
	w := sliding3{}
	at := len(w)
	list := c.Window()
	for i := len(list) - 1; i >= 0; i-- {
		if a := list[i]; a.In != 1 || a.Kernel != 1 || a.Before != 0 || a.Out != 1 {
			at--
			w[at] = a
		}
	}
	for i := range at {
		w[i] = Sliding{In: 1, Kernel: 1, Stride: 1, Dilation: 1, Out: 1}
	}
	return w
}

func (w *sliding3) places() uint64 {
	return uint64(w[0].Kernel) * uint64(w[1].Kernel) * uint64(w[2].Kernel)
}
func (w *sliding3) out() uint64   { return uint64(w[0].Out) * uint64(w[1].Out) * uint64(w[2].Out) }
func (w *sliding3) lines() uint64 { return uint64(w[0].Out) * uint64(w[1].Out) }

// inside is how many pairs of an output and a place along an axis are not padding.
func (s *Sliding) inside() uint64 {
	n := 0
	for o := range s.Out {
		first, skip := o*s.Stride-s.Before, 0
		if first < 0 {
			skip = (-first + s.Dilation - 1) / s.Dilation
			first += skip * s.Dilation
		}
		if first < s.In {
			n += max(0, min(s.Kernel-skip, (s.In-1-first)/s.Dilation+1))
		}
	}
	return uint64(n)
}

// staging is a copy of a part of the input in which a window reads, for neighbouring outputs, neighbouring elements: one phase for each
// remainder of rows and columns by the strides. It covers some rows and columns of outputs at one place of the first axis.
type staging struct {
	rows, cols uint64 // of a phase
	down       uint64 // phases of rows
	lines      uint64 // rows of all phases, for all places of the first axis
	size       uint64 // elements
	slow       uint64 // elements that are copied one by one, because they are more than two apart
	fits       bool   // it is not much larger than what is read; else each place is gathered by itself
}

func (w *sliding3) staging(rows, cols uint64) staging {
	phases := func(a Sliding) uint64 { // remainders that a place has
		n, step := min(a.Kernel, a.Stride), a.Dilation%a.Stride
		if step == 0 {
			return 1
		}
		gcd := a.Stride
		for step != 0 {
			gcd, step = step, gcd%step
		}
		return uint64(min(n, a.Stride/gcd))
	}
	s := staging{rows: rows, cols: cols, down: phases(w[1]), fits: w.places() <= 1<<16}
	for i, n := range []*uint64{&s.rows, &s.cols} {
		*n += uint64((w[i+1].Kernel - 1) * w[i+1].Dilation / w[i+1].Stride)
	}
	for _, a := range w {
		s.fits = s.fits && a.Stride <= 64 && a.Dilation <= 4096 && a.Kernel <= 256
	}
	s.lines = times(uint64(w[0].Kernel), s.down, phases(w[2]), s.rows)
	s.size = times(s.lines, s.cols)
	if w[2].Stride > 2 {
		s.slow = s.size
	}
	s.fits = s.fits && s.size <= 2*w.places()*rows*cols+4096
	return s
}

// effortPool: planes are staged, then folded place by place; maxima along the rows of a window first, if that is less.
func effortPool(c *Call) uint64 {
	w, planes := window3(c), uint64(c.In[0].Shape[0]*c.In[0].Shape[1])
	maximum := c.Node.Op == "MaxPool"
	sum := plus(times(560, lengthOf(c.In[0])), 4_000_000, times(49_000, planes), times(12_000, w.out()), times(4400, w.places()))
	call, element, fill, slow, line := uint64(9800), uint64(44), uint64(55), uint64(330), uint64(2000)
	if maximum {
		sum = plus(8_000_000, times(56_000, w.places()))
		call, element, fill, slow, line = 18_000, 54, 55, 420, 2600
	}
	cols := uint64(min(w[2].Out, 1024))
	shared := times(cols, uint64(w[0].Kernel), uint64(min(w[1].Stride, w[1].Kernel)), uint64(min(w[2].Stride, w[2].Kernel)))
	rows := max(1, min(uint64(w[1].Out), 4096/shared))
	s := w.staging(rows, cols)
	if !s.fits {
		gathered, gatheredLine := uint64(530), uint64(15_000)
		if maximum {
			gathered, gatheredLine = 0, 17_000
		}
		return plus(sum, times(gathered, planes, w.out(), w.places()), times(gatheredLine, planes, w.lines(), w.places()))
	}
	blocks := times(planes, uint64(w[0].Out), divUp(uint64(w[1].Out), rows), divUp(uint64(w[2].Out), cols))
	calls, elements := w.places(), times(w.places(), rows, s.cols)
	if apart := s.down*uint64(w[2].Kernel) + uint64(w[1].Kernel); maximum && w[0].Kernel == 1 && apart < w.places() {
		calls, elements = apart, plus(times(s.down, uint64(w[2].Kernel), s.rows, s.cols), times(uint64(w[1].Kernel), rows, s.cols))
	}
	return plus(sum, times(blocks, plus(times(call, calls), times(element, elements), times(fill, s.size), times(slow, s.slow), times(line, s.lines))))
}

// effortPoolGrad counts what windows read.
func effortPoolGrad(c *Call) uint64 {
	w, x := window3(c), c.Out[0]
	planes := uint64(x.Shape[0] * x.Shape[1])
	lines := times(planes, w[0].inside(), w[1].inside())
	folds := times(lines, w[2].inside())
	if c.Node.Op == "MaxPoolGrad" {
		return plus(times(1800, folds), times(950, lines, uint64(w[2].Out)),
			times(670, lengthOf(x)), times(7800, planes, w.out()))
	}
	return plus(2_500_000, times(580, folds), times(680, lines, uint64(w[2].Out)),
		times(110, lengthOf(x)), times(8800, planes, w.out()), times(25_000, planes), times(6200, w.out()))
}

// convolution is what Conv, ConvInteger and ConvWeightGrad have in common: images and groups, each with so many channels and outputs.
type convolution struct {
	sliding3
	images, channels, outputs, depth uint64
}

func convolutionOf(c *Call, x, w []int) convolution {
	v := convolution{sliding3: window3(c)}
	group := uint64(c.Int("group"))
	v.images, v.channels, v.outputs = uint64(x[0])*group, uint64(x[1])/group, uint64(w[0])/group
	v.depth = v.channels * v.places()
	return v
}

// effortConv tells apart the ways of package kernel: planes of one channel, patches that are gathered or staged, and tiles whose rows are
// channels, or outputs if those are few.
func effortConv(c *Call) uint64 {
	v := convolutionOf(c, c.In[0].Shape, c.In[1].Shape)
	out, lines, slabs := v.out(), v.lines(), uint64(v.sliding3[0].Out)
	sum := plus(5_300_000, times(54, lengthOf(c.Out[0])), times(330, lengthOf(c.In[1])))
	direct := true
	for _, a := range v.sliding3 {
		direct = direct && a.Stride == 1 && a.Before == 0 && a.Out+(a.Kernel-1)*a.Dilation <= a.In
	}
	s := v.staging(uint64(v.sliding3[1].Out), uint64(v.sliding3[2].Out))
	gather := !direct && !s.fits
	if v.channels == 1 && v.outputs <= 4 && v.places() <= 256 && !gather {
		planes := times(v.images, v.outputs)
		return plus(sum, times(2050, planes, v.places(), lines, divUp(uint64(v.sliding3[2].Out), tileVector)), times(7900, planes, lines),
			times(v.images, slabs, plus(times(55, s.size), times(880, s.slow))))
	}
	sum = plus(sum, times(4400, v.depth))
	patches := times(v.images, v.depth)
	switch {
	case gather:
		sum = plus(sum, times(810, patches, out), times(3200, patches, lines))
	case !direct:
		sum = plus(sum, times(v.images, v.channels, slabs, plus(times(55, s.size), times(880, s.slow), times(6200, s.lines))))
	}
	if out <= 512 && 32*upTo(v.outputs, tileVector)*out <= 31*upTo(out, tileVector)*v.outputs {
		return plus(sum, times(3, patches, out, upTo(v.outputs, tilePanel)), times(110, patches, out), times(330, v.images, out, v.outputs))
	}
	return plus(sum, times(11, patches, upTo(out, tilePanel), v.outputs), times(160, patches, upTo(out, tilePanel)),
		times(170, patches, divUp(out, tilePanel)+lines), times(68_000, v.images, slabs))
}

// effortConvInteger: groups of few outputs are summed place by place.
func effortConvInteger(c *Call) uint64 {
	v := convolutionOf(c, c.In[0].Shape, c.In[1].Shape)
	sum := plus(times(330, lengthOf(c.In[0])), times(1500, lengthOf(c.Out[0])), times(5500, lengthOf(c.In[1])))
	if v.outputs <= 7 {
		w := &v.sliding3
		lines := times(v.images, v.outputs, v.channels, w[0].inside(), w[1].inside())
		return plus(sum, times(1800, lines, w[2].inside()), times(3000, lines, uint64(w[2].Kernel)), times(6400, v.images, v.outputs, v.depth))
	}
	out := times(v.images, v.out())
	sum = plus(sum, times(1700, lengthOf(c.In[0])), times(7200, out, v.places()),
		times(7, out, v.depth, upTo(v.outputs, tilePanel)), times(6900, out))
	if c.Has(3) {
		sum = plus(sum, times(110, out, v.depth))
	}
	return sum
}

// effortConvGrad: patches are laid out, as one piece where the window moves by one and keeps the width, then multiplied.
func effortConvGrad(c *Call) uint64 {
	v := convolutionOf(c, c.In[1].Shape, c.Out[0].Shape)
	patches := times(v.images, v.depth)
	padded := times(v.images, v.out(), upTo(v.depth, tilePanel), v.outputs)
	if v.outputs%tilePanel == 0 || v.outputs >= v.depth {
		padded = times(v.images, v.out(), v.depth, upTo(v.outputs, tilePanel))
	}
	sum := plus(5_500_000, times(12, padded),
		times(400, lengthOf(c.In[1])), times(360, lengthOf(c.In[0])))
	if rows, cols := v.sliding3[1], v.sliding3[2]; rows.Stride == 1 && cols.Stride == 1 && cols.In == cols.Out {
		return plus(sum, times(patches, plus(times(220, v.out()), times(4300, v.lines()))))
	}
	return plus(sum, times(patches, plus(times(410, v.out()), times(6900, v.lines()))))
}
