package data

import (
	"encoding/binary"
	"fmt"
)

// Schema says what a record's bytes mean. A table has Features and a Label; a text has a Window.
type Schema struct {
	Features []string // names of the feature columns, in record order
	Label    string   // name of the label column
	Window   int      // tokens in a window; a record has one byte more
}

const (
	kindTable = 1
	kindText  = 2

	maxWindow = 1024
)

// MaxFeatures bounds the features of a table.
const MaxFeatures = 4096

// RecordSize returns the bytes of one record.
func (s Schema) RecordSize() int {
	if s.Window > 0 {
		return s.Window + 1
	}
	return 4 * (len(s.Features) + 1)
}

// Encode returns the canonical bytes: for a table 1, the number of features in 2 bytes, then each
// name and the label's behind a length byte; for a text 2 and the window in 4 bytes little endian.
func (s Schema) Encode() []byte {
	if s.Window > 0 {
		return binary.LittleEndian.AppendUint32([]byte{kindText}, uint32(s.Window))
	}
	b := binary.LittleEndian.AppendUint16([]byte{kindTable}, uint16(len(s.Features)))
	for _, name := range s.Features {
		b = append(append(b, byte(len(name))), name...)
	}
	return append(append(b, byte(len(s.Label))), s.Label...)
}

// DecodeSchema reads canonical bytes; accepted bytes encode to themselves. Errors wrap ErrInvalid.
func DecodeSchema(b []byte) (Schema, error) {
	if len(b) == 5 && b[0] == kindText {
		n := binary.LittleEndian.Uint32(b[1:])
		if n < 1 || n > maxWindow {
			return Schema{}, fmt.Errorf("%w: a window of %d tokens; 1 to %d are possible", ErrInvalid, n, maxWindow)
		}
		return Schema{Window: int(n)}, nil
	}
	if len(b) < 3 || b[0] != kindTable {
		return Schema{}, fmt.Errorf("%w: schema is neither a table's nor a text's", ErrInvalid)
	}
	n := int(binary.LittleEndian.Uint16(b[1:]))
	if n < 1 || n > MaxFeatures {
		return Schema{}, fmt.Errorf("%w: %d features; 1 to %d are possible", ErrInvalid, n, MaxFeatures)
	}
	rest := b[3:]
	var names []string
	seen := map[string]bool{}
	for range n + 1 {
		end := 1 // of the name; as a byte, 255 + 1 would be 0
		if len(rest) > 0 {
			end += int(rest[0])
		}
		if end == 1 || len(rest) < end {
			return Schema{}, fmt.Errorf("%w: schema ends inside the name of column %d", ErrInvalid, len(names)+1)
		}
		name := string(rest[1:end])
		if seen[name] {
			return Schema{}, fmt.Errorf("%w: two columns are called %q", ErrInvalid, name)
		}
		seen[name] = true
		names = append(names, name)
		rest = rest[end:]
	}
	if len(rest) > 0 {
		return Schema{}, fmt.Errorf("%w: schema has %d bytes too many", ErrInvalid, len(rest))
	}
	return Schema{Features: names[:n], Label: names[n]}, nil
}
