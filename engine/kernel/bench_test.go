package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkMatMul(b *testing.B) {
	for _, s := range []struct {
		m, k, n        int
		transA, transB bool
	}{
		{64, 30, 32, false, false}, {64, 32, 32, false, false}, {64, 32, 32, false, true}, {32, 64, 32, true, false}, {64, 32, 1, false, false},
		{1, 1024, 1024, false, false}, {8, 768, 768, false, false},
		{256, 256, 256, false, false}, {256, 256, 256, false, true}, {256, 256, 256, true, false},
		{1024, 1024, 1024, false, false}, {1024, 1024, 1024, false, true}, {1024, 1024, 1024, true, false},
	} {
		name := fmt.Sprintf("%dx%dx%d", s.m, s.k, s.n)
		if s.transA {
			name += "/transA"
		}
		if s.transB {
			name += "/transB"
		}
		b.Run(name, func(b *testing.B) {
			x, y, c := normal(s.m*s.k), normal(s.k*s.n), make([]float32, s.m*s.n)
			b.ReportAllocs()
			for b.Loop() {
				MatMul(c, x, y, s.m, s.k, s.n, s.transA, s.transB)
			}
			b.ReportMetric(2e-9*float64(s.m)*float64(s.k)*float64(s.n)*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
		})
	}
}

func BenchmarkElementwise(b *testing.B) {
	for _, n := range []int{32, 4096} {
		x, y, dst := normal(n), normal(n), make([]float32, n)
		for _, f := range []struct {
			name string
			run  func()
		}{
			{"Exp", func() { Exp(dst, x) }}, {"Log", func() { Log(dst, x) }}, {"Tanh", func() { Tanh(dst, x) }},
			{"Erf", func() { Erf(dst, x) }}, {"Sigmoid", func() { Sigmoid(dst, x) }}, {"Silu", func() { Silu(dst, x) }}, {"Sin", func() { Sin(dst, x) }},
			{"Add", func() { Add(dst, x, y) }}, {"Div", func() { Div(dst, x, y) }}, {"Maximum", func() { Maximum(dst, x, y) }},
			{"MulScalar", func() { MulScalar(dst, x, 3) }}, {"Sum", func() { Sum(x) }}, {"SumRows9", func() { SumRows(dst[:n/9], x[:n/9*9]) }}, {"Dot", func() { Dot(x, y) }}, {"Max", func() { Max(x) }},
			{"Softmax", func() { Softmax(dst, x, 1, n) }}, {"Uniform", func() { Uniform(dst, [2]uint32{1, 2}, 0) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", f.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f.run()
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(n), "ns/element")
			})
		}
	}
}

func normal(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}
