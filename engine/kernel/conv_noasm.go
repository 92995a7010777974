//go:build !(amd64 || arm64) || purego

package kernel

// Without assembly the definition is the only way.

type convPlan struct{}

func (c *Conv) makePlan()                        {}
func (c *Conv) packedLen() int                   { return c.Groups * c.Outputs * c.depth() }
func (c *Conv) pack(dst, w []float32)            { c.packGeneric(dst, w) }
func (c *Conv) run(y, x, w []float32, e *ending) { c.runDefined(y, x, w, e) }

func stageRows(dst, src []float32, dstRow, srcRow, rows, n, step int) {
	stageRowsGeneric(dst, src, dstRow, srcRow, rows, n, step)
}

// ChannelsLastIsFast reports whether a convolution is better computed with its channels last.
func ChannelsLastIsFast(*ConvShape, Layout) bool { return false }

func copyPixels(dst, src []float32, dstRow, srcRow, rows, n int) {
	copyPixelsGeneric(dst, src, dstRow, srcRow, rows, n)
}

func maxPixels(y, x []float32, step int, offsets []int, pixels, n int) bool { return false }

func transposeBlock(y, x []float32, rows, cols, pitch int) {
	transposeBlockGeneric(y, x, rows, cols, pitch)
}
