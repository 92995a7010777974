package data

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// ReadTable turns a CSV file with a header line into a set. The column called label holds 0 or 1;
// every other column is a feature, rounded to binary32. Errors wrap ErrInvalid and name the line.
func ReadTable(file []byte, label string) (*Set, error) {
	r := csv.NewReader(bytes.NewReader(file))
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%w: no header line: %w", ErrInvalid, err)
	}
	head = slices.Clone(head) // the reader reuses it
	schema := Schema{Label: label}
	at := -1
	for i, name := range head {
		switch {
		case name == label && at < 0:
			at = i
		case name == "" || len(name) > 255:
			return nil, fmt.Errorf("%w: line 1: the name of column %d has %d bytes; 1 to 255 are possible", ErrInvalid, i+1, len(name))
		default:
			schema.Features = append(schema.Features, name)
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("%w: line 1: no column is called %q", ErrInvalid, label)
	}
	s := &Set{Schema: schema.Encode(), RecordSize: schema.RecordSize()}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		line, _ := r.FieldPos(0)
		for i, text := range row {
			if i == at {
				continue
			}
			if err := s.appendNumber(text); err != nil {
				return nil, fmt.Errorf("%w: line %d: %s: %w", ErrInvalid, line, head[i], err)
			}
		}
		switch row[at] {
		case "0", "1":
			s.Records = binary.LittleEndian.AppendUint32(s.Records, math.Float32bits(float32(row[at][0]-'0')))
		default:
			return nil, fmt.Errorf("%w: line %d: %s: %q is neither 0 nor 1", ErrInvalid, line, label, row[at])
		}
		s.Count++
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Set) appendNumber(text string) error {
	x, err := strconv.ParseFloat(text, 32)
	if err != nil {
		return err
	}
	s.Records = binary.LittleEndian.AppendUint32(s.Records, math.Float32bits(float32(x)))
	return nil
}
