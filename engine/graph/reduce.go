package graph

import (
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

var reduceOps = map[string]operator{
	"ReduceSum": reduction(), "ReduceMean": reduction(), "ReduceMax": reduction(), "ReduceMin": reduction(), "ReduceSumSquare": reduction(),
}

func reduction() operator {
	return operator{between(1, 2), exactly(1), []attribute{intAttr("keepdims", 1), intAttr("noop_with_empty_axes", 0)}, inferReduce, perInput(costSimple)}
}

func inferReduce(c *Call) ([]Value, error) {
	if err := c.want(0, tensor.Float32); err != nil {
		return nil, err
	}
	if err := c.wantConst(1); err != nil {
		return nil, err
	}
	if _, err := Axes(c.Const(1), len(c.In[0].Shape)); err != nil {
		return nil, err
	}
	axes := c.ReducedAxes()
	shape := []int{}
	for i, d := range c.In[0].Shape {
		switch {
		case !slices.Contains(axes, i):
			shape = append(shape, d)
		case c.Int("keepdims") != 0:
			shape = append(shape, 1)
		}
	}
	return []Value{{DType: tensor.Float32, Shape: shape}}, nil
}

// ReducedAxes are the axes that a valid reduction removes, ascending. Without the axes input that is all of them, or none
// with noop_with_empty_axes.
func (c *Call) ReducedAxes() []int {
	axes, _ := Axes(c.Const(1), len(c.In[0].Shape))
	if !c.Has(1) && c.Int("noop_with_empty_axes") == 0 {
		for i := range c.In[0].Shape {
			axes = append(axes, i)
		}
	}
	return axes
}
