package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// each runs a test with every implementation of this machine.
func each(t *testing.T, f func(t *testing.T)) {
	before := active.Load()
	defer active.Store(before)
	for i := portable; i < implementations; i++ {
		if i != portable && !supported(i) {
			t.Logf("not tested here: %v", i)
			continue
		}
		active.Store(uint32(i))
		t.Run(i.String(), f)
	}
}

// corners are the values where implementations differ first.
var corners = func() []float32 {
	words := []uint32{0, 1, 2, 0x007fffff, 0x00800000, 0x00800001, 0x33000000, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x3fc00000,
		0x42b17217, 0x42b17218, 0x42cff1b4, 0x42d00000, 0x4b000000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff,
		math.Float32bits(tanhSplit), math.Float32bits(erfSplit), math.Float32bits(erfHigh)}
	var x []float32
	for _, w := range words {
		x = append(x, math.Float32frombits(w), math.Float32frombits(w|signBit))
	}
	return x
}()

// sample returns n values: corners, any bit patterns, and numbers of everyday size.
func sample(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		switch rng.IntN(4) {
		case 0:
			x[i] = corners[rng.IntN(len(corners))]
		case 1:
			x[i] = math.Float32frombits(rng.Uint32())
		default:
			x[i] = float32(rng.NormFloat64() * 3)
		}
	}
	return x
}

// sameBits fails unless got equals want bit for bit, all NaN being one value.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if g, w := got[i], want[i]; math.Float32bits(g) != math.Float32bits(w) && (g == g || w == w) {
			t.Fatalf("%s: element %d of %d is %x, want %x", what, i, len(want), g, w)
		}
	}
}

// framed returns a slice of n elements that starts off elements after an aligned address, and a function that fails
// if something around it was written.
func framed(t *testing.T, n, off int) ([]float32, func()) {
	const guard = 12345.678
	all := make([]float32, n+off+32)
	for i := range all {
		all[i] = guard
	}
	return all[off : off+n : off+n], func() {
		t.Helper()
		for i, v := range all {
			if (i < off || i >= off+n) && v != guard {
				t.Fatalf("wrote element %d outside of [0, %d)", i-off, n)
			}
		}
	}
}

func TestElementwiseSame(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for n := range 68 {
			for off := range 3 {
				x, y := sample(rng, n+off)[off:], sample(rng, n+off)[off:]
				s := sample(rng, 1)[0]
				dst, unharmed := framed(t, n, off)
				want := make([]float32, n)
				for op := range unaryOps {
					applyUnary(op, dst, x)
					unaryPortable(op, want, x)
					sameBits(t, fmt.Sprint("unary ", op), dst, want)
					unharmed()
					copy(dst, x)
					applyUnary(op, dst, dst)
					sameBits(t, fmt.Sprint("in place, unary ", op), dst, want)
				}
				for op := range binaryOps {
					applyBinary(op, dst, x, y)
					binaryPortable(op, want, x, y)
					sameBits(t, fmt.Sprint("binary ", op), dst, want)
					copy(dst, y)
					applyBinary(op, dst, x, dst)
					sameBits(t, fmt.Sprint("in place, binary ", op), dst, want)
					applyScalar(op, dst, x, s)
					scalarPortable(op, want, x, s)
					sameBits(t, fmt.Sprint("scalar ", op), dst, want)
					unharmed()
				}
			}
		}
	})
}

// TestUnarySweep compares every 12304th bit pattern and all corners.
func TestUnarySweep(t *testing.T) {
	var x []float32
	for u := uint64(0); u < 1<<32; u += 12304 {
		x = append(x, math.Float32frombits(uint32(u)))
	}
	x = append(x, corners...)
	got, want := make([]float32, len(x)), make([]float32, len(x))
	for op := range unaryOps {
		unaryPortable(op, want, x)
		each(t, func(t *testing.T) {
			applyUnary(op, got, x)
			sameBits(t, fmt.Sprint("unary ", op), got, want)
		})
	}
}

func TestReduceSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	lengths := []int{0, 1, 31, 32, 33, 63, 64, 65, 67, 95, 96, 1000, reduceChunk - 1, reduceChunk, reduceChunk + 1, 5*reduceChunk + 7}
	for n := range 68 {
		lengths = append(lengths, n)
	}
	each(t, func(t *testing.T) {
		for _, n := range lengths {
			for _, special := range []bool{false, true} {
				x, y := make([]float32, n), make([]float32, n)
				for i := range x {
					x[i], y[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
				}
				if special {
					copy(x[n/2:], sample(rng, min(n-n/2, 3)))
				}
				sameBits(t, fmt.Sprint("sum ", n), []float32{Sum(x)}, []float32{sumByRule(x)})
				sameBits(t, fmt.Sprint("dot ", n), []float32{Dot(x, y)}, []float32{dotByRule(x, y)})
				sameBits(t, fmt.Sprint("squares ", n), []float32{SumSquares(x)}, []float32{dotByRule(x, x)})
				most, least := float32(math.Inf(-1)), float32(math.Inf(1))
				for _, v := range x {
					most, least = maximumGeneric(most, v), minimumGeneric(least, v)
				}
				sameBits(t, fmt.Sprint("max ", n), []float32{Max(x)}, []float32{most})
				sameBits(t, fmt.Sprint("min ", n), []float32{Min(x)}, []float32{least})
			}
		}
	})
}

// sumByRule and dotByRule follow the words of the rule: "lane l takes i ≡ l (mod 32) ascending from +0, then
// lane[i] += lane[i+h], h = 16, 8, 4, 2, 1; longer than 65536: chunks, then neighbours pairwise".
func sumByRule(x []float32) float32 {
	return byRule(len(x), func(lane float32, i int) float32 { return lane + x[i] })
}

func dotByRule(x, y []float32) float32 {
	return byRule(len(x), func(lane float32, i int) float32 { return FMA(x[i], y[i], lane) })
}

func byRule(n int, step func(lane float32, i int) float32) float32 {
	var sums []float32
	for c := 0; c == 0 || c < n; c += 65536 {
		var lane [32]float32
		for i := c; i < min(n, c+65536); i++ {
			lane[i%32] = step(lane[i%32], i)
		}
		for _, h := range []int{16, 8, 4, 2, 1} {
			for i := range h {
				lane[i] += lane[i+h]
			}
		}
		sums = append(sums, lane[0])
	}
	for len(sums) > 1 {
		var next []float32
		for i := 0; i < len(sums); i += 2 {
			if i+1 < len(sums) {
				next = append(next, sums[i]+sums[i+1])
			} else {
				next = append(next, sums[i])
			}
		}
		sums = next
	}
	return sums[0]
}

// TestMatMulSame compares with the words of the rule, element by element.
func TestMatMulSame(t *testing.T) {
	type shape struct{ m, k, n int }
	shapes := []shape{{1, 1, 1}, {64, 32, 32}, {3, 513, 5}, {29, 256, 47}, {100, 257, 96}, {61, 300, 70}, {15, 1, 33}, {230, 40, 530}, {5, 0, 3}, {0, 4, 3}, {4, 4, 0}}
	for d := range 68 {
		shapes = append(shapes, shape{d%17 + 1, d, (d*7)%67 + 1})
	}
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 8))
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
				MatMul(c, a, b, s.m, s.k, s.n, transA, transB)
				unharmed()
				sameBits(t, fmt.Sprint(s, transA, transB), c, matMulByRule(a, b, s.m, s.k, s.n, transA, transB))
			}
		}
	})
}

// matMulByRule: "k is cut in blocks of 256 anchored at k = 0. P_b is an fma chain over the block, k ascending, from +0.
// T = +0; for b = 0, 1, …: T = T + P_b."
func matMulByRule(a, b []float32, m, k, n int, transA, transB bool) []float32 {
	c := make([]float32, m*n)
	for i := range m {
		for j := range n {
			var sum float32
			for k0 := 0; k0 < k; k0 += 256 {
				var chain float32
				for l := k0; l < min(k0+256, k); l++ {
					x, y := i*k+l, l*n+j
					if transA {
						x = l*m + i
					}
					if transB {
						y = j*k + l
					}
					chain = FMA(a[x], b[y], chain)
				}
				sum += chain
			}
			c[i*n+j] = sum
		}
	}
	return c
}

// TestMatMulSign: a chain that underflows to -0 still sums to +0.
func TestMatMulSign(t *testing.T) {
	each(t, func(t *testing.T) {
		c := []float32{1}
		MatMul(c, []float32{0x1p-100}, []float32{-0x1p-100}, 1, 1, 1, false, false)
		if math.Float32bits(c[0]) != 0 {
			t.Errorf("got %x, want +0", c[0])
		}
	})
}

// TestThreads: the number of threads does not show in the bits.
func TestThreads(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	const m, k, n = 250, 300, 270
	a, b, long := make([]float32, m*k), make([]float32, k*n), make([]float32, 9*elementGrain+5)
	for _, x := range [][]float32{a, b, long} {
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
	}
	want := matMulByRule(a, b, m, k, n, false, false)
	wantExp := make([]float32, len(long))
	unaryPortable(opExp, wantExp, long)
	wantSum := sumByRule(long)
	each(t, func(t *testing.T) {
		for _, procs := range []int{1, 2, 5} {
			before := runtime.GOMAXPROCS(procs)
			c, e := make([]float32, m*n), make([]float32, len(long))
			MatMul(c, a, b, m, k, n, false, false)
			Exp(e, long)
			sum := Sum(long)
			runtime.GOMAXPROCS(before)
			sameBits(t, fmt.Sprint("matmul on ", procs), c, want)
			sameBits(t, fmt.Sprint("exp on ", procs), e, wantExp)
			sameBits(t, fmt.Sprint("sum on ", procs), []float32{sum}, []float32{wantSum})
		}
	})
}
