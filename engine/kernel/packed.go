package kernel

import (
	"fmt"
	"unsafe"
)

// Packed is a matrix b of k rows and n columns, laid out once to be the right factor of many products: panels of 32
// columns, each stored as [k, 32] with zeros for columns beyond n. The layout is the same for every implementation.
// It is not changed after Pack and safe for concurrent use.
type Packed struct {
	k, n int
	data []float32
}

// Pack copies b, stored [k,n], or [n,k] if transB, to a Packed. It panics if the length does not fit.
func Pack(b []float32, k, n int, transB bool) *Packed {
	checkLen("b", len(b), k*n)
	p := &Packed{k: k, n: n, data: aligned(packedLen(k, n))}
	parallel((n+panelCols-1)/panelCols, max(1, elementGrain/(panelCols*max(k, 1))), func(lo, hi int) {
		for panel := lo; panel < hi; panel++ {
			p.fill(panel, b, transB)
		}
	})
	return p
}

// packedLen is the number of elements of a packed matrix.
func packedLen(k, n int) int { return (n + panelCols - 1) / panelCols * panelCols * k }

// PackedLen is the most memory, in elements, that PackInto takes for a matrix of k rows and n columns.
func PackedLen(k, n int) int { return packedLen(k, n) + cacheLine }

// PackInto is Pack into the first PackedLen(k, n) elements of scratch, which belong to the result while it is in use; rest is what is
// left. It runs on the goroutine of its caller: many small matrices are packed by many callers.
func PackInto(scratch, b []float32, k, n int, transB bool) (p Packed, rest []float32) {
	checkLen("b", len(b), k*n)
	p = Packed{k: k, n: n, data: alignedPart(scratch)[:packedLen(k, n)]}
	for panel := range (n + panelCols - 1) / panelCols {
		p.fill(panel, b, transB)
		if last := p.n - panel*panelCols; last < panelCols {
			p.clearColumns(panel, last)
		}
	}
	return p, scratch[PackedLen(k, n):]
}

// clearColumns sets the columns of a panel from the given one on to zero.
func (p *Packed) clearColumns(panel, from int) {
	out := p.data[panel*panelCols*p.k:][:panelCols*p.k]
	for k := range p.k {
		clear(out[k*panelCols+from : (k+1)*panelCols])
	}
}

// fill copies the columns of one panel.
func (p *Packed) fill(panel int, b []float32, transB bool) {
	j0 := panel * panelCols
	out := p.data[j0*p.k:][:panelCols*p.k]
	width := min(panelCols, p.n-j0)
	if !transB {
		for k := range p.k {
			copy(out[k*panelCols:], b[k*p.n+j0:][:width])
		}
		return
	}
	if packTransposed(out, b[j0*p.k:], p.k, width) {
		return
	}
	// Some rows at a time, so that what is written stays in the cache for the next column.
	const rows = 64
	for k0 := 0; k0 < p.k; k0 += rows {
		for j := range width {
			for k, v := range b[(j0+j)*p.k+k0:][:min(rows, p.k-k0)] {
				out[(k0+k)*panelCols+j] = v
			}
		}
	}
}

// MatMulPacked is MatMul with a packed right factor, and gives the same bits. It panics if b is not of k rows and n
// columns or a length does not fit. Packing pays from the second product on, and most where m is small: then a
// product takes the time of reading b once.
func MatMulPacked(c, a []float32, b *Packed, m, k, n int, transA bool) {
	MatMulPackedThen(c, a, b, m, k, n, transA, nil)
}

// MatMulPackedThen is MatMulPacked followed by the steps of then, if it is not nil.
func MatMulPackedThen(c, a []float32, b *Packed, m, k, n int, transA bool, then *Then) {
	if b.k != k || b.n != n {
		panic(fmt.Sprintf("kernel: packed b is %dx%d, want %dx%d", b.k, b.n, k, n))
	}
	matMulPacked(c, a, b, m, k, n, transA, then, false)
}

// MatMulPart is MatMul of a, [m,k], with the first k rows and n columns of a packed matrix, which may have more, followed by the
// steps of then, if it is not nil. It runs on the goroutine of its caller, who has others to do the rest.
func MatMulPart(c, a []float32, b *Packed, m, k, n int, then *Then) {
	if b.k < k || b.n < n {
		panic(fmt.Sprintf("kernel: packed b is %dx%d, want at least %dx%d", b.k, b.n, k, n))
	}
	matMulPacked(c, a, b, m, k, n, false, then, true)
}

func matMulPacked(c, a []float32, b *Packed, m, k, n int, transA bool, then *Then, serial bool) {
	checkLen("a", len(a), m*k)
	checkLen("c", len(c), m*n)
	p := product{c: c, a: a, b: b.data, m: m, k: k, n: n, aRow: k, aCol: 1, bRow: panelCols, bCol: 1, bPanel: panelCols * b.k, packed: true, then: then, serial: serial}
	if transA {
		p.aRow, p.aCol = 1, m
	}
	p.start()
}

// cacheLine is the number of float32 in one.
const cacheLine = 16

// aligned returns n zeros, the first of which starts a cache line.
func aligned(n int) []float32 {
	x := alignedPart(make([]float32, n+cacheLine))
	hugePages(x)
	return x
}

// alignedPart is x from the first element on that starts a cache line, at most cacheLine elements shorter.
func alignedPart(x []float32) []float32 {
	skip := 0
	for uintptr(unsafe.Pointer(&x[skip]))%(4*cacheLine) != 0 {
		skip++
	}
	return x[skip:]
}

// Columns is the matrix of the columns from lo, a multiple of 32, to hi, in the same memory.
func (p *Packed) Columns(lo, hi int) *Packed {
	if lo%panelCols != 0 || lo < 0 || hi < lo || hi > p.n {
		panic(fmt.Sprintf("kernel: columns %d to %d of a packed matrix of %d", lo, hi, p.n))
	}
	return &Packed{k: p.k, n: hi - lo, data: p.data[lo*p.k:]}
}
