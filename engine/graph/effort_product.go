package graph

import "github.com/mutirao/mutirao/engine/tensor"

// What tiles of products are made of: rows that share a vector of the right factor, numbers of a vector, columns that are packed together, and
// terms that are summed at a time.
const (
	tileRows   = 12
	tileVector = 16
	tilePanel  = 32
	tileDepth  = 256
)

// product is batch products of m×k and k×n.
type product struct{ batch, m, k, n uint64 }

// matMulOf: if only the left factor has leading axes, its rows are one tall matrix.
func matMulOf(c *Call) product {
	a, b := matrices(c)
	p := product{m: uint64(a[len(a)-2]), k: uint64(a[len(a)-1]), n: uint64(b[len(b)-1])}
	p.batch = lengthOf(c.Out[0]) / (p.m * p.n)
	if count(b[:len(b)-2]) == 1 {
		p.m, p.batch = p.m*p.batch, 1
	}
	return p
}

func (p product) effort() uint64 {
	m, k, n := p.m, p.k, p.n
	one := plus(79_000, times(96, m, k, divUp(n, tileVector)), times(1400, divUp(m, tileRows), k, divUp(n, tileVector)),
		times(87, m, k), times(83, k, n), times(230, m, n, divUp(k, tileDepth)))
	return times(p.batch, one)
}

func effortMatMul(c *Call) uint64 { return plus(530_000, matMulOf(c).effort()) }

// effortGemm adds what transposed factors and the steps behind the product take.
func effortGemm(c *Call) uint64 {
	m, n := uint64(c.Out[0].Shape[0]), uint64(c.Out[0].Shape[1])
	p := product{1, m, lengthOf(c.In[0]) / m, n}
	sum := plus(530_000, p.effort())
	if c.Int("transA") != 0 {
		sum = plus(sum, times(110, p.k, m))
	}
	if c.Int("transB") != 0 {
		sum = plus(sum, times(330, p.k, n))
	}
	if c.Has(2) {
		sum = plus(sum, times(33, m, n), elementWalk(c.Out[0].Shape, c.Out[0].Shape, c.In[2].Shape).outer(28_000))
		if c.Float("beta") != 1 {
			sum = plus(sum, times(33, lengthOf(c.In[2])))
		}
	}
	if c.Float("alpha") != 1 {
		sum = plus(sum, times(33, m, n))
	}
	return sum
}

// effortMatMulInteger counts the rows of the left factor again if the right one has zero points.
func effortMatMulInteger(c *Call) uint64 {
	p := matMulOf(c)
	m, k, n := p.m, p.k, p.n
	sum := plus(530_000, times(10, m, k, upTo(n, tilePanel)), times(220, m, k), times(3400, k, n), times(1500, m, n))
	if c.Has(3) {
		sum = plus(sum, times(66, m, k))
	}
	return sum
}

// attentionShape is what Attention and its derivative work on.
type attentionShape struct{ heads, kvHeads, queries, keys, d, dv uint64 }

func attentionOf(c *Call, from int) attentionShape {
	q, k, v := c.In[from].Shape, c.In[from+1].Shape, c.In[from+2].Shape
	s := attentionShape{uint64(q[0] * q[1]), uint64(k[0] * k[1]), uint64(q[2]), uint64(k[2]), uint64(q[3]), uint64(v[3])}
	if from == 0 {
		s.keys += uint64(c.Past())
	}
	return s
}

// rows are all queries, pairs those and the keys, panels what a query's products read, in panels of columns.
func (s attentionShape) rows() uint64  { return s.heads * s.queries }
func (s attentionShape) pairs() uint64 { return times(s.rows(), s.keys) }
func (s attentionShape) panels() uint64 {
	return plus(times(s.d, divUp(s.keys, tilePanel)), times(s.keys, divUp(s.dv, tilePanel)))
}

// effortAttention: numbers that are not finite make a causal mask take queries one by one, and a mask of bool cut the values for each.
func effortAttention(c *Call) uint64 {
	s := attentionOf(c, 0)
	sum := plus(3_500_000, times(130_000, s.rows()), times(440, s.pairs()),
		times(93, s.kvHeads, tilePanel, s.panels()), times(1400, s.rows(), s.d+s.dv))
	if c.Float("softcap") > 0 {
		sum = plus(sum, times(1500, s.pairs()))
	}
	masked := len(c.In) > AttentionMask && c.Has(AttentionMask)
	if masked {
		sum = plus(sum, times(110, s.pairs()))
	}
	switch {
	case masked && c.In[AttentionMask].DType == tensor.Bool:
		return plus(sum, times(530*s.dv, s.pairs()), times(180_000, s.rows()))
	case c.Int("is_causal") != 0:
		return plus(sum, times(280, s.rows(), s.panels()), times(160_000, s.rows()))
	}
	return plus(sum, times(330, s.rows(), s.panels()))
}

func effortAttentionGrad(c *Call) uint64 {
	s := attentionOf(c, 1)
	sum := plus(3_800_000, times(100_000, s.rows()), times(300_000, s.heads), times(220, s.pairs()),
		times(140, s.kvHeads, tilePanel, s.panels()), times(2000, s.rows(), s.d+s.dv))
	if c.Int("is_causal") != 0 {
		return plus(sum, times(330, s.rows(), s.panels()), times(65_000, s.rows()))
	}
	return plus(sum, times(2600, s.rows(), s.panels()))
}

// effortRecurrent counts steps in each direction, and in them gates, each a product.
func effortRecurrent(c *Call) uint64 {
	x, y := c.In[0].Shape, c.Out[0].Shape
	directions, batch, in, hidden := uint64(y[1]), uint64(x[1]), uint64(x[2]), uint64(y[3])
	steps, gates := uint64(x[0])*directions, uint64(4)
	step, value := uint64(530_000), uint64(550)
	if c.Node.Op == "GRU" {
		gates, step, value = 3, 410_000, 1400
	}
	panels := divUp(hidden, tilePanel)
	return plus(8_100_000, times(step, steps), times(value, steps, batch, hidden), times(490_000, directions, gates),
		times(220, directions, gates, panels*tilePanel, in+hidden), times(380, steps, batch, gates, in+hidden, panels),
		times(900, steps, gates, divUp(batch, tileRows), hidden, panels), times(38_000, steps, batch, gates))
}
