package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Array is a tensor of a file: values that the engine's types carry, and the element type that the file gives them.
type Array struct {
	tensor.Named
	Element Element
}

// ReadTensor reads a TensorProto, the form of inputs and outputs in ONNX's test data. The tensor may be empty. Errors wrap ErrInvalid or
// ErrUnsupported.
func ReadTensor(b []byte) (Array, error) {
	var p tensorProto
	if err := readTensor(b, &p); err != nil {
		return Array{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	t, err := p.tensor(nil)
	return Array{tensor.Named{Name: p.name, Tensor: t}, Element(p.dtype)}, err
}

// WriteTensor writes a TensorProto with raw data.
func WriteTensor(t tensor.Named) []byte {
	var w writer
	for _, d := range t.Tensor.Shape() {
		w.number(1, int64(d))
	}
	w.number(2, int64(t.Tensor.DType()))
	w.text(8, t.Name)
	w.bytes(9, t.Tensor.Bytes())
	return w
}

// Reinterpret is the array with the bits of its elements read as another element type of the same size.
func (a Array) Reinterpret(e Element) (Array, error) {
	n := a.Tensor.Len()
	if e.Carrier() == 0 || e.traits().bits != a.Element.traits().bits {
		return Array{}, fmt.Errorf("%w: %v read as %v", ErrInvalid, a.Element, e)
	}
	t, err := e.fromRaw(a.Tensor.Shape(), n, a.Element.Bytes(a.Tensor))
	return Array{tensor.Named{Name: a.Name, Tensor: t}, e}, err
}

// tensor is the array of p. The data of an external tensor comes from open, nil if there is no folder to read from.
func (p *tensorProto) tensor(open opener) (*tensor.Tensor, error) {
	t, err := p.decode(open)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", p.name, err)
	}
	return t, nil
}

func (p *tensorProto) decode(open opener) (*tensor.Tensor, error) {
	e, err := elementOf(p.dtype)
	if err != nil {
		return nil, err
	}
	shape := make([]int, len(p.dims))
	for i, d := range p.dims {
		if d < 0 || d > graph.MaxElements {
			return nil, fmt.Errorf("%w: dimension %d", ErrInvalid, d)
		}
		shape[i] = int(d)
	}
	n, err := tensor.Elements(shape, graph.MaxElements)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	bytes := p.raw
	if p.location == 1 {
		if bytes, err = open.read(p.external, e.size(n)); err != nil {
			return nil, err
		}
	}
	if bytes != nil || p.location == 1 {
		return e.fromRaw(shape, n, bytes)
	}
	return p.typed(e, shape, n)
}

// typed reads elements from the list that the schema has for their type.
func (p *tensorProto) typed(e Element, shape []int, n int) (*tensor.Tensor, error) {
	have, want := len(p.int32s), n
	bits := func(i int) uint64 { return uint64(p.int32s[i]) }
	switch e {
	case Element(tensor.Float32):
		have, bits = len(p.floats), func(i int) uint64 { return uint64(math.Float32bits(p.floats[i])) }
	case Element(tensor.Int64):
		have, bits = len(p.int64s), func(i int) uint64 { return uint64(p.int64s[i]) }
	case Float64:
		have, bits = len(p.doubles), func(i int) uint64 { return math.Float64bits(p.doubles[i]) }
	case Uint32, Uint64:
		have, bits = len(p.uint64s), func(i int) uint64 { return uint64(p.uint64s[i]) }
	case Uint4, Int4, Float4E2M1, Uint2, Int2: // packed into bytes, each of which is an entry
		packed := make([]byte, have)
		for i, v := range p.int32s {
			packed[i] = byte(v)
		}
		want, bits = e.size(n), e.raw(packed)
	}
	if have != want {
		return nil, fmt.Errorf("%w: %d entries for %v of shape %v", ErrInvalid, have, e, shape)
	}
	return e.carry(shape, n, bits), nil
}

// fromRaw reads little-endian elements. Any NaN becomes the canonical one and any byte but 0 true, since files of others hold both.
func (e Element) fromRaw(shape []int, n int, b []byte) (*tensor.Tensor, error) {
	if e.size(n) != len(b) {
		return nil, fmt.Errorf("%w: %d bytes for %v of shape %v", ErrInvalid, len(b), e, shape)
	}
	if e == Element(tensor.Float32) { // most of what a file holds
		data := make([]float32, n)
		for i := range data {
			data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		kernel.Canonicalize(data)
		return tensor.FromFloat32(data, shape...), nil
	}
	return e.carry(shape, n, e.raw(b)), nil
}
