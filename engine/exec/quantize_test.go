package exec

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// octetsOf are random 8-bit integers, with all their extremes.
func octetsOf(r *rand.Rand, dt tensor.DType, shape ...int) *tensor.Tensor {
	t := tensor.New(dt, shape...)
	for i := range t.Len() {
		v := uint8(r.Uint32())
		if r.IntN(4) == 0 {
			v = []uint8{0, 127, 128, 255}[r.IntN(4)]
		}
		if dt == tensor.Uint8 {
			tensor.Data[uint8](t)[i] = v
		} else {
			tensor.Data[int8](t)[i] = int8(v)
		}
	}
	return t
}

func octet(t *tensor.Tensor, i int) int64 {
	if t.DType() == tensor.Uint8 {
		return int64(tensor.Data[uint8](t)[i])
	}
	return int64(tensor.Data[int8](t)[i])
}

// runOne runs a graph of one node, with the named inputs as initializers.
func runOne(t *testing.T, op string, attrs graph.Attrs, constant []int, in ...*tensor.Tensor) *tensor.Tensor {
	t.Helper()
	b := graph.NewBuilder("one")
	var refs []graph.Ref
	feed := map[string]*tensor.Tensor{}
	for i, x := range in {
		name := fmt.Sprint("in", i)
		if slices.Contains(constant, i) {
			refs = append(refs, b.Initializer(name, x))
		} else {
			refs = append(refs, b.Input(name, x.DType(), x.Shape()...))
			feed[name] = x
		}
	}
	b.Output("y", b.Op(op, attrs, refs...))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(feed)
	if err != nil {
		t.Fatal(err)
	}
	return out["y"]
}

// The sums are those of integers, whatever the types and zero points, with constant factors and with others.
func TestMatMulInteger(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	types := []tensor.DType{tensor.Uint8, tensor.Int8}
	for round := range 60 {
		m, k, n := 1+r.IntN(20), 1+r.IntN(300), 1+r.IntN(70)
		ta, tb := types[round%2], types[round/2%2]
		a, b := octetsOf(r, ta, m, k), octetsOf(r, tb, k, n)
		za, zb := octetsOf(r, ta), octetsOf(r, tb)
		if r.IntN(2) == 0 {
			zb = octetsOf(r, tb, n)
		}
		var constant []int
		if r.IntN(2) == 0 {
			constant = []int{1}
		}
		got := tensor.Data[int32](runOne(t, "MatMulInteger", nil, constant, a, b, za, zb))
		for i := range m {
			for j := range n {
				want := int64(0)
				for l := range k {
					want += (octet(a, i*k+l) - octet(za, 0)) * (octet(b, l*n+j) - octet(zb, min(j, zb.Len()-1)))
				}
				if int64(got[i*n+j]) != want {
					t.Fatalf("%v[%d,%d] times %v[%d,%d]: element %d,%d is %d, want %d", ta, m, k, tb, k, n, i, j, got[i*n+j], want)
				}
			}
		}
	}
}

// A convolution of integers is that of the same numbers as floats, as long as these add them exactly.
func TestConvInteger(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	types := []tensor.DType{tensor.Uint8, tensor.Int8}
	for round := range 80 {
		groups, channels, outputs := 1+r.IntN(3), 1+r.IntN(4), []int{1, 2, 9, 20}[r.IntN(4)]
		ta, tb := types[round%2], types[round/2%2]
		a := octetsOf(r, ta, 1+r.IntN(2), groups*channels, 3+r.IntN(20), 3+r.IntN(20))
		w := octetsOf(r, tb, groups*outputs, channels, 1+r.IntN(3), 1+r.IntN(3))
		za, zb := octetsOf(r, ta), octetsOf(r, tb)
		if r.IntN(2) == 0 {
			zb = octetsOf(r, tb, groups*outputs)
		}
		attrs := graph.Attrs{
			"group": groups, "strides": []int{1 + r.IntN(2), 1 + r.IntN(3)}, "pads": []int{r.IntN(3), r.IntN(2), r.IntN(3), r.IntN(3)},
			"dilations": []int{1, 1},
		}
		var constant []int
		if r.IntN(2) == 0 {
			constant = []int{1}
		}
		got := tensor.Data[int32](runOne(t, "ConvInteger", attrs, constant, a, w, za, zb))
		x, weights := tensor.New(tensor.Float32, a.Shape()...), tensor.New(tensor.Float32, w.Shape()...)
		for i := range x.Float32() {
			x.Float32()[i] = float32(octet(a, i) - octet(za, 0))
		}
		for i := range weights.Float32() {
			weights.Float32()[i] = float32(octet(w, i) - octet(zb, min(i/(w.Len()/w.Shape()[0]), zb.Len()-1)))
		}
		want := runOne(t, "Conv", attrs, nil, x, weights).Float32()
		for i := range want {
			if float32(got[i]) != want[i] {
				t.Fatalf("%v%v over %v%v, %v: element %d is %d, want %v", tb, w.Shape(), ta, a.Shape(), attrs, i, got[i], want[i])
			}
		}
	}
}

// QuantizeLinear rounds half to even, saturates, and gives 0 for NaN.
func TestQuantizeLinear(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x := tensor.FromFloat32([]float32{0, 1, 1.5, 2.5, -1.5, 63.9, 200, -200, inf, -inf, nan, 1e-40}, 12)
	one := tensor.Scalar(1)
	signed := tensor.Data[int8](runOne(t, "QuantizeLinear", nil, nil, x, one, tensor.From([]int8{1})))
	if want := []int8{1, 2, 3, 3, -1, 65, 127, -128, 127, -128, 0, 1}; !slices.Equal(signed, want) {
		t.Errorf("int8: %v, want %v", signed, want)
	}
	unsigned := tensor.Data[uint8](runOne(t, "QuantizeLinear", nil, nil, x, one, tensor.From([]uint8{100})))
	if want := []uint8{100, 101, 102, 102, 98, 164, 255, 0, 255, 0, 0, 100}; !slices.Equal(unsigned, want) {
		t.Errorf("uint8: %v, want %v", unsigned, want)
	}
	m := tensor.FromFloat32([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	byRow := tensor.Data[uint8](runOne(t, "QuantizeLinear", graph.Attrs{"axis": 0}, nil, m, tensor.FromFloat32([]float32{1, 2}, 2), tensor.From([]uint8{0, 10}, 2)))
	if want := []uint8{1, 2, 3, 12, 12, 13}; !slices.Equal(byRow, want) {
		t.Errorf("by row: %v, want %v", byRow, want)
	}
	byColumn := tensor.Data[uint8](runOne(t, "QuantizeLinear", graph.Attrs{"axis": -1}, nil, m, tensor.FromFloat32([]float32{1, 2, 4}, 3), tensor.From([]uint8{0, 0, 1}, 3)))
	if want := []uint8{1, 1, 2, 4, 2, 3}; !slices.Equal(byColumn, want) {
		t.Errorf("by column: %v, want %v", byColumn, want)
	}
}

// What follows a sum of integers is done within it, with the bits of separate operations: the graph in which every value is an
// output cannot be joined.
func TestIntegersJoinWhatFollows(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for round := range 40 {
		b := graph.NewBuilder("joined")
		var y graph.Ref
		n := 1 + r.IntN(20)
		shape := []int{n}
		in := map[string]*tensor.Tensor{}
		if round%2 == 0 {
			in["x"] = octetsOf(r, tensor.Uint8, 3, 17)
			x := b.Input("x", tensor.Uint8, 3, 17)
			y = b.Op("MatMulInteger", nil, x, b.Initializer("w", octetsOf(r, tensor.Int8, 17, n)), b.Initializer("z", octetsOf(r, tensor.Uint8)))
		} else {
			shape = []int{n, 1, 1}
			in["x"] = octetsOf(r, tensor.Int8, 2, 3, 9, 14)
			x := b.Input("x", tensor.Int8, 2, 3, 9, 14)
			y = b.Op("ConvInteger", graph.Attrs{"pads": []int{1, 0, 1, 1}}, x, b.Initializer("w", octetsOf(r, tensor.Int8, n, 3, 2, 3)), b.Initializer("z", octetsOf(r, tensor.Int8)))
		}
		refs := []graph.Ref{y}
		y = b.Op("Cast", graph.Attrs{"to": int(tensor.Float32)}, y)
		refs = append(refs, y)
		y = b.Op("Mul", nil, y, b.Initializer("factor", random(r, shape...)))
		refs = append(refs, y)
		if round%4 < 2 {
			y = b.Op("Add", nil, b.Initializer("bias", random(r, shape...)), y)
			refs = append(refs, y)
		}
		if round%8 < 4 {
			y = b.Op("Relu", nil, y)
		}
		b.Output("y", y)
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		joined := *g // the builder goes on with its graph
		joined.Outputs = slices.Clone(g.Outputs)
		for i, ref := range refs {
			if ref != y {
				b.Output(fmt.Sprint("part", i), ref)
			}
		}
		apart, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		var out [2]*tensor.Tensor
		steps := [2]int{}
		for i, g := range []*graph.Graph{&joined, apart} {
			p, err := Compile(g)
			if err != nil {
				t.Fatal(err)
			}
			all, err := p.Run(in)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range g.Outputs {
				if v.Name == g.Outputs[0].Name {
					out[i] = all[v.Name]
				}
			}
			steps[i] = len(p.steps)
		}
		if !bytes.Equal(out[0].Bytes(), out[1].Bytes()) {
			t.Fatalf("round %d: other bits", round)
		}
		if steps[0] != 1 || steps[1] < 3 {
			t.Fatalf("round %d: %d steps joined, %d apart", round, steps[0], steps[1])
		}
	}
}
