package graph

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// windowGradientOps are derivatives of operators that slide a window. That of Conv by its input is a Conv.
var windowGradientOps = map[string]operator{
	"ConvWeightGrad":  {exactly(2), exactly(1), append([]attribute{intAttr("group", 1)}, poolAttrs...), inferConvWeightGrad, costConvWeightGrad},
	"MaxPoolGrad":     {exactly(2), exactly(1), poolAttrs, inferMaxPoolGrad, costPoolGrad},
	"AveragePoolGrad": {exactly(1), exactly(1), append([]attribute{intAttr("count_include_pad", 0), requiredAttr(intsAttr("shape"))}, poolAttrs...), inferAveragePoolGrad, costPoolGrad},
}

// inferConvWeightGrad: dY [batch, outputs, out...], X [batch, channels, in...] -> dW [outputs, channels/group, kernel...].
func inferConvWeightGrad(c *Call) ([]Value, error) {
	if err := c.wantFloats(); err != nil {
		return nil, err
	}
	dy, x, g := c.In[0].Shape, c.In[1].Shape, c.Int("group")
	if r := len(x); r < 3 || r > 5 || len(dy) != r {
		return nil, c.bad(1, "has shape %v, want batch, channels and one to three spatial axes, as many as input 0 of shape %v", x, dy)
	}
	if g < 1 || x[1]%g != 0 || dy[1]%g != 0 {
		return nil, c.bad(1, "of shape %v does not fit %d outputs in %d groups", x, dy[1], g)
	}
	w, err := c.window(c.Ints("kernel_shape"))
	if err != nil {
		return nil, err
	}
	shape := append([]int{dy[1], x[1] / g}, c.Ints("kernel_shape")...)
	return []Value{{DType: tensor.Float32, Shape: shape}}, c.wantShape(0, sliding(x[0], dy[1], w))
}

// costConvWeightGrad is the cost of the convolution.
func costConvWeightGrad(c *Call) uint64 {
	return uint64(c.In[0].Len()) * uint64(c.Out[0].Len()/c.Out[0].Shape[0])
}

// inferMaxPoolGrad: dY [batch, channels, out...], X [batch, channels, in...] -> dX.
func inferMaxPoolGrad(c *Call) ([]Value, error) {
	if err := c.wantFloats(); err != nil {
		return nil, err
	}
	x := c.In[1].Shape
	if r := len(x); r < 3 || r > 5 {
		return nil, c.bad(1, "has shape %v, want batch, channels and one to three spatial axes", x)
	}
	w, err := c.window(c.Ints("kernel_shape"))
	if err != nil {
		return nil, err
	}
	return []Value{c.In[1]}, c.wantShape(0, sliding(x[0], x[1], w))
}

// inferAveragePoolGrad: dY [batch, channels, out...] -> dX of the shape in the attribute.
func inferAveragePoolGrad(c *Call) ([]Value, error) {
	if err := c.wantFloats(); err != nil {
		return nil, err
	}
	out := Value{DType: tensor.Float32, Shape: c.Ints("shape")}
	if err := checkValue(out); err != nil {
		return nil, fmt.Errorf("attribute \"shape\": %w", err)
	}
	if r := len(out.Shape); r < 3 || r > 5 {
		return nil, fmt.Errorf("attribute \"shape\" is %v, want batch, channels and one to three spatial axes", out.Shape)
	}
	w, err := c.window(c.Ints("kernel_shape"))
	if err != nil {
		return nil, err
	}
	return []Value{out}, c.wantShape(0, sliding(out.Shape[0], out.Shape[1], w))
}

// costPoolGrad counts 1 for each element of dY and place of the window, padding included, and for each element of dX.
func costPoolGrad(c *Call) uint64 {
	places := uint64(1)
	for _, k := range c.kernel() {
		places *= uint64(k)
	}
	return uint64(c.In[0].Len())*places + uint64(c.Out[0].Len())
}

// wantFloats checks that all inputs are float32.
func (c *Call) wantFloats() error {
	for i := range c.In {
		if err := c.want(i, tensor.Float32); err != nil {
			return err
		}
	}
	return nil
}

// sliding is the shape of what a window gives.
func sliding(batch, channels int, w []Sliding) []int {
	shape := slices.Grow([]int{batch, channels}, len(w))
	for _, s := range w {
		shape = append(shape, s.Out)
	}
	return shape
}
