// Package tensor holds arrays: an element type, a shape and contiguous row-major storage. It does no arithmetic and
// imports nothing of ours; package kernel computes on the slices that it hands out. Types are numbered as in ONNX.
package tensor

import (
	"fmt"
	"math"
	"slices"
)

// Tensor is a contiguous row-major array. A shape of no dimensions is a scalar with one element.
type Tensor struct {
	dtype DType
	shape []int
	len   int
	data  any // []float32, []uint8, []int8, []int32, []int64 or []bool, of length len
}

// Named is a tensor with the name it has in a graph or a state.
type Named struct {
	Name   string
	Tensor *Tensor
}

// Element lists the Go types that back a tensor.
type Element interface {
	float32 | uint8 | int8 | int32 | int64 | bool
}

// New returns a tensor of zeros. It panics on an unknown type, a negative dimension or an overflow of the element count;
// sizes from a peer are checked before, with Elements.
func New(dt DType, shape ...int) *Tensor {
	n := mustElements(shape)
	t := &Tensor{dtype: dt, shape: slices.Clone(shape), len: n}
	switch dt {
	case Float32:
		t.data = make([]float32, n)
	case Uint8:
		t.data = make([]uint8, n)
	case Int8:
		t.data = make([]int8, n)
	case Int32:
		t.data = make([]int32, n)
	case Int64:
		t.data = make([]int64, n)
	case Bool:
		t.data = make([]bool, n)
	default:
		panic(fmt.Sprintf("tensor: unknown element type %v", dt))
	}
	return t
}

// From makes a tensor of data, which it takes over. It panics if the length is not that of the shape.
func From[T Element](data []T, shape ...int) *Tensor {
	n := mustElements(shape)
	if len(data) != n {
		panic(fmt.Sprintf("tensor: %d elements for shape %v", len(data), shape))
	}
	return &Tensor{dtype: dtypeOf[T](), shape: slices.Clone(shape), len: n, data: data}
}

// FromFloat32 makes a tensor of data, which it takes over. It panics if the length is not that of the shape.
func FromFloat32(data []float32, shape ...int) *Tensor { return From(data, shape...) }

// FromInt64 makes a tensor of data, which it takes over. It panics if the length is not that of the shape.
func FromInt64(data []int64, shape ...int) *Tensor { return From(data, shape...) }

// FromBool makes a tensor of data, which it takes over. It panics if the length is not that of the shape.
func FromBool(data []bool, shape ...int) *Tensor { return From(data, shape...) }

// Scalar is a float32 tensor without dimensions.
func Scalar(v float32) *Tensor { return From([]float32{v}) }

// DType is the element type.
func (t *Tensor) DType() DType { return t.dtype }

// Shape is the list of dimensions, owned by the tensor: do not change it.
func (t *Tensor) Shape() []int { return t.shape }

// Len is the number of elements.
func (t *Tensor) Len() int { return t.len }

// Clone copies the tensor and its storage.
func (t *Tensor) Clone() *Tensor {
	c := New(t.dtype, t.shape...)
	c.CopyFrom(t)
	return c
}

// CopyFrom overwrites t's elements with those of src. It panics if the type or the element count differs; the shape may.
func (t *Tensor) CopyFrom(src *Tensor) {
	if t.dtype != src.dtype || t.len != src.len {
		panic(fmt.Sprintf("tensor: copy of %v%v into %v%v", src.dtype, src.shape, t.dtype, t.shape))
	}
	switch d := t.data.(type) {
	case []float32:
		copy(d, src.data.([]float32))
	case []uint8:
		copy(d, src.data.([]uint8))
	case []int8:
		copy(d, src.data.([]int8))
	case []int32:
		copy(d, src.data.([]int32))
	case []int64:
		copy(d, src.data.([]int64))
	case []bool:
		copy(d, src.data.([]bool))
	}
}

// Reshape is a tensor of another shape on the same storage. It panics if the element count changes.
func (t *Tensor) Reshape(shape ...int) *Tensor {
	if mustElements(shape) != t.len {
		panic(fmt.Sprintf("tensor: reshape of %v to %v", t.shape, shape))
	}
	return &Tensor{dtype: t.dtype, shape: slices.Clone(shape), len: t.len, data: t.data}
}

// Part is a tensor of one dimension of the elements from lo to hi, on the same storage. It panics if the range is outside the tensor.
func (t *Tensor) Part(lo, hi int) *Tensor {
	p := &Tensor{dtype: t.dtype, shape: []int{hi - lo}, len: hi - lo}
	switch d := t.data.(type) {
	case []float32:
		p.data = d[lo:hi:hi]
	case []uint8:
		p.data = d[lo:hi:hi]
	case []int8:
		p.data = d[lo:hi:hi]
	case []int32:
		p.data = d[lo:hi:hi]
	case []int64:
		p.data = d[lo:hi:hi]
	case []bool:
		p.data = d[lo:hi:hi]
	}
	return p
}

// Data is the storage itself. It panics if T is not the element type.
func Data[T Element](t *Tensor) []T {
	d, ok := t.data.([]T)
	if !ok {
		panic(fmt.Sprintf("tensor: %v asked for as %v", t.dtype, dtypeOf[T]()))
	}
	return d
}

// Float32 is the storage itself. It panics if the element type is another.
func (t *Tensor) Float32() []float32 { return Data[float32](t) }

// Int64 is the storage itself. It panics if the element type is another.
func (t *Tensor) Int64() []int64 { return Data[int64](t) }

// Bool is the storage itself. It panics if the element type is another.
func (t *Tensor) Bool() []bool { return Data[bool](t) }

// Elements is the number of elements of a shape. It returns an error if a dimension is negative or the product exceeds limit.
func Elements(shape []int, limit int) (int, error) {
	n := 1
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("negative dimension in shape %v", shape)
		case d == 0:
			return 0, nil
		case n > limit/d:
			return 0, fmt.Errorf("shape %v has more than %d elements", shape, limit)
		}
		n *= d
	}
	return n, nil
}

func mustElements(shape []int) int {
	n, err := Elements(shape, math.MaxInt)
	if err != nil {
		panic("tensor: " + err.Error())
	}
	return n
}

func dtypeOf[T Element]() DType {
	switch any(*new(T)).(type) {
	case float32:
		return Float32
	case uint8:
		return Uint8
	case int8:
		return Int8
	case int32:
		return Int32
	case int64:
		return Int64
	}
	return Bool
}
