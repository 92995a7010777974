// Package graph describes computations: operators in ONNX's terms (operator set 23) over tensors of static shape. It owns
// the operator table, shape inference, validity, cost and the one binary encoding of a graph; it computes no values.
// It imports engine/tensor only. Source: the ONNX operator specification, https://onnx.ai/onnx/operators/.
package graph

import (
	"errors"

	"github.com/mutirao/mutirao/engine/tensor"
)

// Opset is the ONNX operator set whose semantics the operators have.
const Opset = 23

// Domain is where the operators live that ONNX does not have, or not in a form that can be validated: derivatives that would be wasteful to
// compose, and trees, which ONNX writes as attributes of any length.
const Domain = "mutirao"

// Bounds on a valid graph. They keep the work of validating a stranger's graph small and its sizes inside int64;
// what it costs to run is for the caller to bound, by MACs and Elements.
const (
	MaxRank     = 8
	MaxElements = 1 << 28 // of one tensor
	MaxNodes    = 1 << 16
	MaxValues   = 1 << 18 // inputs, initializers and node outputs together
	MaxArity    = 255     // inputs, outputs or attributes of one node
	MaxName     = 255     // bytes
)

// ErrInvalid is wrapped by every error about a graph that breaks a rule; the text names node, input and reason.
var ErrInvalid = errors.New("invalid graph")

// Value is the type of a tensor in a graph: every dimension is known and at least 1.
type Value struct {
	Name  string
	DType tensor.DType
	Shape []int
}

// Len is the number of elements.
func (v Value) Len() int {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	return n
}

// Node applies one operator. An empty input name leaves an optional input out.
type Node struct {
	Op, Domain, Name string
	Inputs, Outputs  []string
	Attrs            []Attr // sorted by name, no name twice
}

// Graph is a list of nodes in an order in which they can run, with every value assigned once.
type Graph struct {
	Name            string
	Opset           int
	Inputs, Outputs []Value
	Initializers    []tensor.Named
	Nodes           []Node
}
