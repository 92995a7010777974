package recipe

import (
	"encoding/binary"
	"fmt"
	"math"
)

// magic opens the canonical bytes and is followed by the version: 1, or 2 with the fields that came later, where any of them is
// not what version 1 means.
const (
	magic         = "MRR"
	first, second = 1, 2
)

// version is that of the canonical bytes. All late fields but the optimizer have a meaning only for optimizers of version 2.
func (r *Recipe) version() byte {
	if r.Train.Optimizer != AdamW {
		return second
	}
	return first
}

// maxEncoded bounds the canonical bytes that Decode looks at.
const maxEncoded = 64 << 10

// Encode returns the canonical bytes: magic and version, then every field in the order of fields, but for those of section market. Integers take
// 8 bytes, floats their binary32 bits in 4, texts and lists a 4-byte length first; all little endian.
func (r *Recipe) Encode() []byte {
	version := r.version()
	b := append([]byte(magic), version)
	text := func(s string) {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, f := range r.fields() {
		if f.local || f.late && version < second {
			continue
		}
		switch v := f.ptr.(type) {
		case *string:
			text(*v)
		case *[]string:
			b = binary.LittleEndian.AppendUint32(b, uint32(len(*v)))
			for _, s := range *v {
				text(s)
			}
		case *int:
			b = binary.LittleEndian.AppendUint64(b, uint64(*v))
		case *int64:
			b = binary.LittleEndian.AppendUint64(b, uint64(*v))
		case *[]int:
			b = binary.LittleEndian.AppendUint32(b, uint32(len(*v)))
			for _, n := range *v {
				b = binary.LittleEndian.AppendUint64(b, uint64(n))
			}
		case *float32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(*v))
		}
	}
	return b
}

// Decode reads canonical bytes. It accepts exactly what Encode writes for a valid recipe, so accepted
// bytes encode to themselves. Errors wrap ErrInvalid.
func Decode(b []byte) (*Recipe, error) {
	if len(b) > maxEncoded {
		return nil, fmt.Errorf("%w: %d bytes; at most %d are possible", ErrInvalid, len(b), maxEncoded)
	}
	if len(b) <= len(magic) || string(b[:len(magic)]) != magic || b[len(magic)] != first && b[len(magic)] != second {
		return nil, fmt.Errorf("%w: bytes do not start with the recipe's mark", ErrInvalid)
	}
	version := b[len(magic)]
	c := cursor{rest: b[len(magic)+1:]}
	r := &Recipe{Train: Train{Optimizer: AdamW, Momentum: defaultMomentum}}
	for _, f := range r.fields() {
		if f.local || f.late && version < second {
			continue
		}
		switch v := f.ptr.(type) {
		case *string:
			*v = c.text()
		case *[]string:
			for range c.length(4) {
				*v = append(*v, c.text())
			}
		case *int:
			*v = c.integer()
		case *int64:
			*v = c.number()
		case *[]int:
			for range c.length(8) {
				*v = append(*v, c.integer())
			}
		case *float32:
			*v = math.Float32frombits(binary.LittleEndian.Uint32(c.take(4)))
		}
		if c.short {
			return nil, fmt.Errorf("%w: bytes end inside %s", ErrInvalid, f.key)
		}
	}
	if len(c.rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrInvalid, len(c.rest))
	}
	if err := r.validate(); err != nil {
		return nil, err
	}
	if r.version() != version {
		return nil, fmt.Errorf("%w: version %d of the bytes where version %d says the same", ErrInvalid, version, r.version())
	}
	return r, nil
}

// cursor reads from the front of rest. Past the end it yields zeros and sets short.
type cursor struct {
	rest  []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.rest) {
		c.short = true
		c.rest = nil
		return make([]byte, min(n, 8))
	}
	p := c.rest[:n]
	c.rest = c.rest[n:]
	return p
}

func (c *cursor) number() int64 { return int64(binary.LittleEndian.Uint64(c.take(8))) }

// integer is number for fields of type int; none of them needs more than 31 bits on any machine.
func (c *cursor) integer() int {
	n := c.number()
	if n < 0 || n > math.MaxInt32 {
		return -1 // outside the bounds of every field
	}
	return int(n)
}

// length reads the count of items of at least size bytes each and refuses one that cannot fit.
func (c *cursor) length(size int) int {
	n := binary.LittleEndian.Uint32(c.take(4))
	if uint64(n)*uint64(size) > uint64(len(c.rest)) {
		c.short = true
		return 0
	}
	return int(n)
}

func (c *cursor) text() string {
	n := c.length(1)
	return string(c.take(n))
}
