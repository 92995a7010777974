package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Wire types of protocol buffers. Groups (3 and 4) are older than ONNX and rejected.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// field is one field of a message as it stands in the bytes.
type field struct {
	number int
	wire   int
	bits   uint64 // the value of a varint or a fixed number
	bytes  []byte // the contents of a string, a message or a packed list; part of the input
}

// schema says by field number what to do with the fields of a message. Fields that are not listed are skipped, as protocol
// buffers demand of a reader that is older than the file.
type schema map[int]func(field) error

// read walks a message. It takes no memory of its own; an error names the byte within b.
func (s schema) read(b []byte) error {
	for at := 0; at < len(b); {
		f, n, err := next(b[at:])
		if err != nil {
			return fmt.Errorf("byte %d of %d: %w", at, len(b), err)
		}
		if do := s[f.number]; do != nil {
			if err := do(f); err != nil {
				return err
			}
		}
		at += n
	}
	return nil
}

// next reads the first field of b and says how long it is.
func next(b []byte) (field, int, error) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return field{}, 0, fmt.Errorf("no field begins here")
	}
	f := field{number: int(tag >> 3), wire: int(tag & 7)}
	switch f.wire {
	case wireVarint:
		v, k := binary.Uvarint(b[n:])
		if k <= 0 {
			return field{}, 0, fmt.Errorf("field %d: number without an end", f.number)
		}
		f.bits = v
		return f, n + k, nil
	case wire64:
		if len(b) < n+8 {
			break
		}
		f.bits = binary.LittleEndian.Uint64(b[n:])
		return f, n + 8, nil
	case wire32:
		if len(b) < n+4 {
			break
		}
		f.bits = uint64(binary.LittleEndian.Uint32(b[n:]))
		return f, n + 4, nil
	case wireBytes:
		size, k := binary.Uvarint(b[n:])
		if k <= 0 || size > uint64(len(b)-n-k) {
			return field{}, 0, fmt.Errorf("field %d: %d bytes are announced, %d are left", f.number, size, max(0, len(b)-n-max(k, 0)))
		}
		f.bytes = b[n+k : n+k+int(size)]
		return f, n + k + int(size), nil
	default:
		return field{}, 0, fmt.Errorf("field %d: wire type %d", f.number, f.wire)
	}
	return field{}, 0, fmt.Errorf("field %d: the bytes end within it", f.number)
}

// want checks the wire type.
func (f field) want(wire int) error {
	if f.wire != wire {
		return fmt.Errorf("field %d: wire type %d, want %d", f.number, f.wire, wire)
	}
	return nil
}

// text sets a string or bytes field; the last one counts.
func text(to *string) func(field) error {
	return func(f field) error {
		*to = string(f.bytes)
		return f.want(wireBytes)
	}
}

// raw sets a bytes field without copying.
func raw(to *[]byte) func(field) error {
	return func(f field) error {
		*to = f.bytes
		return f.want(wireBytes)
	}
}

// number sets an integer field.
func number(to *int64) func(field) error {
	return func(f field) error {
		*to = int64(f.bits)
		return f.want(wireVarint)
	}
}

// message reads a field that is a message of its own.
func message(read func([]byte) error) func(field) error {
	return func(f field) error {
		if err := f.want(wireBytes); err != nil {
			return err
		}
		return read(f.bytes)
	}
}

// each reads a repeated message field into a list of at most limit; an error says which one it is in.
func each[T any](to *[]T, name string, limit int, read func([]byte, *T) error) func(field) error {
	return message(func(b []byte) error {
		if len(*to) == limit {
			return fmt.Errorf("more than %d of %s", limit, name)
		}
		var v T
		if err := read(b, &v); err != nil {
			return fmt.Errorf("%s %d: %w", name, len(*to), err)
		}
		*to = append(*to, v)
		return nil
	})
}

// texts reads a repeated string field.
func texts(to *[]string, name string, limit int) func(field) error {
	return each(to, name, limit, func(b []byte, s *string) error {
		*s = string(b)
		return nil
	})
}

// numbers reads a repeated integer field, packed or not.
func numbers(to *[]int64, limit int) func(field) error {
	return func(f field) error {
		add := func(v uint64) error {
			if len(*to) == limit {
				return fmt.Errorf("field %d: more than %d numbers", f.number, limit)
			}
			*to = append(*to, int64(v))
			return nil
		}
		if f.wire != wireBytes {
			if err := f.want(wireVarint); err != nil {
				return err
			}
			return add(f.bits)
		}
		for b := f.bytes; len(b) > 0; {
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return fmt.Errorf("field %d: number without an end", f.number)
			}
			if err := add(v); err != nil {
				return err
			}
			b = b[n:]
		}
		return nil
	}
}

// floats reads a repeated float field, packed or not.
func floats(to *[]float32) func(field) error {
	return func(f field) error {
		if f.wire != wireBytes {
			*to = append(*to, math.Float32frombits(uint32(f.bits)))
			return f.want(wire32)
		}
		if len(f.bytes)%4 != 0 {
			return fmt.Errorf("field %d: %d bytes of floats", f.number, len(f.bytes))
		}
		for b := f.bytes; len(b) > 0; b = b[4:] {
			*to = append(*to, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		return nil
	}
}

// doubles reads a repeated double field, packed or not.
func doubles(to *[]float64) func(field) error {
	return func(f field) error {
		if f.wire != wireBytes {
			*to = append(*to, math.Float64frombits(f.bits))
			return f.want(wire64)
		}
		if len(f.bytes)%8 != 0 {
			return fmt.Errorf("field %d: %d bytes of doubles", f.number, len(f.bytes))
		}
		for b := f.bytes; len(b) > 0; b = b[8:] {
			*to = append(*to, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
		return nil
	}
}

// writer appends fields to a message.
type writer []byte

func (w *writer) tag(number, wire int) {
	*w = binary.AppendUvarint(*w, uint64(number)<<3|uint64(wire))
}

func (w *writer) number(number int, v int64) {
	w.tag(number, wireVarint)
	*w = binary.AppendUvarint(*w, uint64(v))
}

func (w *writer) float(number int, v float32) {
	w.tag(number, wire32)
	*w = binary.LittleEndian.AppendUint32(*w, math.Float32bits(v))
}

func (w *writer) bytes(number int, b []byte) {
	w.tag(number, wireBytes)
	*w = binary.AppendUvarint(*w, uint64(len(b)))
	*w = append(*w, b...)
}

func (w *writer) text(number int, s string) { w.bytes(number, []byte(s)) }
