package kernel

import (
	"fmt"
	"math"
)

// unaryOp names a function of one float32. The numbers index the tables of every implementation.
type unaryOp uint8

const (
	opExp unaryOp = iota
	opLog
	opTanh
	opErf
	opSigmoid
	opSqrt
	opReciprocal
	opNeg
	opAbs
	opRelu
	opSin
	opCos
	opSilu
	unaryOps
)

// unaryGeneric holds the definitions, one value at a time.
var unaryGeneric = [unaryOps]func(float32) float32{
	opExp: expGeneric, opLog: logGeneric, opTanh: tanhGeneric, opErf: erfGeneric, opSigmoid: sigmoidGeneric,
	opSqrt:       func(x float32) float32 { return float32(math.Sqrt(float64(x))) },
	opReciprocal: func(x float32) float32 { return 1 / x },
	opNeg:        func(x float32) float32 { return -x },
	opAbs:        func(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ signBit) },
	opRelu:       func(x float32) float32 { return maximumGeneric(x, 0) },
	opSin:        sinGeneric, opCos: cosGeneric,
	opSilu: func(x float32) float32 { return float32(x * sigmoidGeneric(x)) },
}

// Below, dst and src have equal lengths and may be the same slice, but must not overlap otherwise. Errors in ulp are
// measured by TestAccuracy against float64, over all magnitudes, subnormal results included.

// Exp sets dst[i] = e^src[i], within 0.90 ulp. Above 88.73 the result is +Inf, below -103.98 it is +0.
func Exp(dst, src []float32) { applyUnary(opExp, dst, src) }

// Log sets dst[i] = ln src[i], within 1.0 ulp. ln(±0) = -Inf; a negative argument gives NaN.
func Log(dst, src []float32) { applyUnary(opLog, dst, src) }

// Tanh sets dst[i] = tanh src[i], within 1.4 ulp. It is odd: tanh(-0) = -0.
func Tanh(dst, src []float32) { applyUnary(opTanh, dst, src) }

// Erf sets dst[i] = erf src[i], within 1.0 ulp. It is odd: erf(-0) = -0.
func Erf(dst, src []float32) { applyUnary(opErf, dst, src) }

// Sigmoid sets dst[i] = 1/(1 + e^-src[i]), within 2.2 ulp.
func Sigmoid(dst, src []float32) { applyUnary(opSigmoid, dst, src) }

// Silu sets dst[i] = src[i]·Sigmoid(src[i]), the product rounded.
func Silu(dst, src []float32) { applyUnary(opSilu, dst, src) }

// Sqrt sets dst[i] to the IEEE-754 square root of src[i], correctly rounded.
func Sqrt(dst, src []float32) { applyUnary(opSqrt, dst, src) }

// Reciprocal sets dst[i] = 1/src[i], correctly rounded; never an approximation instruction.
func Reciprocal(dst, src []float32) { applyUnary(opReciprocal, dst, src) }

// Neg flips the sign bit of each element.
func Neg(dst, src []float32) { applyUnary(opNeg, dst, src) }

// Abs clears the sign bit of each element.
func Abs(dst, src []float32) { applyUnary(opAbs, dst, src) }

// Relu sets dst[i] = max(src[i], +0): NaN stays NaN, and -0 becomes +0.
func Relu(dst, src []float32) { applyUnary(opRelu, dst, src) }

// Sin sets dst[i] = sin src[i], within 1.5 ulp for every finite argument. sin(-0) = -0, sin(±Inf) is NaN.
func Sin(dst, src []float32) { applyUnary(opSin, dst, src) }

// Cos sets dst[i] = cos src[i], within 1.5 ulp for every finite argument. cos(±Inf) is NaN.
func Cos(dst, src []float32) { applyUnary(opCos, dst, src) }

// binaryOp names a function of two float32. The numbers index the tables of every implementation.
type binaryOp uint8

const (
	opAdd binaryOp = iota
	opSub
	opMul
	opDiv
	opMaximum
	opMinimum
	opGate
	binaryOps
)

// binaryGeneric holds the definitions, one pair at a time.
var binaryGeneric = [binaryOps]func(a, b float32) float32{
	opAdd:     func(a, b float32) float32 { return a + b },
	opSub:     func(a, b float32) float32 { return a - b },
	opMul:     func(a, b float32) float32 { return float32(a * b) },
	opDiv:     func(a, b float32) float32 { return a / b },
	opMaximum: maximumGeneric,
	opMinimum: minimumGeneric,
	opGate:    gateGeneric,
}

// gateGeneric is a where b is greater than zero, and +0 elsewhere, NaN included.
func gateGeneric(a, b float32) float32 {
	if b > 0 {
		return a
	}
	return 0
}

// maximumGeneric is the maximum of rule 4: NaN wins and -0 < +0.
func maximumGeneric(a, b float32) float32 {
	switch {
	case a != a || b != b:
		return a + b
	case a == b: // equal bits, or zeros of which +0 is the greater
		return math.Float32frombits(math.Float32bits(a) & math.Float32bits(b))
	case a > b:
		return a
	}
	return b
}

// minimumGeneric is the minimum of rule 4: NaN wins and -0 < +0.
func minimumGeneric(a, b float32) float32 {
	switch {
	case a != a || b != b:
		return a + b
	case a == b:
		return math.Float32frombits(math.Float32bits(a) | math.Float32bits(b))
	case a < b:
		return a
	}
	return b
}

// Add sets dst[i] = a[i] + b[i]. For this and the next ones all lengths are equal, and dst may be a or b.
func Add(dst, a, b []float32) { applyBinary(opAdd, dst, a, b) }

// Sub sets dst[i] = a[i] - b[i].
func Sub(dst, a, b []float32) { applyBinary(opSub, dst, a, b) }

// Mul sets dst[i] = a[i]·b[i].
func Mul(dst, a, b []float32) { applyBinary(opMul, dst, a, b) }

// Div sets dst[i] = a[i]/b[i].
func Div(dst, a, b []float32) { applyBinary(opDiv, dst, a, b) }

// Maximum sets dst[i] to the greater of a[i] and b[i]: NaN wins and -0 < +0.
func Maximum(dst, a, b []float32) { applyBinary(opMaximum, dst, a, b) }

// Minimum sets dst[i] to the lesser of a[i] and b[i]: NaN wins and -0 < +0.
func Minimum(dst, a, b []float32) { applyBinary(opMinimum, dst, a, b) }

// Gate sets dst[i] to a[i] where b[i] > 0, and to +0 elsewhere: the derivative of Relu.
func Gate(dst, a, b []float32) { applyBinary(opGate, dst, a, b) }

// AddScalar sets dst[i] = a[i] + s. For this and the next ones dst may be a.
func AddScalar(dst, a []float32, s float32) { applyScalar(opAdd, dst, a, s) }

// SubScalar sets dst[i] = a[i] - s.
func SubScalar(dst, a []float32, s float32) { applyScalar(opSub, dst, a, s) }

// MulScalar sets dst[i] = a[i]·s.
func MulScalar(dst, a []float32, s float32) { applyScalar(opMul, dst, a, s) }

// DivScalar sets dst[i] = a[i]/s, a true division for each element.
func DivScalar(dst, a []float32, s float32) { applyScalar(opDiv, dst, a, s) }

// MaximumScalar sets dst[i] to the greater of a[i] and s: NaN wins and -0 < +0.
func MaximumScalar(dst, a []float32, s float32) { applyScalar(opMaximum, dst, a, s) }

// MinimumScalar sets dst[i] to the lesser of a[i] and s: NaN wins and -0 < +0.
func MinimumScalar(dst, a []float32, s float32) { applyScalar(opMinimum, dst, a, s) }

const (
	// elementGrain is how many elements one goroutine takes at least: 3 to 60 µs of work.
	elementGrain = 1 << 15
	// elementCall bounds one call into assembly, which the scheduler cannot interrupt, to a few µs.
	elementCall = 1 << 13
)

func applyUnary(op unaryOp, dst, src []float32) {
	checkLen("dst", len(dst), len(src))
	if serial(len(dst), elementGrain) {
		unaryActive(op, dst, src)
		return
	}
	parallel(len(dst), elementGrain, func(lo, hi int) { unaryActive(op, dst[lo:hi], src[lo:hi]) })
}

func applyBinary(op binaryOp, dst, a, b []float32) {
	checkLen("a", len(a), len(dst))
	checkLen("b", len(b), len(dst))
	if serial(len(dst), elementGrain) {
		binaryActive(op, dst, a, b)
		return
	}
	parallel(len(dst), elementGrain, func(lo, hi int) { binaryActive(op, dst[lo:hi], a[lo:hi], b[lo:hi]) })
}

func applyScalar(op binaryOp, dst, a []float32, s float32) {
	checkLen("a", len(a), len(dst))
	if serial(len(dst), elementGrain) {
		scalarActive(op, dst, a, s)
		return
	}
	parallel(len(dst), elementGrain, func(lo, hi int) { scalarActive(op, dst[lo:hi], a[lo:hi], s) })
}

func unaryPortable(op unaryOp, dst, src []float32) {
	f := unaryGeneric[op]
	for i, x := range src[:len(dst)] {
		dst[i] = f(x)
	}
}

func binaryPortable(op binaryOp, dst, a, b []float32) {
	f := binaryGeneric[op]
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = f(a[i], b[i])
	}
}

func scalarPortable(op binaryOp, dst, a []float32, s float32) {
	f := binaryGeneric[op]
	for i, x := range a[:len(dst)] {
		dst[i] = f(x, s)
	}
}

func checkLen(name string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d", name, got, want))
	}
}
