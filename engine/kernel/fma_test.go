package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestFMA compares with exact arithmetic, above all where rounding twice is wrong: sums half-way between two float32
// but for a far smaller term, and results below the normal range.
func TestFMA(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	twice := 0
	check := func(a, b, c float32) {
		t.Helper()
		got, want := FMA(a, b, c), fmaExact(a, b, c)
		if got != want {
			t.Fatalf("FMA(%x, %x, %x) = %x, want %x", a, b, c, got, want)
		}
		if float32(math.FMA(float64(a), float64(b), float64(c))) != want {
			twice++
		}
	}
	any := func(lo, hi int) float32 {
		x := math.Ldexp(1+float64(rng.Uint32()>>9)*0x1p-23, lo+rng.IntN(hi-lo))
		if rng.IntN(2) == 0 {
			x = -x
		}
		return float32(x)
	}
	for range 100_000 {
		check(any(-20, 20), any(-20, 20), any(-40, 40))
		check(any(-80, -60), any(-80, -60), any(-149, -125))
		// a·b = ±2^-24·(1 ± 2^-23...) of c's unit: near the half-way point.
		c := any(-100, 100)
		_, e := math.Frexp(float64(c))
		check(float32(math.Ldexp(1+0x1p-23, 30)), float32(math.Ldexp(1-0x1p-23, e-55)), c)
		check(-float32(math.Ldexp(1+0x1p-12, 30)), float32(math.Ldexp(1-0x1p-12, e-55)), c)
		// The same below the normal range, whose unit is 2^-149.
		check(0x1.000002p-75, 0x1.fffffcp-76, any(-149, -126))
	}
	if twice == 0 {
		t.Error("no case where rounding twice is wrong: the test is too easy")
	}
}

// TestFMASame compares the fma of every implementation with the definition where rounding twice is wrong: a product of two steps of k is
// one fma onto c, exactly.
func TestFMASame(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n = 4096
	each(t, func(t *testing.T) {
		twice := 0
		for range 8 {
			// a·b near half of a unit of c, which is normal or not: half·(1 + i·2^-23)·(1 − j·2^-24), nearest for j = 2i.
			i := rng.Uint32N(1 << 8)
			a := [2]float32{1, float32(math.Ldexp(1+float64(i)*0x1p-23, 30))}
			b, want := make([]float32, 2*n), make([]float32, n)
			for at := range n {
				j := 2 * i
				if rng.IntN(2) == 0 {
					j = rng.Uint32N(1 << 12)
				}
				c := math.Ldexp(1+float64(rng.Uint32()>>9)*0x1p-23, rng.IntN(240)-170)
				_, e := math.Frexp(c)
				b[at] = float32(c)
				b[n+at] = float32(math.Ldexp(1-float64(j)*0x1p-24, max(e, -125)-55+rng.IntN(3)))
				want[at] = FMA(a[1], b[n+at], b[at])
				if float32(math.FMA(float64(a[1]), float64(b[n+at]), float64(b[at]))) != want[at] {
					twice++
				}
			}
			got := make([]float32, n)
			MatMul(got, a[:], b, 1, 2, n, false, false)
			sameBits(t, "fma in a product", got, want)
			MatMulPacked(got, a[:], Pack(b, 2, n, false), 1, 2, n, false)
			sameBits(t, "fma in a packed product", got, want)
		}
		if twice < n/8 {
			t.Errorf("rounding twice is wrong in %d cases only: the test is too easy", twice)
		}
	})
}

func fmaExact(a, b, c float32) float32 {
	exact := new(big.Float).SetPrec(600).SetFloat64(float64(a))
	exact.Mul(exact, big.NewFloat(float64(b)))
	exact.Add(exact, big.NewFloat(float64(c)))
	f, _ := exact.Float32()
	return f
}

func TestFMASpecial(t *testing.T) {
	inf, nan, zero := float32(math.Inf(1)), float32(math.NaN()), float32(0)
	tests := []struct{ a, b, c, want float32 }{
		{inf, 1, -inf, nan}, {inf, 0, 1, nan}, {nan, 1, 1, nan}, {1, 1, nan, nan}, {inf, 2, 1, inf}, {1, 1, -inf, -inf},
		{-zero, 1, zero, zero}, {negZero, 1, negZero, negZero}, {1, 1, -1, zero}, {-1, 1, 1, zero},
		{0x1p-100, -0x1p-100, zero, negZero}, {0x1p-100, 0x1p-100, negZero, zero},
		{math.MaxFloat32, 1, 0x1p103, inf}, {math.MaxFloat32, 1, 0x1.fffffep102, math.MaxFloat32},
	}
	for _, test := range tests {
		got := FMA(test.a, test.b, test.c)
		if got != got && test.want != test.want {
			continue
		}
		if math.Float32bits(got) != math.Float32bits(test.want) {
			t.Errorf("FMA(%x, %x, %x) = %x, want %x", test.a, test.b, test.c, got, test.want)
		}
	}
}

var negZero = float32(math.Copysign(0, -1))
