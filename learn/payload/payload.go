// Package payload owns what a unit of training sends: the change of the weights in 4-bit codes.
//
// Weights are taken tensor by tensor in name order; each tensor is cut into blocks of 128 elements,
// row-major, which never span two tensors, because a bias and a matrix differ in scale. A block has a
// power-of-two scale and one code per element. A content has exactly one encoding: Decode refuses
// every other, so that two payloads mean the same exactly when their bytes are equal.
package payload

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/engine/tensor"
)

// ErrInvalid is wrapped by every error about the form of a payload.
var ErrInvalid = errors.New("invalid payload")

// Tensor is one quantised tensor: element i is Codes[i]·2^Exponents[i/BlockSize].
type Tensor struct {
	Name      string
	Shape     []int
	Exponents []int8 // one for each block
	Codes     []int8 // one for each element, row-major
}

// blocks calls f for each block with its first element and its codes, until f fails.
func (t Tensor) blocks(f func(block, first int, codes []int8) error) error {
	for b := range t.Exponents {
		first := b * BlockSize
		if err := f(b, first, t.Codes[first:min(first+BlockSize, len(t.Codes))]); err != nil {
			return err
		}
	}
	return nil
}

// Value returns element i.
func (t Tensor) Value(i int) float32 { return dequantise(t.Codes[i], t.Exponents[i/BlockSize]) }

// Quantise turns tensors, sorted by name, into codes of at most limit (Int4 or Int8) in magnitude,
// rounded to nearest even. It returns ErrRange, with the place, for a value that no scale holds.
func Quantise(x []tensor.Named, limit int) ([]Tensor, error) {
	out := make([]Tensor, len(x))
	for i, named := range x {
		src := named.Tensor.Float32()
		t := Tensor{Name: named.Name, Shape: named.Tensor.Shape(),
			Exponents: make([]int8, blockCount(len(src))), Codes: make([]int8, len(src))}
		err := t.blocks(func(b, first int, codes []int8) error {
			e, err := quantiseBlock(codes, src[first:first+len(codes)], limit)
			t.Exponents[b] = int8(e)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", named.Name, err)
		}
		out[i] = t
	}
	return out, nil
}

// Dequantise returns the values of the codes as new tensors.
func Dequantise(q []Tensor) []tensor.Named {
	out := make([]tensor.Named, len(q))
	for i, values := range Values(q) {
		out[i] = tensor.Named{Name: q[i].Name, Tensor: tensor.FromFloat32(values, q[i].Shape...)}
	}
	return out
}

// Values returns the values of the codes of each tensor.
func Values(q []Tensor) [][]float32 {
	out := make([][]float32, len(q))
	all := 0
	for _, t := range q {
		all += len(t.Codes)
	}
	space := make([]float32, all)
	for i, t := range q {
		values := space[:len(t.Codes):len(t.Codes)]
		space = space[len(values):]
		for b, e := range t.Exponents {
			scale, first := Scale(byte(e)), b*BlockSize
			codes := t.Codes[first:min(first+BlockSize, len(t.Codes))]
			to := values[first : first+len(codes)]
			for j, c := range codes {
				to[j] = float32(float32(c) * scale)
			}
		}
		out[i] = values
	}
	return out
}

func blockCount(n int) int { return (n + BlockSize - 1) / BlockSize }

// magic opens a payload; its last byte is the version.
const magic = "MI4\x01"

// Size returns the bytes of a payload for tensors of the layout's shapes.
func Size(layout []tensor.Named) int {
	n := len(magic) + 4
	for _, t := range layout {
		n += blockCount(t.Tensor.Len()) + blockBytes(t.Tensor.Len())
	}
	return n
}

// blockBytes is the length of the codes of n elements of one tensor. Only its last block can be
// shorter than BlockSize, an even number, so at most one nibble of a tensor is padding.
func blockBytes(n int) int { return (n + 1) / 2 }

// Encode returns the one encoding of 4-bit codes: magic, number of elements in 4 bytes little endian,
// then block after block its exponent in one byte and its codes, two's complement, two in a byte, the
// first in the low half. The last half of a tensor with an odd number of elements is zero. It returns
// ErrInvalid, with the place, if the codes are not the canonical ones of their values.
func Encode(q []Tensor) ([]byte, error) {
	total := 0
	for _, t := range q {
		total += len(t.Codes)
	}
	b := binary.LittleEndian.AppendUint32([]byte(magic), uint32(total))
	for _, t := range q {
		if len(t.Exponents) != blockCount(len(t.Codes)) {
			return nil, fmt.Errorf("%w: %s: %d exponents for %d codes", ErrInvalid, t.Name, len(t.Exponents), len(t.Codes))
		}
		err := t.blocks(func(block, first int, codes []int8) error {
			if err := checkBlock(t.Exponents[block], codes, Int4); err != nil {
				return fmt.Errorf("%w: %s: block %d (from element %d): %w", ErrInvalid, t.Name, block, first, err)
			}
			b = appendBlock(b, t.Exponents[block], codes)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Decode reads a payload for tensors of the layout's names and shapes; the layout's values do not
// matter. It accepts exactly what Encode writes. Errors wrap ErrInvalid and name the place.
func Decode(b []byte, layout []tensor.Named) ([]Tensor, error) {
	if want := Size(layout); len(b) != want {
		return nil, fmt.Errorf("%w: %d bytes where this model has %d", ErrInvalid, len(b), want)
	}
	if string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: bytes do not start with a payload's mark", ErrInvalid)
	}
	total := 0
	for _, t := range layout {
		total += t.Tensor.Len()
	}
	if n := binary.LittleEndian.Uint32(b[len(magic):]); uint64(n) != uint64(total) {
		return nil, fmt.Errorf("%w: %d elements where this model has %d", ErrInvalid, n, total)
	}
	rest := b[len(magic)+4:]
	out := make([]Tensor, len(layout))
	space := make([]int8, total)
	for i, named := range layout {
		n := named.Tensor.Len()
		t := Tensor{Name: named.Name, Shape: named.Tensor.Shape(), Exponents: make([]int8, blockCount(n)), Codes: space[:n:n]}
		space = space[n:]
		err := t.blocks(func(block, first int, codes []int8) error {
			t.Exponents[block] = int8(rest[0])
			packed := rest[1 : 1+blockBytes(len(codes))]
			rest = rest[1+len(packed):]
			largest := unpack(codes, packed)
			if len(codes)%2 == 1 && packed[len(packed)-1]>>4 != 0 {
				return fmt.Errorf("%w: %s: the half byte after element %d is not zero", ErrInvalid, t.Name, first+len(codes)-1)
			}
			if largest <= Int4 && checkExponent(t.Exponents[block], largest, Int4) == nil {
				return nil
			}
			return fmt.Errorf("%w: %s: block %d (from element %d): %w", ErrInvalid, t.Name, block, first, checkBlock(t.Exponents[block], codes, Int4))
		})
		if err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}
