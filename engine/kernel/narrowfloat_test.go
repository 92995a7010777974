package kernel

import (
	"math"
	"testing"
)

var formats = map[string]FloatFormat{
	"float16": Float16, "bfloat16": BFloat16, "float8e4m3fn": Float8E4M3FN, "float8e4m3fnuz": Float8E4M3FNUZ,
	"float8e5m2": Float8E5M2, "float8e5m2fnuz": Float8E5M2FNUZ, "float4e2m1": Float4E2M1,
}

// TestNarrowRoundTrip: every encoding of a number comes back, every NaN becomes the canonical one.
func TestNarrowRoundTrip(t *testing.T) {
	for name, f := range formats {
		for b := range 1 << (1 + f.Exponent + f.Mantissa) {
			bits := uint16(b)
			v := f.Widen(bits)
			want := bits
			if v != v {
				want = f.NaN
			}
			if got := f.Narrow(v, false); got != want {
				t.Errorf("%s: 0x%x is %v and comes back as 0x%x", name, bits, v, got)
			}
		}
	}
}

// TestNarrowNearest: what lies between two numbers goes to the nearer one, in the middle to the one with an even significand.
func TestNarrowNearest(t *testing.T) {
	for name, f := range formats {
		top := f.Narrow(f.Max, false)
		if f.Widen(top) != f.Max {
			t.Errorf("%s: the greatest number is %v, want %v", name, f.Widen(top), f.Max)
		}
		for bits := range top {
			low, high := f.Widen(bits), f.Widen(bits+1)
			middle := float32((float64(low) + float64(high)) / 2)
			even := bits + bits&1
			below, above := math.Nextafter32(middle, 0), math.Nextafter32(middle, f.Max)
			for v, want := range map[float32]uint16{low: bits, below: bits, middle: even, above: bits + 1} {
				if v >= low && f.Narrow(v, false) != want {
					t.Fatalf("%s: %v is rounded to 0x%x, want 0x%x", name, v, f.Narrow(v, false), want)
				}
				if negative := f.Narrow(-v, false); v > low && v < high && f.Widen(negative) != -f.Widen(want) {
					t.Fatalf("%s: %v is rounded to 0x%x", name, -v, negative)
				}
			}
		}
	}
}

// TestNarrowOverflow checks the table of ONNX's Cast for infinities and what is too large.
func TestNarrowOverflow(t *testing.T) {
	inf := float32(math.Inf(1))
	nan := float32(math.NaN())
	for name, want := range map[string][2]float32{ // not saturating: the infinity, and twice the greatest number
		"float16": {inf, inf}, "bfloat16": {inf, inf}, "float8e4m3fn": {nan, nan}, "float8e4m3fnuz": {nan, nan},
		"float8e5m2": {inf, inf}, "float8e5m2fnuz": {nan, nan}, "float4e2m1": {6, 6},
	} {
		f := formats[name]
		for i, v := range []float32{inf, f.Max + f.Max} {
			for _, s := range []float32{1, -1} {
				got := f.Round(s*v, false)
				if got != s*want[i] && (got == got || want[i] == want[i]) {
					t.Errorf("%s: %v becomes %v, want %v", name, s*v, got, s*want[i])
				}
				if got := f.Round(s*v, true); got != s*f.Max {
					t.Errorf("%s: %v saturates to %v, want %v", name, s*v, got, s*f.Max)
				}
			}
		}
	}
}
