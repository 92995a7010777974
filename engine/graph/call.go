package graph

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// Call is a node with all that is known about it before any data: the types at its ends, the contents of those inputs
// that are initializers, and its attributes with ONNX's defaults filled in. Execution and differentiation start from it.
type Call struct {
	Node    *Node
	In, Out []Value // In has an empty Value where an optional input is left out
	consts  []*tensor.Tensor
	op      *operator
}

// Has reports whether input i is present.
func (c *Call) Has(i int) bool { return i < len(c.Node.Inputs) && c.Node.Inputs[i] != "" }

// HasAttr reports whether the node sets the attribute itself.
func (c *Call) HasAttr(name string) bool {
	return slices.ContainsFunc(c.Node.Attrs, func(a Attr) bool { return a.Name == name })
}

// Int is the value of an int attribute.
func (c *Call) Int(name string) int { return int(c.attr(name).Int) }

// Float is the value of a float attribute.
func (c *Call) Float(name string) float32 { return c.attr(name).Float }

// String is the value of a string attribute.
func (c *Call) String(name string) string { return c.attr(name).String }

// Ints is the value of an ints attribute, nil if the node does not set it.
func (c *Call) Ints(name string) []int { return toInts(c.attr(name).Ints) }

// attr panics for an attribute outside the operator's schema: that is a mistake in our own code.
func (c *Call) attr(name string) Attr {
	for _, a := range c.Node.Attrs {
		if a.Name == name {
			return a
		}
	}
	for _, a := range c.op.attrs {
		if a.Name == name {
			return a.Attr
		}
	}
	panic(fmt.Sprintf("graph: %s has no attribute %q", c.Node.Op, name))
}

// Const is the contents of an int64 input that is an initializer, as shape operands must be; nil if it is absent.
func (c *Call) Const(i int) []int {
	if !c.Has(i) {
		return nil
	}
	return toInts(c.consts[i].Int64())
}

// wantConst checks that input i is absent or an initializer of int64 and one dimension.
func (c *Call) wantConst(i int) error {
	if !c.Has(i) {
		return nil
	}
	if v := c.In[i]; v.DType != tensor.Int64 || len(v.Shape) != 1 {
		return c.bad(i, "is %v%v, want a list of int64", v.DType, v.Shape)
	}
	if c.consts[i] == nil {
		return c.bad(i, "must be an initializer: shapes are static")
	}
	if c.In[i].Shape[0] > 4*MaxRank && c.Node.Op != "Split" {
		return c.bad(i, "has %d entries", c.In[i].Shape[0])
	}
	return nil
}

// want checks that input i, if present, has one of the element types.
func (c *Call) want(i int, types ...tensor.DType) error {
	if c.Has(i) && !slices.Contains(types, c.In[i].DType) {
		return c.bad(i, "has element type %v, want one of %v", c.In[i].DType, types)
	}
	return nil
}

// wantShape checks that input i, if present, has exactly this shape.
func (c *Call) wantShape(i int, shape []int) error {
	if c.Has(i) && !slices.Equal(c.In[i].Shape, shape) {
		return c.bad(i, "has shape %v, want %v", c.In[i].Shape, shape)
	}
	return nil
}

// bad is an error about input i.
func (c *Call) bad(i int, format string, args ...any) error {
	return fmt.Errorf("input %d %q %s", i, c.Node.Inputs[i], fmt.Sprintf(format, args...))
}

// axis brings an axis of a tensor of that rank, counted from the end if negative, into range.
func axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("axis %d is outside a tensor of rank %d", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a, nil
}

// Axes brings a list of axes into range and ascending order. It returns an error on one outside the rank or named twice.
func Axes(list []int, rank int) ([]int, error) {
	out := make([]int, len(list))
	for i, a := range list {
		n, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	slices.Sort(out)
	if len(slices.Compact(slices.Clone(out))) != len(out) {
		return nil, fmt.Errorf("axes %v name one twice", list)
	}
	return out, nil
}

// Axis is the axis attribute of a valid call, counted from the start of input 0.
func (c *Call) Axis() int {
	a := c.Int("axis")
	if a < 0 {
		a += len(c.In[0].Shape)
	}
	return a
}

func toInts(list []int64) []int {
	if list == nil {
		return nil
	}
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = int(v)
	}
	return out
}
