// Package safetensors reads and writes files of named tensors in the format that model hubs exchange: a header in JSON, then the elements,
// little endian, without holes. It imports engine/tensor and the standard library.
// Source: https://github.com/huggingface/safetensors, README.md, "Format".
package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// ErrFormat is wrapped by errors about bytes that are no such file, or hold elements that the engine lacks.
var ErrFormat = errors.New("invalid safetensors")

// MaxHeader is the longest header in bytes, that of the reference implementation.
const MaxHeader = 100_000_000

// metadataKey is the one name that no tensor may have.
const metadataKey = "__metadata__"

// align is what the header is padded to with spaces, so that elements lie aligned in memory that is mapped.
const align = 8

// types are the engine's element types by their names in the format.
var types = map[string]tensor.DType{
	"F32": tensor.Float32, "U8": tensor.Uint8, "I8": tensor.Int8, "I32": tensor.Int32, "I64": tensor.Int64, "BOOL": tensor.Bool,
}

// entry is what the header says of one tensor.
type entry struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"` // of the bytes behind the header
}

// Encode writes tensors in the order of their names, with metadata. The same arguments give the same bytes. It returns ErrFormat for a
// name that appears twice or is reserved.
func Encode(list []tensor.Named, metadata map[string]string) ([]byte, error) {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b tensor.Named) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	header, at := map[string]any{}, uint64(0) // json.Marshal writes a map in the order of its keys
	if len(metadata) > 0 {
		header[metadataKey] = metadata
	}
	for _, t := range sorted {
		if header[t.Name] != nil || t.Name == metadataKey {
			return nil, fmt.Errorf("%w: name %q", ErrFormat, t.Name)
		}
		end := at + uint64(t.Tensor.Len()*t.Tensor.DType().Size())
		header[t.Name] = entry{nameOf(t.Tensor.DType()), append([]int{}, t.Tensor.Shape()...), [2]uint64{at, end}}
		at = end
	}
	head, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	for len(head)%align != 0 {
		head = append(head, ' ')
	}
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(head)+int(at)), uint64(len(head)))
	b = append(b, head...)
	for _, t := range sorted {
		b = t.Tensor.Append(b, 0, t.Tensor.Len())
	}
	return b, nil
}

func nameOf(dt tensor.DType) string {
	for name, t := range types {
		if t == dt {
			return name
		}
	}
	panic(fmt.Sprintf("safetensors: no name for %v", dt))
}

// Decode reads a file: its tensors by name ascending, and its metadata, nil if there is none. Offsets must cover the bytes behind the header
// exactly once. The memory that it takes is a multiple of len(b). Errors wrap ErrFormat.
func Decode(b []byte) ([]tensor.Named, map[string]string, error) {
	fail := func(format string, args ...any) ([]tensor.Named, map[string]string, error) {
		return nil, nil, fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
	}
	if len(b) < 8 {
		return fail("%d bytes", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > MaxHeader || n > uint64(len(b)-8) {
		return fail("a header of %d bytes in a file of %d", n, len(b))
	}
	head, body := b[8:8+n], b[8+n:]
	fields, err := object(head)
	if err != nil {
		return fail("header: %v", err)
	}
	var metadata map[string]string
	var entries []named
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name == metadataKey {
			if err := json.Unmarshal(fields[name], &metadata); err != nil {
				return fail("metadata: %v", err)
			}
			continue
		}
		e := named{name: name}
		if err := json.Unmarshal(fields[name], &e.entry); err != nil {
			return fail("tensor %q: %v", name, err)
		}
		entries = append(entries, e)
	}
	if err := covers(entries, uint64(len(body))); err != nil {
		return fail("%v", err)
	}
	var list []tensor.Named
	for _, e := range entries {
		t, err := e.tensor(body[e.Offsets[0]:e.Offsets[1]])
		if err != nil {
			return fail("tensor %q: %v", e.name, err)
		}
		list = append(list, tensor.Named{Name: e.name, Tensor: t})
	}
	return list, metadata, nil
}

type named struct {
	name string
	entry
}

// covers checks that the tensors' bytes lie one behind the other, from the first to the last.
func covers(entries []named, size uint64) error {
	order := slices.Clone(entries)
	slices.SortFunc(order, func(a, b named) int { return bytes.Compare(key(a), key(b)) })
	at := uint64(0)
	for _, e := range order {
		if e.Offsets[0] != at || e.Offsets[1] < at || e.Offsets[1] > size {
			return fmt.Errorf("tensor %q at %v of %d bytes, the one before ends at %d", e.name, e.Offsets, size, at)
		}
		at = e.Offsets[1]
	}
	if at != size {
		return fmt.Errorf("%d of %d bytes belong to a tensor", at, size)
	}
	return nil
}

// key orders tensors by where they begin, empty ones first.
func key(e named) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, e.Offsets[0]), e.Offsets[1])
}

func (e named) tensor(raw []byte) (*tensor.Tensor, error) {
	dt, ok := types[e.DType]
	if !ok {
		return nil, fmt.Errorf("element type %.20q", e.DType)
	}
	n, err := tensor.Elements(e.Shape, len(raw)/dt.Size())
	if err != nil {
		return nil, err
	}
	if n*dt.Size() != len(raw) {
		return nil, fmt.Errorf("%d bytes for %s %v", len(raw), e.DType, e.Shape)
	}
	return tensor.Decode(dt, e.Shape, raw)
}

// object splits an object into its fields. A name that appears twice, which JSON's decoder lets pass, would make two readers see two files.
func object(b []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("no object")
	}
	fields := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name := t.(string) // a key always is
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("two fields %q", name)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		fields[name] = raw
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it goes on after its end")
	}
	return fields, nil
}
