package trace

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
)

// vectorTensor builds the tensor whose elements the vectors' "about" describes.
func vectorTensor(t *testing.T, dtype string, shape []int) *tensor.Tensor {
	t.Helper()
	n := 1
	for _, d := range shape {
		n *= d
	}
	switch dtype {
	case "float32":
		return tensor.From(elements(n, func(i int) float32 { return float32(i-100) / 8 }), shape...)
	case "uint8":
		return tensor.From(elements(n, func(i int) uint8 { return uint8(i) }), shape...)
	case "int8":
		return tensor.From(elements(n, func(i int) int8 { return int8(i%256 - 128) }), shape...)
	case "int32":
		return tensor.From(elements(n, func(i int) int32 { return int32(i - 100) }), shape...)
	case "int64":
		return tensor.From(elements(n, func(i int) int64 { return int64(i - 100) }), shape...)
	case "bool":
		return tensor.From(elements(n, func(i int) bool { return i%2 == 1 }), shape...)
	}
	t.Fatalf("unknown type %q", dtype)
	return nil
}

func elements[T any](n int, at func(int) T) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = at(i)
	}
	return s
}

// TestVectors checks every root against spec/vectors/verify/trace.json, which another implementation wrote.
func TestVectors(t *testing.T) {
	b, err := os.ReadFile("../../spec/vectors/verify/trace.json")
	if err != nil {
		t.Fatal(err)
	}
	type typed struct {
		Name, Role, DType string
		Shape             []int
		Root              merkle.Hash
	}
	var v struct {
		Tensor []typed
		State  struct {
			Entries     []typed
			Root, Empty merkle.Hash
		}
		Program struct {
			Graph string
			Hash  merkle.Hash
		}
		Payload []struct {
			Size int
			Root merkle.Hash
		}
		Trace merkle.Hash
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Tensor)*len(v.State.Entries)*len(v.Payload) == 0 {
		t.Fatal("a list of vectors is empty")
	}
	for _, c := range v.Tensor {
		if got := TensorRoot(vectorTensor(t, c.DType, c.Shape)); got != c.Root {
			t.Errorf("%s %v: %s, want %s", c.DType, c.Shape, got, c.Root)
		}
	}
	var state []Entry
	for _, e := range v.State.Entries {
		state = append(state, Entry{e.Name, e.Role, vectorTensor(t, e.DType, e.Shape)})
	}
	if got := StateRoot(state); got != v.State.Root {
		t.Errorf("state: %s, want %s", got, v.State.Root)
	}
	if got := StateRoot(nil); got != v.State.Empty {
		t.Errorf("empty state: %s, want %s", got, v.State.Empty)
	}
	encoded, err := hex.DecodeString(v.Program.Graph)
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if got := ProgramHash(g); got != v.Program.Hash {
		t.Errorf("program: %s, want %s", got, v.Program.Hash)
	}
	for _, c := range v.Payload {
		if got := PayloadRoot(elements(c.Size, func(i int) byte { return byte(7*i + i>>8) })); got != c.Root {
			t.Errorf("payload of %d bytes: %s, want %s", c.Size, got, c.Root)
		}
	}
	var points [Points]merkle.Hash
	for i := range points {
		points[i] = merkle.Leaf(fmt.Append(nil, "point ", i))
	}
	if got := TraceRoot(points, merkle.Leaf([]byte("payload"))); got != v.Trace {
		t.Errorf("trace: %s, want %s", got, v.Trace)
	}
}
