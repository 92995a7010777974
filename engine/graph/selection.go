package graph

import (
	"fmt"

	"github.com/mutirao/mutirao/engine/tensor"
)

var selectionOps = map[string]operator{
	"TopK": {exactly(2), exactly(2), []attribute{intAttr("axis", -1), intAttr("largest", 1), intAttr("sorted", 1)}, inferTopK, costTopK},
}

// inferTopK: X float32, K an initializer of one int64 -> the K greatest (or least) values along an axis and their indices, int64.
func inferTopK(c *Call) ([]Value, error) {
	if err := c.want(0, tensor.Float32); err != nil {
		return nil, err
	}
	if err := c.wantConst(1); err != nil {
		return nil, err
	}
	at, err := axis(c.Int("axis"), len(c.In[0].Shape))
	if err != nil {
		return nil, err
	}
	shape := append([]int{}, c.In[0].Shape...)
	k := c.Const(1)
	if len(k) != 1 || k[0] < 1 || k[0] > shape[at] {
		return nil, c.bad(1, "is %v for an axis of %d", k, shape[at])
	}
	for _, name := range []string{"largest", "sorted"} {
		if v := c.Int(name); v != 0 && v != 1 {
			return nil, fmt.Errorf("%s is %d", name, v)
		}
	}
	shape[at] = k[0]
	return []Value{{DType: tensor.Float32, Shape: shape}, {DType: tensor.Int64, Shape: shape}}, nil
}

// costTopK counts a comparison for each input element and, for each output element, what a heap of K takes.
func costTopK(c *Call) uint64 {
	return uint64(c.In[0].Len()) + costTranscendental*uint64(c.Out[0].Len())
}
