package graph

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
)

func TestEncode(t *testing.T) {
	g := classifier(t)
	b := Encode(g)
	h, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(Encode(h), b) {
		t.Error("decoded graph encodes to other bytes")
	}
	if !reflect.DeepEqual(g.Inputs, h.Inputs) || !reflect.DeepEqual(g.Outputs, h.Outputs) || !reflect.DeepEqual(g.Nodes, h.Nodes) {
		t.Errorf("decoded graph differs:\n%+v\n%+v", g, h)
	}
	if got := h.Initializers[1].Tensor.Float32()[0]; got != 0.5 {
		t.Errorf("decoded scalar is %v, want 0.5", got)
	}
	if _, err := Infer(h); err != nil {
		t.Error(err)
	}
	for n := range len(b) {
		if _, err := Decode(b[:n]); !errors.Is(err, ErrEncoding) {
			t.Fatalf("the first %d of %d bytes: error %v, want ErrEncoding", n, len(b), err)
		}
	}
	if _, err := Decode(append(b, 0)); !errors.Is(err, ErrEncoding) {
		t.Errorf("one byte too many: error %v, want ErrEncoding", err)
	}
}

func TestEncodeCanonicalNaN(t *testing.T) {
	g := &Graph{Opset: Opset, Initializers: []tensor.Named{{Name: "x", Tensor: tensor.Scalar(math.Float32frombits(0xFFC12345))}}}
	b := Encode(g)
	if !bytes.Contains(b, []byte{0, 0, 0xC0, 0x7F}) {
		t.Errorf("% x has no canonical NaN", b)
	}
	i := bytes.Index(b, []byte{0, 0, 0xC0, 0x7F})
	b[i] = 1
	if _, err := Decode(b); !errors.Is(err, ErrEncoding) {
		t.Errorf("another NaN: error %v, want ErrEncoding", err)
	}
}

// FuzzDecode: accepted bytes are the encoding of the graph, and validating it never panics.
func FuzzDecode(f *testing.F) {
	f.Add(Encode(classifier(f)))
	f.Add(Encode(&Graph{Opset: Opset, Name: "empty"}))
	b := NewBuilder("gradients")
	x := b.Input("x", tensor.Float32, 1, 2, 4, 4)
	b.OpN("AttentionGrad", 3, Attrs{"is_causal": 1, "scale": float32(0.5)}, x, x, x, x)
	s := b.Op("Slice", nil, x, b.Ints(0, 3), b.Ints(2, -9), b.Ints(2, 3), b.Ints(1, -2))
	b.OpN("Split", 2, Attrs{"axis": 3, "num_outputs": 2}, s)
	b.OpN("LayerNormalizationGrad", 3, nil, x, x, b.Input("scale", tensor.Float32, 4))
	b.Op("SliceGrad", Attrs{"shape": []int{1, 2, 4, 4}}, s, b.Ints(0, 3), b.Ints(2, -9), b.Ints(2, 3), b.Ints(1, -2))
	g, err := b.Graph()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(Encode(g))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(Encode(g), b) {
			t.Fatal("accepted bytes re-encode to others")
		}
		if _, err := Infer(g); err == nil {
			if _, err := MACs(g); err != nil {
				t.Fatal(err)
			}
		}
	})
}
