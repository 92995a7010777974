package kernel

import "math"

// FloatFormat is a binary floating-point format that is narrower than binary32 and whose numbers binary32 holds exactly: a sign, an
// exponent and a significand of so many stored bits, with subnormals. Source: IEEE 754-2019 §3.6 for binary16; for the others
// https://onnx.ai/onnx/technical/float8.html and float4.html; spec/element-types.md.
type FloatFormat struct {
	Exponent, Mantissa int // stored bits
	Bias               int
	Max                float32 // the greatest finite number
	Infinities         bool    // the greatest exponent holds infinities and NaN, as in IEEE 754
	NaN                uint16  // the canonical NaN
	NoNaN              bool    // what would be NaN is Max
	NoNegativeZero     bool    // the encoding of -0 is NaN
}

// The formats of ONNX's element types.
var (
	Float16        = FloatFormat{Exponent: 5, Mantissa: 10, Bias: 15, Max: 65504, Infinities: true, NaN: 0x7e00}
	BFloat16       = FloatFormat{Exponent: 8, Mantissa: 7, Bias: 127, Max: 0x1.fep127, Infinities: true, NaN: 0x7fc0}
	Float8E4M3FN   = FloatFormat{Exponent: 4, Mantissa: 3, Bias: 7, Max: 448, NaN: 0x7f}
	Float8E4M3FNUZ = FloatFormat{Exponent: 4, Mantissa: 3, Bias: 8, Max: 240, NaN: 0x80, NoNegativeZero: true}
	Float8E5M2     = FloatFormat{Exponent: 5, Mantissa: 2, Bias: 15, Max: 57344, Infinities: true, NaN: 0x7f}
	Float8E5M2FNUZ = FloatFormat{Exponent: 5, Mantissa: 2, Bias: 16, Max: 57344, NaN: 0x80, NoNegativeZero: true}
	Float4E2M1     = FloatFormat{Exponent: 2, Mantissa: 1, Bias: 1, Max: 6, NoNaN: true}
)

// Least is the exponent of the least normal number, whose last place is that of the subnormals.
func (f FloatFormat) Least() int { return 1 - f.Bias }

func (f FloatFormat) signBit() uint16 { return 1 << (f.Exponent + f.Mantissa) }

// Widen is the number that the bits stand for; every NaN becomes the canonical one of binary32. It is exact.
func (f FloatFormat) Widen(bits uint16) float32 {
	sign := bits & f.signBit()
	rest := bits & (f.signBit() - 1)
	exponent, mantissa := int(rest>>f.Mantissa), rest&(1<<f.Mantissa-1)
	top := 1<<f.Exponent - 1
	nan := math.Float32frombits(canonicalNaN)
	var v float64
	switch {
	case f.NoNegativeZero && bits == f.NaN, f.Infinities && exponent == top && mantissa != 0, !f.Infinities && !f.NoNaN && !f.NoNegativeZero && rest == f.NaN:
		return nan
	case f.Infinities && exponent == top:
		v = math.Inf(1)
	case exponent == 0:
		v = math.Ldexp(float64(mantissa), f.Least()-f.Mantissa)
	default:
		v = math.Ldexp(float64(int(mantissa)+1<<f.Mantissa), exponent-f.Bias-f.Mantissa)
	}
	if sign != 0 {
		v = -v
	}
	return float32(v)
}

// Narrow is v in the format: to nearest, ties to even, subnormals kept. What lies beyond Max after rounding is infinite, or NaN in a
// format without infinities; with saturate it is Max, and so is an infinity.
func (f FloatFormat) Narrow(v float32, saturate bool) uint16 {
	v = f.Round(v, saturate)
	if v != v {
		return f.NaN
	}
	var sign uint16
	if math.Signbit(float64(v)) {
		sign, v = f.signBit(), -v
	}
	switch {
	case v == 0:
		return sign
	case math.IsInf(float64(v), 0):
		return sign | uint16(1<<f.Exponent-1)<<f.Mantissa
	}
	exponent := max(exponentOf(v), f.Least())
	mantissa := uint16(math.Ldexp(float64(v), f.Mantissa-exponent)) // with the leading bit of a normal number
	if mantissa < 1<<f.Mantissa {
		return sign | mantissa
	}
	return sign | uint16(exponent+f.Bias)<<f.Mantissa | mantissa&(1<<f.Mantissa-1)
}

// Round is Widen(Narrow(v, saturate)) without the encoding.
func (f FloatFormat) Round(v float32, saturate bool) float32 {
	nan := math.Float32frombits(canonicalNaN)
	limit := float32(math.Inf(1))
	switch {
	case saturate || f.NoNaN:
		limit = f.Max
	case !f.Infinities:
		limit = nan
	}
	if v != v {
		if f.NoNaN {
			return f.Max
		}
		return nan
	}
	if math.IsInf(float64(v), 0) {
		return float32(math.Copysign(float64(limit), float64(v)))
	}
	unit := max(exponentOf(v), f.Least()) - f.Mantissa // the exponent of the last place
	r := float32(math.Ldexp(math.RoundToEven(math.Ldexp(float64(v), -unit)), unit))
	switch {
	case r > f.Max || r < -f.Max:
		r = float32(math.Copysign(float64(limit), float64(v)))
	case r == 0 && f.NoNegativeZero:
		r = 0
	}
	if r != r {
		return nan
	}
	return r
}

// exponentOf is e with 2^e <= |v| < 2^(e+1), for a finite v that is not 0; below all exponents for 0.
func exponentOf(v float32) int {
	if v == 0 {
		return -200
	}
	_, e := math.Frexp(float64(v))
	return e - 1
}
