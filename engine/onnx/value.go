package onnx

import (
	"fmt"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Value is what a Session computes with. One of Tensor, Text and Sequence is set, or none in an optional that is empty; an optional that
// is not empty is what it holds.
type Value struct {
	Tensor   *tensor.Tensor
	Element  Element // what Tensor carries, 0 for its own type
	Text     *Text
	Sequence []Value // not nil in a sequence, also of no elements
}

// Text is a tensor of strings.
type Text struct {
	Shape []int
	Data  []string // row-major
}

// None reports whether v is an empty optional.
func (v Value) None() bool { return v.Tensor == nil && v.Text == nil && v.Sequence == nil }

// String says what v is, without its contents.
func (v Value) String() string {
	switch {
	case v.Tensor != nil:
		return fmt.Sprintf("%v%v", v.element(), v.Tensor.Shape())
	case v.Text != nil:
		return fmt.Sprintf("string%v", v.Text.Shape)
	case v.Sequence != nil:
		return fmt.Sprintf("a sequence of %d", len(v.Sequence))
	}
	return "nothing"
}

// element is the element type of a tensor of numbers.
func (v Value) element() Element {
	if v.Element != 0 {
		return v.Element
	}
	return Element(v.Tensor.DType())
}

// shape is that of a tensor of numbers or strings, nil for anything else.
func (v Value) shape() []int {
	switch {
	case v.Tensor != nil:
		return v.Tensor.Shape()
	case v.Text != nil:
		return v.Text.Shape
	}
	return nil
}

// isTensor reports whether v is a tensor of numbers or strings.
func (v Value) isTensor() bool { return v.Tensor != nil || v.Text != nil }

// ReadValue reads what ONNX's test data has for a port: a TensorProto, SequenceProto or OptionalProto. Errors wrap ErrInvalid or
// ErrUnsupported. The memory that it takes is a multiple of len(b).
func ReadValue(b []byte, p Port) (Value, error) { return readAs(b, &p.kind, maxDepth) }

func readAs(b []byte, t *typeProto, depth int) (Value, error) {
	if depth == 0 {
		return Value{}, fmt.Errorf("%w: values lie more than %d levels deep", ErrInvalid, maxDepth)
	}
	switch {
	case t.tensor:
		var p tensorProto
		if err := readTensor(b, &p); err != nil {
			return Value{}, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return p.value(nil)
	case t.sequence != nil:
		return readSequence(b, t.sequence, depth)
	case t.optional != nil:
		return readOptional(b, t.optional, depth)
	}
	return Value{}, fmt.Errorf("%w: neither a tensor nor a sequence nor an optional", ErrUnsupported)
}

// parts collects the fields of a message that are messages, in their order.
type parts [][]byte

func (p *parts) add(limit int) func(field) error {
	return message(func(b []byte) error {
		if len(*p) == limit {
			return fmt.Errorf("more than %d elements", limit)
		}
		*p = append(*p, b)
		return nil
	})
}

// maxSequence bounds the elements of a sequence.
const maxSequence = 1 << 20

func readSequence(b []byte, of *typeProto, depth int) (Value, error) {
	var tensors, sequences, optionals parts
	err := schema{3: tensors.add(maxSequence), 5: sequences.add(maxSequence), 7: optionals.add(maxSequence)}.read(b)
	if err != nil {
		return Value{}, fmt.Errorf("%w: sequence: %w", ErrInvalid, err)
	}
	list := tensors
	switch {
	case of.sequence != nil:
		list = sequences
	case of.optional != nil:
		list = optionals
	}
	v := Value{Sequence: make([]Value, len(list))}
	for i, b := range list {
		if v.Sequence[i], err = readAs(b, of, depth-1); err != nil {
			return Value{}, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return v, nil
}

func readOptional(b []byte, of *typeProto, depth int) (Value, error) {
	var tensors, sequences parts
	if err := (schema{3: tensors.add(1), 5: sequences.add(1)}).read(b); err != nil {
		return Value{}, fmt.Errorf("%w: optional: %w", ErrInvalid, err)
	}
	list := tensors
	if of.sequence != nil {
		list = sequences
	}
	if len(list) == 0 {
		return Value{}, nil
	}
	return readAs(list[0], of, depth-1)
}

// value is the tensor of p, of numbers or strings.
func (p *tensorProto) value(open opener) (Value, error) {
	if p.dtype != int64(String) {
		t, err := p.tensor(open)
		return Value{Tensor: t, Element: Element(p.dtype)}, err
	}
	shape, n, err := p.shape()
	if err != nil {
		return Value{}, fmt.Errorf("tensor %q: %w", p.name, err)
	}
	if n != len(p.texts) {
		return Value{}, fmt.Errorf("%w: tensor %q has %d strings for shape %v", ErrInvalid, p.name, len(p.texts), shape)
	}
	return Value{Text: &Text{shape, p.texts}}, nil
}

// shape is the shape of p and its number of elements.
func (p *tensorProto) shape() ([]int, int, error) {
	shape := make([]int, len(p.dims))
	for i, d := range p.dims {
		if d < 0 || d > graph.MaxElements {
			return nil, 0, fmt.Errorf("%w: dimension %d", ErrInvalid, d)
		}
		shape[i] = int(d)
	}
	n, err := tensor.Elements(shape, graph.MaxElements)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return shape, n, nil
}
