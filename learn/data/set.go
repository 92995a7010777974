// Package data owns what a model learns from: sets of fixed-size records, how they are read from
// files, in which order they are visited and which of them are kept for testing.
//
// Records have one size so that each is one leaf of a Merkle tree and any of them can be opened and
// proven alone. Everything here is a pure function of bytes and seeds; only Load touches files.
package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrInvalid is wrapped by every error about the form of a set or of a file that should become one.
var ErrInvalid = errors.New("invalid data set")

// Set is a data set: Count records of RecordSize bytes, one after the other.
//
// A table's record is its features as binary32 little endian, then the label, 0 or 1, as binary32.
// A text's record is Window+1 bytes: Window tokens and, shifted by one, their successors.
type Set struct {
	Schema     []byte // canonical bytes of a Schema
	RecordSize int    // bytes
	Count      int
	Records    []byte // owned by the set
}

// magic opens the canonical bytes; its last byte is the version.
const magic = "MDS\x01"

// MaxEncoded bounds the canonical bytes of a set that Decode looks at: what a home machine fetches
// for one run without asking its owner.
const MaxEncoded = 64 << 20

// Record returns the bytes of record i, which stay the set's.
func (s *Set) Record(i int) []byte {
	return s.Records[i*s.RecordSize : (i+1)*s.RecordSize : (i+1)*s.RecordSize]
}

// Leaves returns the records in order, for a Merkle tree over them. They stay the set's.
func (s *Set) Leaves() [][]byte {
	leaves := make([][]byte, s.Count)
	for i := range leaves {
		leaves[i] = s.Record(i)
	}
	return leaves
}

// Row writes the features of a table's record i to dst and returns its label. It panics if dst is not
// as long as the table has features.
func (s *Set) Row(dst []float32, i int) (label float32) {
	b := s.Record(i)
	if len(b) != 4*(len(dst)+1) {
		panic(fmt.Sprintf("data: row of %d features in a record of %d bytes", len(dst), len(b)))
	}
	for j := range dst {
		dst[j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:]))
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*len(dst):]))
}

// Encode returns the canonical bytes: magic, length and bytes of the schema, record size, count, the
// records; integers in 4 bytes little endian.
func (s *Set) Encode() []byte {
	b := make([]byte, 0, len(magic)+12+len(s.Schema)+len(s.Records))
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.Schema)))
	b = append(b, s.Schema...)
	b = binary.LittleEndian.AppendUint32(b, uint32(s.RecordSize))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Count))
	return append(b, s.Records...)
}

// Decode reads canonical bytes. It accepts exactly what Encode writes for a valid set and copies
// nothing: the set's records lie in b. Errors wrap ErrInvalid.
func Decode(b []byte) (*Set, error) {
	if len(b) > MaxEncoded {
		return nil, fmt.Errorf("%w: %d bytes; at most %d are possible", ErrInvalid, len(b), MaxEncoded)
	}
	if len(b) < len(magic)+4 || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: bytes do not start with a data set's mark", ErrInvalid)
	}
	rest := b[len(magic):]
	n := uint64(binary.LittleEndian.Uint32(rest))
	rest = rest[4:]
	if n+8 > uint64(len(rest)) {
		return nil, fmt.Errorf("%w: bytes end inside the schema", ErrInvalid)
	}
	s := &Set{Schema: rest[:n:n]}
	size, count := binary.LittleEndian.Uint32(rest[n:]), binary.LittleEndian.Uint32(rest[n+4:])
	s.Records = rest[n+8:]
	if uint64(size)*uint64(count) != uint64(len(s.Records)) {
		return nil, fmt.Errorf("%w: %d records of %d bytes in %d bytes", ErrInvalid, count, size, len(s.Records))
	}
	s.RecordSize, s.Count = int(size), int(count)
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// check tests the records against the schema.
func (s *Set) check() error {
	schema, err := DecodeSchema(s.Schema)
	if err != nil {
		return err
	}
	if want := schema.RecordSize(); s.RecordSize != want {
		return fmt.Errorf("%w: records of %d bytes where the schema has %d", ErrInvalid, s.RecordSize, want)
	}
	if s.Count < 2 {
		return fmt.Errorf("%w: %d records; training and testing need two", ErrInvalid, s.Count)
	}
	if schema.Window > 0 {
		return nil // any bytes are text
	}
	row := make([]float32, len(schema.Features))
	for i := range s.Count {
		label := s.Row(row, i)
		if bits := math.Float32bits(label); bits != 0 && bits != math.Float32bits(1) {
			return fmt.Errorf("%w: record %d: label %v is neither 0 nor 1", ErrInvalid, i, label)
		}
		for j, x := range row {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return fmt.Errorf("%w: record %d: %s is not a finite number", ErrInvalid, i, schema.Features[j])
			}
		}
	}
	return nil
}
