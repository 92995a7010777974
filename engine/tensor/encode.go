package tensor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrEncoding is wrapped by every error of Decode.
var ErrEncoding = errors.New("invalid tensor bytes")

// canonicalNaN is the only NaN that bytes may hold (spec/numerics.md §1).
const canonicalNaN = 0x7FC00000

// Append appends the elements from lo to hi in little-endian order: the only encoding of their values. Every NaN becomes
// 0x7FC00000, a bool is 0 or 1. It panics if the range is outside the tensor.
func (t *Tensor) Append(dst []byte, lo, hi int) []byte {
	switch d := t.data.(type) {
	case []float32:
		for _, v := range d[lo:hi] {
			b := math.Float32bits(v)
			if v != v {
				b = canonicalNaN
			}
			dst = binary.LittleEndian.AppendUint32(dst, b)
		}
	case []uint8:
		dst = append(dst, d[lo:hi]...)
	case []int8:
		for _, v := range d[lo:hi] {
			dst = append(dst, byte(v))
		}
	case []int32:
		for _, v := range d[lo:hi] {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
		}
	case []int64:
		for _, v := range d[lo:hi] {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
		}
	case []bool:
		for _, v := range d[lo:hi] {
			b := byte(0)
			if v {
				b = 1
			}
			dst = append(dst, b)
		}
	}
	return dst
}

// Bytes is Append over all elements.
func (t *Tensor) Bytes() []byte { return t.Append(make([]byte, 0, t.len*t.dtype.Size()), 0, t.len) }

// Decode reads what Bytes wrote. It returns an error wrapping ErrEncoding on an unknown type, a wrong length, a NaN that is
// not canonical or a bool that is neither 0 nor 1, so that a tensor has exactly one encoding. The memory it takes is that of b.
func Decode(dt DType, shape []int, b []byte) (*Tensor, error) {
	size := dt.Size()
	if size == 0 {
		return nil, fmt.Errorf("%w: unknown element type %v", ErrEncoding, dt)
	}
	n, err := Elements(shape, len(b))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	if n > len(b)/size || n*size != len(b) {
		return nil, fmt.Errorf("%w: %d bytes for %v of shape %v", ErrEncoding, len(b), dt, shape)
	}
	t := New(dt, shape...)
	switch d := t.data.(type) {
	case []float32:
		for i := range d {
			bits := binary.LittleEndian.Uint32(b[4*i:])
			d[i] = math.Float32frombits(bits)
			if d[i] != d[i] && bits != canonicalNaN {
				return nil, fmt.Errorf("%w: element %d is NaN 0x%08x, not 0x7fc00000", ErrEncoding, i, bits)
			}
		}
	case []uint8:
		copy(d, b)
	case []int8:
		for i := range d {
			d[i] = int8(b[i])
		}
	case []int32:
		for i := range d {
			d[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case []int64:
		for i := range d {
			d[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		}
	case []bool:
		for i := range d {
			if b[i] > 1 {
				return nil, fmt.Errorf("%w: element %d is bool %d", ErrEncoding, i, b[i])
			}
			d[i] = b[i] == 1
		}
	}
	return t, nil
}
