package graph

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

var lossOps = map[string]operator{
	"SoftmaxCrossEntropyLoss": {exactly(2), between(1, 2), lossAttrs, inferCrossEntropy, perInput(costTranscendental)},
}

var lossAttrs = []attribute{stringAttr("reduction", "mean"), intAttr("ignore_index", 0)}

// inferCrossEntropy: scores [rows, classes], labels [rows] of int64 -> loss ([rows] with reduction "none", else a scalar),
// log_prob [rows, classes]. Class weights and more axes are not supported.
func inferCrossEntropy(c *Call) ([]Value, error) {
	if err := checkCrossEntropy(c, 0); err != nil {
		return nil, err
	}
	scores := c.In[0]
	loss := Value{DType: tensor.Float32, Shape: []int{}}
	if c.String("reduction") == "none" {
		loss.Shape = scores.Shape[:1]
	}
	return []Value{loss, scores}, nil
}

// checkCrossEntropy checks scores and labels, which are the node's inputs from the given one on.
func checkCrossEntropy(c *Call, from int) error {
	if err := c.want(from, tensor.Float32); err != nil {
		return err
	}
	if err := c.want(from+1, tensor.Int64); err != nil {
		return err
	}
	if r := c.String("reduction"); !slices.Contains([]string{"none", "mean", "sum"}, r) {
		return fmt.Errorf("unknown reduction %q", r)
	}
	if len(c.In[from].Shape) != 2 {
		return c.bad(from, "has shape %v, want [rows, classes]", c.In[from].Shape)
	}
	return c.wantShape(from+1, c.In[from].Shape[:1])
}
