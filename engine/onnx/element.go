package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Element is an element type of ONNX, by its number there (TensorProto.DataType). The engine computes with fewer types than ONNX has:
// each value is carried in one of the engine's, which holds it exactly, and what an operator makes of it is rounded or wrapped to the
// element type again (narrow.go). Float64 is the exception: it is rounded to float32 when it is read. Source: spec/element-types.md.
type Element uint8

// The element types that are not the engine's own.
const (
	Uint16         Element = 4
	Int16          Element = 5
	String         Element = 8 // see Vocabulary
	Float16        Element = 10
	Float64        Element = 11
	Uint32         Element = 12
	Uint64         Element = 13
	BFloat16       Element = 16
	Float8E4M3FN   Element = 17
	Float8E4M3FNUZ Element = 18
	Float8E5M2     Element = 19
	Float8E5M2FNUZ Element = 20
	Uint4          Element = 21
	Int4           Element = 22
	Float4E2M1     Element = 23
	Uint2          Element = 25
	Int2           Element = 26
)

// elementType is what the reader knows of an element type.
type elementType struct {
	name    string
	bits    int          // of an element in a file, 0 if the type cannot be read
	carrier tensor.DType // what the engine holds it in
	format  *kernel.FloatFormat
	signed  bool // of integers
}

var elementTypes = []elementType{
	0:              {name: "undefined"},
	1:              {name: "float32", bits: 32, carrier: tensor.Float32},
	2:              {name: "uint8", bits: 8, carrier: tensor.Uint8},
	3:              {name: "int8", bits: 8, carrier: tensor.Int8, signed: true},
	Uint16:         {name: "uint16", bits: 16, carrier: tensor.Int64},
	Int16:          {name: "int16", bits: 16, carrier: tensor.Int64, signed: true},
	6:              {name: "int32", bits: 32, carrier: tensor.Int32, signed: true},
	7:              {name: "int64", bits: 64, carrier: tensor.Int64, signed: true},
	String:         {name: "string"},
	9:              {name: "bool", bits: 8, carrier: tensor.Bool},
	Float16:        {name: "float16", bits: 16, carrier: tensor.Float32, format: &kernel.Float16},
	Float64:        {name: "float64", bits: 64, carrier: tensor.Float32},
	Uint32:         {name: "uint32", bits: 32, carrier: tensor.Int64},
	Uint64:         {name: "uint64", bits: 64, carrier: tensor.Int64}, // the same bits, so 2^63 and more are negative
	14:             {name: "complex64"},
	15:             {name: "complex128"},
	BFloat16:       {name: "bfloat16", bits: 16, carrier: tensor.Float32, format: &kernel.BFloat16},
	Float8E4M3FN:   {name: "float8e4m3fn", bits: 8, carrier: tensor.Float32, format: &kernel.Float8E4M3FN},
	Float8E4M3FNUZ: {name: "float8e4m3fnuz", bits: 8, carrier: tensor.Float32, format: &kernel.Float8E4M3FNUZ},
	Float8E5M2:     {name: "float8e5m2", bits: 8, carrier: tensor.Float32, format: &kernel.Float8E5M2},
	Float8E5M2FNUZ: {name: "float8e5m2fnuz", bits: 8, carrier: tensor.Float32, format: &kernel.Float8E5M2FNUZ},
	Uint4:          {name: "uint4", bits: 4, carrier: tensor.Uint8},
	Int4:           {name: "int4", bits: 4, carrier: tensor.Int8, signed: true},
	Float4E2M1:     {name: "float4e2m1", bits: 4, carrier: tensor.Float32, format: &kernel.Float4E2M1},
	24:             {name: "float8e8m0"},
	Uint2:          {name: "uint2", bits: 2, carrier: tensor.Uint8},
	Int2:           {name: "int2", bits: 2, carrier: tensor.Int8, signed: true},
	27:             {name: "float6e2m3"},
	28:             {name: "float6e3m2"},
}

// String is the name that ONNX's documents use, in lower case.
func (e Element) String() string {
	if int(e) < len(elementTypes) {
		return elementTypes[e].name
	}
	return fmt.Sprintf("element type %d", uint8(e))
}

func (e Element) traits() elementType {
	if int(e) < len(elementTypes) {
		return elementTypes[e]
	}
	return elementType{}
}

// Carrier is the engine's type that holds values of e, 0 if e cannot be read.
func (e Element) Carrier() tensor.DType { return e.traits().carrier }

// own reports whether the engine computes with e itself.
func (e Element) own() bool { return e.Carrier() != 0 && tensor.DType(e) == e.Carrier() }

// isFloat reports whether values of e are carried as float32.
func (e Element) isFloat() bool { return e.Carrier() == tensor.Float32 }

// elementOf is the element type of that number. It returns ErrUnsupported for one that cannot be read.
func elementOf(number int64) (Element, error) {
	if number < 0 || number > math.MaxUint8 {
		return 0, fmt.Errorf("%w: element type %d", ErrUnsupported, number)
	}
	if e := Element(number); e.Carrier() != 0 {
		return e, nil
	}
	return 0, fmt.Errorf("%w: %s", ErrUnsupported, Element(number))
}

// size is how many bytes n elements of e take in a file.
func (e Element) size(n int) int { return (n*e.traits().bits + 7) / 8 }

// carry makes a tensor of n elements of which bits gives the encoding.
func (e Element) carry(shape []int, n int, bits func(i int) uint64) *tensor.Tensor {
	t := e.traits()
	if t.carrier == tensor.Float32 {
		data := make([]float32, n)
		widen := e.widener(n)
		for i := range data {
			data[i] = widen(bits(i))
		}
		kernel.Canonicalize(data)
		return tensor.FromFloat32(data, shape...)
	}
	list := make([]int64, n)
	for i := range list {
		list[i] = t.integer(bits(i))
	}
	return carryIntegers(t.carrier, list, shape)
}

// integer is the value of the low bits of an encoding.
func (t elementType) integer(bits uint64) int64 {
	unused := 64 - t.bits
	if t.signed {
		return int64(bits<<unused) >> unused
	}
	return int64(bits << unused >> unused)
}

// widener is the function from an encoding to float32. For many elements of 16 bits it is a table.
func (e Element) widener(n int) func(uint64) float32 {
	f := e.traits().format
	switch {
	case e == Float64:
		return func(b uint64) float32 { return float32(math.Float64frombits(b)) }
	case f == nil:
		return func(b uint64) float32 { return math.Float32frombits(uint32(b)) }
	case n < 1<<16:
		return func(b uint64) float32 { return f.Widen(uint16(b)) }
	}
	table := make([]float32, 1<<e.traits().bits)
	for i := range table {
		table[i] = f.Widen(uint16(i))
	}
	return func(b uint64) float32 { return table[b] }
}

func carryIntegers(dt tensor.DType, list []int64, shape []int) *tensor.Tensor {
	switch dt {
	case tensor.Uint8:
		return narrow[uint8](list, shape)
	case tensor.Int8:
		return narrow[int8](list, shape)
	case tensor.Int32:
		return narrow[int32](list, shape)
	case tensor.Bool:
		data := make([]bool, len(list))
		for i, v := range list {
			data[i] = v != 0
		}
		return tensor.FromBool(data, shape...)
	}
	return tensor.FromInt64(list, shape...)
}

func narrow[T uint8 | int8 | int32](list []int64, shape []int) *tensor.Tensor {
	data := make([]T, len(list))
	for i, v := range list {
		data[i] = T(v)
	}
	return tensor.From(data, shape...)
}

// raw reads little-endian elements; those of less than a byte are packed, the first one lowest.
func (e Element) raw(b []byte) func(i int) uint64 {
	bits := e.traits().bits
	switch bits {
	case 64:
		return func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	case 32:
		return func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(b[4*i:])) }
	case 16:
		return func(i int) uint64 { return uint64(binary.LittleEndian.Uint16(b[2*i:])) }
	case 8:
		return func(i int) uint64 { return uint64(b[i]) }
	}
	each := 8 / bits
	return func(i int) uint64 { return uint64(b[i/each]>>(i%each*bits)) & (1<<bits - 1) }
}

// Read is a tensor of values of e from their encoding in a file, without anything after it. The memory that it takes is a multiple of
// len(b). Errors wrap ErrInvalid or ErrUnsupported.
func (e Element) Read(shape []int, b []byte) (*tensor.Tensor, error) {
	if e.Carrier() == 0 {
		return nil, fmt.Errorf("%w: %v", ErrUnsupported, e)
	}
	n, err := tensor.Elements(shape, graph.MaxElements)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return e.fromRaw(shape, n, b)
}

// Hold is t with the elements that e has for its: floats rounded, integers reduced. It carries values of e.
func (e Element) Hold(t *tensor.Tensor) *tensor.Tensor { return narrowedTensor(t, e) }

// Bytes are the elements of t, which carries values of e, in the encoding that ONNX calls raw data.
func (e Element) Bytes(t *tensor.Tensor) []byte {
	if e.own() {
		return t.Bytes()
	}
	bits := e.traits().bits
	out := make([]byte, e.size(t.Len()))
	for i, v := range e.encodings(t) {
		switch bits {
		case 64:
			binary.LittleEndian.PutUint64(out[8*i:], v)
		case 32:
			binary.LittleEndian.PutUint32(out[4*i:], uint32(v))
		case 16:
			binary.LittleEndian.PutUint16(out[2*i:], uint16(v))
		default:
			each := 8 / bits
			out[i/each] |= byte(v&(1<<bits-1)) << (i % each * bits)
		}
	}
	return out
}

// encodings are the bits of each element.
func (e Element) encodings(t *tensor.Tensor) []uint64 {
	out := make([]uint64, t.Len())
	switch t.DType() {
	case tensor.Float32:
		f := e.traits().format
		for i, v := range t.Float32() {
			if f != nil {
				out[i] = uint64(f.Narrow(v, false))
			} else {
				out[i] = math.Float64bits(float64(v))
			}
		}
	case tensor.Int64:
		for i, v := range t.Int64() {
			out[i] = uint64(v)
		}
	case tensor.Uint8:
		for i, v := range tensor.Data[uint8](t) {
			out[i] = uint64(v)
		}
	case tensor.Int8:
		for i, v := range tensor.Data[int8](t) {
			out[i] = uint64(v)
		}
	}
	return out
}
