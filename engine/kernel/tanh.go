package kernel

import "math"

// Constants of tanh: tanh(a) = a + a³·P(a²) on [0, 0.6], relative error 1.3e-10 (fpminimax over binary32
// coefficients; engine/kernel/_asm/fit.sollya).
const (
	tanhSplit = 0.6
	tanhC3    = -0x1.555554p-2
	tanhC5    = 0x1.11108cp-3
	tanhC7    = -0x1.b9f766p-5
	tanhC9    = 0x1.63f936p-6
	tanhC11   = -0x1.0e50e2p-7
	tanhC13   = 0x1.225e3ap-9
	signBit   = 1 << 31
)

// tanhGeneric defines tanh: on a = |x|, a polynomial below 0.6 and 1 - 2/(e^2a + 1) from there; the sign of x is put
// back last, so that tanh(-0) is -0.
func tanhGeneric(x float32) float32 {
	a := math.Float32frombits(math.Float32bits(x) &^ signBit)
	var y float32
	if a < tanhSplit {
		s := float32(a * a)
		p := FMA(tanhC13, s, tanhC11)
		p = FMA(p, s, tanhC9)
		p = FMA(p, s, tanhC7)
		p = FMA(p, s, tanhC5)
		p = FMA(p, s, tanhC3)
		y = FMA(float32(a*s), p, a)
	} else {
		y = 1 - 2/(expGeneric(a+a)+1)
	}
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&signBit)
}
