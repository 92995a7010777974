package onnx

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// cast is a model that converts x of one element type to another.
func cast(from, to Element, count int) []byte {
	var dims, dim, typed, kind, x, out, g, w writer
	dim.number(1, int64(count))
	dims.bytes(1, dim)
	typed.number(1, int64(from))
	typed.bytes(2, dims)
	kind.bytes(1, typed)
	x.text(1, "x")
	x.bytes(2, kind)
	out.text(1, "y")
	g.bytes(1, nodeOf("Cast", []graph.Attr{{Name: "saturate", Kind: graph.KindInt}, {Name: "to", Kind: graph.KindInt, Int: int64(to)}}, "x"))
	g.bytes(11, x)
	g.bytes(12, out)
	w.bytes(7, g)
	w.bytes(8, saveOpset("", 25))
	return w
}

func castTensor(t *testing.T, from, to Element, x *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	m, err := Load(cast(from, to, x.Len()))
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Specialise(nil)
	if err != nil {
		t.Fatalf("%v to %v: %v", from, to, err)
	}
	return compute(t, g, map[string]*tensor.Tensor{"x": x})["y"]
}

// TestRoundedByGraph compares the rounding that a graph does with the definition, bit for bit: around every number of a format that is
// half-way to its neighbour, and for all exponents.
func TestRoundedByGraph(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for e, traits := range elementTypes {
		f := traits.format
		if f == nil {
			continue
		}
		values := []float32{0, float32(math.Copysign(0, -1)), float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, 1e-45}
		for b := range 1 << min(f.Exponent+f.Mantissa, 14) {
			low, high := f.Widen(uint16(b)), f.Widen(uint16(b+1))
			middle := float32((float64(low) + float64(high)) / 2)
			values = append(values, low, middle, -middle, math.Nextafter32(middle, 0), math.Nextafter32(middle, math.MaxFloat32))
		}
		for range 20000 {
			values = append(values, math.Float32frombits(random.Uint32()))
		}
		kernel.Canonicalize(values)
		got := castTensor(t, Element(tensor.Float32), Element(e), tensor.FromFloat32(values, len(values))).Float32()
		for i, v := range values {
			want := f.Round(v, false)
			if math.Float32bits(got[i]) != math.Float32bits(want) && (got[i] == got[i] || want == want) {
				t.Fatalf("%v: %v (0x%08x) becomes %v, want %v", Element(e), v, math.Float32bits(v), got[i], want)
			}
		}
	}
}

// TestIntegersByGraph compares conversions between integers with Go's.
func TestIntegersByGraph(t *testing.T) {
	values := []int64{0, 1, -1, 7, 8, 15, 16, 127, 128, -128, -129, 255, 256, 32767, 32768, -32768, 65535, 65536, -65537, 1<<31 - 1, 1 << 31, -1 << 31, 1 << 32, math.MaxInt64, math.MinInt64}
	x := tensor.FromInt64(values, len(values))
	for e, of := range map[Element]func(int64) int64{
		Uint16: func(v int64) int64 { return int64(uint16(v)) }, Int16: func(v int64) int64 { return int64(int16(v)) },
		Uint32: func(v int64) int64 { return int64(uint32(v)) }, Uint64: func(v int64) int64 { return v },
	} {
		for i, got := range castTensor(t, Element(tensor.Int64), e, x).Int64() {
			if want := of(values[i]); got != want {
				t.Errorf("%d as %v is %d, want %d", values[i], e, got, want)
			}
		}
	}
	for i, got := range tensor.Data[int8](castTensor(t, Element(tensor.Int64), Int4, x)) {
		if want := int8(values[i]<<4) >> 4; got != want {
			t.Errorf("%d as int4 is %d, want %d", values[i], got, want)
		}
	}
}

// TestUnsigned64 compares operators on uint64 with Go's, at the ends of both halves.
func TestUnsigned64(t *testing.T) {
	var a, b []int64
	list := []uint64{0, 1, 2, 3, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64, 0x8000008000000000, 0xffffff8000000000, 1 << 40}
	for _, p := range list {
		for _, q := range list {
			a, b = append(a, int64(p)), append(b, int64(q))
		}
	}
	quotient := func(p, q uint64) uint64 {
		if q == 0 {
			return 0
		}
		return p / q
	}
	truth := func(v bool) uint64 {
		if v {
			return 1
		}
		return 0
	}
	right := []graph.Attr{{Name: "direction", Kind: graph.KindString, String: "RIGHT"}}
	left := []graph.Attr{{Name: "direction", Kind: graph.KindString, String: "LEFT"}}
	for _, c := range []struct {
		op    string
		attrs []graph.Attr
		want  func(p, q uint64) uint64
	}{
		{"Add", nil, func(p, q uint64) uint64 { return p + q }}, {"Mul", nil, func(p, q uint64) uint64 { return p * q }},
		{"Div", nil, quotient}, {"Mod", nil, func(p, q uint64) uint64 { return p - quotient(p, q)*q }},
		{"Max", nil, func(p, q uint64) uint64 { return max(p, q) }}, {"Min", nil, func(p, q uint64) uint64 { return min(p, q) }},
		{"Less", nil, func(p, q uint64) uint64 { return truth(p < q) }}, {"GreaterOrEqual", nil, func(p, q uint64) uint64 { return truth(p >= q) }},
		{"BitShift", right, func(p, q uint64) uint64 { return p >> min(q, 64) }}, {"BitShift", left, func(p, q uint64) uint64 { return p << min(q, 64) }},
		{"BitwiseAnd", nil, func(p, q uint64) uint64 { return p & q }}, {"BitwiseOr", nil, func(p, q uint64) uint64 { return p | q }},
		{"BitwiseXor", nil, func(p, q uint64) uint64 { return p ^ q }},
	} {
		m, err := Load(file(18, nodeOf(c.op, c.attrs, "a", "b"), nil, "y", tensor.Named{Name: "a", Tensor: tensor.FromInt64(a, len(a))}, tensor.Named{Name: "b", Tensor: tensor.FromInt64(b, len(b))}))
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.proto.graph.initializers {
			m.proto.graph.initializers[i].dtype = int64(Uint64)
		}
		g, err := m.Specialise(nil)
		if err != nil {
			t.Fatalf("%s: %v", c.op, err)
		}
		y := compute(t, g, nil)["y"]
		for i := range a {
			got := uint64(0)
			if y.DType() == tensor.Bool {
				got = truth(y.Bool()[i])
			} else {
				got = uint64(y.Int64()[i])
			}
			if want := c.want(uint64(a[i]), uint64(b[i])); got != want {
				t.Errorf("%s(%d, %d) is %d, want %d", c.op, uint64(a[i]), uint64(b[i]), got, want)
			}
		}
	}
	x := tensor.FromInt64(a, len(a))
	for i, got := range castTensor(t, Uint64, Element(tensor.Float32), x).Float32() {
		if want := float32(uint64(a[i])); got != want {
			t.Errorf("%d as float32 is %v, want %v", uint64(a[i]), got, want)
		}
	}
	floats := []float32{0, -1, 0.9, 1e9, 0x1p62, 0x1p63, 0x1.fffffep63, 0x1p64, 1e30, float32(math.NaN()), float32(math.Inf(1))}
	wants := []uint64{0, 0, 0, 1e9, 1 << 62, 1 << 63, 0xffffff0000000000, math.MaxUint64, math.MaxUint64, 0, math.MaxUint64}
	for i, got := range castTensor(t, Element(tensor.Float32), Uint64, tensor.FromFloat32(floats, len(floats))).Int64() {
		if uint64(got) != wants[i] {
			t.Errorf("%v as uint64 is %d, want %d", floats[i], uint64(got), wants[i])
		}
	}
}

// TestRawRoundTrip: what Bytes writes is read again, for every element type.
func TestRawRoundTrip(t *testing.T) {
	for i, traits := range elementTypes {
		e := Element(i)
		if traits.carrier == 0 || e == Element(tensor.Bool) {
			continue
		}
		raw := make([]byte, 24)
		for j := range raw {
			raw[j] = byte(j * 11 % 64) // no NaN, nothing that float32 rounds
		}
		if e == Float64 {
			for j := range raw {
				raw[j] = []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f}[j%8]
			}
		}
		n := len(raw) * 8 / traits.bits
		x, err := e.fromRaw([]int{n}, n, raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Bytes(x); string(got) != string(raw) {
			t.Errorf("%v: % x is read as %v and written as % x", e, raw, x, got)
		}
	}
}

// TestThresholdsOfFloat64: inputs of float64 are rounded, so thresholds are too; a float32 is compared with the threshold itself.
func TestThresholdsOfFloat64(t *testing.T) {
	splits := attrProto{name: "nodes_splits", tensor: &tensorProto{dtype: int64(Float64), doubles: []float64{1.2}}}
	for e, want := range map[Element]float64{Float64: float64(float32(1.2)), Element(tensor.Float32): 1.2} {
		n := &node{l: &lowering{}, p: &nodeProto{attrs: []attrProto{splits}}, in: []*value{{known: tensor.Scalar(1), element: e}}}
		if got := n.thresholds("", "nodes_splits")[0]; got != want {
			t.Errorf("for %v the threshold is %v, want %v", e, got, want)
		}
	}
}
