package graph

import (
	"fmt"

	"github.com/mutirao/mutirao/engine/tensor"
)

// Costs of one element in multiply-accumulates, from measurements of the kernels on AVX-512: a polynomial function takes
// about 16 times as long as an addition, a division or square root about 4 times.
const (
	costSimple         = 1
	costDivision       = 4
	costTranscendental = 16
)

var elementwiseOps = map[string]operator{
	"Neg": unary(costSimple), "Abs": unary(costSimple), "Sign": unary(costSimple), "Relu": unary(costSimple),
	"Sqrt": unary(costDivision), "Reciprocal": unary(costDivision),
	"Exp": unary(costTranscendental), "Log": unary(costTranscendental), "Tanh": unary(costTranscendental),
	"Erf": unary(costTranscendental), "Sigmoid": unary(costTranscendental),
	"Sin": unary(costTranscendental), "Cos": unary(costTranscendental),
	"Gelu": {exactly(1), exactly(1), []attribute{stringAttr("approximate", "none")}, inferGelu, perOutput(costTranscendental)},

	"Add": pairwise(costSimple), "Sub": pairwise(costSimple), "Mul": pairwise(costSimple), "Div": pairwise(costDivision),
	"Max": variadic(), "Min": variadic(),

	"Equal": comparison(), "Greater": comparison(), "Less": comparison(),
	"GreaterOrEqual": comparison(), "LessOrEqual": comparison(),
	"Where":    {exactly(3), exactly(1), nil, inferWhere, perOutput(costSimple)},
	"Cast":     {exactly(1), exactly(1), []attribute{requiredAttr(intAttr("to", 0)), intAttr("saturate", 1)}, inferCast, perOutput(costSimple)},
	"Identity": {exactly(1), exactly(1), nil, inferIdentity, free},
}

// perOutput costs n for each element of the first output.
func perOutput(n uint64) func(*Call) uint64 {
	return func(c *Call) uint64 { return n * uint64(c.Out[0].Len()) }
}

// perInput costs n for each element of the first input.
func perInput(n uint64) func(*Call) uint64 {
	return func(c *Call) uint64 { return n * uint64(c.In[0].Len()) }
}

// free is the cost of what only renames storage.
func free(*Call) uint64 { return 0 }

func unary(cost uint64) operator {
	return operator{exactly(1), exactly(1), nil, inferUnary, perOutput(cost)}
}

func pairwise(cost uint64) operator {
	return operator{exactly(2), exactly(1), nil, inferBroadcast, perOutput(cost)}
}

func variadic() operator {
	return operator{between(1, MaxArity), exactly(1), nil, inferBroadcast, func(c *Call) uint64 {
		return uint64(len(c.In)) * uint64(c.Out[0].Len())
	}}
}

func comparison() operator {
	return operator{exactly(2), exactly(1), nil, inferComparison, perOutput(costSimple)}
}

func inferUnary(c *Call) ([]Value, error) {
	return []Value{c.In[0]}, c.want(0, tensor.Float32)
}

func inferGelu(c *Call) ([]Value, error) {
	if a := c.String("approximate"); a != "none" {
		return nil, fmt.Errorf("approximate is %q, only \"none\" is supported", a)
	}
	return inferUnary(c)
}

// inferBroadcast: all inputs are float32 or all are int64.
func inferBroadcast(c *Call) ([]Value, error) {
	shape, err := broadcastInputs(c, 0)
	if err != nil {
		return nil, err
	}
	if err := c.want(0, tensor.Float32, tensor.Int64); err != nil {
		return nil, err
	}
	for i := range c.In {
		if err := c.want(i, c.In[0].DType); err != nil {
			return nil, err
		}
	}
	return []Value{{DType: c.In[0].DType, Shape: shape}}, nil
}

func inferComparison(c *Call) ([]Value, error) {
	if err := c.want(0, tensor.Float32, tensor.Int64); err != nil {
		return nil, err
	}
	if err := c.want(1, c.In[0].DType); err != nil {
		return nil, err
	}
	shape, err := broadcastInputs(c, 0)
	return []Value{{DType: tensor.Bool, Shape: shape}}, err
}

func inferWhere(c *Call) ([]Value, error) {
	if err := c.want(0, tensor.Bool); err != nil {
		return nil, err
	}
	if err := c.want(2, c.In[1].DType); err != nil {
		return nil, err
	}
	shape, err := broadcastInputs(c, 0)
	return []Value{{DType: c.In[1].DType, Shape: shape}}, err
}

func inferCast(c *Call) ([]Value, error) {
	to := c.Int("to")
	if to < 0 || to > 255 || !tensor.DType(to).Valid() {
		return nil, fmt.Errorf("unsupported element type %d in attribute \"to\"", to)
	}
	return []Value{{DType: tensor.DType(to), Shape: c.In[0].Shape}}, nil
}

func inferIdentity(c *Call) ([]Value, error) { return []Value{c.In[0]}, nil }

// broadcastInputs is the common shape of the inputs from the given one on.
func broadcastInputs(c *Call, from int) ([]int, error) {
	shape := c.In[from].Shape
	for i := from + 1; i < len(c.In); i++ {
		s, ok := Broadcast(shape, c.In[i].Shape)
		if !ok {
			return nil, c.bad(i, "of shape %v does not broadcast with %v", c.In[i].Shape, shape)
		}
		shape = s
	}
	return shape, nil
}

// Broadcast is the shape of an elementwise operation on a and b by ONNX's (NumPy's) rule: aligned at the last axis, equal or 1.
func Broadcast(a, b []int) ([]int, bool) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := make([]int, len(a))
	copy(out, a)
	for i, d := range b {
		j := len(a) - len(b) + i
		switch {
		case out[j] == d || d == 1:
		case out[j] == 1:
			out[j] = d
		default:
			return nil, false
		}
	}
	return out, true
}
