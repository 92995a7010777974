package kernel

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// windowShapes are convolutions with strides, dilations, padding, groups, several blocks of positions and windows of padding alone.
var windowShapes = []ConvShape{
	{Batch: 2, Groups: 1, Channels: 3, Outputs: 32, Window: Along(Axis{9, 3, 1, 1, 1, 9}, Axis{40, 3, 1, 1, 1, 40})},
	{Batch: 1, Groups: 1, Channels: 2, Outputs: 3, Window: Along(Axis{3, 2, 2, 1, 1, 2}, Axis{4, 3, 1, 2, 3, 6}, Axis{5, 3, 1, 2, 2, 5})},
	{Batch: 1, Groups: 1, Channels: 1, Outputs: 2, Window: Along(Axis{4, 5, 1, 1, 2, 4}, Axis{3, 7, 1, 1, 3, 3})},
	{Batch: 3, Groups: 2, Channels: 2, Outputs: 3, Window: Along(Axis{7, 2, 2, 1, 1, 4}, Axis{6, 3, 3, 2, 2, 2})},
	{Batch: 1, Groups: 4, Channels: 1, Outputs: 1, Window: Along(Axis{5, 2, 1, 3, 4, 9})},
	{Batch: 1, Groups: 1, Channels: 1, Outputs: 1, Window: Along(Axis{7, 2, 2, 1, 0, 3}, Axis{20, 2, 2, 1, 1, 10})},
	{Batch: 1, Groups: 1, Channels: 1, Outputs: 1, Window: Along(Axis{6, 2, 1, 2, 1, 5}, Axis{9, 2, 1, 1, 0, 8})},
	{Batch: 2, Groups: 1, Channels: 2, Outputs: 5, Window: Along(Axis{2, 2, 1, 1, 0, 1}, Axis{3, 2, 2, 1, 1, 2}, Axis{4, 2, 1, 2, 1, 3})},
}

// readAt is the index in an input plane of what output j reads at place p, or -1 for padding.
func (w *Window) readAt(j, p int) int {
	at := 0
	o, k := [3]int{j / (w[1].Out * w[2].Out), j / w[2].Out % w[1].Out, j % w[2].Out}, [3]int{p / (w[1].Kernel * w[2].Kernel), p / w[2].Kernel % w[1].Kernel, p % w[2].Kernel}
	for a := range w {
		i := o[a]*w[a].Stride + k[a]*w[a].Dilation - w[a].Before
		if i < 0 || i >= w[a].In {
			return -1
		}
		at = at*w[a].In + i
	}
	return at
}

// TestConvWeightGradSame follows the rule: images ascending, positions in blocks of 256 from each image's first, T going on.
func TestConvWeightGradSame(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(11, 12))
		for _, s := range windowShapes {
			x, dy := normals(rng, s.Batch*s.Groups*s.Channels*s.in()), normals(rng, s.Batch*s.Groups*s.Outputs*s.out())
			want := make([]float32, s.Groups*s.Outputs*s.depth())
			for i := range want {
				o, c, p := i/s.depth(), i%s.depth()/s.places(), i%s.places()
				for b := range s.Batch {
					plane := x[(b*s.Groups*s.Channels+o/s.Outputs*s.Channels+c)*s.in():]
					for j0 := 0; j0 < s.out(); j0 += 256 {
						var chain float32
						for j := j0; j < min(j0+256, s.out()); j++ {
							read := float32(0)
							if at := s.readAt(j, p); at >= 0 {
								read = plane[at]
							}
							chain = FMA(dy[(b*s.Groups*s.Outputs+o)*s.out()+j], read, chain)
						}
						want[i] += chain
					}
				}
			}
			for _, procs := range []int{1, 3} {
				runtime.GOMAXPROCS(procs)
				got, unharmed := framed(t, len(want), 1)
				ConvWeightGrad(got, dy, x, s)
				unharmed()
				sameBits(t, fmt.Sprint(s), got, want)
			}
		}
	})
}

func normals(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// TestPoolGradSame follows the rules: windows ascending, a maximum's gradient to the first greatest element or the first NaN.
func TestPoolGradSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for i := range 10 * len(windowShapes) {
		s := windowShapes[i%len(windowShapes)]
		const planes = 3
		w := s.Window
		x, dy := sample(rng, planes*w.in()), normals(rng, planes*w.out())
		if rng.IntN(2) == 0 {
			x = normals(rng, len(x))
		}
		for i := range x { // ties
			if rng.IntN(2) == 0 {
				x[i] = float32(rng.IntN(2))
			}
		}
		if rng.IntN(2) == 0 {
			applyUnary(opRelu, x, x)
		}
		wantMax, wantSum := make([]float32, len(x)), make([]float32, len(x))
		for c := range planes {
			for j := range w.out() {
				first := -1
				for p := range w.places() {
					at := w.readAt(j, p)
					if at < 0 {
						continue
					}
					at += c * w.in()
					wantSum[at] += dy[c*w.out()+j]
					switch {
					case first < 0, x[at] > x[first], x[at] != x[at] && x[first] == x[first]:
						first = at
					}
				}
				if first >= 0 {
					wantMax[first] += dy[c*w.out()+j]
				}
			}
		}
		got := make([]float32, len(x))
		MaxPoolGrad(got, dy, x, planes, w)
		sameBits(t, fmt.Sprint("max ", s), got, wantMax)
		SumPoolGrad(got, dy, planes, w)
		sameBits(t, fmt.Sprint("sum ", s), got, wantSum)
	}
}

// TestMatMulAdd: a product in parts that are multiples of 256 long has the bits of the whole.
func TestMatMulAdd(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(15, 16))
		for _, m := range []int{1, 7, 40} {
			const k, cut, n = 700, 512, 37
			a, b := normals(rng, m*k), normals(rng, k*n)
			want := make([]float32, m*n)
			MatMul(want, a, b, m, k, n, true, false)
			got := make([]float32, m*n)
			MatMulAdd(got, a[:cut*m], b[:cut*n], m, cut, n, true, false)
			MatMulAdd(got, a[cut*m:], b[cut*n:], m, k-cut, n, true, false)
			sameBits(t, fmt.Sprint("rows ", m), got, want)
		}
	})
}
