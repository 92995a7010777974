package kernel

import "math"

// Constants of erf (fpminimax over binary32 coefficients; engine/kernel/_asm/fit.sollya): below erfSplit
// erf(a) = a + a·P(a²), relative error 8.6e-10; from there to erfHigh ln(1 - erf(a)) is a polynomial of degree 8
// with an error of 2.2e-9 in erf. From 3.92 on erf rounds to 1.
const (
	erfSplit = 0.925
	erfHigh  = 4.0
	erfC1    = 0x1.06eba8p-3
	erfC3    = -0x1.812742p-2
	erfC5    = 0x1.ce2decp-4
	erfC7    = -0x1.b80cdap-6
	erfC9    = 0x1.54bb3ap-8
	erfC11   = -0x1.a9e392p-11
	erfC13   = 0x1.5bd58cp-14
	erfcL0   = 0x1.34cb9ap-12
	erfcL1   = -0x1.21505ap0
	erfcL2   = -0x1.4394b8p-1
	erfcL3   = -0x1.c24222p-4
	erfcL4   = 0x1.af7dep-6
	erfcL5   = -0x1.36046ep-8
	erfcL6   = 0x1.35ba0cp-11
	erfcL7   = -0x1.7c8044p-15
	erfcL8   = 0x1.ae39b6p-20
)

// erfGeneric defines erf on a = |x| in two pieces; the sign of x is put back last.
func erfGeneric(x float32) float32 {
	a := math.Float32frombits(math.Float32bits(x) &^ signBit)
	var y float32
	if a < erfSplit {
		s := float32(a * a)
		p := FMA(erfC13, s, erfC11)
		p = FMA(p, s, erfC9)
		p = FMA(p, s, erfC7)
		p = FMA(p, s, erfC5)
		p = FMA(p, s, erfC3)
		p = FMA(p, s, erfC1)
		y = FMA(a, p, a)
	} else {
		if a > erfHigh {
			a = erfHigh
		}
		q := FMA(erfcL8, a, erfcL7)
		q = FMA(q, a, erfcL6)
		q = FMA(q, a, erfcL5)
		q = FMA(q, a, erfcL4)
		q = FMA(q, a, erfcL3)
		q = FMA(q, a, erfcL2)
		q = FMA(q, a, erfcL1)
		q = FMA(q, a, erfcL0)
		y = 1 - expGeneric(q)
	}
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&signBit)
}
