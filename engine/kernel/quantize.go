package kernel

import (
	"math"
	"unsafe"
)

// Quantize sets dst[i] to src[i] ⊘ scale, rounded half to even to an integer and saturated to [-128, 127]; NaN gives
// 0. It panics if the lengths differ. Source: spec/numerics.md §11.
func Quantize(dst []int8, src []float32, scale float32) {
	QuantizeLinear(dst, src, scale, 0)
}

// Dequantize sets dst[i] = src[i] ⊗ scale. It panics if the lengths differ.
func Dequantize(dst []float32, src []int8, scale float32) {
	checkLen("src", len(src), len(dst))
	for i, q := range src {
		dst[i] = float32(float32(q) * scale)
	}
}

// Requantize turns sums of products back into int8, each column with its own scale: dst[i,j] is src[i,j] as a float32
// (one rounding) ⊗ scale[j], rounded half to even to an integer and saturated to [-128, 127]; NaN gives 0. scale has
// one element per column. It panics if a length does not fit.
func Requantize(dst []int8, src []int32, scale []float32) {
	checkLen("src", len(src), len(dst))
	if len(scale) == 0 && len(src) == 0 {
		return
	}
	checkLen("src in whole rows", len(src), len(src)/len(scale)*len(scale))
	for ; len(src) > 0; dst, src = dst[len(scale):], src[len(scale):] {
		out, in := dst[:len(scale)], src[:len(scale)]
		for j, s := range scale {
			out[j] = roundInt8(float32(float32(in[j]) * s))
		}
	}
}

// roundInt8 rounds half to even and saturates; NaN gives 0. The limits are integers, so limiting first is the same;
// then the sum with 1.5·2²³ rounds to an integer, which is the difference of the bits.
func roundInt8(x float32) int8 {
	const toInt = 0x1.8p23
	switch {
	case x != x:
		return 0
	case x > 127:
		x = 127
	case x < -128:
		x = -128
	}
	return int8(int32(math.Float32bits(x+toInt)) - int32(math.Float32bits(toInt)))
}

// QuantizeLinear sets dst[i] to src[i] ⊘ scale, rounded half to even to an integer, plus zero, saturated to the range of T; NaN
// gives 0. It panics if the lengths differ. Source: ONNX QuantizeLinear-23; spec/numerics.md §11.
func QuantizeLinear[T int8 | uint8](dst []T, src []float32, scale float32, zero T) {
	checkLen("src", len(src), len(dst))
	low, high := int32(0), int32(255)
	if T(0)-1 < 0 {
		low, high = -128, 127
	}
	if len(dst) == 0 {
		return
	}
	done := quantizeActive(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), len(dst)), src, scale, int32(zero), low, high)
	quantizeGeneric(dst[done:], src[done:], scale, int32(zero), low, high)
}

// quantizeGeneric is the definition of QuantizeLinear.
func quantizeGeneric[T int8 | uint8](dst []T, src []float32, scale float32, zero, low, high int32) {
	const toInt = 0x1.8p23
	for i, x := range src {
		v := x / scale
		switch {
		case v != v:
			dst[i] = 0
			continue
		case v > 512: // beyond it any zero point saturates
			v = 512
		case v < -512:
			v = -512
		}
		q := int32(math.Float32bits(v+toInt)) - int32(math.Float32bits(toInt)) + zero
		dst[i] = T(min(max(q, low), high))
	}
}
