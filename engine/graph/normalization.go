package graph

import (
	"fmt"

	"github.com/mutirao/mutirao/engine/tensor"
)

var normalizationOps = map[string]operator{
	"Softmax":            {exactly(1), exactly(1), []attribute{intAttr("axis", -1)}, inferSoftmax, perOutput(costTranscendental)},
	"LogSoftmax":         {exactly(1), exactly(1), []attribute{intAttr("axis", -1)}, inferSoftmax, perOutput(costTranscendental)},
	"LayerNormalization": {between(2, 3), exactly(1), layerNormAttrs, inferLayerNorm, perOutput(4)},
	"RMSNormalization":   {exactly(2), exactly(1), layerNormAttrs, inferLayerNorm, perOutput(3)},
}

var layerNormAttrs = []attribute{intAttr("axis", -1), floatAttr("epsilon", 1e-5), intAttr("stash_type", 1)}

func inferSoftmax(c *Call) ([]Value, error) {
	if err := c.want(0, tensor.Float32); err != nil {
		return nil, err
	}
	_, err := axis(c.Int("axis"), len(c.In[0].Shape))
	return []Value{c.In[0]}, err
}

// inferLayerNorm: X normalised over the axes from axis on; scale and bias have the shape of those axes. Only Y is put out.
func inferLayerNorm(c *Call) ([]Value, error) { return checkLayerNorm(c, 0, 1, 2) }

// checkLayerNorm checks a layer norm whose input, scale and bias are the given inputs of the node.
func checkLayerNorm(c *Call, x, scale, bias int) ([]Value, error) {
	for i := range c.In {
		if err := c.want(i, tensor.Float32); err != nil {
			return nil, err
		}
	}
	if c.Int("stash_type") != 1 {
		return nil, fmt.Errorf("stash_type is %d, only 1 (float32) is supported", c.Int("stash_type"))
	}
	at, err := axis(c.Int("axis"), len(c.In[x].Shape))
	if err != nil {
		return nil, err
	}
	normalized := c.In[x].Shape[at:]
	if err := c.wantShape(scale, normalized); err != nil {
		return nil, err
	}
	return []Value{c.In[x]}, c.wantShape(bias, normalized)
}
