package kernel

// Layout says which axis of a value is the innermost: the last spatial one, or that of channels.
type Layout uint8

const (
	ChannelsFirst Layout = iota // [batch, channels, spatial...]
	ChannelsLast                // [batch, spatial..., channels]
)

// ToChannelsLast sets y[b,j,c] = x[b,c,j] for batch images of some channels and places. y must not overlap x.
func ToChannelsLast(y, x []float32, batch, channels, places int) {
	transposeAll(y, x, batch, channels, places)
}

// ToChannelsFirst sets y[b,c,j] = x[b,j,c]. y must not overlap x.
func ToChannelsFirst(y, x []float32, batch, channels, places int) {
	transposeAll(y, x, batch, places, channels)
}

// CopyRows copies n elements of each of some rows, which are so far apart. dst must not overlap src.
func CopyRows(dst []float32, dstRow int, src []float32, srcRow, rows, n int) {
	if rows == 0 || n == 0 {
		return
	}
	_, _ = dst[(rows-1)*dstRow+n-1], src[(rows-1)*srcRow+n-1]
	grain := max(1, elementGrain/n)
	if serial(rows, grain) {
		copyPixels(dst, src, dstRow, srcRow, rows, n)
		return
	}
	parallel(rows, grain, func(lo, hi int) { copyPixels(dst[lo*dstRow:], src[lo*srcRow:], dstRow, srcRow, hi-lo, n) })
}

// copyPixelsGeneric copies n elements of some rows.
func copyPixelsGeneric(dst, src []float32, dstRow, srcRow, rows, n int) {
	for i := range rows {
		copy(dst[i*dstRow:][:n], src[i*srcRow:])
	}
}

// transposeAll sets y[b,j,i] = x[b,i,j] for i < rows and j < cols.
func transposeAll(y, x []float32, batch, rows, cols int) {
	checkLen("x", len(x), batch*rows*cols)
	checkLen("y", len(y), batch*rows*cols)
	bands := (cols + transposeBand - 1) / transposeBand
	grain := max(1, elementGrain/(rows*min(cols, transposeBand)+1))
	if serial(batch*bands, grain) {
		transposeBands(y, x, rows, cols, bands, 0, batch*bands)
		return
	}
	parallel(batch*bands, grain, func(lo, hi int) { transposeBands(y, x, rows, cols, bands, lo, hi) })
}

// transposeBand is how many columns are transposed together: their lines of memory stay in the L1 cache from one row to the next.
const transposeBand = 64

// transposeBands does some bands, counted over all matrices.
func transposeBands(y, x []float32, rows, cols, bands, lo, hi int) {
	for i := lo; i < hi; i++ {
		from := i % bands * transposeBand
		at := i / bands * rows * cols
		transposeBlock(y[at+from*rows:][:min(transposeBand, cols-from)*rows], x[at+from:], rows, min(transposeBand, cols-from), cols)
	}
}

// transposeBlockGeneric sets y[j·rows+i] = x[i·pitch+j] for i < rows and j < cols.
func transposeBlockGeneric(y, x []float32, rows, cols, pitch int) {
	for i := range rows {
		for j, v := range x[i*pitch:][:cols] {
			y[j*rows+i] = v
		}
	}
}
