package split

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

var attentionRules = map[string]func(*plan) stage{"Attention": attend, "AttentionGrad": attentionGrad}

// attention is what forward and derivative share: the scores of one query against all keys, their greatest and the sum of their
// exponentials. Inputs are read where q, k and v say.
type attention struct {
	p             *plan
	from          int // Q, K and V are the inputs from here on
	heads, kv     int
	queries, keys int // keys counts past ones
	past, d, dv   int
	scale         float32
	score         *fold
	greatest      int // word
	sees          int // word: keys that the query has been found to see
	sum           *sum
}

func (p *plan) newAttention(from int) *attention {
	q, k, v := p.In[from].Shape, p.In[from+1].Shape, p.In[from+2].Shape
	t := &attention{p: p, from: from, heads: q[1], kv: k[1], queries: q[2], d: q[3], dv: v[3], scale: p.Float("scale")}
	if from == 0 {
		t.past = p.Past()
	}
	t.keys = t.past + k[2]
	if t.scale == 0 {
		t.scale = 1 / root(float32(t.d))
	}
	t.score, t.greatest, t.sees, t.sum = p.newFold(), p.word(1), p.word(1), p.newSum(t.keys)
	return t
}

// query names a query: batch entry, head and place.
type query struct{ batch, head, at int }

func (t *attention) q(in *inputs, r query, e int) float32 {
	return in.float(t.from, ((r.batch*t.heads+r.head)*t.queries+r.at)*t.d+e)
}

// k and v read a key or value of the head that the query's head shares, past ones first.
func (t *attention) k(in *inputs, r query, j, e int) float32 {
	return t.keyed(in, t.from+1, graph.AttentionPastK, r, j, e, t.d)
}
func (t *attention) v(in *inputs, r query, j, e int) float32 {
	return t.keyed(in, t.from+2, graph.AttentionPastV, r, j, e, t.dv)
}

func (t *attention) keyed(in *inputs, input, past int, r query, j, e, width int) float32 {
	head := r.batch*t.kv + r.head/(t.heads/t.kv)
	if j < t.past {
		return in.float(past, (head*t.past+j)*width+e)
	}
	return in.float(input, (head*(t.keys-t.past)+j-t.past)*width+e)
}

// sees reports whether a query sees a key: below the limit, with a causal mask up to its own place, and not excluded by a mask.
func (t *attention) visible(in *inputs, r query, j int) bool {
	limit, offset := t.keys, t.past
	if t.from == 0 && t.p.Has(graph.AttentionLength) {
		n := in.int(graph.AttentionLength, r.batch)
		if n < 0 || n > int64(t.keys) {
			in.fail("length %d is outside [0, %d]", n, t.keys)
			return false
		}
		limit, offset = int(n), int(n)-t.queries
	}
	if t.p.Int("is_causal") != 0 {
		limit = min(max(r.at+offset+1, 0), limit)
	}
	if j >= limit {
		return false
	}
	return !t.masked(tensor.Bool) || in.bits(graph.AttentionMask, t.maskAt(r, j)) != 0
}

func (t *attention) masked(dt tensor.DType) bool {
	return t.from == 0 && t.p.Has(graph.AttentionMask) && t.p.In[graph.AttentionMask].DType == dt
}

func (t *attention) maskAt(r query, j int) int {
	return broadcast(t.p.In[graph.AttentionMask].Shape, []int{r.batch, r.head, r.at, j})
}

// against is the stage that computes the score of one key and hands it over; with a key that the query does not see it only
// says so.
func (t *attention) against(r query, j int, use func(a Acc, in *inputs, visible bool, s float32)) stage {
	dot := t.score.product(t.d, func(e int, in *inputs) (x, y float32) { return t.q(in, r, e), t.k(in, r, j, e) })
	return seq(guarded(dot, func(in *inputs) bool { return t.visible(in, r, j) }), once(func(a Acc, in *inputs) {
		if !t.visible(in, r, j) {
			use(a, in, false, 0)
			return
		}
		s := float32(t.score.of(a) * t.scale)
		if limit := t.softcap(); limit > 0 {
			s = float32(tanh(s/limit) * limit)
		}
		if t.masked(tensor.Float32) {
			s += in.float(graph.AttentionMask, t.maskAt(r, j))
		}
		use(a, in, true, s)
	}))
}

func (t *attention) softcap() float32 {
	if t.from == 0 {
		return t.p.Float("softcap")
	}
	return 0
}

// guarded leaves out what need not be computed.
func guarded(s stage, needed func(in *inputs) bool) stage {
	return stage{s.ops, func(op int, a Acc, in *inputs) {
		if needed(in) {
			s.run(op, a, in)
		}
	}}
}

// exponentials is the stage that finds the greatest score of a query and the sum of the exponentials.
func (t *attention) exponentials(r query) stage {
	return seq(times(t.keys, func(j int) stage {
		return t.against(r, j, func(a Acc, _ *inputs, visible bool, s float32) {
			if j == 0 {
				a[t.sees] = 0
				a.setFloat(t.greatest, float32(math.Inf(-1)))
			}
			if visible {
				a[t.sees]++
				a.setFloat(t.greatest, maximum(a.float(t.greatest), s))
			}
		})
	}), times(t.keys, func(j int) stage {
		return t.against(r, j, func(a Acc, _ *inputs, visible bool, s float32) {
			if !visible {
				t.sum.skip(a, j)
				return
			}
			t.sum.add(a, j, t.exponential(a, s), 0)
		})
	}))
}

func (t *attention) exponential(a Acc, s float32) float32 { return exp(s - a.float(t.greatest)) }

// weight is the softmax of a score.
func (t *attention) weight(a Acc, s float32) float32 { return t.exponential(a, s) / t.sum.of(a) }

// attend is Σ_j weight_j·v_j over the keys that the query sees. Keys and values with past ones before them are outputs too.
func attend(p *plan) stage {
	at := p.index()
	if p.output > 0 {
		past := p.Past()
		if at[2] < past {
			return copied(graph.AttentionPastK+p.output-1, ravel(p.In[graph.AttentionPastK+p.output-1].Shape, at))
		}
		return copied(p.output, ravel(p.In[p.output].Shape, moved(at, 2, at[2]-past)))
	}
	t, f := p.newAttention(0), p.newFold()
	r := query{at[0], at[1], at[2]}
	return seq(t.exponentials(r), times(t.keys, func(j int) stage {
		return t.against(r, j, func(a Acc, in *inputs, visible bool, s float32) {
			if visible {
				f.chained(a, t.weight(a, s), t.v(in, r, j, at[3]))
			}
			if j == t.keys-1 || j%foldBlock == foldBlock-1 {
				f.close(a)
			}
		})
	}), once(func(a Acc, _ *inputs) { a.done(f.of(a)) }))
}

// derivative extends attention by what only its derivative needs.
type derivative struct {
	*attention
	dp    *fold // dY·V of a query and a key
	along *sum  // Σ_j dp_j·weight_j
}

func (t *derivative) dy(in *inputs, r query, e int) float32 {
	return in.float(0, ((r.batch*t.heads+r.head)*t.queries+r.at)*t.dv+e)
}

// pair is the stage that computes score and dp of a query and a key.
func (t *derivative) pair(r query, j int, use func(a Acc, in *inputs, visible bool, s, dp float32)) stage {
	dot := t.dp.product(t.dv, func(e int, in *inputs) (x, y float32) { return t.dy(in, r, e), t.v(in, r, j, e) })
	return seq(dot, t.against(r, j, func(a Acc, in *inputs, visible bool, s float32) { use(a, in, visible, s, t.dp.of(a)) }))
}

// prepared is the stage of everything about a query that its keys share.
func (t *derivative) prepared(r query) stage {
	return seq(t.exponentials(r), times(t.keys, func(j int) stage {
		return t.pair(r, j, func(a Acc, _ *inputs, visible bool, s, dp float32) {
			if !visible {
				t.along.skip(a, j)
				return
			}
			t.along.add(a, j, dp, t.weight(a, s))
		})
	}))
}

// ds is the derivative of a score: +0 times the scale for a key that is not seen.
func (t *derivative) ds(a Acc, visible bool, s, dp float32) float32 {
	d := float32(0)
	if visible {
		d = float32((dp - t.along.of(a)) * t.weight(a, s))
	}
	return float32(d * t.scale)
}

// reach is how many keys the block of queries that holds one of them sees: sums run over those, with zeros for the keys that
// the single query does not see.
func (t *derivative) reach(at int) int {
	last := min(at/foldBlock*foldBlock+foldBlock, t.queries) - 1
	if t.p.Int("is_causal") != 0 {
		return min(last+1, t.keys)
	}
	return t.keys
}

// attentionGrad is, per head, dQ = ds·K, dK = dsᵀ·Q and dV = weightsᵀ·dY with ds = weights·(dp - Σ dp·weights)·scale; dK and dV add
// over queries, and over the query heads that share a key head in their order.
func attentionGrad(p *plan) stage {
	t := &derivative{attention: p.newAttention(1)}
	t.dp, t.along = p.newFold(), p.newDot(t.keys)
	f, at := p.newFold(), p.index()
	e := at[3]
	result := once(func(a Acc, _ *inputs) { a.done(f.of(a)) })
	if p.output == 0 {
		r := query{at[0], at[1], at[2]}
		n := t.reach(r.at)
		return seq(t.prepared(r), times(n, func(j int) stage {
			return t.pair(r, j, func(a Acc, in *inputs, visible bool, s, dp float32) {
				f.add(a, j, n, t.ds(a, visible, s, dp), t.k(in, r, j, e))
			})
		}), result)
	}
	group, j := t.heads/t.kv, at[2]
	return seq(times(group*t.queries, func(i int) stage {
		r := query{at[0], at[1]*group + i/t.queries, i % t.queries}
		needed := func(*inputs) bool { return j < t.reach(r.at) }
		sums := t.exponentials(r)
		if p.output == 1 {
			sums = t.prepared(r)
		}
		return guarded(seq(sums, t.pair(r, j, func(a Acc, in *inputs, visible bool, s, dp float32) {
			x, y := float32(0), float32(0)
			switch {
			case p.output == 1:
				x, y = t.ds(a, visible, s, dp), t.q(in, r, e)
			default:
				if visible {
					x = t.weight(a, s)
				}
				y = t.dy(in, r, e)
			}
			f.add(a, r.at, t.queries, x, y)
		})), needed)
	}), result)
}
