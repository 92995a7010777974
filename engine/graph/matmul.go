package graph

import (
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

var matmulOps = map[string]operator{
	"MatMul": {exactly(2), exactly(1), nil, inferMatMul, costMatMul},
	"Gemm": {between(2, 3), exactly(1), []attribute{
		floatAttr("alpha", 1), floatAttr("beta", 1), intAttr("transA", 0), intAttr("transB", 0),
	}, inferGemm, costGemm},
}

// inferMatMul follows numpy.matmul: [.., m, k] x [.., k, n], leading axes broadcast, a vector counts as one row or column.
func inferMatMul(c *Call) ([]Value, error) {
	for i := range c.In {
		if err := c.want(i, tensor.Float32); err != nil {
			return nil, err
		}
		if len(c.In[i].Shape) == 0 {
			return nil, c.bad(i, "is a scalar")
		}
	}
	a, b := matrices(c)
	if a[len(a)-1] != b[len(b)-2] {
		return nil, c.bad(1, "of shape %v cannot follow %v: inner dimensions %d and %d differ", c.In[1].Shape, c.In[0].Shape, b[len(b)-2], a[len(a)-1])
	}
	shape, ok := Broadcast(a[:len(a)-2], b[:len(b)-2])
	if !ok {
		return nil, c.bad(1, "of shape %v: leading axes do not broadcast with %v", c.In[1].Shape, c.In[0].Shape)
	}
	if len(c.In[0].Shape) > 1 {
		shape = append(shape, a[len(a)-2])
	}
	if len(c.In[1].Shape) > 1 {
		shape = append(shape, b[len(b)-1])
	}
	return []Value{{DType: tensor.Float32, Shape: shape}}, nil
}

// matrices are the shapes of a MatMul's inputs with vectors made matrices.
func matrices(c *Call) (a, b []int) {
	a, b = c.In[0].Shape, c.In[1].Shape
	if len(a) == 1 {
		a = []int{1, a[0]}
	}
	if len(b) == 1 {
		b = []int{b[0], 1}
	}
	return a, b
}

func costMatMul(c *Call) uint64 {
	return uint64(c.Out[0].Len()) * uint64(c.In[0].Shape[len(c.In[0].Shape)-1])
}

func inferGemm(c *Call) ([]Value, error) {
	for i := range c.In {
		if err := c.want(i, tensor.Float32); err != nil {
			return nil, err
		}
		if i < 2 && len(c.In[i].Shape) != 2 {
			return nil, c.bad(i, "has shape %v, want a matrix", c.In[i].Shape)
		}
	}
	a, b := slices.Clone(c.In[0].Shape), slices.Clone(c.In[1].Shape)
	if c.Int("transA") != 0 {
		slices.Reverse(a)
	}
	if c.Int("transB") != 0 {
		slices.Reverse(b)
	}
	if a[1] != b[0] {
		return nil, c.bad(1, "of shape %v cannot follow %v: inner dimensions %d and %d differ", c.In[1].Shape, c.In[0].Shape, b[0], a[1])
	}
	shape := []int{a[0], b[1]}
	if c.Has(2) {
		if s, ok := Broadcast(shape, c.In[2].Shape); !ok || !slices.Equal(s, shape) {
			return nil, c.bad(2, "of shape %v does not broadcast to %v", c.In[2].Shape, shape)
		}
	}
	return []Value{{DType: tensor.Float32, Shape: shape}}, nil
}

func costGemm(c *Call) uint64 {
	return uint64(c.In[0].Len()) * uint64(c.Out[0].Shape[1])
}
