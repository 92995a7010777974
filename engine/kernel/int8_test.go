package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// int8s are random, every fourth one a limit.
func int8s(rng *rand.Rand, n int) []int8 {
	x := make([]int8, n)
	for i := range x {
		x[i] = int8(rng.Uint32())
		if rng.IntN(4) == 0 {
			x[i] = []int8{-128, 127}[rng.IntN(2)]
		}
	}
	return x
}

// int8ByRule sums in int64.
func int8ByRule(a, b []int8, m, k, n int) []int32 {
	c := make([]int32, m*n)
	for i := range m {
		for j := range n {
			var sum int64
			for l := range k {
				sum += int64(a[i*k+l]) * int64(b[l*n+j])
			}
			c[i*n+j] = int32(sum)
		}
	}
	return c
}

func TestMatMulInt8Same(t *testing.T) {
	type shape struct{ m, k, n int }
	shapes := []shape{{1, 1, 1}, {15, 33, 65}, {29, 257, 100}, {3, 16400, 5}, {130, 20, 530}, {5, 0, 3}, {0, 4, 3}, {4, 4, 0}}
	for d := range 68 {
		shapes = append(shapes, shape{d%17 + 1, d, (d*7)%67 + 1})
	}
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(15, 16))
		for _, s := range shapes {
			a, b := int8s(rng, s.m*s.k), int8s(rng, s.k*s.n)
			want := int8ByRule(a, b, s.m, s.k, s.n)
			all := make([]int32, s.m*s.n+40)
			for i := range all {
				all[i] = -7
			}
			c := all[20:][: s.m*s.n : s.m*s.n]
			MatMulInt8(c, a, b, s.m, s.k, s.n)
			if !slices.Equal(c, want) {
				t.Fatalf("%v differs", s)
			}
			turned := make([]int8, len(b))
			for l := range s.k {
				for j := range s.n {
					turned[j*s.k+l] = b[l*s.n+j]
				}
			}
			clear(c)
			MatMulInt8Packed(c, a, PackInt8(turned, s.k, s.n, true), s.m, s.k, s.n)
			if !slices.Equal(c, want) {
				t.Fatalf("%v, packed from the transpose, differs", s)
			}
			for i, v := range all {
				if (i < 20 || i >= 20+len(c)) && v != -7 {
					t.Fatalf("%v: wrote element %d outside of c", s, i-20)
				}
			}
		}
	})
}

// TestMatMulInt8Limits: the longest sums of the largest products of each sign.
func TestMatMulInt8Limits(t *testing.T) {
	const k = maxInt8K
	a, b := make([]int8, k), make([]int8, 2*k)
	for i := range k {
		a[i], b[2*i], b[2*i+1] = -128, -128, 127
	}
	each(t, func(t *testing.T) {
		c := make([]int32, 2)
		MatMulInt8(c, a, b, 1, k, 2)
		if c[0] != 128*128*k || c[1] != -128*127*k {
			t.Errorf("got %d, want %d and %d", c, 128*128*k, -128*127*k)
		}
	})
	defer func() {
		if recover() == nil {
			t.Error("a longer sum does not panic")
		}
	}()
	MatMulInt8(make([]int32, 1), make([]int8, k+1), make([]int8, k+1), 1, k+1, 1)
}

func TestMatMulInt8Threads(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	const m, k, n = 130, 900, 1100
	a, b := int8s(rng, m*k), int8s(rng, k*n)
	want := int8ByRule(a, b, m, k, n)
	each(t, func(t *testing.T) {
		for _, procs := range []int{1, 2, 5} {
			before := runtime.GOMAXPROCS(procs)
			c := make([]int32, m*n)
			MatMulInt8(c, a, b, m, k, n)
			runtime.GOMAXPROCS(before)
			if !slices.Equal(c, want) {
				t.Errorf("differs on %d", procs)
			}
		}
	})
}

// TestRoundInt8: halves go to the even neighbour, the rest saturates.
func TestRoundInt8(t *testing.T) {
	inf := float32(math.Inf(1))
	for x, want := range map[float32]int8{0.5: 0, 1.5: 2, 2.5: 2, -0.5: 0, -1.5: -2, 126.5: 126, 126.51: 127, 127.5: 127, -127.5: -128,
		-128.5: -128, 1e30: 127, -1e30: -128, inf: 127, -inf: -128, 0x1.fffffep-2: 0, 0x1.000002p-1: 1} {
		if got := roundInt8(x); got != want {
			t.Errorf("%v gives %d, want %d", x, got, want)
		}
	}
	if got := roundInt8(float32(math.NaN())); got != 0 {
		t.Errorf("NaN gives %d", got)
	}
}

// TestRequantize: one scale per column; the sum becomes a float32 first.
func TestRequantize(t *testing.T) {
	got := make([]int8, 4)
	Requantize(got, []int32{5, 5, 1<<24 + 1, -1000}, []float32{0.5, 0x1p-18})
	if want := []int8{2, 0, 127, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	Requantize(got[:1], []int32{1<<24 + 1}, []float32{0x1.8p-24}) // 1.5 exactly, after the sum has become 2^24
	if got[0] != 2 {
		t.Errorf("got %d, want 2", got[0])
	}
}

// TestQuantizeBack: quantising what was dequantised gives the same integers.
func TestQuantizeBack(t *testing.T) {
	all := make([]int8, 256)
	for i := range all {
		all[i] = int8(i - 128)
	}
	for _, scale := range []float32{1, 0.1, 3.7e-5, 1e20} {
		x, back := make([]float32, 256), make([]int8, 256)
		Dequantize(x, all, scale)
		Quantize(back, x, scale)
		if !slices.Equal(back, all) {
			t.Error(fmt.Sprint(scale), back)
		}
	}
}
