package kernel

import (
	"fmt"
	"sync"
)

// maxInt8K is the longest sum of products of two int8 that an int32 always holds: 131071·2¹⁴ < 2³¹.
const maxInt8K = 1<<17 - 1

// PackedInt8 is a matrix b of k rows and n columns of int8, laid out once to be the right factor of many products:
// panels of 32 columns, each stored as [⌈k/4⌉, 32, 4], four successive rows of a column next to each other, with zeros
// beyond k and n. It is not changed after PackInt8 and safe for concurrent use.
type PackedInt8 struct {
	k, n int
	data []int8
	sums []int32 // -128·Σ_k b[k,j] modulo 2³², by column: what reading a as a+128 adds too much
}

// PackInt8 copies b, stored [k,n], or [n,k] if transB, to a PackedInt8. It panics if the length does not fit or k is
// above 131071.
func PackInt8(b []int8, k, n int, transB bool) *PackedInt8 {
	p := new(PackedInt8)
	p.fill(b, k, n, transB)
	return p
}

func (p *PackedInt8) fill(b []int8, k, n int, transB bool) {
	checkLen("b", len(b), k*n)
	if k > maxInt8K {
		panic(fmt.Sprintf("kernel: sums of %d products of int8 may overflow, want at most %d", k, maxInt8K))
	}
	rowStep, colStep := n, 1
	if transB {
		rowStep, colStep = 1, k
	}
	panels, quads := (n+panelCols-1)/panelCols, (k+3)/4
	p.k, p.n = k, n
	if need := panels * quads * 4 * panelCols; cap(p.data) < need {
		p.data = make([]int8, need)
	} else {
		p.data = p.data[:need]
		clear(p.data)
	}
	if need := panels * panelCols; cap(p.sums) < need {
		p.sums = make([]int32, need)
	} else {
		p.sums = p.sums[:need]
		clear(p.sums)
	}
	if k == 0 {
		return
	}
	parallel(panels, max(1, elementGrain/(panelCols*k)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			panel, first := p.panel(i), i*panelCols
			sums := p.sums[first:min(first+panelCols, n)]
			for row := range k {
				out := panel[row/4*4*panelCols+row%4:]
				in := b[row*rowStep+first*colStep:]
				for j := range sums {
					v := in[j*colStep]
					out[4*j] = v
					sums[j] -= 128 * int32(v)
				}
			}
		}
	})
}

// panel is the columns 32i to 32i+31.
func (p *PackedInt8) panel(i int) []int8 {
	size := (p.k + 3) / 4 * 4 * panelCols
	return p.data[i*size:][:size]
}

// MatMulInt8 sets c[i,j] = Σ_k a[i,k]·b[k,j] without rounding: the sum is exact, in any order. Shapes: a [m,k], b
// [k,n], c [m,n], row-major. It panics if a length does not fit or k is above 131071. Source: spec/numerics.md §11.
func MatMulInt8(c []int32, a, b []int8, m, k, n int) {
	p := int8Factors.Get().(*PackedInt8)
	p.fill(b, k, n, false)
	MatMulInt8Packed(c, a, p, m, k, n)
	int8Factors.Put(p)
}

// int8Factors keeps memory for factors that are packed for one product.
var int8Factors = sync.Pool{New: func() any { return new(PackedInt8) }}

// MatMulInt8Packed is MatMulInt8 with a packed right factor. It panics if b is not of k rows and n columns or a
// length does not fit.
func MatMulInt8Packed(c []int32, a []int8, b *PackedInt8, m, k, n int) {
	checkLen("a", len(a), m*k)
	checkLen("c", len(c), m*n)
	if b.k != k || b.n != n {
		panic(fmt.Sprintf("kernel: packed b is %dx%d, want %dx%d", b.k, b.n, k, n))
	}
	if k == 0 {
		clear(c)
	}
	if m == 0 || n == 0 || k == 0 {
		return
	}
	(&productInt8{c: c, a: a, b: b, m: m}).run()
}

// productInt8 is one product with a packed factor.
type productInt8 struct {
	c []int32
	a []int8
	b *PackedInt8
	m int
}

// runGeneric is the definition, for the rows lo to hi of c.
func (p *productInt8) runGeneric(lo, hi int) {
	k, n := p.b.k, p.b.n
	for i := lo; i < hi; i++ {
		a := p.a[i*k:][:k]
		for j0 := 0; j0 < n; j0 += panelCols {
			var sums [panelCols]int32
			panel := p.b.panel(j0 / panelCols)
			for l, v := range a {
				row := panel[l/4*4*panelCols+l%4:]
				for j := range sums {
					sums[j] += int32(v) * int32(row[4*j])
				}
			}
			copy(p.c[i*n+j0:(i+1)*n], sums[:])
		}
	}
}

// runPortable computes the product with the definition, on several goroutines if it is large.
func (p *productInt8) runPortable() {
	const macsPerTask = 1 << 16
	parallel(p.m, max(1, macsPerTask/(p.b.k*p.b.n)), p.runGeneric)
}
