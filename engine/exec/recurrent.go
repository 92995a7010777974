package exec

import (
	"runtime"

	"github.com/mutirao/mutirao/engine/kernel"
)

var recurrentOps = map[string]operation{
	"LSTM": {emitRecurrent(4, lstmStep), nil},
	"GRU":  {emitRecurrent(3, gruStep), nil},
}

// recurrent is a recurrent layer. The products with W are taken over all steps at once. Then a step is, for the rows of a batch and the hidden
// values of one share of the work,
//
//	sums_g = (h·R_gᵀ ⊕ Rb_g) ⊕ (x·W_gᵀ ⊕ Wb_g)      products by spec/numerics.md §3
//	LSTM (gates i, o, f, c):  c = (σ(sums_f) ⊗ c) ⊕ (σ(sums_i) ⊗ tanh(sums_c)),  h = σ(sums_o) ⊗ tanh(c)
//	GRU (gates z, r, h):  back = ((r ⊗ h)·R_hᵀ) ⊕ Rb_h, or r ⊗ (h·R_hᵀ ⊕ Rb_h) with linear_before_reset;
//	                      h = ((1 ⊖ z) ⊗ tanh((x·W_hᵀ ⊕ Wb_h) ⊕ back)) ⊕ (z ⊗ h)
//
// Source: ONNX LSTM-22 and GRU-22.
type recurrent struct {
	gates, steps, batch, in, hidden int
	directions                      []bool // true for backwards
	linearBefore                    bool
	step                            func(*cell, *share, int)
	x, w, r, b, h0, c0              int // storages, -1 where left out
	y, lastH, lastC                 int
	packedW, packedR                []*kernel.Packed // by direction and gate, nil if not constant
	team                            team
}

// share is the part of a step that one goroutine computes: rows of the batch and hidden values.
type share struct {
	row0, row1, lo, hi int
	r                  []*kernel.Packed // by gate, the columns of the hidden values
	then               kernel.Then      // of its products
}

func (c *cell) share(row0, row1, lo, hi int) *share {
	s := &share{row0: row0, row1: row1, lo: lo, hi: hi}
	for _, r := range c.r {
		s.r = append(s.r, r.Columns(lo, hi))
	}
	return s
}

// cell is one direction of a layer in a run.
type cell struct {
	*recurrent
	r      []*kernel.Packed // by gate
	rb     []float32        // all gates, nil if there is no bias
	x      [][]float32      // by gate: x·Wᵀ ⊕ Wb, [steps, batch, hidden]
	y      []float32        // [steps, directions, batch, hidden] from this direction on
	h0, c  []float32        // [batch, hidden]; h0 is nil for zeros
	back   bool
	buffer []float32 // [gates+1, batch, hidden]
	zeros  []float32 // [batch, hidden]
}

func emitRecurrent(gates int, step func(*cell, *share, int)) func(*compiler, *instruction) func(*Program) error {
	return func(c *compiler, in *instruction) func(*Program) error {
		call := in.call
		input := func(i int) int {
			if i < len(in.in) {
				return in.in[i]
			}
			return -1
		}
		l := &recurrent{
			gates: gates, steps: call.In[0].Shape[0], batch: call.In[0].Shape[1], in: call.In[0].Shape[2], hidden: call.In[2].Shape[2],
			directions: call.Directions(), step: step, x: input(0), w: input(1), r: input(2), b: input(3), h0: input(5), c0: -1,
			y: in.out[0], lastH: in.out[1], lastC: -1,
		}
		if gates == 4 {
			l.c0, l.lastC = input(6), in.out[2]
		} else {
			l.linearBefore = call.Int("linear_before_reset") != 0
		}
		if t := c.initializers[l.w]; t != nil {
			l.packedW = l.pack(t.Float32(), l.in)
		}
		if t := c.initializers[l.r]; t != nil {
			l.packedR = l.pack(t.Float32(), l.hidden)
		}
		c.scratch(l.scratchLen())
		return func(p *Program) error {
			l.run(p)
			return nil
		}
	}
}

// pack packs the transposed weights of each direction and gate, [hidden, k] of them.
func (l *recurrent) pack(weights []float32, k int) []*kernel.Packed {
	var list []*kernel.Packed
	for i := range len(l.directions) * l.gates {
		list = append(list, kernel.Pack(weights[i*l.hidden*k:(i+1)*l.hidden*k], k, l.hidden, true))
	}
	return list
}

// scratchLen is what one direction after the other needs.
func (l *recurrent) scratchLen() int {
	state := l.batch * l.hidden
	return l.gates*l.steps*state + (l.gates+3)*state
}

func (l *recurrent) run(p *Program) {
	packedW, packedR := l.packedW, l.packedR
	if packedW == nil {
		packedW = l.pack(p.f32[l.w], l.in)
	}
	if packedR == nil {
		packedR = l.pack(p.f32[l.r], l.hidden)
	}
	state := l.batch * l.hidden
	for d, back := range l.directions {
		rest := p.scratch
		take := func(n int) []float32 {
			part := rest[:n:n]
			rest = rest[n:]
			return part
		}
		c := &cell{recurrent: l, r: packedR[d*l.gates : (d+1)*l.gates], y: p.f32[l.y][d*state:], back: back}
		var wb []float32
		if l.b >= 0 {
			b := p.f32[l.b][d*2*l.gates*l.hidden:]
			wb, c.rb = b[:l.gates*l.hidden], b[l.gates*l.hidden:2*l.gates*l.hidden]
		}
		for g := range l.gates {
			then := &kernel.Then{}
			if wb != nil {
				then.Cols = wb[g*l.hidden : (g+1)*l.hidden]
			}
			c.x = append(c.x, take(l.steps*state))
			kernel.MatMulPackedThen(c.x[g], p.f32[l.x], packedW[d*l.gates+g], l.steps*l.batch, l.in, l.hidden, false, then)
		}
		c.buffer, c.zeros = take((l.gates+1)*state), take(state)
		clear(c.zeros)
		c.h0 = c.zeros
		if l.h0 >= 0 {
			c.h0 = p.f32[l.h0][d*state : (d+1)*state]
		}
		if l.gates == 4 {
			c.c = p.f32[l.lastC][d*state : (d+1)*state]
			clear(c.c)
			if l.c0 >= 0 {
				copy(c.c, p.f32[l.c0][d*state:])
			}
		}
		c.sequence()
		copy(p.f32[l.lastH][d*state:(d+1)*state], c.state(l.steps-1))
	}
}

const (
	// shareMACs is the least work of a step that is worth waiting for others at its end, about 1 us.
	shareMACs = 1 << 15
	// shareCols is what the columns of a share are a multiple of, a panel of packed weights.
	shareCols = 32
)

// sequence takes the steps in order. Rows of a batch do not need each other, so goroutines *share those if there are enough; else they
// share the hidden values and meet after each step.
func (c *cell) sequence() {
	n := runtime.GOMAXPROCS(0)
	if c.batch >= n {
		parallel(n, 1, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				c.all(c.share(c.batch*i/n, c.batch*(i+1)/n, 0, c.hidden), func() {})
			}
		})
		return
	}
	panels := (c.hidden + shareCols - 1) / shareCols
	n = min(n, panels, max(1, c.batch*c.gates*c.hidden*c.hidden/shareMACs))
	c.team.run(n, func(member int) {
		lo, hi := panels*member/n*shareCols, min(panels*(member+1)/n*shareCols, c.hidden)
		c.all(c.share(0, c.batch, lo, hi), c.team.meet)
	})
}

// all takes all steps of a share.
func (c *cell) all(s *share, meet func()) {
	for i := range c.steps {
		c.step(c, s, i)
		if i+1 < c.steps {
			meet()
		}
	}
}

// time is the place of step i in the sequence.
func (c *cell) time(i int) int {
	if c.back {
		return c.steps - 1 - i
	}
	return i
}

// state is h after step i, before the first for i = -1.
func (c *cell) state(i int) []float32 {
	if i < 0 {
		return c.h0
	}
	state := c.batch * c.hidden
	return c.y[c.time(i)*len(c.directions)*state:][:state]
}

// eachPart calls f for pieces of a share that are contiguous in a [batch, hidden] array: all rows at once if it has whole rows, else one
// by one.
func (c *cell) eachPart(s *share, f func(row, rows, lo, hi int)) {
	if s.hi-s.lo == c.hidden {
		if s.row0 < s.row1 {
			f(s.row0, s.row1-s.row0, s.row0*c.hidden, s.row1*c.hidden)
		}
		return
	}
	for row := s.row0; row < s.row1; row++ {
		f(row, 1, row*c.hidden+s.lo, row*c.hidden+s.hi)
	}
}

// part is a piece of scratch g.
func (c *cell) part(g, lo, hi int) []float32 {
	state := c.batch * c.hidden
	return c.buffer[g*state+lo : g*state+hi]
}

// input is x·W_gᵀ ⊕ Wb_g of step i.
func (c *cell) input(g, i, lo, hi int) []float32 {
	state := c.batch * c.hidden
	return c.x[g][c.time(i)*state+lo : c.time(i)*state+hi]
}

// product sets dst to h·R_gᵀ ⊕ Rb_g for rows of h and the hidden values of a share, ⊕ add if it is not nil.
func (c *cell) product(dst, h []float32, g int, s *share, row, rows int, add []float32) {
	s.then.Add, s.then.Cols = add, nil
	if c.rb != nil {
		s.then.Cols = c.rb[g*c.hidden+s.lo : g*c.hidden+s.hi]
	}
	kernel.MatMulPart(dst, h[row*c.hidden:(row+rows)*c.hidden], s.r[g], rows, c.hidden, s.hi-s.lo, &s.then)
}

func lstmStep(c *cell, s *share, i int) {
	h, next := c.state(i-1), c.state(i)
	c.eachPart(s, func(row, rows, lo, hi int) {
		for g := range 4 {
			c.product(c.part(g, lo, hi), h, g, s, row, rows, c.input(g, i, lo, hi))
		}
		in, out, forget, fresh, state := c.part(0, lo, hi), c.part(1, lo, hi), c.part(2, lo, hi), c.part(3, lo, hi), c.c[lo:hi]
		kernel.Sigmoid(in, in)
		kernel.Sigmoid(out, out)
		kernel.Sigmoid(forget, forget)
		kernel.Tanh(fresh, fresh)
		kernel.Mul(state, forget, state)
		kernel.Mul(in, in, fresh)
		kernel.Add(state, state, in)
		kernel.Tanh(fresh, state)
		kernel.Mul(next[lo:hi], out, fresh)
	})
}

func gruStep(c *cell, s *share, i int) {
	h, next := c.state(i-1), c.state(i)
	c.eachPart(s, func(row, rows, lo, hi int) {
		for g := range 2 {
			gate := c.part(g, lo, hi)
			c.product(gate, h, g, s, row, rows, c.input(g, i, lo, hi))
			kernel.Sigmoid(gate, gate)
		}
		if c.linearBefore {
			back := c.part(2, lo, hi)
			c.product(back, h, 2, s, row, rows, nil)
			kernel.Mul(back, c.part(1, lo, hi), back)
			kernel.Add(back, c.input(2, i, lo, hi), back)
		} else {
			kernel.Mul(c.part(3, lo, hi), c.part(1, lo, hi), h[lo:hi])
		}
	})
	if !c.linearBefore {
		if s.hi-s.lo < c.hidden {
			c.team.meet() // r ⊗ h is needed whole
		}
		c.eachPart(s, func(row, rows, lo, hi int) {
			c.product(c.part(2, lo, hi), c.part(3, 0, c.batch*c.hidden), 2, s, row, rows, c.input(2, i, lo, hi))
		})
	}
	c.eachPart(s, func(_, _, lo, hi int) {
		z, fresh, old, out := c.part(0, lo, hi), c.part(2, lo, hi), c.part(1, lo, hi), next[lo:hi]
		kernel.Tanh(fresh, fresh)
		kernel.Mul(old, z, h[lo:hi])
		scalarMinus(z, 1, z)
		kernel.Mul(z, z, fresh)
		kernel.Add(out, z, old)
	})
}
