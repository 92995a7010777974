package exec

import (
	"math"

	"github.com/mutirao/mutirao/engine/kernel"
)

var attentionOps = map[string]operation{
	"Attention":     {emitAttention, nil},
	"AttentionGrad": {emitAttentionGrad, nil},
}

const (
	// queryBlock is the number of queries whose scores are in memory at once. It does not show in the bits; larger blocks
	// compute more scores in vain above the diagonal of a causal mask.
	queryBlock = 64
	// foldBlock is the same for the derivative, where sums over queries must be cut as one product over all of them would be
	// (spec/numerics.md §3).
	foldBlock = 256
)

// attention is what forward and derivative share. Per head and query i, over the keys j that it sees (all, or j <= i):
//
//	s_j = (q_i·k_j)·scale,  p = softmax(s) by §7,  y_i = Σ_j p_j·v_j by §3 anchored at key 0 (spec/numerics.md)
//
// A causal mask skips: scores are computed in blocks of queries for speed, and what a query does not see is replaced by
// weight +0 after the softmax, which adds exactly nothing to a fold from +0 as long as v is finite. If v is not, queries are
// taken one at a time. The derivative always folds with those zeros, so there one value that is not finite may reach all
// gradients of its head.
type attention struct {
	batch, heads, kvHeads int
	queries, keys, d, dv  int
	scale                 float32
	causal                bool
	q, k, v               int // storages
}

// newAttention reads the call whose Q, K and V are the inputs from the given one on.
func newAttention(in *instruction, from int) attention {
	q, k, v := in.call.In[from].Shape, in.call.In[from+1].Shape, in.call.In[from+2].Shape
	a := attention{
		batch: q[0], heads: q[1], kvHeads: k[1], queries: q[2], keys: k[2], d: q[3], dv: v[3],
		scale: in.call.Float("scale"), causal: in.call.Int("is_causal") != 0,
		q: in.in[from], k: in.in[from+1], v: in.in[from+2],
	}
	if a.scale == 0 { // ONNX: 1/√d, here one root and one division
		a.scale = 1 / float32(math.Sqrt(float64(a.d)))
	}
	return a
}

// seen is how many keys query i sees.
func (a *attention) seen(i int) int {
	if a.causal {
		return min(i+1, a.keys)
	}
	return a.keys
}

// weights sets p, [hi-lo, keys], to the softmax of the scores of queries lo to hi of one head, +0 where a query does not see.
// keys is what the last of them sees; q and k are the head's.
func (a *attention) weights(p, q, k []float32, lo, hi, keys int) {
	kernel.MatMul(p, q[lo*a.d:hi*a.d], k[:keys*a.d], hi-lo, a.d, keys, false, true)
	kernel.MulScalar(p, p, a.scale)
	if !a.causal {
		kernel.Softmax(p, p, hi-lo, keys)
		return
	}
	for i := lo; i < hi; i++ {
		row := p[(i-lo)*keys : (i-lo+1)*keys]
		n := a.seen(i)
		kernel.Softmax(row[:n], row[:n], 1, n)
		clear(row[n:])
	}
}

// block is the number of queries to take at once: one if values that a query must not see could reach it through 0·Inf or
// 0·NaN, which only rows that see everything alike rule out.
func (a *attention) block(finite bool) int {
	if a.causal && !finite {
		return 1
	}
	return queryBlock
}

// head is the part of a [batch, heads, length, size] array that belongs to one head.
func head(x []float32, index, length, size int) []float32 {
	return x[index*length*size : (index+1)*length*size]
}

// crew is a number of goroutines, each with scratch of its own, fixed when the program is compiled.
type crew struct{ workers, scratch int }

func newCrew(c *compiler, tasks, scratch int) crew {
	w := crew{workers(tasks), scratch}
	c.scratch(w.workers * scratch)
	return w
}

// do runs f for each of n tasks.
func (w crew) do(p *Program, n int, f func(task int, scratch []float32)) {
	parallel(w.workers, 1, func(lo, hi int) {
		for worker := lo; worker < hi; worker++ {
			for task := worker; task < n; task += w.workers {
				f(task, p.scratch[worker*w.scratch:(worker+1)*w.scratch])
			}
		}
	})
}

func emitAttention(c *compiler, in *instruction) func(*Program) error {
	a := newAttention(in, 0)
	heads, y := a.batch*a.heads, in.out[0]
	group := a.heads / a.kvHeads
	w := newCrew(c, heads, min(queryBlock, a.queries)*a.keys)
	return func(p *Program) error {
		w.do(p, heads, func(task int, scratch []float32) {
			kv := task / group // heads of one batch entry and key head are neighbours
			q, out := head(p.f32[a.q], task, a.queries, a.d), head(p.f32[y], task, a.queries, a.dv)
			k, v := head(p.f32[a.k], kv, a.keys, a.d), head(p.f32[a.v], kv, a.keys, a.dv)
			block := a.block(kernel.Finite(v))
			for lo := 0; lo < a.queries; lo += block {
				hi := min(lo+block, a.queries)
				keys := a.seen(hi - 1)
				weights := scratch[:(hi-lo)*keys]
				a.weights(weights, q, k, lo, hi, keys)
				kernel.MatMul(out[lo*a.dv:hi*a.dv], weights, v[:keys*a.dv], hi-lo, keys, a.dv, false, false)
			}
		})
		return nil
	}
}

// emitAttentionGrad recomputes the weights p and differentiates, per head:
//
//	dV = pᵀ·dY,  dp = dY·Vᵀ,  ds = p·(dp - Σ_j dp_j·p_j)·scale,  dQ = ds·K,  dK = dsᵀ·Q
//
// dV and dK add over queries by §3, and over the query heads that share a key head in their order.
func emitAttentionGrad(c *compiler, in *instruction) func(*Program) error {
	a := newAttention(in, 1)
	dy, dq, dk, dv := in.in[0], in.out[0], in.out[1], in.out[2]
	kvHeads, group := a.batch*a.kvHeads, a.heads/a.kvHeads
	perKey := max(a.d, a.dv) * a.keys
	scores := min(foldBlock, a.queries) * a.keys
	w := newCrew(c, kvHeads, 2*scores+perKey)
	return func(p *Program) error {
		w.do(p, kvHeads, func(task int, scratch []float32) {
			g := attentionGrad{attention: &a, k: head(p.f32[a.k], task, a.keys, a.d), v: head(p.f32[a.v], task, a.keys, a.dv)}
			g.w, g.ds, g.partial = scratch[:scores], scratch[scores:2*scores], scratch[2*scores:]
			g.dk, g.dv = head(p.f32[dk], task, a.keys, a.d), head(p.f32[dv], task, a.keys, a.dv)
			clear(g.dk)
			clear(g.dv)
			for h := task * group; h < (task+1)*group; h++ {
				g.head(head(p.f32[a.q], h, a.queries, a.d), head(p.f32[dy], h, a.queries, a.dv), head(p.f32[dq], h, a.queries, a.d))
			}
		})
		return nil
	}
}

// attentionGrad is the derivative for one key head.
type attentionGrad struct {
	*attention
	k, v, dk, dv []float32
	w, ds        []float32 // weights and derivative of scores for a block of queries
	partial      []float32 // what a block adds to dk or dv
}

func (g *attentionGrad) head(q, dy, dq []float32) {
	for lo := 0; lo < g.queries; lo += foldBlock {
		hi := min(lo+foldBlock, g.queries)
		n, keys := hi-lo, g.seen(hi-1)
		w, ds := g.w[:n*keys], g.ds[:n*keys]
		rows, out := dy[lo*g.attention.dv:hi*g.attention.dv], dq[lo*g.d:hi*g.d]
		g.weights(w, q, g.k, lo, hi, keys)
		g.accumulate(g.dv, w, rows, n, keys, g.attention.dv)
		kernel.MatMul(ds, rows, g.v[:keys*g.attention.dv], n, g.attention.dv, keys, false, true)
		for i := lo; i < hi; i++ {
			row, weights := ds[(i-lo)*keys:(i-lo+1)*keys], w[(i-lo)*keys:(i-lo+1)*keys]
			seen := g.seen(i)
			kernel.SubScalar(row[:seen], row[:seen], kernel.Dot(row[:seen], weights[:seen]))
			kernel.Mul(row[:seen], row[:seen], weights[:seen])
			clear(row[seen:])
		}
		kernel.MulScalar(ds, ds, g.scale)
		kernel.MatMul(out, ds, g.k[:keys*g.d], n, keys, g.d, false, false)
		g.accumulate(g.dk, ds, q[lo*g.d:hi*g.d], n, keys, g.d)
	}
}

// accumulate adds wᵀ·x to the first rows of dst, where w is [n, keys] and x is [n, size].
func (g *attentionGrad) accumulate(dst, w, x []float32, n, keys, size int) {
	partial := g.partial[:keys*size]
	kernel.MatMul(partial, w, x, keys, n, size, true, false)
	kernel.Add(dst[:len(partial)], dst[:len(partial)], partial)
}
