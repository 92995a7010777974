package exec

import "github.com/mutirao/mutirao/engine/kernel"

// foldBlock is the number of queries that the derivative takes at once: sums over queries must be cut as one product over all
// of them would be (spec/numerics.md §3).
const foldBlock = 256

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
	derive := func(p *Program, task int, scratch []float32) {
		g := attentionGrad{attention: &a, k: head(p.f32[a.k], task, a.keys, a.d), v: head(p.f32[a.v], task, a.keys, a.dv)}
		g.w, g.ds, g.partial = scratch[:scores], scratch[scores:2*scores], scratch[2*scores:]
		g.dk, g.dv = head(p.f32[dk], task, a.keys, a.d), head(p.f32[dv], task, a.keys, a.dv)
		clear(g.dk)
		clear(g.dv)
		for h := task * group; h < (task+1)*group; h++ {
			g.head(head(p.f32[a.q], h, a.queries, a.d), head(p.f32[dy], h, a.queries, a.dv), head(p.f32[dq], h, a.queries, a.d))
		}
	}
	return func(p *Program) error {
		w.do(p, kvHeads, derive)
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
		n, keys := hi-lo, g.seen(g.whole(), hi-1)
		w, ds := g.w[:n*keys], g.ds[:n*keys]
		rows, out := dy[lo*g.attention.dv:hi*g.attention.dv], dq[lo*g.d:hi*g.d]
		g.weights(w, q, g.k, lo, hi, keys)
		g.accumulate(g.dv, w, rows, n, keys, g.attention.dv)
		kernel.MatMul(ds, rows, g.v[:keys*g.attention.dv], n, g.attention.dv, keys, false, true)
		for i := lo; i < hi; i++ {
			row, weights := ds[(i-lo)*keys:(i-lo+1)*keys], w[(i-lo)*keys:(i-lo+1)*keys]
			seen := g.seen(g.whole(), i)
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
