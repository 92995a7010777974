package graph

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// recurrentOps are recurrent layers in ONNX's default form: its usual activations, no clipping, peepholes or lengths, sequences
// first.
var recurrentOps = map[string]operator{
	"LSTM": {between(3, 7), exactly(3), recurrentAttrs, inferRecurrent(4), costRecurrent(4)},
	"GRU":  {between(3, 6), exactly(2), append(slices.Clone(recurrentAttrs), intAttr("linear_before_reset", 0)), inferRecurrent(3), costRecurrent(3)},
}

var recurrentAttrs = []attribute{stringAttr("direction", "forward"), intAttr("hidden_size", 0)}

// Directions is in which directions a recurrent layer reads a sequence, true for backwards; nil if the attribute is unknown.
func (c *Call) Directions() []bool {
	return map[string][]bool{"forward": {false}, "reverse": {true}, "bidirectional": {false, true}}[c.String("direction")]
}

// inferRecurrent: X [steps, batch, in], W [directions, gates·hidden, in], R [directions, gates·hidden, hidden], and if present B
// [directions, 2·gates·hidden], initial_h (input 5) and, of an LSTM, initial_c [directions, batch, hidden] -> Y [steps, directions, batch,
// hidden], the last h and, of an LSTM, c. Input 4, the lengths of sequences, must be left out.
func inferRecurrent(gates int) func(c *Call) ([]Value, error) {
	return func(c *Call) ([]Value, error) {
		for i := range c.In {
			if err := c.want(i, tensor.Float32); err != nil {
				return nil, err
			}
		}
		directions := c.Directions()
		if directions == nil {
			return nil, fmt.Errorf("unknown direction %q", c.String("direction"))
		}
		if c.Has(4) {
			return nil, c.bad(4, "is not supported")
		}
		x, r := c.In[0].Shape, c.In[2].Shape
		if len(x) != 3 {
			return nil, c.bad(0, "has shape %v, want [steps, batch, size]", x)
		}
		if len(r) != 3 {
			return nil, c.bad(2, "has shape %v, want [directions, gates, hidden]", r)
		}
		hidden := r[2]
		if h := c.Int("hidden_size"); h != 0 && h != hidden {
			return nil, fmt.Errorf("hidden_size is %d, R has %d", h, hidden)
		}
		if hidden > MaxElements/8 {
			return nil, c.bad(2, "has %d hidden values", hidden)
		}
		d := len(directions)
		state := []int{d, x[1], hidden}
		for _, want := range []struct {
			input int
			shape []int
		}{{1, []int{d, gates * hidden, x[2]}}, {2, []int{d, gates * hidden, hidden}}, {3, []int{d, 2 * gates * hidden}}, {5, state}, {6, state}} {
			if err := c.wantShape(want.input, want.shape); err != nil {
				return nil, err
			}
		}
		out := []Value{{DType: tensor.Float32, Shape: []int{x[0], d, x[1], hidden}}}
		for range len(c.Node.Outputs) - 1 {
			out = append(out, Value{DType: tensor.Float32, Shape: state})
		}
		return out, nil
	}
}

// costRecurrent counts the products with W and R, and for each hidden value and gate a polynomial.
func costRecurrent(gates uint64) func(*Call) uint64 {
	return func(c *Call) uint64 {
		y, in := c.Out[0], uint64(c.In[0].Shape[2])
		hidden := uint64(y.Shape[3])
		return uint64(y.Len()) * gates * (in + hidden + costTranscendental + 2)
	}
}
