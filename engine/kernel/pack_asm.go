//go:build (amd64 || arm64) && !purego

package kernel

import (
	"math/bits"
	"unsafe"
)

// packPad keeps packed rows from falling on the same cache sets.
const packPad = 16

// packRows copies a[i0:i1, k0:k0+kc] next to each other, rows or (if a is transposed) columns kept whole.
func (p *product) packRows(s *matmulScratch, i0, i1, k0, kc int) (a []float32, aRow, aCol int) {
	if p.aCol == 1 {
		stride := kc + packPad
		s.growA((i1 - i0) * stride)
		copyRows(s.a, stride, p.a[i0*p.aRow+k0:], p.aRow, i1-i0, kc)
		return s.a, stride, 1
	}
	stride := (i1 - i0) + packPad
	s.growA(kc * stride)
	copyRows(s.a, stride, p.a[k0*p.aCol+i0:], p.aCol, kc, i1-i0)
	return s.a, 1, stride
}

// copyRows copies n columns of some rows; strides are in elements.
func copyRows(dst []float32, dstRow int, src []float32, srcRow, rows, n int) {
	const size, vectors = 4, 16
	if n >= vectors {
		copyLongRows(&dst[0], size*dstRow, &src[0], size*srcRow, rows, n)
		return
	}
	for i := range rows {
		copy(dst[i*dstRow:][:n], src[i*srcRow:])
	}
}

// packPanel copies w columns from j on of the rows k0 to k0+kc of b to [kc, 32]. Columns beyond w are zero; what is computed
// from them is masked out.
func (p *product) packPanel(panel []float32, k0, kc, j, w int) {
	const size = 4
	switch {
	case p.bCol != 1:
		p.packTransposed(panel[:kc*panelCols], k0, kc, j, w)
	case w == panelCols:
		copyPanel(&panel[0], &p.b[k0*p.bRow+j], size*p.bRow, kc)
	default:
		for k := range kc {
			out := panel[k*panelCols:][:panelCols]
			clear(out[copy(out, p.b[(k0+k)*p.bRow+j:][:w]):])
		}
	}
}

// packTransposed sets panel[k,c] = b[k0+k, j+c] from columns that are contiguous in k.
func (p *product) packTransposed(panel []float32, k0, kc, j, w int) {
	const width = panelCols
	if w < width {
		clear(panel)
	}
	whole, deep := w&^7, kc&^7
	for c := 0; c < whole && deep > 0; c += 8 {
		src := p.b[(j+c)*p.bCol+k0:]
		transpose8(&panel[c], 4*width, &src[0], 4*p.bCol, deep/8)
	}
	for c := range w {
		from := deep
		if c >= whole {
			from = 0
		}
		src := p.b[(j+c)*p.bCol+k0:][:kc]
		for k := from; k < kc; k++ {
			panel[k*width+c] = src[k]
		}
	}
}

// packTransposed sets panel[i,c] = b[c,i] for width rows of k elements; false if this implementation has no way of its own.
func packTransposed(panel, b []float32, k, width int) bool {
	if current() == portable {
		return false
	}
	p := product{b: b, bCol: k}
	p.packTransposed(panel, 0, k, 0, width)
	return true
}

// growA makes s.a n elements long. What is read from a cache again and again should not depend on which pages the system
// happens to give: those of the same color fall on the same sets. So large rows of a lie in one large page.
func (s *matmulScratch) growA(n int) {
	const page = 2 << 20 / 4
	if n <= page/16 || n > page || n <= cap(s.a) {
		s.a = grow(s.a, n)
		return
	}
	x := make([]float32, 2*page)
	hugePages(x)
	at := int(uintptr(unsafe.Pointer(&x[0])) / 4 % page)
	s.a = x[(page-at)%page:][:n]
}

// grow returns a slice of n elements, s itself if it is large enough. Fresh ones come in powers of two and start on
// a cache line.
func grow(s []float32, n int) []float32 {
	if n <= cap(s) {
		return s[:n]
	}
	return aligned(1 << bits.Len(uint(n)))[:n]
}
