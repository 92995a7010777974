package payload

import (
	"encoding/binary"
	"math"

	"github.com/mutirao/mutirao/engine/tensor"
)

// Place is what a byte of a payload belongs to: the head, or a block of a tensor.
type Place struct {
	Head  bool
	Byte  byte // of the head
	Name  string
	Shape []int
	First int // the block's first element
	Count int // its elements
	Index int // of the byte in the block's encoding
}

// Locate finds a byte of a payload for tensors of the layout's shapes. It panics if there is none: Size is the limit.
func Locate(offset int, layout []tensor.Named) Place {
	total := 0
	for _, t := range layout {
		total += t.Tensor.Len()
	}
	head := binary.LittleEndian.AppendUint32([]byte(magic), uint32(total))
	if offset < len(head) {
		return Place{Head: true, Byte: head[offset]}
	}
	offset -= len(head)
	const whole = 1 + BlockSize/2
	for _, t := range layout {
		n := t.Tensor.Len()
		size := blockCount(n) + blockBytes(n)
		if offset >= size {
			offset -= size
			continue
		}
		first := offset / whole * BlockSize
		return Place{Name: t.Name, Shape: t.Tensor.Shape(), First: first, Count: min(BlockSize, n-first), Index: offset % whole}
	}
	panic("payload: a byte beyond the end")
}

// EncodeBlock returns the one encoding of a block of changes, as Encode writes it. The error wraps ErrRange.
func EncodeBlock(change []float32) ([]byte, error) {
	codes := make([]int8, len(change))
	e, err := quantiseBlock(codes, change, Int4)
	if err != nil {
		return nil, err
	}
	return appendBlock(nil, int8(e), codes), nil
}

// appendBlock writes a block: its exponent, then two codes in a byte, the first in the low half.
func appendBlock(b []byte, exponent int8, codes []int8) []byte {
	b = append(b, byte(exponent))
	for i := 0; i < len(codes); i += 2 {
		pair := byte(codes[i]) & 15
		if i+1 < len(codes) {
			pair |= byte(codes[i+1]) << 4
		}
		b = append(b, pair)
	}
	return b
}

// Element is where an element of a tensor stands in a payload: the bytes of its block's exponent and of its code, and whether the code is the
// upper half of its byte.
type Element struct {
	Exponent, Code int
	Upper          bool
}

// Find finds an element, row-major, of tensor index of the layout. It panics if there is none.
func Find(layout []tensor.Named, index, element int) Element {
	offset := len(magic) + 4
	for _, t := range layout[:index] {
		offset += blockCount(t.Tensor.Len()) + blockBytes(t.Tensor.Len())
	}
	if element < 0 || element >= layout[index].Tensor.Len() {
		panic("payload: an element beyond the end")
	}
	const whole = 1 + BlockSize/2
	at := offset + element/BlockSize*whole
	in := element % BlockSize
	return Element{Exponent: at, Code: at + 1 + in/2, Upper: in%2 == 1}
}

// Scale is the scale 2^e of a block, exact, from the byte of its exponent.
func Scale(exponent byte) float32 {
	const bias, fraction = 127, 23
	if e := int(int8(exponent)) + bias; e > 0 {
		return math.Float32frombits(uint32(e) << fraction)
	} else { // -127 and -128, which no canonical block has, are subnormal
		return math.Float32frombits(1 << (fraction - 1 + e))
	}
}

// In is the element's code, from its byte.
func (e Element) In(b byte) int8 {
	if e.Upper {
		return int8(b) >> 4
	}
	return int8(b<<4) >> 4
}
