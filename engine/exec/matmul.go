package exec

import (
	"github.com/mutirao/mutirao/engine/kernel"
)

var matmulOps = map[string]operation{
	"MatMul": {emitMatMul, nil},
	"Gemm":   {emitGemm, nil},
}

// matMulShape is a MatMul as products of matrices of m×k and k×n, over leading axes. If only the left factor has leading axes, its rows
// are one tall matrix: an output row depends on its own input row alone, so the bits are the same.
type matMulShape struct {
	m, k, n int
	l       *loop // over output, left and right matrices
}

func newMatMulShape(in *instruction) matMulShape {
	a, b, out := in.call.In[0].Shape, in.call.In[1].Shape, in.call.Out[0].Shape
	if len(a) == 1 {
		a = []int{1, a[0]}
	}
	if len(b) == 1 {
		b = []int{b[0], 1}
	}
	leadA, leadB := a[:len(a)-2], b[:len(b)-2]
	lead := out[:max(len(leadA), len(leadB))]
	s := matMulShape{m: a[len(a)-2], k: a[len(a)-1], n: b[len(b)-1], l: elementLoop(lead, leadA, leadB)}
	if s.l.step[2] == 0 && s.l.rows == 1 && !in.transA {
		s.m *= s.l.inner
		s.l = elementLoop(nil, nil, nil)
	}
	return s
}

// single reports whether there is one product.
func (s *matMulShape) single() bool { return s.l.rows == 1 && s.l.inner == 1 }

// emitMatMul runs one product per pair of matrices, several at a time if there are many.
func emitMatMul(c *compiler, in *instruction) func(*Program) error {
	s := newMatMulShape(in)
	x, y, z, transA, transB := in.in[0], in.in[1], in.out[0], in.transA, in.transB
	m, k, n, l := s.m, s.k, s.n, s.l
	if s.single() {
		return c.product(z, x, y, m, k, n, transA, transB, in.then)
	}
	return func(p *Program) error {
		as, bs, c := p.f32[x], p.f32[y], p.f32[z]
		one := func(at offsets, i int) {
			kernel.MatMul(c[(at[0]+i)*m*n:][:m*n], as[(at[1]+i*l.step[1])*m*k:][:m*k], bs[(at[2]+i*l.step[2])*k*n:][:k*n], m, k, n, transA, transB)
		}
		if l.rows < 2*workers(l.rows) || m*k*n > serialMACs {
			l.each(0, l.rows, func(at offsets) {
				parallel(l.inner, max(1, serialMACs/(m*k*n)), func(lo, hi int) {
					for i := lo; i < hi; i++ {
						one(at, i)
					}
				})
			})
			return nil
		}
		parallel(l.rows, max(1, serialMACs/(m*k*n*l.inner)), func(lo, hi int) {
			l.each(lo, hi, func(at offsets) {
				for i := range l.inner {
					one(at, i)
				}
			})
		})
		return nil
	}
}

// serialMACs is the work that is worth a goroutine, about 20 us.
const serialMACs = 1 << 20

// emitGemm computes alpha·(A·B) + beta·C: the product, then each factor that is not 1, then the sum, each rounded once.
func emitGemm(c *compiler, in *instruction) func(*Program) error {
	out := in.call.Out[0].Shape
	m, n := out[0], out[1]
	k := in.call.In[0].Len() / m
	a, b, y := in.in[0], in.in[1], in.out[0]
	alpha, beta, transA, transB := in.call.Float("alpha"), in.call.Float("beta"), in.transA, in.transB
	matmul := c.product(y, a, b, m, k, n, transA, transB, in.then)
	if in.then != nil {
		return matmul
	}
	product := func(p *Program) {
		_ = matmul(p) // it has no error
		if alpha != 1 {
			kernel.MulScalar(p.f32[y], p.f32[y], alpha)
		}
	}
	if !in.call.Has(2) || beta == 0 {
		return func(p *Program) error {
			product(p)
			return nil
		}
	}
	bias := in.in[2]
	l := elementLoop(out, out, in.call.In[2].Shape)
	if beta != 1 {
		c.scratch(in.call.In[2].Len())
	}
	return func(p *Program) error {
		product(p)
		d := p.f32[bias]
		if beta != 1 {
			scaled := p.scratch[:len(d)]
			kernel.MulScalar(scaled, d, beta)
			d = scaled
		}
		addition.run(l, p.f32[y], p.f32[y], d)
		return nil
	}
}

// product makes the step z = x·y of storages with what follows. A right factor that is an initializer is packed here, once for all
// products that read it the same way; the bits do not change.
func (c *compiler) product(z, x, y, m, k, n int, transA, transB bool, t *then) func(*Program) error {
	bind := t.bind()
	if packed := c.pack(y, k, n, transB); packed != nil {
		return func(p *Program) error {
			kernel.MatMulPackedThen(p.f32[z], p.f32[x], packed, m, k, n, transA, bind(p))
			return nil
		}
	}
	return func(p *Program) error {
		kernel.MatMulThen(p.f32[z], p.f32[x], p.f32[y], m, k, n, transA, transB, bind(p))
		return nil
	}
}

// pack returns storage y as a packed matrix, or nil if it is not an initializer or too narrow: columns are packed by 32, so
// that a packed matrix of 16 columns or more takes at most twice its memory.
func (c *compiler) pack(y, k, n int, trans bool) *kernel.Packed {
	t, ok := c.initializers[y]
	if !ok || n < 16 || k == 0 {
		return nil
	}
	if c.weights.shared[t] {
		return c.weights.pack(t, k, n, trans)
	}
	return c.own.pack(t, k, n, trans)
}
