package graph

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

var indexingOps = map[string]operator{
	"Gather":    {exactly(2), exactly(1), []attribute{intAttr("axis", 0)}, inferGather, perOutput(costSimple)},
	"GatherND":  {exactly(2), exactly(1), []attribute{intAttr("batch_dims", 0)}, inferGatherND, perOutput(costSimple)},
	"ScatterND": {exactly(3), exactly(1), []attribute{stringAttr("reduction", "none")}, inferScatterND, perOutput(costSimple)},
}

// inferGather: data [d0, ...], indices [...] -> [indices..., rest of data]. Only axis 0 is supported.
func inferGather(c *Call) ([]Value, error) {
	data, indices := c.In[0], c.In[1]
	if err := c.want(1, tensor.Int64); err != nil {
		return nil, err
	}
	if len(data.Shape) == 0 {
		return nil, c.bad(0, "is a scalar")
	}
	if c.Axis() != 0 {
		return nil, fmt.Errorf("axis is %d, only 0 is supported", c.Int("axis"))
	}
	return []Value{{DType: data.DType, Shape: slices.Concat(indices.Shape, data.Shape[1:])}}, nil
}

// indexDepth is how many leading axes of data one row of indices names.
func indexDepth(c *Call) (int, error) {
	if err := c.want(1, tensor.Int64); err != nil {
		return 0, err
	}
	data, indices := c.In[0], c.In[1]
	if len(data.Shape) == 0 {
		return 0, c.bad(0, "is a scalar")
	}
	if len(indices.Shape) == 0 {
		return 0, c.bad(1, "is a scalar")
	}
	depth := indices.Shape[len(indices.Shape)-1]
	if depth > len(data.Shape) {
		return 0, c.bad(1, "of shape %v names %d axes of data of rank %d", indices.Shape, depth, len(data.Shape))
	}
	return depth, nil
}

func inferGatherND(c *Call) ([]Value, error) {
	depth, err := indexDepth(c)
	if err != nil {
		return nil, err
	}
	if c.Int("batch_dims") != 0 {
		return nil, fmt.Errorf("batch_dims is %d, only 0 is supported", c.Int("batch_dims"))
	}
	indices := c.In[1].Shape
	return []Value{{DType: c.In[0].DType, Shape: slices.Concat(indices[:len(indices)-1], c.In[0].Shape[depth:])}}, nil
}

// inferScatterND: data, indices [..., depth], updates [..., rest of data] -> like data. Reduction "none" takes any element type,
// the others float32.
func inferScatterND(c *Call) ([]Value, error) {
	depth, err := indexDepth(c)
	if err != nil {
		return nil, err
	}
	switch r := c.String("reduction"); r {
	case "none":
	case "add", "mul", "max", "min":
		if err := c.want(0, tensor.Float32); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unknown reduction %q", r)
	}
	if err := c.want(2, c.In[0].DType); err != nil {
		return nil, err
	}
	indices := c.In[1].Shape
	return []Value{c.In[0]}, c.wantShape(2, slices.Concat(indices[:len(indices)-1], c.In[0].Shape[depth:]))
}
