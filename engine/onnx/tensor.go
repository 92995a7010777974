package onnx

import (
	"fmt"
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// typeNames are ONNX's element types (TensorProto.DataType), for messages about those that the engine lacks.
var typeNames = []string{"undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16",
	"float64", "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
	"float8e5m2fnuz", "uint4", "int4", "float4e2m1"}

// dtypeOf is the engine's element type of that number. It returns ErrUnsupported for one that the engine lacks.
func dtypeOf(number int64) (tensor.DType, error) {
	if number >= 0 && number <= math.MaxUint8 && tensor.DType(number).Valid() {
		return tensor.DType(number), nil
	}
	name := fmt.Sprintf("element type %d", number)
	if number > 0 && number < int64(len(typeNames)) {
		name = typeNames[number]
	}
	return 0, fmt.Errorf("%w: %s", ErrUnsupported, name)
}

// ReadTensor reads a TensorProto, the form of inputs and outputs in ONNX's test data. The tensor may be empty. Errors wrap ErrInvalid or
// ErrUnsupported.
func ReadTensor(b []byte) (tensor.Named, error) {
	var p tensorProto
	if err := readTensor(b, &p); err != nil {
		return tensor.Named{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	t, err := p.tensor(nil)
	return tensor.Named{Name: p.name, Tensor: t}, err
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

// tensor is the array of p. The data of an external tensor comes from open, nil if there is no folder to read from.
func (p *tensorProto) tensor(open opener) (*tensor.Tensor, error) {
	t, err := p.decode(open)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", p.name, err)
	}
	return t, nil
}

func (p *tensorProto) decode(open opener) (*tensor.Tensor, error) {
	dt, err := dtypeOf(p.dtype)
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
		if bytes, err = open.read(p.external, n*dt.Size()); err != nil {
			return nil, err
		}
	}
	if bytes != nil || p.location == 1 {
		return fromRaw(dt, shape, bytes)
	}
	typed := p.int32s
	switch dt {
	case tensor.Float32:
		if len(p.floats) != n {
			return nil, fmt.Errorf("%w: %d elements for shape %v", ErrInvalid, len(p.floats), shape)
		}
		data := append([]float32{}, p.floats...)
		kernel.Canonicalize(data)
		return tensor.FromFloat32(data, shape...), nil
	case tensor.Int64:
		typed = p.int64s
	}
	if len(typed) != n {
		return nil, fmt.Errorf("%w: %d elements for shape %v", ErrInvalid, len(typed), shape)
	}
	switch dt {
	case tensor.Uint8:
		return narrow[uint8](typed, shape), nil
	case tensor.Int8:
		return narrow[int8](typed, shape), nil
	case tensor.Int32:
		return narrow[int32](typed, shape), nil
	case tensor.Int64:
		return narrow[int64](typed, shape), nil
	}
	data := make([]bool, n)
	for i, v := range typed {
		data[i] = v != 0
	}
	return tensor.FromBool(data, shape...), nil
}

func narrow[T uint8 | int8 | int32 | int64](list []int64, shape []int) *tensor.Tensor {
	data := make([]T, len(list))
	for i, v := range list {
		data[i] = T(v)
	}
	return tensor.From(data, shape...)
}

// fromRaw reads little-endian elements. Any NaN becomes the canonical one and any byte but 0 true, since files of others hold both.
func fromRaw(dt tensor.DType, shape []int, b []byte) (*tensor.Tensor, error) {
	n, err := tensor.Elements(shape, graph.MaxElements)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if n*dt.Size() != len(b) {
		return nil, fmt.Errorf("%w: %d bytes for %v of shape %v", ErrInvalid, len(b), dt, shape)
	}
	if n == 0 {
		return tensor.New(dt, shape...), nil
	}
	clean := append([]byte{}, b...)
	switch dt {
	case tensor.Float32:
		for i := 0; i+4 <= len(clean); i += 4 {
			if clean[i+3]&0x7F == 0x7F && clean[i+2]&0x80 != 0 && (clean[i+2]&0x7F|clean[i+1]|clean[i]) != 0 {
				copy(clean[i:], []byte{0, 0, 0xC0, 0x7F})
			}
		}
	case tensor.Bool:
		for i, v := range clean {
			if v != 0 {
				clean[i] = 1
			}
		}
	}
	t, err := tensor.Decode(dt, shape, clean)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return t, nil
}
