package split

import "github.com/mutirao/mutirao/engine/graph"

var windowGradientRules = map[string]func(*plan) stage{
	"ConvWeightGrad": convWeightGrad, "MaxPoolGrad": maxPoolGrad, "AveragePoolGrad": averagePoolGrad,
}

// convWeightGrad adds dy·x over the positions of each image, in blocks of 256 from its first, and over the images.
func convWeightGrad(p *plan) stage {
	dy, x, at := p.In[0].Shape, p.In[1].Shape, p.index()
	w, positions, plane := p.Window(), size(p.In[0].Shape[2:]), size(p.In[1].Shape[2:])
	channels := p.Out[0].Shape[1]
	channel := at[0]/(dy[1]/p.Int("group"))*channels + at[1]
	f := p.newFold()
	return seq(times(x[0], func(b int) stage {
		return overall(positions, func(j int, a Acc, in *inputs) {
			v := float32(0)
			if i := readAt(w, x[2:], unravel(dy[2:], j), at[2:]); i >= 0 {
				v = in.float(1, (b*x[1]+channel)*plane+i)
			}
			f.add(a, j, positions, in.float(0, (b*dy[1]+at[0])*positions+j), v)
		})
	}), once(func(a Acc, _ *inputs) { a.done(f.of(a)) }))
}

// readAt is the element of a plane that a window at one output reads at a place, or -1 for padding.
func readAt(w []graph.Sliding, plane, out, place []int) int {
	at := make([]int, len(w))
	for i, s := range w {
		if at[i] = reads(s, out[i], place[i]); at[i] < 0 {
			return -1
		}
	}
	return ravel(plane, at)
}

// readers are the windows that read one element of a plane: along each axis a list of outputs.
type readers [][]int

// newReaders finds the windows that read the element at a place of a plane.
func newReaders(w []graph.Sliding, place []int) readers {
	r := make(readers, len(w))
	for i, s := range w {
		for o := max(0, (place[i]+s.Before-(s.Kernel-1)*s.Dilation)/s.Stride); o < s.Out && o*s.Stride <= place[i]+s.Before; o++ {
			if d := place[i] + s.Before - o*s.Stride; d%s.Dilation == 0 && d/s.Dilation < s.Kernel {
				r[i] = append(r[i], o)
			}
		}
	}
	return r
}

func (r readers) dims() []int {
	var dims []int
	for _, list := range r {
		dims = append(dims, len(list))
	}
	return dims
}

// window is reader n in row-major order.
func (r readers) window(n int) []int {
	at := unravel(r.dims(), n)
	for i := range at {
		at[i] = r[i][at[i]]
	}
	return at
}

func sizes(w []graph.Sliding) (kernel, out []int) {
	for _, s := range w {
		kernel, out = append(kernel, s.Kernel), append(out, s.Out)
	}
	return kernel, out
}

// maxPoolGrad is +0 ⊕ the dy of each window whose greatest element, the first of equal ones or the first NaN, is this one.
func maxPoolGrad(p *plan) stage {
	x, w := p.In[1].Shape, p.Window()
	kernel, outs := sizes(w)
	at, plane := p.index(), x[2:]
	element, base := p.element%size(plane), p.element/size(plane)
	best, found := p.word(1), p.word(1) // found is the element less this one's place, plus one; 0 if the window has read none
	windows := newReaders(w, at[2:])
	scan := func(o []int) stage {
		return overall(size(kernel), func(k int, a Acc, in *inputs) {
			if k == 0 {
				a[found] = 0
			}
			i := readAt(w, plane, o, unravel(kernel, k))
			if i < 0 {
				return
			}
			v, b := in.float(1, base*size(plane)+i), a.float(best)
			if a[found] == 0 || b == b && (v != v || v > b) {
				a.setFloat(best, v)
				a[found] = uint32(i) + 1
			}
		})
	}
	if size(windows.dims()) == 0 {
		return once(func(a Acc, _ *inputs) { a.done(0) })
	}
	return times(size(windows.dims()), func(n int) stage {
		return seq(scan(windows.window(n)), once(func(a Acc, in *inputs) {
			if a[found] == uint32(element)+1 {
				a.done(a.float(0) + in.float(0, base*size(outs)+ravel(outs, windows.window(n))))
			}
		}))
	})
}

// averagePoolGrad is +0 ⊕ the dy of each window that reads the element, divided by how many of its places count.
func averagePoolGrad(p *plan) stage {
	shape, w := p.Out[0].Shape, p.Window()
	_, outs := sizes(w)
	at, plane := p.index(), shape[2:]
	base := p.element / size(plane)
	windows := newReaders(w, at[2:])
	if size(windows.dims()) == 0 {
		return once(func(a Acc, _ *inputs) { a.done(0) })
	}
	return overall(size(windows.dims()), func(n int, a Acc, in *inputs) {
		count := 1
		for i, o := range windows.window(n) {
			count *= counting(w[i], o, p.Int("count_include_pad") != 0)
		}
		a.done(a.float(0) + in.float(0, base*size(outs)+ravel(outs, windows.window(n)))/float32(count))
	})
}

// counting is how many places of a window at output o count along an axis.
func counting(s graph.Sliding, o int, padding bool) int {
	n := 0
	for k := range s.Kernel {
		if padding || reads(s, o, k) >= 0 {
			n++
		}
	}
	return n
}
