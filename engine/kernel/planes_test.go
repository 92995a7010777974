package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// depthwiseShapes have windows of 3×3 on planes of every width around one and two vectors, few and many rows, both strides, and padding
// from none to more than a window.
func depthwiseShapes(rng *rand.Rand) []ConvShape {
	var list []ConvShape
	for width := 1; width <= 70; width++ {
		for stride := 1; stride <= 2; stride++ {
			padding := func() int { return rng.IntN(3) + rng.IntN(2)*rng.IntN(3) }
			rows := axisOf(1+rng.IntN(9), 3, stride, 1, padding(), rng.IntN(3))
			cols := axisOf(width, 3, stride, 1, padding(), rng.IntN(3))
			list = append(list, ConvShape{1 + rng.IntN(2), 1 + rng.IntN(7), 1, 1, Along(rows, cols)})
		}
	}
	return list
}

// TestDepthwiseSame compares with the words of the rule: with usual numbers, with those where implementations differ first, in x, in the
// weights, or in both, and with what follows. Around x there are NaN, which must not be read.
func TestDepthwiseSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 62))
	for i, s := range depthwiseShapes(rng) {
		usual := func(n int) []float32 {
			list := make([]float32, n)
			for j := range list {
				list[j] = float32(rng.NormFloat64())
			}
			return list
		}
		x, w := usual(s.Batch*s.Groups*s.in()), usual(s.Groups*9)
		switch i % 5 {
		case 1:
			x = sample(rng, len(x))
		case 2:
			w = sample(rng, len(w))
		case 3: // products that vanish
			for j := range x {
				x[j] *= 0x1p-140
			}
			for j := range w {
				w[j] *= 0x1p-12
			}
		}
		fenced := make([]float32, len(x)+128)
		for j := range fenced {
			fenced[j] = float32(math.NaN())
		}
		fenced = fenced[:64+copy(fenced[64:], x)]
		then := Then{Rows: usual(s.Groups), Add: usual(s.Batch * s.Groups * s.out()), Clip: true, Low: 0, High: 6}
		switch i % 3 {
		case 1:
			then = Then{Rows: then.Rows, Clip: true, Low: -0.5, High: float32(math.Inf(1)), Apply: Sigmoid}
		case 2:
			then = Then{Add: then.Add}
		}
		plain := convByRule(s, x, w)
		ended := append([]float32(nil), plain...)
		for j := range ended {
			channel := j / s.out() % s.Groups
			part := Then{Clip: then.Clip, Low: then.Low, High: then.High, Rows: pick(then.Rows, channel, 1), Add: pick(then.Add, j, 1)}
			part.generic(ended[j:j+1], 0, 0, 1)
			if then.Apply != nil {
				then.Apply(ended[j:j+1], ended[j:j+1])
			}
		}
		each(t, func(t *testing.T) {
			for _, procs := range []int{1, 3} {
				before := runtime.GOMAXPROCS(procs)
				defer runtime.GOMAXPROCS(before)
				c := NewConv(s, false)
				packed := c.Pack(w)
				what := fmt.Sprintf("%+v with %d threads", s, procs)
				y, unharmed := framed(t, len(plain), i%3)
				c.Run(y, fenced[64:], packed, nil, nil)
				unharmed()
				sameBits(t, what, y, plain)
				c.Run(y, fenced[64:], packed, &then, nil)
				unharmed()
				sameBits(t, what+", then more", y, ended)
			}
		})
	}
}

// TestMaximumPlanesSame compares maxima of the windows that have assembly with the definition, zeros of either sign, NaN and infinities
// among the numbers, on planes of every width around one and two vectors. What stands around x must not be read.
func TestMaximumPlanesSame(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(63, 64))
		for width := 1; width <= 40; width++ {
			for _, window := range [][2]int{{2, 2}, {3, 1}, {3, 2}, {5, 1}, {3, 3}, {5, 2}} {
				side, stride := window[0], window[1]
				rows := axisOf(1+rng.IntN(6), side, stride, 1, rng.IntN(side), rng.IntN(side))
				cols := axisOf(width, side, stride, 1, rng.IntN(side+2), rng.IntN(side))
				w := Along(rows, cols)
				planes := 1 + rng.IntN(4)
				x := sample(rng, planes*w.in())
				if width%2 == 0 { // mostly zeros
					for j := range x {
						if rng.IntN(8) > 0 {
							x[j] = float32(math.Copysign(0, rng.Float64()-0.5))
						}
					}
				}
				fenced := make([]float32, len(x)+128)
				for j := range fenced {
					fenced[j] = float32(math.NaN())
				}
				fenced = fenced[:64+copy(fenced[64:], x)]
				y, unharmed := framed(t, planes*w.out(), width%3)
				p := MaxPool(planes, w)
				p.Run(y, fenced[64:])
				unharmed()
				want := make([]float32, len(y))
				for c := range planes {
					p.gathered(want[c*w.out():][:w.out()], x[c*w.in():][:w.in()], new([]float32))
				}
				sameBits(t, fmt.Sprintf("%d planes of %+v", planes, w), y, want)
			}
		}
	})
}

// TestDepthwiseLastSame compares values that have their channels last with those that have them first, for numbers of channels around one and
// two vectors.
func TestDepthwiseLastSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(65, 66))
	shapes := depthwiseShapes(rng)
	for i := range shapes { // windows of 5×5 too
		if s := &shapes[i]; i%3 == 0 {
			for _, a := range []*Axis{&s.Window[1], &s.Window[2]} {
				a.Kernel, a.In = 5, a.In+2
			}
		}
	}
	for i, s := range shapes {
		s.Groups = 1 + rng.IntN(70)
		if i%2 == 0 {
			s.Groups = (s.Groups + 15) / 16 * 16
		}
		x, w := make([]float32, s.Batch*s.Groups*s.in()), make([]float32, s.Groups*s.places())
		bias, residual := make([]float32, s.Groups), make([]float32, s.Batch*s.Groups*s.out())
		for _, list := range [][]float32{x, w, bias, residual} {
			for j := range list {
				list[j] = float32(rng.NormFloat64())
			}
		}
		switch i % 5 {
		case 1:
			x = sample(rng, len(x))
		case 2:
			w = sample(rng, len(w))
		}
		then := Then{Rows: bias, Add: residual, Clip: true, Low: 0, High: 6}
		switch i % 3 {
		case 1:
			then = Then{Rows: bias, Clip: true, Low: -0.5, High: float32(math.Inf(1)), Apply: Sigmoid}
		case 2:
			then = Then{Add: residual}
		}
		first := NewConv(s, false)
		want := make([]float32, len(residual))
		first.Run(want, x, first.Pack(w), &then, func(y []float32, channel, _ int) { AddScalar(y, y, float32(channel)) })
		last := func(list []float32, places int) []float32 {
			turned := make([]float32, len(list))
			ToChannelsLast(turned, list, s.Batch, s.Groups, places)
			return turned
		}
		want = last(want, s.out())
		fenced := make([]float32, len(x)+128)
		for j := range fenced {
			fenced[j] = float32(math.NaN())
		}
		fenced = fenced[:64+copy(fenced[64:], last(x, s.in()))]
		if then.Add != nil {
			then.Add = last(residual, s.out())
		}
		each(t, func(t *testing.T) {
			for _, procs := range []int{1, 3} {
				before := runtime.GOMAXPROCS(procs)
				defer runtime.GOMAXPROCS(before)
				c := NewConvLayout(s, ChannelsLast, ChannelsLast, false)
				y, unharmed := framed(t, len(want), i%3)
				c.Run(y, fenced[64:], c.Pack(w), &then, func(y []float32, channel, _ int) {
					for j := range y {
						y[j] += float32(channel + j)
						if channel+j == s.Groups-1 {
							channel -= s.Groups
						}
					}
				})
				unharmed()
				sameBits(t, fmt.Sprintf("%+v with %d threads", s, procs), y, want)
			}
		})
	}
}
