package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestQuantizeSame compares every implementation with the definition: corners, halves, scales of any size, all zero points.
func TestQuantizeSame(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(41, 42))
		for n := range 68 {
			for _, scale := range []float32{1, 0.5, -3, 0x1p-140, 0, float32(math.Inf(1)), float32(math.NaN()), sample(rng, 1)[0]} {
				off := n % 3
				x := sample(rng, n+off)[off:]
				for i := range x {
					if rng.IntN(2) == 0 {
						x[i] = float32(rng.IntN(1200)-600) / 2 * scale
					}
				}
				zero := rng.Uint32()
				signed, unsigned := make([]int8, n), make([]uint8, n)
				wantSigned, wantUnsigned := make([]int8, n), make([]uint8, n)
				QuantizeLinear(signed, x, scale, int8(zero))
				quantizeGeneric(wantSigned, x, scale, int32(int8(zero)), -128, 127)
				QuantizeLinear(unsigned, x, scale, uint8(zero))
				quantizeGeneric(wantUnsigned, x, scale, int32(uint8(zero)), 0, 255)
				if !slices.Equal(signed, wantSigned) || !slices.Equal(unsigned, wantUnsigned) {
					t.Fatalf("%d numbers by %v with zero %d: %v %v, want %v %v", n, scale, zero, signed, unsigned, wantSigned, wantUnsigned)
				}
				Quantize(signed, x, scale)
				for i, v := range x {
					if want := roundInt8(v / scale); signed[i] != want {
						t.Fatalf("%x by %x gives %d, want %d", v, scale, signed[i], want)
					}
				}
			}
		}
	})
}

func BenchmarkQuantize(b *testing.B) {
	x, dst := normal(1<<14), make([]uint8, 1<<14)
	for b.Loop() {
		QuantizeLinear(dst, x, 0.02, 128)
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(len(x)), "ns/element")
}
