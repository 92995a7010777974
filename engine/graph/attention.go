package graph

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

var attentionOps = map[string]operator{
	"Attention":     {between(3, 7), between(1, 3), append(slices.Clone(attentionAttrs), floatAttr("softcap", 0)), inferAttention, costAttentionForward},
	"TensorScatter": {between(2, 3), exactly(1), []attribute{intAttr("axis", -2), stringAttr("mode", "linear")}, inferTensorScatter, perOutput(costSimple)},
}

var attentionAttrs = []attribute{intAttr("is_causal", 0), floatAttr("scale", 0)}

// Inputs of Attention after Q, K and V.
const (
	AttentionMask   = 3 // attn_mask, bool or float32, broadcast to [batch, heads, queries, keys]
	AttentionPastK  = 4 // past_key [batch, kvHeads, past, d], before K
	AttentionPastV  = 5 // past_value [batch, kvHeads, past, dv], before V
	AttentionLength = 6 // nonpad_kv_seqlen, int64 [batch]: how many keys of a cache of fixed size count
)

// inferAttention: Q [batch, heads, queries, d], K [batch, kvHeads, new, d], V [batch, kvHeads, new, dv] -> Y [batch, heads,
// queries, dv] and, with past keys and values, both with the new ones behind them. kvHeads divides heads. Of ONNX's operator
// (set 24) the 4-D form is supported, without the products as an output.
func inferAttention(c *Call) ([]Value, error) {
	for i := range c.In {
		types := []tensor.DType{tensor.Float32}
		switch i {
		case AttentionMask:
			types = append(types, tensor.Bool)
		case AttentionLength:
			types = []tensor.DType{tensor.Int64}
		}
		if err := c.want(i, types...); err != nil {
			return nil, err
		}
	}
	if s := c.Float("softcap"); !(s >= 0) {
		return nil, fmt.Errorf("softcap is %v", s)
	}
	out, err := checkAttention(c, 0)
	if err != nil {
		return nil, err
	}
	q, k, v := c.In[0].Shape, slices.Clone(c.In[1].Shape), slices.Clone(c.In[2].Shape)
	past := 0
	switch {
	case c.Has(AttentionPastK) != c.Has(AttentionPastV):
		return nil, fmt.Errorf("of past_key and past_value one is missing")
	case c.Has(AttentionPastK):
		if len(c.In[AttentionPastK].Shape) != 4 {
			return nil, c.bad(AttentionPastK, "has shape %v, want [batch, heads, length, head size]", c.In[AttentionPastK].Shape)
		}
		if past = c.In[AttentionPastK].Shape[2]; past > MaxElements {
			return nil, c.bad(AttentionPastK, "has %d keys", past)
		}
		for i, shape := range [][]int{k, v} {
			shape[2] = past
			if err := c.wantShape(AttentionPastK+i, shape); err != nil {
				return nil, err
			}
			shape[2] += c.In[1].Shape[2]
		}
		if c.Has(AttentionLength) {
			return nil, c.bad(AttentionLength, "cannot be combined with past keys")
		}
		out = append(out, Value{DType: tensor.Float32, Shape: k}, Value{DType: tensor.Float32, Shape: v})
	}
	if len(c.Node.Outputs) > len(out) || past > 0 && len(c.Node.Outputs) != 3 {
		return nil, fmt.Errorf("%d outputs, want %d", len(c.Node.Outputs), len(out))
	}
	if c.Has(AttentionMask) {
		full := []int{q[0], q[1], q[2], k[2]}
		if s, ok := Broadcast(full, c.In[AttentionMask].Shape); !ok || !slices.Equal(s, full) {
			return nil, c.bad(AttentionMask, "of shape %v does not broadcast to %v", c.In[AttentionMask].Shape, full)
		}
	}
	return out, c.wantShape(AttentionLength, q[:1])
}

// checkAttention checks an attention whose Q, K and V are the node's inputs from the given one on.
func checkAttention(c *Call, from int) ([]Value, error) {
	for i := from; i < from+3; i++ {
		if err := c.want(i, tensor.Float32); err != nil {
			return nil, err
		}
		if len(c.In[i].Shape) != 4 {
			return nil, c.bad(i, "has shape %v, want [batch, heads, length, head size]", c.In[i].Shape)
		}
	}
	if s := c.Float("scale"); !(s >= 0) {
		return nil, fmt.Errorf("scale is %v", s)
	}
	q, k, v := c.In[from].Shape, c.In[from+1].Shape, c.In[from+2].Shape
	if k[0] != q[0] || k[3] != q[3] || q[1]%k[1] != 0 {
		return nil, c.bad(from+1, "of shape %v does not fit queries of shape %v", k, q)
	}
	if v[0] != k[0] || v[1] != k[1] || v[2] != k[2] {
		return nil, c.bad(from+2, "of shape %v does not fit keys of shape %v", v, k)
	}
	shape := slices.Clone(q)
	shape[3] = v[3]
	return []Value{{DType: tensor.Float32, Shape: shape}}, nil
}

// Past is the number of keys that precede K.
func (c *Call) Past() int {
	if len(c.In) > AttentionPastK && c.Has(AttentionPastK) {
		return c.In[AttentionPastK].Shape[2]
	}
	return 0
}

// costAttentionForward is costAttention, a tanh for each pair with a softcap, an addition with a mask, and the copies of past
// keys and values. The keys of a cache of fixed size all count: how many are in use is known only in a run.
func costAttentionForward(c *Call) uint64 {
	each := uint64(0)
	if c.Float("softcap") > 0 {
		each += costTranscendental
	}
	if len(c.In) > AttentionMask && c.Has(AttentionMask) {
		each += costSimple
	}
	total := costAttention(c, 0, 1, each)
	for _, v := range c.Out[1:] {
		total += uint64(v.Len())
	}
	return total
}

// costAttention counts Q·K and P·V over the pairs that the causal mask leaves, the softmax and so much more over them, times passes.
func costAttention(c *Call, from int, passes, each uint64) uint64 {
	q, k, v := c.In[from].Shape, c.In[from+1].Shape, c.In[from+2].Shape
	queries, past := uint64(q[2]), uint64(0)
	if from == 0 {
		past = uint64(c.Past())
	}
	keys := uint64(k[2])
	pairs := queries * (past + keys)
	if c.Int("is_causal") != 0 && !(len(c.In) > AttentionLength && c.Has(AttentionLength)) {
		full := min(queries, keys) // query i sees keys 0..past+i, later ones see all
		pairs = queries*past + full*(full+1)/2 + (queries-full)*keys
	}
	return passes * uint64(q[0]*q[1]) * pairs * (uint64(q[3]) + uint64(v[3]) + costTranscendental + each)
}

// inferTensorScatter: past_cache [batch, ...], update of the same shape but no longer along the axis, write_indices int64
// [batch] -> the cache with the update of each batch entry from its index on; "circular" goes on at the start.
func inferTensorScatter(c *Call) ([]Value, error) {
	cache, update := c.In[0], c.In[1]
	at, err := axis(c.Int("axis"), len(cache.Shape))
	if err != nil || at == 0 {
		return nil, fmt.Errorf("axis is %d for a cache of shape %v", c.Int("axis"), cache.Shape)
	}
	if mode := c.String("mode"); mode != "linear" && mode != "circular" {
		return nil, fmt.Errorf("unknown mode %q", mode)
	}
	if err := c.want(1, cache.DType); err != nil {
		return nil, err
	}
	want := slices.Clone(cache.Shape)
	if len(update.Shape) == len(want) && update.Shape[at] <= want[at] {
		want[at] = update.Shape[at]
	}
	if err := c.wantShape(1, want); err != nil {
		return nil, err
	}
	if err := c.want(2, tensor.Int64); err != nil {
		return nil, err
	}
	return []Value{cache}, c.wantShape(2, cache.Shape[:1])
}
