package kernel

// blockK is the length of the fma chains that k is cut into.
const blockK = 256

// MatMul sets c[i,j] = Σ_k a[i,k]·b[k,j]. k is cut in blocks of 256 from k = 0; each block is one chain of fma with k
// ascending from +0, and the blocks are added in ascending order to +0. An element depends on its row of a and its
// column of b only, never on m, n, the tiling or the number of threads.
//
// Shapes: a is stored [m,k], or [k,m] if transA; b is stored [k,n], or [n,k] if transB; c is [m,n]; all row-major. c
// must not overlap a or b. It panics if a length does not fit. Source: ONNX MatMul-13; order: spec/numerics.md §3.
func MatMul(c, a, b []float32, m, k, n int, transA, transB bool) {
	MatMulThen(c, a, b, m, k, n, transA, transB, nil)
}

// MatMulThen is MatMul followed by the steps of then, if it is not nil.
func MatMulThen(c, a, b []float32, m, k, n int, transA, transB bool, then *Then) {
	checkLen("a", len(a), m*k)
	checkLen("b", len(b), k*n)
	checkLen("c", len(c), m*n)
	p := newProduct(c, a, b, m, k, n, transA, transB)
	p.then = then
	p.start()
}

// newProduct has the strides of factors as MatMul takes them.
func newProduct(c, a, b []float32, m, k, n int, transA, transB bool) product {
	p := product{c: c, a: a, b: b, m: m, k: k, n: n, aRow: k, aCol: 1, bRow: n, bCol: 1, bPanel: panelCols}
	if transA {
		p.aRow, p.aCol = 1, m
	}
	if transB {
		p.bRow, p.bCol, p.bPanel = 1, k, panelCols*k
	}
	return p
}

// panelCols is the number of columns that are stored together in a packed matrix: two vectors of AVX-512.
const panelCols = 32

// product is one matrix product with strides: a[i,k] is a[i·aRow + k·aCol], b[k,j] is
// b[⌊j/32⌋·bPanel + k·bRow + (j mod 32)·bCol] and c is contiguous.
type product struct {
	c, a, b                        []float32
	m, k, n                        int
	aRow, aCol, bRow, bCol, bPanel int
	packed                         bool // b is packed: panels are contiguous and whole
	serial                         bool // on the goroutine of the caller
	then                           *Then
	continued                      bool // c holds sums to go on from
}

// start computes the product, or what is left of it if there is nothing to multiply.
func (p *product) start() {
	if p.then != nil {
		p.then.check(p.m, p.n)
	}
	switch {
	case p.m == 0 || p.n == 0:
	case p.k == 0:
		clear(p.c)
		p.thenGeneric(0, p.m)
	default:
		p.run()
	}
}

// columns is b from b[k,j] on.
func (p *product) columns(k, j int) []float32 {
	return p.b[j/panelCols*p.bPanel+k*p.bRow+j%panelCols*p.bCol:]
}

// runGeneric is the definition of MatMulThen, for the rows lo to hi of c.
func (p *product) runGeneric(lo, hi int) {
	var partial [panelCols]float32 // a row of P_b for some columns: independent chains keep the processor busy
	for i := lo; i < hi; i++ {
		for j0 := 0; j0 < p.n; j0 += len(partial) {
			width := min(len(partial), p.n-j0)
			out := p.c[i*p.n+j0:][:width]
			if !p.continued {
				clear(out)
			}
			for k0 := 0; k0 < p.k; k0 += blockK {
				chain := partial[:width]
				clear(chain)
				for k := k0; k < min(k0+blockK, p.k); k++ {
					a := p.a[i*p.aRow+k*p.aCol]
					if p.bCol == 1 {
						fmaRow(chain, p.columns(k, j0), a)
						continue
					}
					b := p.columns(k, j0)
					for j := range chain {
						chain[j] = FMA(a, b[j*p.bCol], chain[j])
					}
				}
				for j, v := range chain {
					out[j] += v
				}
			}
		}
	}
	p.thenGeneric(lo, hi)
}

// runPortable computes the product with the definition, on several goroutines if it is large.
func (p *product) runPortable() {
	const macsPerTask = 1 << 15 // about 100 µs
	grain := max(1, macsPerTask/(p.k*p.n))
	if p.m <= grain || p.serial {
		p.runGeneric(0, p.m)
		return
	}
	// A copy, so that p itself stays on the stack in the serial case.
	q := *p
	parallel(p.m, grain, q.runGeneric)
}
