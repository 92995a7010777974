package tensor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
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
		return appendFloats(dst, d[lo:hi])
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

// AppendRows is Append of rows of equal length, each stride elements behind the one before: of a rectangle of a matrix with so many columns.
func (t *Tensor) AppendRows(dst []byte, first, width, stride, rows int) []byte {
	if width == stride {
		return t.Append(dst, first, first+rows*width)
	}
	d, ok := t.data.([]float32)
	if !ok || !littleEndian || width == 0 {
		for r := range rows {
			dst = t.Append(dst, first+r*stride, first+r*stride+width)
		}
		return dst
	}
	from := len(dst)
	for r := range rows {
		row := d[first+r*stride : first+r*stride+width]
		dst = append(dst, unsafe.Slice((*byte)(unsafe.Pointer(&row[0])), 4*width)...)
	}
	if holdsNaN(dst[from:]) {
		dst = dst[:from]
		for r := range rows {
			dst = appendFloats(dst, d[first+r*stride:first+r*stride+width])
		}
	}
	return dst
}

// littleEndian says whether this machine keeps float32 in memory as the encoding has them.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// appendFloats appends float32 little endian with one NaN. Hashing reads all weights this way: where memory holds the encoding
// already, and no NaN, it is copied.
func appendFloats(dst []byte, src []float32) []byte {
	if littleEndian && len(src) > 0 {
		raw := unsafe.Slice((*byte)(unsafe.Pointer(&src[0])), 4*len(src))
		if !holdsNaN(raw) {
			return append(dst, raw...)
		}
	}
	for _, v := range src {
		b := math.Float32bits(v)
		if v != v {
			b = canonicalNaN
		}
		dst = binary.LittleEndian.AppendUint32(dst, b)
	}
	return dst
}

// holdsNaN reports whether one of the float32 in b is NaN: its bits without the sign are above those of infinity, so that the
// difference below is negative. Two are tested at a time; a borrow from the upper one needs a NaN in the lower one.
func holdsNaN(b []byte) bool {
	const (
		magnitude = 0x7fffffff7fffffff
		infinity  = 0x7f8000007f800000
	)
	var signs uint64
	for ; len(b) >= 32; b = b[32:] {
		signs |= (infinity - binary.LittleEndian.Uint64(b)&magnitude) | (infinity - binary.LittleEndian.Uint64(b[8:])&magnitude) |
			(infinity - binary.LittleEndian.Uint64(b[16:])&magnitude) | (infinity - binary.LittleEndian.Uint64(b[24:])&magnitude)
	}
	for ; len(b) >= 8; b = b[8:] {
		signs |= infinity - binary.LittleEndian.Uint64(b)&magnitude
	}
	if len(b) == 4 {
		signs |= infinity - uint64(binary.LittleEndian.Uint32(b))&magnitude
	}
	return signs&^magnitude != 0
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
