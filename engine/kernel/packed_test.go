package kernel

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestMatMulPackedSame compares with the words of the rule: rows from one on, depths around multiples of 256, widths
// around panels and groups of panels, both ways of storing each factor, ordinary numbers and corners.
func TestMatMulPackedSame(t *testing.T) {
	type shape struct{ m, k, n int }
	shapes := []shape{{1, 257, 128}, {1, 700, 321}, {1, 256, 1}, {1, 1, 4097}, {2, 513, 130}, {29, 256, 47}, {61, 300, 70}, {230, 40, 530}, {5, 0, 3}, {0, 4, 3}, {4, 4, 0}}
	for d := range 68 {
		shapes = append(shapes, shape{d%17 + 1, d, (d*7)%67 + 1}, shape{1, 5 * d, (d*11)%300 + 1})
	}
	rng := rand.New(rand.NewPCG(11, 12))
	each(t, func(t *testing.T) {
		for _, s := range shapes {
			for variant := range 8 {
				transA, transB, special := variant&1 != 0, variant&2 != 0, variant&4 != 0
				off := variant % 3
				a, b := make([]float32, s.m*s.k+off)[off:], make([]float32, s.k*s.n+off)[off:]
				for _, x := range [][]float32{a, b} {
					for i := range x {
						x[i] = float32(rng.NormFloat64())
					}
					if special {
						copy(x[len(x)/2:], sample(rng, min(2, len(x)-len(x)/2)))
					}
				}
				c, unharmed := framed(t, s.m*s.n, off)
				packed := Pack(b, s.k, s.n, transB)
				MatMulPacked(c, a, packed, s.m, s.k, s.n, transA)
				unharmed()
				sameBits(t, fmt.Sprint(s, transA, transB), c, matMulByRule(a, b, s.m, s.k, s.n, transA, transB))
			}
		}
	})
}

// TestMatMulPackedThreads: neither packing nor the product show the number of threads.
func TestMatMulPackedThreads(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for _, m := range []int{1, 3, 250} {
		const k, n = 1000, 1300
		a, b := normal(m*k), normal(k*n)
		copy(b[rng.IntN(len(b)-100):], sample(rng, 100))
		want := make([]float32, m*n)
		p := product{c: want, a: a, b: b, m: m, k: k, n: n, aRow: k, aCol: 1, bRow: n, bCol: 1, bPanel: panelCols}
		p.runGeneric(0, m)
		each(t, func(t *testing.T) {
			for _, procs := range []int{1, 2, 5} {
				before := runtime.GOMAXPROCS(procs)
				c := make([]float32, m*n)
				MatMulPacked(c, a, Pack(b, k, n, false), m, k, n, false)
				runtime.GOMAXPROCS(before)
				sameBits(t, fmt.Sprint(m, " rows on ", procs), c, want)
			}
		})
	}
}

// TestMatMulPackedPanics: a packed matrix of another shape is a bug of the caller.
func TestMatMulPackedPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MatMulPacked(make([]float32, 6), make([]float32, 6), Pack(make([]float32, 6), 2, 3, false), 2, 3, 2, false)
}

func BenchmarkMatMulPacked(b *testing.B) {
	for _, s := range []struct{ m, k, n int }{
		{1, 768, 768}, {1, 1024, 1024}, {1, 4096, 4096}, {8, 768, 768}, {8, 4096, 4096}, {64, 768, 3072}, {512, 1024, 4096}, {1024, 1024, 1024},
	} {
		b.Run(fmt.Sprintf("%dx%dx%d", s.m, s.k, s.n), func(b *testing.B) {
			x, y, c := normal(s.m*s.k), Pack(normal(s.k*s.n), s.k, s.n, false), make([]float32, s.m*s.n)
			b.ReportAllocs()
			for b.Loop() {
				MatMulPacked(c, x, y, s.m, s.k, s.n, false)
			}
			b.ReportMetric(2e-9*float64(s.m)*float64(s.k)*float64(s.n)*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
			b.ReportMetric(4e-9*float64(s.k)*float64(s.n)*float64(b.N)/b.Elapsed().Seconds(), "GB/s")
		})
	}
}
