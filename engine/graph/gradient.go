package graph

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// gradientOps are derivatives that would waste time or memory as compositions of ONNX's operators. Each takes the gradient
// of the forward operator's output first, then the forward operator's inputs, and has its attributes.
var gradientOps = map[string]operator{
	"GeluGrad":                    {exactly(2), exactly(1), nil, inferLikeGrad, perOutput(2 * costTranscendental)},
	"SliceGrad":                   {between(3, 5), exactly(1), []attribute{requiredAttr(intsAttr("shape"))}, inferSliceGrad, perOutput(costSimple)},
	"LayerNormalizationGrad":      {exactly(3), exactly(3), layerNormAttrs, inferLayerNormGrad, perInput(8)},
	"RMSNormalizationGrad":        {exactly(3), exactly(2), layerNormAttrs, inferLayerNormGrad, perInput(8)},
	"SoftmaxCrossEntropyLossGrad": {exactly(3), exactly(1), lossAttrs, inferCrossEntropyGrad, perOutput(costTranscendental)},
	"AttentionGrad":               {exactly(4), exactly(3), attentionAttrs, inferAttentionGrad, func(c *Call) uint64 { return costAttention(c, 1, 3, 0) }},
}

// inferLikeGrad: (dy, x) -> dx, all of one shape.
func inferLikeGrad(c *Call) ([]Value, error) {
	for i := range c.In {
		if err := c.want(i, tensor.Float32); err != nil {
			return nil, err
		}
	}
	return []Value{c.In[1]}, c.wantShape(0, c.In[1].Shape)
}

// inferSliceGrad: (dy, starts, ends, axes, steps) -> dx of the shape in the attribute: dy where the slice reads, else zero.
func inferSliceGrad(c *Call) ([]Value, error) {
	if err := c.want(0, tensor.Float32); err != nil {
		return nil, err
	}
	for i := 1; i < 5; i++ {
		if err := c.wantConst(i); err != nil {
			return nil, err
		}
	}
	shape := c.Ints("shape")
	out := Value{DType: tensor.Float32, Shape: shape}
	if err := checkValue(out); err != nil {
		return nil, fmt.Errorf("attribute \"shape\": %w", err)
	}
	ranges, err := sliceRanges(c, shape)
	if err != nil {
		return nil, err
	}
	sliced := make([]int, len(ranges))
	for i, r := range ranges {
		sliced[i] = r.Len
	}
	return []Value{out}, c.wantShape(0, sliced)
}

// inferLayerNormGrad: (dy, x, scale) -> dx, dscale and, for layer norm, dbias.
func inferLayerNormGrad(c *Call) ([]Value, error) {
	out, err := checkLayerNorm(c, 1, 2, 2)
	if err != nil {
		return nil, err
	}
	return append(out, c.In[2], c.In[2])[:len(c.Node.Outputs)], c.wantShape(0, c.In[1].Shape)
}

// inferCrossEntropyGrad: (dloss, scores, labels) -> dscores.
func inferCrossEntropyGrad(c *Call) ([]Value, error) {
	if err := checkCrossEntropy(c, 1); err != nil {
		return nil, err
	}
	if err := c.want(0, tensor.Float32); err != nil {
		return nil, err
	}
	shape := []int{}
	if c.String("reduction") == "none" {
		shape = c.In[1].Shape[:1]
	}
	return []Value{c.In[1]}, c.wantShape(0, shape)
}

// inferAttentionGrad: (dy, Q, K, V) -> dQ, dK, dV.
func inferAttentionGrad(c *Call) ([]Value, error) {
	if err := c.want(0, tensor.Float32); err != nil {
		return nil, err
	}
	y, err := checkAttention(c, 1)
	if err != nil {
		return nil, err
	}
	return slices.Clone(c.In[1:4]), c.wantShape(0, y[0].Shape)
}
