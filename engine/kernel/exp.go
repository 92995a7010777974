package kernel

import "math"

// Constants of exp: reduction by a two-part ln 2 and a minimax polynomial for e^r on |r| <= ln(2)/2, relative error
// 3.3e-9 (fpminimax over binary32 coefficients, 1 + r fixed; engine/kernel/_asm/fit.sollya).
const (
	expHigh  = 89.0   // above ln(MaxFloat32): the result is +Inf
	expLow   = -104.0 // below ln(2^-150): the result is +0
	log2E    = 0x1.715476p0
	ln2High  = 0x1.62e43p-1
	ln2Low   = -0x1.05c61p-29
	toInt    = 0x1.8p23 // adding and subtracting it rounds to the nearest integer
	expC2    = 0x1.fffffap-2
	expC3    = 0x1.555492p-3
	expC4    = 0x1.555a26p-5
	expC5    = 0x1.12398p-7
	expC6    = 0x1.694c9cp-10
	biasBits = 127
)

// expGeneric defines exp: n = round(x/ln 2), r = x - n ln 2, e^r by a polynomial of degree 6, then two exact scalings
// whose product is 2^n, so that a subnormal result is rounded once.
func expGeneric(x float32) float32 {
	if x > expHigh {
		x = expHigh
	}
	if x < expLow {
		x = expLow
	}
	t := FMA(x, log2E, toInt)
	n := t - toInt
	r := FMA(n, -ln2High, x)
	r = FMA(n, -ln2Low, r)
	p := FMA(expC6, r, expC5)
	p = FMA(p, r, expC4)
	p = FMA(p, r, expC3)
	p = FMA(p, r, expC2)
	p = FMA(p, r, 1)
	p = FMA(p, r, 1)
	i := int32(math.Float32bits(t)) - int32(math.Float32bits(toInt))
	half := i >> 1
	p = float32(p * math.Float32frombits(uint32(i-half+biasBits)<<23))
	return float32(p * math.Float32frombits(uint32(half+biasBits)<<23))
}
