package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// convByRule follows the words of the rule: "y[o, j] = Σ_k w[o, k]·x[k, j] by section 3, where k counts places, and channels of the
// group within a place; padding is +0 and takes part in the sum".
func convByRule(s ConvShape, x, w []float32) []float32 {
	var y []float32
	read := func(plane []float32, o, k [3]int) float32 {
		at := 0
		for a, axis := range s.Window {
			i := o[a]*axis.Stride + k[a]*axis.Dilation - axis.Before
			if i < 0 || i >= axis.In {
				return 0
			}
			at = at*axis.In + i
		}
		return plane[at]
	}
	for b := range s.Batch {
		for out := range s.Groups * s.Outputs {
			g := out / s.Outputs
			for j := range s.out() {
				o := [3]int{j / (s.Window[1].Out * s.Window[2].Out), j / s.Window[2].Out % s.Window[1].Out, j % s.Window[2].Out}
				var sum, chain float32
				for k := range s.depth() {
					if k > 0 && k%256 == 0 {
						sum, chain = sum+chain, 0
					}
					channel, place := k%s.Channels, k/s.Channels
					plane := x[((b*s.Groups+g)*s.Channels+channel)*s.in():][:s.in()]
					chain = FMA(w[(out*s.Channels+channel)*s.places()+place], read(plane, o, s.place(place)), chain)
				}
				y = append(y, sum+chain)
			}
		}
	}
	return y
}

// axisOf is an axis of that many outputs.
func axisOf(out, kernel, stride, dilation, before, after int) Axis {
	in := (out-1)*stride + (kernel-1)*dilation + 1 - before - after
	return Axis{max(1, in), kernel, stride, dilation, before, out}
}

// convShapes go every way that there is: whole and broken panels, few and many rows, small planes with many channels, depthwise with and
// without multiplier, strides, dilations, three axes, and windows of which a staging would be too large.
var convShapes = []ConvShape{
	{1, 1, 3, 20, Along(axisOf(17, 7, 2, 1, 3, 2), axisOf(33, 7, 2, 1, 3, 2))},
	{2, 1, 40, 30, Along(axisOf(7, 3, 1, 1, 1, 1), axisOf(7, 3, 1, 1, 1, 1))},
	{1, 1, 70, 64, Along(axisOf(7, 3, 1, 1, 1, 1), axisOf(7, 3, 1, 1, 1, 1))},
	{9, 1, 40, 64, Along(axisOf(2, 3, 1, 1, 1, 1), axisOf(3, 3, 1, 1, 1, 1))},
	{70, 2, 7, 40, Along(axisOf(2, 1, 1, 1, 0, 0), axisOf(2, 1, 1, 1, 0, 0))},
	{1, 1, 30, 75, Along(axisOf(4, 3, 1, 1, 1, 1), axisOf(3, 3, 2, 1, 1, 0))},
	{2, 1, 300, 14, Along(axisOf(9, 1, 1, 1, 0, 0), axisOf(11, 1, 1, 1, 0, 0))},
	{1, 1, 20, 5, Along(axisOf(64, 1, 1, 1, 0, 0))},
	{1, 1, 9, 31, Along(axisOf(8, 1, 1, 1, 0, 0), axisOf(20, 1, 2, 1, 0, 0))},
	{1, 2, 6, 17, Along(axisOf(10, 3, 1, 2, 2, 2), axisOf(12, 3, 1, 2, 2, 2))},
	{1, 1, 4, 40, Along(axisOf(9, 2, 1, 1, 0, 0), axisOf(13, 2, 1, 1, 0, 0))},
	{1, 1, 5, 6, Along(axisOf(700, 9, 1, 1, 4, 4))},
	{1, 1, 2, 7, Along(axisOf(1300, 3, 2, 1, 1, 1))},
	{1, 2, 3, 4, Along(axisOf(3, 2, 1, 1, 1, 0), axisOf(4, 3, 2, 1, 1, 1), axisOf(5, 3, 1, 1, 1, 1))},
	{1, 1, 3, 4, Along(axisOf(2, 1, 300, 1, 250, 0), axisOf(3, 3, 1, 5000, 5000, 5000))},
	{2, 9, 1, 1, Along(axisOf(14, 3, 1, 1, 1, 1), axisOf(14, 3, 1, 1, 1, 1))},
	{1, 5, 1, 3, Along(axisOf(7, 5, 2, 1, 2, 2), axisOf(100, 5, 2, 1, 2, 1))},
	{1, 4, 1, 1, Along(axisOf(2, 3, 1, 1, 1, 1), axisOf(5, 3, 1, 3, 3, 3), axisOf(6, 3, 3, 1, 1, 1))},
	{1, 2, 1, 1, Along(axisOf(600, 3, 1, 1, 1, 1))},
	{1, 2, 1, 1, Along(axisOf(10, 17, 1, 1, 8, 8), axisOf(10, 17, 1, 1, 8, 8))},
	{1, 2, 1, 1, Along(axisOf(4, 2, 1, 9000, 9000, 9000))},
	{1, 3, 1, 6, Along(axisOf(6, 3, 1, 1, 1, 1), axisOf(6, 3, 1, 1, 1, 1))},
}

// convCase is a convolution with what follows it, and what it gives by the rule.
type convCase struct {
	ConvShape
	x, w, plain, ended []float32
	bias               []float32
	then               Then
}

// convCases makes a case of each of the shapes and of some at random.
func convCases(rng *rand.Rand) (cases []convCase) {
	shapes := convShapes
	for range 60 {
		s := ConvShape{Batch: 1 + rng.IntN(2), Groups: 1 + rng.IntN(2)*rng.IntN(3), Channels: 1 + rng.IntN(40), Outputs: 1 + rng.IntN(70)}
		var axes []Axis
		for range 1 + rng.IntN(2) {
			axes = append(axes, axisOf(1+rng.IntN(20), 1+rng.IntN(3), 1+rng.IntN(3), 1+rng.IntN(3), rng.IntN(2), rng.IntN(2)))
		}
		s.Window = Along(axes...)
		shapes = append(shapes, s)
	}
	for i, s := range shapes {
		x, w := make([]float32, s.Batch*s.Groups*s.Channels*s.in()), make([]float32, s.Groups*s.Outputs*s.depth())
		bias, residual := make([]float32, s.Groups*s.Outputs), make([]float32, s.Batch*s.Groups*s.Outputs*s.out())
		for _, list := range [][]float32{x, w, bias, residual} {
			for j := range list {
				list[j] = float32(rng.NormFloat64())
			}
			if i%3 == 0 {
				copy(list[len(list)/2:], sample(rng, min(3, len(list)-len(list)/2)))
			}
		}
		plain := convByRule(s, x, w)
		then := Then{Rows: bias, Add: residual, Clip: true, Low: -0.5, High: 6, Apply: Sigmoid}
		switch i % 4 {
		case 1:
			then = Then{}.Relu()
		case 2:
			then = Then{Rows: bias, Scale: 0.3, Clip: true, Low: -1, High: float32(math.Copysign(0, -1))}
		case 3:
			then.Apply = nil
		}
		ended := make([]float32, len(plain))
		copy(ended, plain)
		n := s.out()
		for plane := range len(ended) / n {
			row := ended[plane*n:][:n]
			for j := range row {
				one := row[j : j+1]
				(&Then{Scale: then.Scale, Clip: then.Clip, Low: then.Low, High: then.High, Rows: pick(then.Rows, plane%len(bias), 1), Add: pick(then.Add, plane*n+j, 1)}).generic(one, 0, 0, 1)
			}
			if then.Apply != nil {
				then.Apply(row, row)
			}
			AddScalar(row, row, float32(plane%len(bias)))
		}
		cases = append(cases, convCase{s, x, w, plain, ended, bias, then})
	}
	return cases
}

func TestConvSame(t *testing.T) {
	for i, s := range convCases(rand.New(rand.NewPCG(41, 42))) {
		n, bias := s.out(), s.bias
		each(t, func(t *testing.T) {
			for _, procs := range []int{1, 3} {
				before := runtime.GOMAXPROCS(procs)
				defer runtime.GOMAXPROCS(before)
				c := NewConv(s.ConvShape, false)
				packed := c.Pack(s.w)
				what := fmt.Sprintf("%+v with %d threads", s.ConvShape, procs)
				y, unharmed := framed(t, len(s.plain), i%3)
				c.Run(y, s.x, packed, nil, nil)
				unharmed()
				sameBits(t, what, y, s.plain)
				c.Run(y, s.x, packed, &s.then, func(y []float32, channel, at int) {
					if at/n%len(bias) != channel || at%n+len(y) > n {
						t.Errorf("%s: channel %d at %d", what, channel, at)
					}
					AddScalar(y, y, float32(channel))
				})
				unharmed()
				sameBits(t, what+", then more", y, s.ended)
			}
		})
	}
}

// TestConvChannelsLast: a convolution gives the same numbers with its channels last.
func TestConvChannelsLast(t *testing.T) {
	cases := convCases(rand.New(rand.NewPCG(49, 50)))
	for _, s := range pixelShapes {
		rng := rand.New(rand.NewPCG(53, 54))
		x, w := make([]float32, s.Batch*s.Channels*s.in()), make([]float32, s.Outputs*s.depth())
		for _, list := range [][]float32{x, w} {
			for j := range list {
				list[j] = float32(rng.NormFloat64())
			}
		}
		plain := convByRule(s, x, w)
		ended := make([]float32, len(plain))
		Relu(ended, plain)
		for plane := range len(ended) / s.out() {
			row := ended[plane*s.out():][:s.out()]
			AddScalar(row, row, float32(plane%s.Outputs))
		}
		cases = append(cases, convCase{s, x, w, plain, ended, make([]float32, s.Outputs), Then{}.Relu()})
	}
	for i, s := range cases {
		channels := s.Groups * s.Outputs
		last := func(x []float32, channels int) []float32 {
			y := make([]float32, len(x))
			ToChannelsLast(y, x, s.Batch, channels, len(x)/(s.Batch*channels))
			return y
		}
		plain, ended, then := last(s.plain, channels), last(s.ended, channels), s.then
		if then.Add != nil {
			then.Add = last(then.Add, channels)
		}
		numbers := make([]float32, channels)
		for c := range numbers {
			numbers[c] = float32(c)
		}
		each(t, func(t *testing.T) {
			for _, procs := range []int{1, 3} {
				before := runtime.GOMAXPROCS(procs)
				defer runtime.GOMAXPROCS(before)
				for _, from := range []Layout{ChannelsFirst, ChannelsLast} {
					x := s.x
					if from == ChannelsLast {
						x = last(x, s.Groups*s.Channels)
					}
					c := NewConvLayout(s.ConvShape, from, ChannelsLast, false)
					packed := c.Pack(s.w)
					what := fmt.Sprintf("%+v from layout %d with %d threads", s.ConvShape, from, procs)
					y, unharmed := framed(t, len(plain), i%3)
					c.Run(y, x, packed, nil, nil)
					unharmed()
					sameBits(t, what, y, plain)
					c.Run(y, x, packed, &then, func(y []float32, channel, at int) {
						if at%channels != channel || channel > 0 && channel+len(y) > channels || channel == 0 && len(y) > channels && len(y)%channels != 0 {
							t.Errorf("%s: %d from channel %d at %d", what, len(y), channel, at)
						}
						perPixel(y, channel, channels, numbers)
					})
					unharmed()
					sameBits(t, what+", then more", y, ended)
				}
			}
		})
	}
}

// pixelShapes go the ways that there are with channels last: in place, through a band and gathered; lines of one and of several groups,
// chunks that end within an image, panels that are not whole, and rows that would fall on the same cache sets.
var pixelShapes = []ConvShape{
	{2, 1, 64, 40, Along(axisOf(20, 3, 1, 1, 1, 1), axisOf(30, 3, 1, 1, 1, 1))},
	{1, 1, 128, 16, Along(axisOf(6, 3, 2, 1, 1, 0), axisOf(15, 3, 2, 1, 1, 0))},
	{1, 1, 256, 33, Along(axisOf(9, 1, 1, 1, 0, 0), axisOf(11, 1, 1, 1, 0, 0))},
	{3, 1, 256, 48, Along(axisOf(5, 3, 1, 1, 1, 1), axisOf(7, 3, 1, 1, 1, 1))},
	{5, 1, 20, 64, Along(axisOf(3, 3, 1, 2, 2, 2), axisOf(2, 3, 1, 1, 1, 1))},
	{2, 1, 128, 70, Along(axisOf(8, 1, 2, 1, 0, 0), axisOf(8, 1, 2, 1, 0, 0))},
	{1, 1, 24, 80, Along(axisOf(17, 3, 1, 3, 0, 0), axisOf(29, 3, 1, 2, 0, 0))},
	{1, 1, 3, 16, Along(axisOf(40, 3, 2, 1, 1, 0), axisOf(40, 3, 2, 1, 1, 0))},
}

// pick is n elements of a list that may be left out.
func pick(list []float32, at, n int) []float32 {
	if list == nil {
		return nil
	}
	return list[at : at+n]
}

// TestConvBatch: an image gives the same bits alone and in a batch.
func TestConvBatch(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(43, 44))
		for _, s := range convShapes {
			s.Batch = 1
			one := NewConv(s, false)
			s.Batch = 4
			four := NewConv(s, false)
			x, w := make([]float32, 4*s.Groups*s.Channels*s.in()), make([]float32, s.Groups*s.Outputs*s.depth())
			for _, list := range [][]float32{x, w} {
				for j := range list {
					list[j] = float32(rng.NormFloat64())
				}
			}
			y := make([]float32, 4*s.Groups*s.Outputs*s.out())
			four.Run(y, x, four.Pack(w), nil, nil)
			single := make([]float32, len(y)/4)
			packed := one.Pack(w)
			for i := range 4 {
				one.Run(single, x[i*len(x)/4:][:len(x)/4], packed, nil, nil)
				sameBits(t, fmt.Sprintf("image %d of %+v", i, s), y[i*len(single):][:len(single)], single)
			}
		}
	})
}

// TestPoolSame compares with windows folded element by element.
func TestPoolSame(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(45, 46))
		for i, s := range convShapes {
			const planes = 3
			x := sample(rng, planes*s.in())
			if i%2 == 0 {
				for j := range x {
					x[j] = float32(rng.NormFloat64())
				}
			}
			for _, kind := range []struct {
				make func(int, Window) *Pool
				op   binaryOp
			}{{MaxPool, opMaximum}, {SumPool, opAdd}} {
				p := kind.make(planes, s.Window)
				y, unharmed := framed(t, planes*s.out(), i%3)
				p.Run(y, x)
				unharmed()
				want := make([]float32, len(y))
				for c := range planes {
					p.gathered(want[c*s.out():][:s.out()], x[c*s.in():][:s.in()], new([]float32))
					for j := range s.out() {
						o := [3]int{j / (s.Window[1].Out * s.Window[2].Out), j / s.Window[2].Out % s.Window[1].Out, j % s.Window[2].Out}
						var fold float32
						for k := range s.places() {
							v, at, place := p.fill, 0, s.place(k)
							for a, axis := range s.Window {
								i := o[a]*axis.Stride + place[a]*axis.Dilation - axis.Before
								if i < 0 || i >= axis.In {
									at = -1
									break
								}
								at = at*axis.In + i
							}
							if at >= 0 {
								v = x[c*s.in()+at]
							}
							if k == 0 {
								fold = v
							} else {
								fold = binaryGeneric[kind.op](fold, v)
							}
						}
						sameBits(t, fmt.Sprintf("definition of pool %d over %+v", kind.op, s.Window), want[c*s.out()+j:][:1], []float32{fold})
					}
				}
				sameBits(t, fmt.Sprintf("pool %d over %+v", kind.op, s.Window), y, want)
			}
		}
	})
}

// BenchmarkConv measures layers of ResNet, MobileNet and a detector.
func BenchmarkConv(b *testing.B) {
	square := func(out, kernel, stride int) Window {
		a := axisOf(out, kernel, stride, 1, kernel/2, (kernel-1)/2)
		return Along(a, a)
	}
	for _, s := range []ConvShape{
		{1, 1, 3, 64, square(112, 7, 2)}, {1, 1, 64, 64, square(56, 3, 1)}, {1, 1, 64, 128, square(28, 3, 2)}, {1, 1, 128, 128, square(28, 3, 1)},
		{1, 1, 256, 256, square(14, 3, 1)}, {1, 1, 512, 512, square(7, 3, 1)}, {1, 1, 64, 256, square(56, 1, 1)}, {1, 1, 256, 64, square(56, 1, 1)},
		{1, 1, 512, 128, square(28, 1, 1)}, {1, 1, 1024, 256, square(14, 1, 1)}, {1, 1, 512, 2048, square(7, 1, 1)}, {1, 1, 2048, 512, square(7, 1, 1)},
		{1, 1, 256, 512, square(28, 1, 2)},
		{1, 1, 3, 32, square(112, 3, 2)}, {1, 1, 16, 96, square(112, 1, 1)}, {1, 1, 96, 24, square(56, 1, 1)}, {1, 1, 24, 144, square(56, 1, 1)}, {1, 1, 64, 384, square(14, 1, 1)},
		{1, 1, 384, 64, square(14, 1, 1)}, {1, 1, 160, 960, square(7, 1, 1)},
		{1, 32, 1, 1, square(112, 3, 1)}, {1, 96, 1, 1, square(56, 3, 2)}, {1, 144, 1, 1, square(56, 3, 1)}, {1, 384, 1, 1, square(14, 3, 1)}, {1, 960, 1, 1, square(7, 3, 1)},
		{1, 1, 16, 32, square(80, 3, 2)}, {1, 1, 16, 16, square(80, 3, 1)}, {1, 1, 32, 32, square(40, 3, 1)}, {1, 1, 64, 64, square(20, 3, 1)}, {1, 1, 128, 64, square(10, 3, 1)},
	} {
		name := fmt.Sprintf("%dx%d->%d,k%d/%d,%d", s.Groups, s.Channels, s.Outputs, s.Window[2].Kernel, s.Window[2].Stride, s.Window[2].Out)
		b.Run(name, func(b *testing.B) {
			x, y, bias := normal(s.Groups*s.Channels*s.in()), make([]float32, s.Groups*s.Outputs*s.out()), normal(s.Groups*s.Outputs)
			c := NewConv(s, false)
			w := c.Pack(normal(s.Groups * s.Outputs * s.depth()))
			then := Then{Rows: bias}.Relu()
			for b.Loop() {
				c.Run(y, x, w, &then, nil)
			}
			b.ReportMetric(2e-9*float64(len(y)*s.depth())*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
		})
	}
}
