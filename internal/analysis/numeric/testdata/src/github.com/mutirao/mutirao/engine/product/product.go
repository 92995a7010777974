// Package product has one line for each way to write a product.
package product

import (
	"math"
	"math/cmplx"
)

type scale float32

func sums(x, y, z float32, w scale, p *float32) float32 {
	a := x*y + z          // want `product may be fused`
	b := z - x*y          // want `product may be fused`
	c := -(x * y) + z     // want `product may be fused`
	a += x * y            // want `product may be fused`
	t := x * y            // want `product may be fused`
	*p = x * y            // want `product may be fused`
	b *= y                // want `product may be fused`
	d := float32(w*w) + c // one rounding, at the conversion
	e := float32(x*y) + z
	f := float32((x * y)) - z
	g := float32(x*y*z) + 1
	h := x * y / z
	if x*y > z {
		h = same(x * y) // want `product may be fused`
	}
	const exact = 3 * 0.25
	return a + b + c + d + e + f + g + h + t + exact
}

func same(x float32) float32 { return x }

func generic[T ~float32 | ~float64](x, y, z T) T {
	return x*y + z // want `product may be fused`
}

func whole(i, j, k int) int { return i*j + k }

func functions(x float64) float64 {
	y := math.Sqrt(math.Abs(x)) + math.Floor(x)
	y += math.Exp(x)           // want `math.Exp has no fixed bits`
	y += math.FMA(x, x, x)     // want `math.FMA has no fixed bits`
	f := math.Log              // want `math.Log has no fixed bits`
	y += real(cmplx.Sqrt(1))   // want `math/cmplx.Sqrt has no fixed bits`
	return y + f(math.MaxInt8) // a constant
}
