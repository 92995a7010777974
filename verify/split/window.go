package split

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
)

var windowRules = map[string]func(*plan) stage{"Conv": conv, "MaxPool": pool(true), "AveragePool": pool(false)}

// window returns the number of places of the window, and where in a plane of input 0 each reads, or -1 for padding.
func (p *plan) window() (n int, at func(place int) int) {
	w, out := p.Window(), p.index()[2:]
	kernel, plane := make([]int, len(w)), p.In[0].Shape[2:]
	for i, s := range w {
		kernel[i] = s.Kernel
	}
	return size(kernel), func(place int) int {
		where := unravel(kernel, place)
		for i, k := range where {
			where[i] = reads(w[i], out[i], k)
			if where[i] < 0 {
				return -1
			}
		}
		return ravel(plane, where)
	}
}

// reads is where place k of output o reads along an axis, or -1 for padding.
func reads(s graph.Sliding, o, k int) int {
	if i := o*s.Stride + k*s.Dilation - s.Before; i >= 0 && i < s.In {
		return i
	}
	return -1
}

// conv is a fold over places and, within a place, channels of the group; padding is +0 and takes part.
func conv(p *plan) stage {
	x, w := p.In[0].Shape, p.In[1].Shape
	out := p.index()
	places, at := p.window()
	channels, plane := w[1], size(x[2:])
	first := out[0]*x[1] + out[1]/(w[0]/p.Int("group"))*channels // plane of the group's first channel
	f := p.newFold()
	return seq(gathered(f, places*channels, func(k int, in *inputs) (float32, float32) {
		place, channel := k/channels, k%channels
		v := float32(0)
		if i := at(place); i >= 0 {
			v = in.float(0, (first+channel)*plane+i)
		}
		return in.float(1, (out[1]*channels+channel)*places+place), v
	}), once(func(a Acc, in *inputs) {
		y := f.of(a)
		if p.Has(2) {
			y += in.float(2, out[1])
		}
		a.done(y)
	}))
}

// gathered is the stage of a fold whose factors lie far apart.
func gathered(f *fold, n int, factors func(k int, in *inputs) (x, y float32)) stage {
	return overall(n, func(k int, a Acc, in *inputs) {
		if k == 0 {
			f.reset(a)
		}
		x, y := factors(k, in)
		f.add(a, k, n, x, y)
	})
}

// pool is the greatest element that the window reads, padding being -∞, or the sum over the places in order, padding being +0,
// divided by how many count.
func pool(greatest bool) func(*plan) stage {
	return func(p *plan) stage {
		places, at := p.window()
		base := p.element / size(p.Out[0].Shape[2:]) * size(p.In[0].Shape[2:])
		count := p.word(1)
		return overall(places, func(k int, a Acc, in *inputs) {
			i := at(k)
			v := float32(0)
			if greatest {
				v = float32(math.Inf(-1))
			}
			if i >= 0 {
				v = in.float(0, base+i)
			}
			if i >= 0 || !greatest && p.Int("count_include_pad") != 0 {
				a[count]++
			}
			switch {
			case k == 0:
				a.done(v)
			case greatest:
				a.done(maximum(a.float(0), v))
			default:
				a.done(a.float(0) + v)
			}
			if k == places-1 && !greatest {
				a.done(a.float(0) / float32(a[count]))
			}
		})
	}
}
