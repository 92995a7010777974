package kernel

// Softmax sets each row of dst to e^(s - m) / Σ e^(s - m), with m the exact maximum of the row of src, the sum by Sum
// and one division per element. Both are [rows, cols]; dst may be src. A row that holds NaN or +Inf, or only -Inf,
// becomes NaN. Source: ONNX Softmax-13 over the last axis; order: spec/numerics.md §7.
func Softmax(dst, src []float32, rows, cols int) {
	checkLen("src", len(src), rows*cols)
	checkLen("dst", len(dst), rows*cols)
	if cols == 0 {
		return
	}
	if serial(rows*cols, elementGrain) {
		softmaxRows(dst, src, cols)
		return
	}
	parallel(rows, max(1, elementGrain/cols), func(lo, hi int) { softmaxRows(dst[lo*cols:hi*cols], src[lo*cols:hi*cols], cols) })
}

func softmaxRows(dst, src []float32, cols int) {
	for ; len(src) > 0; dst, src = dst[cols:], src[cols:] {
		in, out := src[:cols], dst[:cols]
		scalarActive(opSub, out, in, Max(in))
		unaryActive(opExp, out, out)
		scalarActive(opDiv, out, out, Sum(out))
	}
}
