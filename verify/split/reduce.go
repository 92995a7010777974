package split

import (
	"math"
	"slices"
)

var reduceRules = map[string]func(*plan) stage{
	"ReduceSum": reduceSum(false, false), "ReduceMean": reduceSum(true, false), "ReduceSumSquare": reduceSum(false, true),
	"ReduceMax": reduceExtreme(maximum, math.Inf(-1)), "ReduceMin": reduceExtreme(minimum, math.Inf(1)),
}

// reduced returns the number of elements that are reduced to the one in question, and where each is, in row-major order of the
// reduced axes.
func (p *plan) reduced() (n int, at func(i int) int) {
	shape, axes := p.In[0].Shape, p.ReducedAxes()
	out := p.index()
	place := make([]int, len(shape))
	var dims []int
	kept := 0
	for i, d := range shape {
		switch {
		case slices.Contains(axes, i):
			dims = append(dims, d)
			if p.Int("keepdims") != 0 {
				kept++
			}
		default:
			place[i] = out[kept]
			kept++
		}
	}
	return size(dims), func(i int) int {
		at := slices.Clone(place)
		for j, v := range unravel(dims, i) {
			at[axes[j]] = v
		}
		return ravel(shape, at)
	}
}

func reduceSum(mean, squares bool) func(*plan) stage {
	return func(p *plan) stage {
		n, at := p.reduced()
		if len(p.ReducedAxes()) == 0 && !squares {
			return copied(0, p.element) // nothing is reduced: the value itself, -0 included
		}
		s := p.newSum(n)
		s.dot = squares
		return seq(overall(n, func(i int, a Acc, in *inputs) {
			x := in.float(0, at(i))
			s.add(a, i, x, x)
		}), once(func(a Acc, _ *inputs) {
			v := s.of(a)
			if mean {
				v /= float32(n)
			}
			a.done(v)
		}))
	}
}

func reduceExtreme(f func(x, y float32) float32, start float64) func(*plan) stage {
	return func(p *plan) stage {
		n, at := p.reduced()
		return overall(n, func(i int, a Acc, in *inputs) {
			if i == 0 {
				a.done(float32(start))
			}
			a.done(f(a.float(0), in.float(0, at(i))))
		})
	}
}
