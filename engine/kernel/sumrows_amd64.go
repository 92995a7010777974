//go:build !purego

package kernel

// sumRowsActive reports false if there is no assembly in use.
func sumRowsActive(dst, x []float32, n int) bool {
	made := current()
	last := n - (n-1)/lanes*lanes // elements of the last block of a row
	var masks [lanes]uint32
	if made == avx512 {
		masks[0], masks[1] = 1<<min(last, 16)-1, 1<<max(last-16, 0)-1
	} else {
		for l := range last {
			masks[l] = 1<<32 - 1
		}
	}
	for len(dst) > 0 {
		rows := min(len(dst), max(1, elementCall/n))
		switch made {
		case avx512:
			sumRowsAVX512(&dst[0], &x[0], rows, n, &masks[0])
		case avx2:
			sumRowsAVX2(&dst[0], &x[0], rows, n, &masks[0])
		default:
			return false
		}
		dst, x = dst[rows:], x[rows*n:]
	}
	return true
}
