package exec

import (
	"fmt"
	"math"
	"sync"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var attentionOps = map[string]operation{
	"Attention":     {emitAttention, nil},
	"AttentionGrad": {emitAttentionGrad, nil},
	"TensorScatter": {emitTensorScatter, []int{0}},
}

const (
	// queryBlock is the number of queries whose scores are in memory at once. It does not show in the bits; larger blocks
	// compute more scores in vain above the diagonal of a causal mask.
	queryBlock = 64
	// packQueries is the number of queries from which packing keys and values for them costs less than it saves.
	packQueries = 8
)

// attention is what forward and derivative share. Per head and query i, over the keys j that it sees:
//
//	s_j = (q_i·k_j)·scale,  p = softmax(s) by §7,  y_i = Σ_j p_j·v_j by §3 anchored at key 0 (spec/numerics.md)
//
// A query sees keys below a limit, with a causal mask only those up to its own place (offset + i), and of those not the ones
// that a mask of bool excludes. Excluding skips: scores are computed in blocks of queries for speed, and what a query does not
// see gets weight +0, which adds exactly nothing to sums and folds from +0 as long as v is finite. If v is not, queries are taken
// one at a time and what they do not see is cut off or replaced by +0. The derivative always folds with those zeros, so there
// one value that is not finite may reach all gradients of its head.
type attention struct {
	batch, heads, kvHeads int
	queries, keys, d, dv  int // keys counts past ones too
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

// span is what the queries of one batch entry may see: keys below limit, with a causal mask up to offset + i for query i.
type span struct{ offset, limit int }

// seen is how many keys query i sees, those that a mask excludes included.
func (a *attention) seen(s span, i int) int {
	if a.causal {
		return min(max(i+s.offset+1, 0), s.limit)
	}
	return s.limit
}

// whole is the span without past keys or a limit.
func (a *attention) whole() span { return span{0, a.keys} }

// weights sets p, [hi-lo, keys], to the softmax of the scores of queries lo to hi of one head, +0 where a query does not see.
// keys is what the last of them sees; q and k are the head's.
func (a *attention) weights(p, q, k []float32, lo, hi, keys int) {
	kernel.MatMul(p, q[lo*a.d:hi*a.d], k[:keys*a.d], hi-lo, a.d, keys, false, true)
	kernel.MulScalar(p, p, a.scale)
	a.softmax(p, a.whole(), lo, hi, keys)
}

// softmax turns scores into weights, +0 where a query does not see.
func (a *attention) softmax(p []float32, s span, lo, hi, keys int) {
	if !a.causal {
		kernel.Softmax(p, p, hi-lo, keys)
		return
	}
	for i := lo; i < hi; i++ {
		row := p[(i-lo)*keys : (i-lo+1)*keys]
		n := a.seen(s, i)
		kernel.Softmax(row[:n], row[:n], 1, n)
		clear(row[n:])
	}
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

// do runs f for each of n tasks. f is made when the program is compiled, so that a run takes no memory.
func (w crew) do(p *Program, n int, f func(p *Program, task int, scratch []float32)) {
	if !serial(w.workers, 1) {
		parallel(w.workers, 1, func(lo, hi int) { w.some(p, n, f, lo, hi) })
		return
	}
	w.some(p, n, f, 0, w.workers)
}

// some does the tasks of the workers lo to hi.
func (w crew) some(p *Program, n int, f func(p *Program, task int, scratch []float32), lo, hi int) {
	for worker := lo; worker < hi; worker++ {
		for task := worker; task < n; task += w.workers {
			f(p, task, p.scratch[worker*w.scratch:(worker+1)*w.scratch])
		}
	}
}

// forward is an Attention of a graph.
type forward struct {
	attention
	y       int
	past    int // keys before K; then pastK, pastV and presentK, presentV are storages
	pastK   int
	pastV   int
	length  int // storage of nonpad_kv_seqlen, or -1
	softcap float32
	mask    mask
	where   string // names the length input in errors
}

func emitAttention(c *compiler, in *instruction) func(*Program) error {
	a := &forward{attention: newAttention(in, 0), y: in.out[0], past: in.call.Past(), length: -1, softcap: in.call.Float("softcap")}
	copies := func(*Program) {}
	if a.past > 0 {
		pastK, pastV, newK, newV := in.in[graph.AttentionPastK], in.in[graph.AttentionPastV], a.k, a.v
		fresh := a.keys
		a.keys += a.past
		a.k, a.v = in.out[1], in.out[2]
		n := a.batch * a.kvHeads
		copies = func(p *Program) {
			join(p.f32[a.k], p.f32[pastK], p.f32[newK], n, a.past*a.d, fresh*a.d)
			join(p.f32[a.v], p.f32[pastV], p.f32[newV], n, a.past*a.dv, fresh*a.dv)
		}
	}
	if len(in.in) > graph.AttentionMask && in.in[graph.AttentionMask] >= 0 {
		a.mask = newMask(in.call.In[graph.AttentionMask], in.in[graph.AttentionMask], []int{a.batch, a.heads, a.queries, a.keys})
	}
	if len(in.in) > graph.AttentionLength && in.in[graph.AttentionLength] >= 0 {
		a.length, a.where = in.in[graph.AttentionLength], in.call.In[graph.AttentionLength].Name
	}
	// A task is a key head with the query heads that share it, unless there are too few of those for all goroutines.
	group := a.heads / a.kvHeads
	if a.batch*a.kvHeads < workers(a.batch*a.heads) {
		group = 1
	}
	tasks := a.batch * a.heads / group
	w := newCrew(c, tasks, a.scratchLen())
	head := func(p *Program, task int, scratch []float32) { a.run(p, task*group, group, scratch) }
	return func(p *Program) error {
		copies(p)
		if err := a.checkLengths(p); err != nil {
			return err
		}
		w.do(p, tasks, head)
		return nil
	}
}

// join sets each of n rows to a row of a and one of b.
func join(dst, a, b []float32, n, lenA, lenB int) {
	for i := range n {
		copy(dst[i*(lenA+lenB):], a[i*lenA:(i+1)*lenA])
		copy(dst[i*(lenA+lenB)+lenA:], b[i*lenB:(i+1)*lenB])
	}
}

// checkLengths checks the numbers of keys in use, which only a run knows.
func (a *forward) checkLengths(p *Program) error {
	if a.length < 0 {
		return nil
	}
	for i, n := range p.values[a.length].Int64() {
		if n < 0 || n > int64(a.keys) {
			return fmt.Errorf("%w: input %d %q: length %d at position %d is outside [0, %d]", ErrIndex, graph.AttentionLength, a.where, n, i, a.keys)
		}
	}
	return nil
}

// span is what a batch entry may see. The last query of a cache of fixed size has the last key in use.
func (a *forward) span(p *Program, batch int) span {
	if a.length < 0 {
		return span{a.past, a.keys}
	}
	n := int(p.values[a.length].Int64()[batch])
	return span{n - a.queries, n}
}

// scratchLen is the memory of a task: scores of a block of queries, and packed keys and values if they pay.
func (a *forward) scratchLen() int {
	n := min(queryBlock, a.queries) * a.keys
	if a.queries >= packQueries {
		n += kernel.PackedLen(a.d, a.keys) + kernel.PackedLen(a.keys, a.dv)
	}
	return n
}

// run computes group query heads from the given one on, counted over the batch; they share a key head.
func (a *forward) run(p *Program, first, group int, scratch []float32) {
	kv := first / (a.heads / a.kvHeads)
	s := a.span(p, first/a.heads)
	k, v := head(p.f32[a.k], kv, a.keys, a.d)[:s.limit*a.d], head(p.f32[a.v], kv, a.keys, a.dv)[:s.limit*a.dv]
	scores := scratch[:min(queryBlock, a.queries)*a.keys]
	t := attentionHeads.Get().(*attentionHead)
	*t = attentionHead{forward: a, p: p, span: s, k: k, v: v}
	finite := kernel.Finite(v)
	if a.queries >= packQueries && s.limit > 0 {
		rest := scratch[len(scores):]
		t.keys, rest = kernel.PackInto(rest, k, a.d, s.limit, true)
		t.values, _ = kernel.PackInto(rest, v, s.limit, a.dv, false)
		t.packedK, t.packedV = &t.keys, &t.values
	}
	for h := first; h < first+group; h++ {
		t.index, t.q, t.y = h, head(p.f32[a.q], h, a.queries, a.d), head(p.f32[a.y], h, a.queries, a.dv)
		block := queryBlock
		if !finite && (a.causal || a.mask.excludes()) {
			block = 1
		}
		for lo := 0; lo < a.queries; lo += block {
			t.block(scores, lo, min(lo+block, a.queries), finite)
		}
	}
	*t = attentionHead{}
	attentionHeads.Put(t)
}

// attentionHeads are kept between calls, so that a run takes no memory.
var attentionHeads = sync.Pool{New: func() any { return new(attentionHead) }}

// attentionHead is one query head with the key head that it shares.
type attentionHead struct {
	*forward
	p                *Program
	span             span
	index            int
	q, k, v, y       []float32
	packedK, packedV *kernel.Packed // keys and values, nil if not packed
	keys, values     kernel.Packed
}

// block computes y for the queries lo to hi.
func (t *attentionHead) block(scratch []float32, lo, hi int, finite bool) {
	keys, rows := t.seen(t.span, hi-1), hi-lo
	y := t.y[lo*t.dv : hi*t.dv]
	if keys == 0 {
		clear(y)
		return
	}
	p, q, k, v := scratch[:rows*keys], t.q[lo*t.d:hi*t.d], t.k[:keys*t.d], t.v[:keys*t.dv]
	if t.packedK != nil {
		kernel.MatMulPart(p, q, t.packedK, rows, t.d, keys, nil)
	} else {
		kernel.MatMul(p, q, k, rows, t.d, keys, false, true)
	}
	kernel.MulScalar(p, p, t.scale)
	if t.softcap > 0 {
		kernel.DivScalar(p, p, t.softcap)
		kernel.Tanh(p, p)
		kernel.MulScalar(p, p, t.softcap)
	}
	blind := t.mask.apply(t, p, lo, hi, keys)
	t.softmax(p, t.span, lo, hi, keys)
	if blind != nil {
		blind(p)
	}
	switch {
	case !finite && t.mask.excludes():
		v = t.mask.cut(t, v, lo, keys)
		kernel.MatMul(y, p, v, rows, keys, t.dv, false, false)
	case t.packedV != nil:
		kernel.MatMulPart(y, p, t.packedV, rows, keys, t.dv, nil)
	default:
		kernel.MatMul(y, p, v, rows, keys, t.dv, false, false)
	}
}

// mask is attn_mask: bool excludes keys, float32 is added to the scores.
type mask struct {
	storage int
	dtype   tensor.DType // 0 without a mask
	strides []int        // of batch, head, query and key; 0 where the mask is broadcast
}

func newMask(v graph.Value, storage int, full []int) mask {
	return mask{storage, v.DType, broadcastStrides(v.Shape, full)}
}

// excludes reports whether the mask leaves keys out.
func (m *mask) excludes() bool { return m.dtype == tensor.Bool }

// row is where the mask of a query begins.
func (m *mask) row(t *attentionHead, query int) int {
	return t.index/t.heads*m.strides[0] + t.index%t.heads*m.strides[1] + query*m.strides[2]
}

// apply adds the mask to the scores p of queries lo to hi, or makes those of excluded keys -Inf, whose weight is +0. What it
// returns, if not nil, is to be called on the weights: it gives queries that see nothing weights of +0.
func (m *mask) apply(t *attentionHead, p []float32, lo, hi, keys int) func(p []float32) {
	if m.dtype == tensor.Float32 {
		data := t.p.f32[m.storage]
		for i := lo; i < hi; i++ {
			at, row := m.row(t, i), p[(i-lo)*keys:(i-lo+1)*keys]
			if m.strides[3] == 0 {
				kernel.AddScalar(row, row, data[at])
			} else {
				kernel.Add(row, row, data[at:at+keys])
			}
		}
		return nil
	}
	if m.dtype != tensor.Bool {
		return nil
	}
	data := t.p.values[m.storage].Bool()
	none := math.Float32frombits(0xff800000)
	var blind []int
	for i := lo; i < hi; i++ {
		at, row := m.row(t, i), p[(i-lo)*keys:(i-lo+1)*keys]
		sees := 0
		for j := range t.seen(t.span, i) {
			if data[at+j*m.strides[3]] {
				sees++
			} else {
				row[j] = none
			}
		}
		if sees == 0 {
			blind = append(blind, i-lo)
		}
	}
	if blind == nil {
		return nil
	}
	return func(p []float32) {
		for _, i := range blind {
			clear(p[i*keys : (i+1)*keys])
		}
	}
}

// cut is v with +0 for the keys that the mask excludes for one query.
func (m *mask) cut(t *attentionHead, v []float32, query, keys int) []float32 {
	data, at := t.p.values[m.storage].Bool(), m.row(t, query)
	out := make([]float32, len(v))
	for j := range keys {
		if data[at+j*m.strides[3]] {
			copy(out[j*t.dv:(j+1)*t.dv], v[j*t.dv:])
		}
	}
	return out
}
