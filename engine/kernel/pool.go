package kernel

import "math"

// MaxPool sets y[c,j] to the greatest element that window j reads of plane c, by the rule of Maximum; padding is not read, so
// a window of padding alone gives -Inf. x is [planes, in...] and y is [planes, out...]. It panics if a length does not fit.
// Source: ONNX MaxPool-12 without indices.
func MaxPool(y, x []float32, planes int, w Window) {
	pool(y, x, planes, w, float32(math.Inf(-1)), opMaximum)
}

// SumPool sets y[c,j] to the sum of what window j reads of plane c, places in row-major order added from the first to the last;
// padding is read as +0. Shapes are those of MaxPool. Order: spec/numerics.md §12.
func SumPool(y, x []float32, planes int, w Window) { pool(y, x, planes, w, 0, opAdd) }

// pool folds the places of each window, from the first to the last.
func pool(y, x []float32, planes int, w Window, fill float32, op binaryOp) {
	checkLen("x", len(x), planes*w.in())
	checkLen("y", len(y), planes*w.out())
	n, row := w.out(), w[2].Out
	parallel(planes, max(1, elementGrain/(n*w.places())), func(lo, hi int) {
		read := make([]float32, row)
		for c := lo; c < hi; c++ {
			plane := x[c*w.in():][:w.in()]
			for r := range n / row {
				out := y[c*n+r*row:][:row]
				w.row(out, plane, r/w[1].Out, r%w[1].Out, [3]int{}, fill)
				for p := 1; p < w.places(); p++ {
					w.row(read, plane, r/w[1].Out, r%w[1].Out, w.place(p), fill)
					binaryActive(op, out, out, read)
				}
			}
		}
	})
}
