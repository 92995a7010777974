package kernel

import (
	"math"
	"math/bits"
)

// Constants of sin and cos on |r| <= π/4 (fpminimax over binary32 coefficients; engine/kernel/_asm/fit.sollya):
// relative errors 2.0e-10 and 1.2e-10.
const (
	quarterPi = 0x1.921fb6p-1
	sinC3     = -0x1.555556p-3
	sinC5     = 0x1.111164p-7
	sinC7     = -0x1.a04866p-13
	sinC9     = 0x1.77e21p-19
	cosC4     = 0x1.55554ap-5
	cosC6     = -0x1.6c0c2ap-10
	cosC8     = 0x1.99e914p-16

	halfPiBits = 0xc90fdaa22168c234 // π/2 · 2^63, truncated
)

// twoOverPi holds the first 256 binary digits of 2/π after the point.
var twoOverPi = [4]uint64{0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561}

// sinGeneric defines sin, accurate for every finite argument. sin(-0) is -0; sin(±Inf) is NaN.
func sinGeneric(x float32) float32 {
	quadrant, r := reduceHalfPi(x)
	if quadrant&1 != 0 {
		return negateIf(quadrant&2 != 0, cosPolynomial(r))
	}
	return negateIf(quadrant&2 != 0, sinPolynomial(r))
}

// cosGeneric defines cos, accurate for every finite argument. cos(±Inf) is NaN.
func cosGeneric(x float32) float32 {
	quadrant, r := reduceHalfPi(x)
	if quadrant&1 != 0 {
		return negateIf(quadrant&2 == 0, sinPolynomial(r))
	}
	return negateIf(quadrant&2 != 0, cosPolynomial(r))
}

func sinPolynomial(r float32) float32 {
	a := math.Float32frombits(math.Float32bits(r) &^ signBit)
	s := float32(a * a)
	p := FMA(sinC9, s, sinC7)
	p = FMA(p, s, sinC5)
	p = FMA(p, s, sinC3)
	y := FMA(float32(a*s), p, a)
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(r)&signBit)
}

// cosPolynomial adds the rounding errors of 1 - r²/2 back before the last sum.
func cosPolynomial(r float32) float32 {
	s := float32(r * r)
	h := float32(s * 0.5)
	w := 1 - h
	e := FMA(FMA(r, r, -s), -0.5, (1-w)-h)
	p := FMA(cosC8, s, cosC6)
	p = FMA(p, s, cosC4)
	return w + FMA(float32(s*s), p, e)
}

func negateIf(negate bool, x float32) float32 {
	if negate {
		return math.Float32frombits(math.Float32bits(x) ^ signBit)
	}
	return x
}

// reduceHalfPi returns x = quadrant·π/2 + r with |r| <= π/4, quadrant modulo 4, r rounded to float32. The product
// with 2/π is taken in integers over as many of its digits as the exponent of x needs (Payne and Hanek, 1983).
func reduceHalfPi(x float32) (quadrant uint32, r float32) {
	word := math.Float32bits(x)
	magnitude := word &^ signBit
	if math.Float32frombits(magnitude) <= quarterPi {
		return 0, x
	}
	if magnitude >= 0x7f800000 {
		return 0, float32(math.NaN())
	}
	// |x| = mantissa·2^exponent. Digits of 2/π above 2^(2-exponent) contribute multiples of four quadrants only:
	// the window starts there and the product is kept modulo 4, as 2 bits of quadrant and 62 of fraction.
	mantissa := uint64(magnitude&(1<<23-1) | 1<<23)
	exponent := int(magnitude>>23) - 150
	high, low := twoOverPiWindow(exponent - 2)
	carry, _ := bits.Mul64(low, mantissa)
	product := high*mantissa + carry
	quadrant = uint32(product >> 62)
	fraction := product << 2
	negative := fraction>>63 != 0
	if negative { // round to the nearest quadrant
		quadrant++
		fraction = -fraction
	}
	// fraction/2^64 of π/2: hi·2^-63 after the product with π/2·2^63.
	hi, lo := bits.Mul64(fraction, halfPiBits)
	r = ratio63(hi, lo)
	if negative != (word&signBit != 0) {
		r = -r
	}
	if word&signBit != 0 {
		quadrant = -quadrant
	}
	return quadrant & 3, r
}

// twoOverPiWindow returns 128 binary digits of 2/π: those from weight 2^-(skip+1) on, where a negative skip means
// zeros before the point.
func twoOverPiWindow(skip int) (high, low uint64) {
	digit := func(i int) uint64 {
		if i < 0 || i >= len(twoOverPi) {
			return 0
		}
		return twoOverPi[i]
	}
	word := skip >> 6
	shift := uint(skip & 63)
	high = digit(word)<<shift | digit(word+1)>>1>>(63-shift)
	low = digit(word+1)<<shift | digit(word+2)>>1>>(63-shift)
	return high, low
}

// ratio63 returns (hi + lo/2^64)·2^-63 rounded to float32, for a nonzero value.
func ratio63(hi, lo uint64) float32 {
	zeros := bits.LeadingZeros64(hi)
	if zeros == 64 {
		hi, lo = lo, 0
		zeros = 64 + bits.LeadingZeros64(hi)
		hi <<= uint(zeros - 64)
	} else if zeros > 0 {
		hi = hi<<uint(zeros) | lo>>uint(64-zeros)
		lo <<= uint(zeros)
	}
	top := hi >> 40
	rest := hi<<24 | b2u(lo != 0)
	if rest > 1<<63 || rest == 1<<63 && top&1 != 0 {
		top++
	}
	// top has 24 bits, the first of weight 2^-zeros: both factors are exact, and so is their product.
	return float32(float32(top) * math.Float32frombits(uint32(biasBits-23-zeros)<<23))
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
