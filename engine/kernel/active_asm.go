//go:build (amd64 || arm64) && !purego

package kernel

func unaryActive(op unaryOp, dst, src []float32) {
	f := unaryAssembly[current()][op]
	if f == nil {
		unaryPortable(op, dst, src)
		return
	}
	src = src[:len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), elementCall)
		f(&dst[0], &src[0], n)
		dst, src = dst[n:], src[n:]
	}
}

func binaryActive(op binaryOp, dst, a, b []float32) {
	f := binaryAssembly[current()][op]
	if f == nil {
		binaryPortable(op, dst, a, b)
		return
	}
	a, b = a[:len(dst)], b[:len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), elementCall)
		f(&dst[0], &a[0], &b[0], n)
		dst, a, b = dst[n:], a[n:], b[n:]
	}
}

func scalarActive(op binaryOp, dst, a []float32, s float32) {
	f := scalarAssembly[current()][op]
	if f == nil {
		scalarPortable(op, dst, a, s)
		return
	}
	a = a[:len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), elementCall)
		f(&dst[0], &a[0], s, n)
		dst, a = dst[n:], a[n:]
	}
}
