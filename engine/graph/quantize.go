package graph

import (
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// quantizeOps turn float32 into 8-bit integers, and multiply and add those without rounding.
var quantizeOps = map[string]operator{
	"QuantizeLinear": {exactly(3), exactly(1), []attribute{intAttr("axis", 1)}, inferQuantizeLinear, perOutput(costDivision)},
	"MatMulInteger":  {between(2, 4), exactly(1), nil, inferMatMulInteger, costMatMul},
	"ConvInteger":    {between(2, 4), exactly(1), append([]attribute{intAttr("group", 1)}, slidingAttrs...), inferConvInteger, costConv},
}

// maxIntegerTerms is the longest sum of products of two 8-bit integers that the kernels add.
const maxIntegerTerms = 1<<17 - 1

var byteTypes = []tensor.DType{tensor.Uint8, tensor.Int8}

// inferQuantizeLinear: x float32 [..], scale float32 and zero point uint8 or int8, both [] or both [n] along an axis of n ->
// the zero point's type [..].
func inferQuantizeLinear(c *Call) ([]Value, error) {
	for i := range 2 {
		if err := c.want(i, tensor.Float32); err != nil {
			return nil, err
		}
	}
	if err := c.want(2, byteTypes...); err != nil {
		return nil, err
	}
	if err := c.wantShape(2, c.In[1].Shape); err != nil {
		return nil, err
	}
	if len(c.In[1].Shape) > 0 {
		a, err := axis(c.Int("axis"), len(c.In[0].Shape))
		if err != nil {
			return nil, err
		}
		if err := c.wantShape(1, c.In[0].Shape[a:a+1]); err != nil {
			return nil, err
		}
	}
	return []Value{{DType: c.In[2].DType, Shape: slices.Clone(c.In[0].Shape)}}, nil
}

// inferMatMulInteger: A uint8 or int8 [.., m, k], B uint8 or int8 [k, n], zero point of A [], of B [] or [n] -> int32 [.., m, n].
func inferMatMulInteger(c *Call) ([]Value, error) {
	if err := c.wantBytes(2); err != nil {
		return nil, err
	}
	a, b := c.In[0].Shape, c.In[1].Shape
	switch {
	case len(a) < 2:
		return nil, c.bad(0, "has shape %v, want a matrix", a)
	case len(b) != 2 || b[0] != a[len(a)-1] || b[0] > maxIntegerTerms:
		return nil, c.bad(1, "of shape %v cannot follow %v, or has more than %d rows", b, a, maxIntegerTerms)
	}
	if err := c.wantShape(2, nil); err != nil {
		return nil, err
	}
	if c.Has(3) && len(c.In[3].Shape) > 0 {
		if err := c.wantShape(3, b[1:]); err != nil {
			return nil, err
		}
	}
	return []Value{{DType: tensor.Int32, Shape: append(slices.Clone(a[:len(a)-1]), b[1])}}, nil
}

// inferConvInteger: X uint8 or int8 [batch, channels, in...], W uint8 or int8 [outputs, channels/group, kernel...], zero point of
// X [], of W [] or [outputs] -> int32 [batch, outputs, out...].
func inferConvInteger(c *Call) ([]Value, error) {
	if err := c.wantBytes(2); err != nil {
		return nil, err
	}
	x, w, g := c.In[0].Shape, c.In[1].Shape, c.Int("group")
	if len(x) < 3 || len(x) > 5 {
		return nil, c.bad(0, "has shape %v, want batch, channels and one to three spatial axes", x)
	}
	if g < 1 || len(w) != len(x) || x[1]%g != 0 || w[1] != x[1]/g || w[0]%g != 0 || c.In[1].Len()/w[0] > maxIntegerTerms {
		return nil, c.bad(1, "of shape %v does not fit input 0 of shape %v in %d groups, or has more than %d terms", w, x, g, maxIntegerTerms)
	}
	if err := c.wantShape(2, nil); err != nil {
		return nil, err
	}
	if c.Has(3) && len(c.In[3].Shape) > 0 {
		if err := c.wantShape(3, w[:1]); err != nil {
			return nil, err
		}
	}
	out, err := inferSliding(c, w[2:], w[0])
	if err != nil {
		return nil, err
	}
	out[0].DType = tensor.Int32
	return out, nil
}

// wantBytes checks the element types of n factors and of their zero points, which follow them.
func (c *Call) wantBytes(n int) error {
	for i := range n {
		if err := c.want(i, byteTypes...); err != nil {
			return err
		}
		if err := c.want(n+i, c.In[i].DType); err != nil {
			return err
		}
	}
	return nil
}
