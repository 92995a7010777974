package exec

import (
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// TestWeights compiles a layer for several numbers of rows: the weights are packed once, and the bits are those of a program of its own.
func TestWeights(t *testing.T) {
	w := tensor.New(tensor.Float32, 40, 33)
	for i := range w.Float32() {
		w.Float32()[i] = float32(i%17) / 7
	}
	shared := NewWeights(w)
	for _, rows := range []int{1, 5, 8} {
		b := graph.NewBuilder("layer")
		b.Output("y", b.Op("MatMul", nil, b.Input("x", tensor.Float32, rows, 40), b.Initializer("w", w)))
		other := b.Initializer("other", w.Clone())
		b.Output("z", b.Op("MatMul", nil, "x", other))
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		x := tensor.New(tensor.Float32, rows, 40)
		for i := range x.Float32() {
			x.Float32()[i] = float32(i%13) / 11
		}
		alone, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		together, err := shared.Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]*tensor.Tensor{"x": x}
		want, err := alone.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := together.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		if string(got["y"].Bytes()) != string(want["y"].Bytes()) || string(got["z"].Bytes()) != string(want["z"].Bytes()) {
			t.Errorf("%d rows: other bits", rows)
		}
	}
	if len(shared.packed) != 1 {
		t.Errorf("%d packed matrices, want one", len(shared.packed))
	}
}
