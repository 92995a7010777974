package graph

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

var attentionOps = map[string]operator{
	"Attention": {exactly(3), exactly(1), attentionAttrs, inferAttention, func(c *Call) uint64 { return costAttention(c, 0, 1) }},
}

var attentionAttrs = []attribute{intAttr("is_causal", 0), floatAttr("scale", 0)}

// inferAttention: Q [batch, heads, queries, d], K [batch, kvHeads, keys, d], V [batch, kvHeads, keys, dv] -> Y [batch, heads,
// queries, dv], where kvHeads divides heads. Of ONNX's operator, the 4-D form without mask, past, softcap is supported.
func inferAttention(c *Call) ([]Value, error) { return checkAttention(c, 0) }

// checkAttention checks an attention whose Q, K and V are the node's inputs from the given one on.
func checkAttention(c *Call, from int) ([]Value, error) {
	for i := range c.In {
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

// costAttention counts Q·K and P·V over the pairs that the causal mask leaves, and the softmax over them, times passes.
func costAttention(c *Call, from int, passes uint64) uint64 {
	q, k, v := c.In[from].Shape, c.In[from+1].Shape, c.In[from+2].Shape
	queries, keys := uint64(q[2]), uint64(k[2])
	pairs := queries * keys
	if c.Int("is_causal") != 0 {
		full := min(queries, keys) // query i sees keys 0..i, later ones see all
		pairs = full*(full+1)/2 + (queries-full)*keys
	}
	return passes * uint64(q[0]*q[1]) * pairs * (uint64(q[3]) + uint64(v[3]) + costTranscendental)
}
