package kernel

import "math"

// Constants of log: log(1+f) = f - f²/2 + f³·P(f) for 1+f between sqrt(1/2) and sqrt(2), relative error 7.8e-10
// (fpminimax over binary32 coefficients; engine/kernel/_asm/fit.sollya).
const (
	sqrtHalfBits = 0x3f3504f3
	smallestNorm = 0x1p-126
	logScale     = 0x1p23 // makes a subnormal normal
	logScaleExp  = -23
	logC3        = 0x1.555548p-2
	logC4        = -0x1.000008p-2
	logC5        = 0x1.99a47ap-3
	logC6        = -0x1.555b92p-3
	logC7        = 0x1.233ac2p-3
	logC8        = -0x1.fc3ccp-4
	logC9        = 0x1.e6def4p-4
	logC10       = -0x1.dda44cp-4
	logC11       = 0x1.13c81cp-4
)

// logGeneric defines log: x = 2^e·(1+f), then e ln 2 + log(1+f) with the small terms added first.
// log(±0) is -Inf, log of a negative number is NaN, log(+Inf) is +Inf.
func logGeneric(x float32) float32 {
	switch {
	case x == 0:
		return float32(math.Inf(-1))
	case x < 0:
		return float32(math.NaN())
	case x > math.MaxFloat32 || x != x:
		return x
	}
	var scaled float32
	if x < smallestNorm {
		x = float32(x * logScale)
		scaled = logScaleExp
	}
	bits := int32(math.Float32bits(x))
	exponent := (bits - sqrtHalfBits) >> 23
	f := math.Float32frombits(uint32(bits-exponent<<23)) - 1
	e := float32(exponent) + scaled
	s := float32(f * f)
	p := FMA(logC11, f, logC10)
	p = FMA(p, f, logC9)
	p = FMA(p, f, logC8)
	p = FMA(p, f, logC7)
	p = FMA(p, f, logC6)
	p = FMA(p, f, logC5)
	p = FMA(p, f, logC4)
	p = FMA(p, f, logC3)
	y := float32(float32(s*f) * p)
	y = FMA(e, ln2Low, y)
	y = FMA(s, -0.5, y)
	return FMA(e, ln2High, f+y)
}
