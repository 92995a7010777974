package exec

import (
	"bytes"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// TestTraced runs a graph with aliases, a transposed factor, a dead node and memory that would be shared, and checks that the
// trace has every value, that the outputs among them have the bits of a plain run, and that a value is not overwritten.
func TestTraced(t *testing.T) {
	b := graph.NewBuilder("traced")
	x := b.Input("x", tensor.Float32, 3, 4)
	y := b.Op("MatMul", nil, x, b.Op("Transpose", nil, x))
	z := b.Op("Exp", nil, b.Op("Neg", nil, b.Op("Relu", nil, y)))
	b.Op("Sin", nil, y) // dead
	b.Output("out", b.Op("Reshape", nil, z, b.Ints(9)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	traced, err := CompileTraced(g)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]float32, 12)
	for i := range data {
		data[i] = float32(i)/8 - 0.5
	}
	in := map[string]*tensor.Tensor{"x": tensor.FromFloat32(data, 3, 4)}
	values, err := traced.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := traced.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	want, err := plain.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	names := traced.Values()
	if len(names) != 1+len(g.Nodes) || len(values) != len(names) || names[0] != "x" || values[0] != in["x"] {
		t.Fatalf("values %v", names)
	}
	byName := map[string]*tensor.Tensor{}
	for i, v := range values {
		if !bytes.Equal(v.Bytes(), again[i].Bytes()) {
			t.Errorf("%s differs between two runs", names[i])
		}
		byName[names[i]] = v
	}
	if !bytes.Equal(byName["out"].Bytes(), want["out"].Bytes()) {
		t.Error("the output has other bits than in a plain run")
	}
	if neg, relu := byName["Neg_0"].Float32(), byName["Relu_0"].Float32(); neg[4] != -relu[4] || relu[4] == 0 {
		t.Errorf("relu %v and its negative %v: one overwrote the other", relu[4], neg[4])
	}
	if _, err := traced.Run(nil); err == nil {
		t.Error("a run without inputs succeeds")
	}
}
