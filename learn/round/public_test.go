package round

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
)

// smallPublic is a state of two tensors with distinct numbers.
func smallPublic() Public {
	fill := func(from float32) []tensor.Named {
		x := []tensor.Named{
			{Name: "a.weight", Tensor: tensor.New(tensor.Float32, 2, 3)},
			{Name: "b.bias", Tensor: tensor.New(tensor.Float32)},
		}
		for _, n := range x {
			for i := range n.Tensor.Float32() {
				n.Tensor.Float32()[i] = from
				from++
			}
		}
		return x
	}
	return Public{Theta: fill(1), Momentum: fill(100), Residual: fill(-50)}
}

func TestPublicRoundTrip(t *testing.T) {
	b := EncodePublic(smallPublic())
	p, err := DecodePublic(b)
	if err != nil {
		t.Fatal(err)
	}
	want := smallPublic()
	if digest(p.Theta) != digest(want.Theta) || digest(p.Momentum) != digest(want.Momentum) || digest(p.Residual) != digest(want.Residual) {
		t.Error("decoded other numbers")
	}
	if !bytes.Equal(EncodePublic(p), b) {
		t.Error("encodes differently")
	}
	for n := range b {
		if _, err := DecodePublic(b[:n]); !errors.Is(err, ErrState) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := DecodePublic(append(bytes.Clone(b), 0)); !errors.Is(err, ErrState) {
		t.Errorf("a byte too many: %v", err)
	}
	for name, change := range map[string]func(Public){
		"NaN":      func(p Public) { p.Residual[0].Tensor.Float32()[5] = float32(math.NaN()) },
		"infinity": func(p Public) { p.Theta[1].Tensor.Float32()[0] = float32(math.Inf(-1)) },
		"order":    func(p Public) { p.Theta[0].Name = "c.weight" },
		"twice":    func(p Public) { p.Theta[1].Name = "a.weight" },
		"no name":  func(p Public) { p.Theta[0].Name = "" },
	} {
		p := smallPublic()
		change(p)
		if _, err := DecodePublic(EncodePublic(p)); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodePublic(f *testing.F) {
	f.Add(EncodePublic(smallPublic()))
	f.Add(EncodePublic(Public{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePublic(b)
		if err != nil {
			return
		}
		if !bytes.Equal(EncodePublic(p), b) {
			t.Fatal("accepted bytes encode differently")
		}
	})
}
