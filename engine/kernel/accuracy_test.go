package kernel

import (
	"math"
	"testing"
)

// TestAccuracy sweeps every 4093rd float32 (a prime, so that mantissas vary) and compares with float64 functions, which
// are exact enough to measure errors of a float32. The bounds are those that the doc comments state.
func TestAccuracy(t *testing.T) {
	tests := []struct {
		name string
		f    func(float32) float32
		ref  func(float64) float64
		ulp  float64
	}{
		{"exp", expGeneric, math.Exp, 0.90},
		{"log", logGeneric, math.Log, 1.0},
		{"tanh", tanhGeneric, math.Tanh, 1.4},
		{"erf", erfGeneric, math.Erf, 1.0},
		{"sigmoid", sigmoidGeneric, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 2.2},
		{"sin", sinGeneric, math.Sin, 1.5},
		{"cos", cosGeneric, math.Cos, 1.5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			worst, at := 0.0, float32(0)
			for u := uint64(0); u < 1<<32; u += 4093 {
				x := math.Float32frombits(uint32(u))
				got, want := test.f(x), test.ref(float64(x))
				if e := ulpError(got, want); e > worst {
					worst, at = e, x
				}
			}
			t.Logf("largest error %.3f ulp at %x", worst, at)
			if worst > test.ulp {
				t.Errorf("%.3f ulp at %x (got %x, want %x), want at most %.2f", worst, at, test.f(at), test.ref(float64(at)), test.ulp)
			}
		})
	}
}

// ulpError returns |got - want| in units of the last place of the float32 nearest to want; 0 where both are NaN or
// the same infinity, infinite where only one is.
func ulpError(got float32, want float64) float64 {
	nearest := float32(want)
	switch {
	case got != got && want != want, got == nearest && math.IsInf(float64(nearest), 0):
		return 0
	case got != got || want != want || math.IsInf(float64(got), 0) || math.IsInf(float64(nearest), 0):
		return math.Inf(1)
	}
	_, e := math.Frexp(float64(nearest))
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}
