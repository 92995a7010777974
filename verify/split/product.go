package split

var productRules = map[string]func(*plan) stage{"MatMul": matmul, "Gemm": gemm}

// matmul is one fold of spec/numerics.md §3.
func matmul(p *plan) stage {
	a, b := p.In[0].Shape, p.In[1].Shape
	rows, cols := len(a) > 1, len(b) > 1
	if !rows {
		a = []int{1, a[0]}
	}
	if !cols {
		b = []int{b[0], 1}
	}
	k := a[len(a)-1]
	at := p.index()
	lead := at[:max(len(a), len(b))-2]
	rest := at[len(lead):]
	i, j := 0, 0
	if rows {
		i, rest = rest[0], rest[1:]
	}
	if cols {
		j = rest[0]
	}
	left := broadcast(a[:len(a)-2], lead)*a[len(a)-2]*k + i*k
	right := broadcast(b[:len(b)-2], lead)*k*b[len(b)-1] + j
	f := p.newFold()
	return seq(f.product(k, func(l int, in *inputs) (x, y float32) {
		return in.float(0, left+l), in.float(1, right+l*b[len(b)-1])
	}), once(func(a Acc, _ *inputs) { a.done(f.of(a)) }))
}

// gemm is alpha·(A·B) + beta·C: the fold, then each factor that is not 1, then the sum.
func gemm(p *plan) stage {
	at, f := p.index(), p.newFold()
	a, b := p.In[0].Shape, p.In[1].Shape
	transA, transB := p.Int("transA") != 0, p.Int("transB") != 0
	k := a[1]
	if transA {
		k = a[0]
	}
	alpha, beta := p.Float("alpha"), p.Float("beta")
	return seq(f.product(k, func(l int, in *inputs) (x, y float32) {
		i, j := at[0]*a[1]+l, l*b[1]+at[1]
		if transA {
			i = l*a[1] + at[0]
		}
		if transB {
			j = at[1]*b[1] + l
		}
		return in.float(0, i), in.float(1, j)
	}), once(func(acc Acc, in *inputs) {
		y := f.of(acc)
		if alpha != 1 {
			y = float32(y * alpha)
		}
		if p.Has(2) && beta != 0 {
			c := in.float(2, broadcast(p.In[2].Shape, at))
			if beta != 1 {
				c = float32(c * beta)
			}
			y += c
		}
		acc.done(y)
	}))
}
