package tensor

import "fmt"

// DType is an element type. The numbers are ONNX's (TensorProto.DataType), so they can be written to files as they are.
type DType uint8

// The element types that the engine computes with.
const (
	Float32 DType = 1
	Uint8   DType = 2
	Int8    DType = 3
	Int32   DType = 6
	Int64   DType = 7
	Bool    DType = 9
)

// Valid reports whether d is one of the element types above.
func (d DType) Valid() bool { return d.Size() != 0 }

// Size is the number of bytes of one element in the little-endian encoding, 0 for an unknown type.
func (d DType) Size() int {
	switch d {
	case Uint8, Int8, Bool:
		return 1
	case Float32, Int32:
		return 4
	case Int64:
		return 8
	}
	return 0
}

// String is the name that ONNX's documents use, in lower case.
func (d DType) String() string {
	switch d {
	case Float32:
		return "float32"
	case Uint8:
		return "uint8"
	case Int8:
		return "int8"
	case Int32:
		return "int32"
	case Int64:
		return "int64"
	case Bool:
		return "bool"
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}
