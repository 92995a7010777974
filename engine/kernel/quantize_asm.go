//go:build (amd64 || arm64) && !purego

package kernel

// quantizeActive does as much of quantizeGeneric as vectors can and returns how many elements that is.
func quantizeActive(dst []byte, src []float32, scale float32, zero, low, high int32) int {
	if current() == portable {
		return 0
	}
	whole := len(dst) &^ 7
	for i := 0; i < whole; i += elementCall {
		quantize8(&dst[i], &src[i], min(elementCall, whole-i), scale, zero, low, high)
	}
	return whole
}
