package kernel

// SumRows sets dst[i] to Sum(x[i·n : (i+1)·n]), with n = len(x)/len(dst).
func SumRows(dst, x []float32) {
	if len(dst) == 0 {
		return
	}
	n := len(x) / len(dst)
	checkLen("x", len(x), n*len(dst))
	if n == 0 || n > reduceChunk || !sumRowsActive(dst, x, n) {
		for i := range dst {
			dst[i] = Sum(x[i*n : (i+1)*n])
		}
	}
}
