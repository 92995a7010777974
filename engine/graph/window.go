package graph

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// windowOps slide a window over the axes behind batch and channels, of which there are one to three.
var windowOps = map[string]operator{
	"Conv":        {between(2, 3), exactly(1), append([]attribute{intAttr("group", 1)}, slidingAttrs...), inferConv, costConv},
	"MaxPool":     {exactly(1), exactly(1), poolAttrs, inferPool, costPool},
	"AveragePool": {exactly(1), exactly(1), append([]attribute{intAttr("count_include_pad", 0)}, poolAttrs...), inferPool, costPool},
}

var (
	slidingAttrs = []attribute{intsAttr("dilations"), intsAttr("pads"), intsAttr("strides")}
	poolAttrs    = append([]attribute{requiredAttr(intsAttr("kernel_shape"))}, slidingAttrs...)
)

// Sliding is what a window does along one axis: at output o and place k it reads input o·Stride + k·Dilation - Before, which is
// padding if it is outside of [0, In).
type Sliding struct{ In, Kernel, Stride, Dilation, Before, After, Out int }

// Window is what the window of a valid Conv, MaxPool, AveragePool or derivative of these does along each spatial axis.
func (c *Call) Window() []Sliding {
	w, _ := c.window(c.kernel())
	return w
}

// kernel is the size of the window: that of the weights, or the attribute of a pool or derivative.
func (c *Call) kernel() []int {
	if c.Node.Op == "Conv" || c.Node.Op == "ConvInteger" {
		return c.In[1].Shape[2:]
	}
	return c.Ints("kernel_shape")
}

// over is the shape that the window slides over: of input 0, or in a derivative of the input of the operator that it is of.
func (c *Call) over() []int {
	switch c.Node.Op {
	case "ConvWeightGrad", "MaxPoolGrad":
		return c.In[1].Shape
	case "AveragePoolGrad":
		return c.Ints("shape")
	}
	return c.In[0].Shape
}

// window reads the attributes for a window of the given size.
func (c *Call) window(kernel []int) ([]Sliding, error) {
	in := c.over()[2:]
	rank := len(in)
	if len(kernel) != rank {
		return nil, fmt.Errorf("a window of %v over an input of shape %v", kernel, c.over())
	}
	list := func(name string, n int, otherwise, least int) ([]int, error) {
		l := c.Ints(name)
		if l == nil {
			return slices.Repeat([]int{otherwise}, n), nil
		}
		if len(l) != n {
			return nil, fmt.Errorf("attribute %q has %d entries, want %d", name, len(l), n)
		}
		for _, v := range l {
			if v < least || v > MaxElements {
				return nil, fmt.Errorf("attribute %q holds %d, want %d to %d", name, v, least, MaxElements)
			}
		}
		return l, nil
	}
	strides, err := list("strides", rank, 1, 1)
	if err != nil {
		return nil, err
	}
	dilations, err := list("dilations", rank, 1, 1)
	if err != nil {
		return nil, err
	}
	pads, err := list("pads", 2*rank, 0, 0)
	if err != nil {
		return nil, err
	}
	w := make([]Sliding, rank)
	places := 1
	for i := range w {
		s := Sliding{In: in[i], Kernel: kernel[i], Stride: strides[i], Dilation: dilations[i], Before: pads[i], After: pads[rank+i]}
		if s.Kernel < 1 || s.Kernel > MaxElements/places {
			return nil, fmt.Errorf("a window of %v", kernel)
		}
		places *= s.Kernel
		room := s.In + s.Before + s.After - ((s.Kernel-1)*s.Dilation + 1)
		if room < 0 {
			return nil, fmt.Errorf("a window of %d places %d apart along axis %d of %d elements padded by %d and %d", s.Kernel, s.Dilation, 2+i, s.In, s.Before, s.After)
		}
		s.Out = room/s.Stride + 1
		w[i] = s
	}
	return w, nil
}

// inferSliding gives the output type of a window over input 0, with the given number of channels.
func inferSliding(c *Call, kernel []int, channels int) ([]Value, error) {
	w, err := c.window(kernel)
	if err != nil {
		return nil, err
	}
	shape := []int{c.In[0].Shape[0], channels}
	for _, s := range w {
		shape = append(shape, s.Out)
	}
	return []Value{{DType: tensor.Float32, Shape: shape}}, nil
}

// wantSpatial checks that input 0 has batch, channels and one to three more axes.
func (c *Call) wantSpatial() error {
	if err := c.want(0, tensor.Float32); err != nil {
		return err
	}
	if r := len(c.In[0].Shape); r < 3 || r > 5 {
		return c.bad(0, "has shape %v, want batch, channels and one to three spatial axes", c.In[0].Shape)
	}
	return nil
}

// inferConv: X [batch, channels, in...], W [outputs, channels/group, kernel...], B [outputs] -> Y [batch, outputs, out...].
func inferConv(c *Call) ([]Value, error) {
	if err := c.wantSpatial(); err != nil {
		return nil, err
	}
	for i := 1; i < len(c.In); i++ {
		if err := c.want(i, tensor.Float32); err != nil {
			return nil, err
		}
	}
	x, w, g := c.In[0].Shape, c.In[1].Shape, c.Int("group")
	if g < 1 || len(w) != len(x) || x[1]%g != 0 || w[1] != x[1]/g || w[0]%g != 0 {
		return nil, c.bad(1, "of shape %v does not fit input 0 of shape %v in %d groups", w, x, g)
	}
	if err := c.wantShape(2, w[:1]); err != nil {
		return nil, err
	}
	return inferSliding(c, w[2:], w[0])
}

// costConv counts a multiply-accumulate for each output, channel of its group and place of the window, padding included.
func costConv(c *Call) uint64 {
	return uint64(c.Out[0].Len()) * uint64(c.In[1].Len()/c.In[1].Shape[0])
}

func inferPool(c *Call) ([]Value, error) {
	if err := c.wantSpatial(); err != nil {
		return nil, err
	}
	return inferSliding(c, c.Ints("kernel_shape"), c.In[0].Shape[1])
}

// costPool counts 1 for each output and place of the window, padding included.
func costPool(c *Call) uint64 {
	places := uint64(1)
	for _, k := range c.kernel() {
		places *= uint64(k)
	}
	return uint64(c.Out[0].Len()) * places
}
