package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
)

func sample() []tensor.Named {
	return []tensor.Named{
		{Name: "w", Tensor: tensor.FromFloat32([]float32{1, -2.5, float32(math.Inf(1)), 0, 1e-40, 3}, 2, 3)},
		{Name: "b", Tensor: tensor.FromInt64([]int64{-1}, 1)},
		{Name: "flag", Tensor: tensor.FromBool([]bool{true}, 1)},
		{Name: "none", Tensor: tensor.FromFloat32(nil, 0)},
		{Name: "scalar", Tensor: tensor.Scalar(7)},
	}
}

func TestRoundTrip(t *testing.T) {
	meta := map[string]string{"format": "mutirao", "name": "ré"}
	b, err := Encode(sample(), meta)
	if err != nil {
		t.Fatal(err)
	}
	if n := binary.LittleEndian.Uint64(b); n%align != 0 || b[8] != '{' {
		t.Errorf("header of %d bytes begins with %q", n, b[8])
	}
	list, got, err := Decode(b)
	if err != nil || !maps.Equal(got, meta) || len(list) != 5 {
		t.Fatalf("%d tensors, %v: %v", len(list), got, err)
	}
	for _, want := range sample() {
		i := slices.IndexFunc(list, func(n tensor.Named) bool { return n.Name == want.Name })
		if i < 0 || list[i].Tensor.DType() != want.Tensor.DType() || !slices.Equal(list[i].Tensor.Shape(), want.Tensor.Shape()) ||
			!bytes.Equal(list[i].Tensor.Bytes(), want.Tensor.Bytes()) {
			t.Errorf("%s did not come back", want.Name)
		}
	}
	again, err := Encode(list, got)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("what was read is written otherwise: %v", err)
	}
}

// What the reference implementation (PyPI safetensors 0.8.0) writes for {"a": float32 [1.5, -2]} with metadata {"k": "v"}.
func TestReferenceFile(t *testing.T) {
	head := `{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	for len(head)%align != 0 {
		head += " "
	}
	elements, err := hex.DecodeString("0000c03f000000c0")
	if err != nil {
		t.Fatal(err)
	}
	want := append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), elements...)
	got, err := Encode([]tensor.Named{{Name: "a", Tensor: tensor.FromFloat32([]float32{1.5, -2}, 2)}}, map[string]string{"k": "v"})
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, want %q: %v", got, want, err)
	}
}

func file(head string, body int) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), make([]byte, body)...)
}

func TestDamaged(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":          nil,
		"header too long":  binary.LittleEndian.AppendUint64(nil, 1<<62),
		"no object":        file(`[]`, 0),
		"after the end":    file(`{}{}`, 0),
		"bytes of nobody":  file(`{}`, 1),
		"a hole":           file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2),
		"the same bytes":   file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1),
		"backwards":        file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,-1]}}`, 1),
		"beyond the end":   file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 1),
		"another shape":    file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4),
		"a negative size":  file(`{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}`, 4),
		"a huge size":      file(`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}`, 4),
		"unknown elements": file(`{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}`, 1),
		"twice":            file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1),
		"metadata":         file(`{"__metadata__":{"a":1}}`, 0),
	} {
		if _, _, err := Decode(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, list := range [][]tensor.Named{{sample()[0], sample()[0]}, {{Name: metadataKey, Tensor: tensor.Scalar(1)}}} {
		if _, err := Encode(list, map[string]string{"a": "b"}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", list[0].Name, err)
		}
	}
}

// Whatever is read is written again with the same tensors.
func FuzzDecode(f *testing.F) {
	b, err := Encode(sample(), map[string]string{"k": "v"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(file(`{"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}`, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, metadata, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Encode(list, metadata)
		if err != nil {
			t.Fatal(err)
		}
		if second, _, err := Decode(again); err != nil || len(second) != len(list) {
			t.Fatalf("%d tensors of %d: %v", len(second), len(list), err)
		}
	})
}
