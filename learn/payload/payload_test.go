package payload

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
)

func layout() []tensor.Named {
	return []tensor.Named{
		{Name: "a.bias", Tensor: tensor.New(tensor.Float32, 3)},
		{Name: "a.weight", Tensor: tensor.New(tensor.Float32, 13, 10)},
		{Name: "b.weight", Tensor: tensor.New(tensor.Float32, 2, 128)},
	}
}

// filled returns tensors of the layout with normal values of the given scale.
func filled(seed uint64, scale float64) []tensor.Named {
	rng := rand.New(rand.NewPCG(seed, 0))
	x := layout()
	for _, t := range x {
		for i := range t.Tensor.Float32() {
			t.Tensor.Float32()[i] = float32(rng.NormFloat64() * scale)
		}
	}
	return x
}

func encoded(t testing.TB, x []tensor.Named) []byte {
	q, err := Quantise(x, Int4)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Encode(q)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	for _, scale := range []float64{0, 1e-40, 1e-31, 1e-30, 1e-3, 1, 1e20, 1e28} {
		x := filled(1, scale)
		q, err := Quantise(x, Int4)
		if err != nil {
			t.Fatal(err)
		}
		b := encoded(t, x)
		if len(b) != Size(layout()) {
			t.Fatalf("%d bytes, Size says %d", len(b), Size(layout()))
		}
		back, err := Decode(b, layout())
		if err != nil {
			t.Fatalf("scale %v: %v", scale, err)
		}
		if !reflect.DeepEqual(q, back) {
			t.Fatalf("scale %v: decoded other codes", scale)
		}
		// Quantising what was decoded must change nothing: it is already on the grid.
		if again := encoded(t, Dequantise(back)); !bytes.Equal(again, b) {
			t.Errorf("scale %v: decoded values encode differently", scale)
		}
	}
}

// TestNearest checks each quantised element against the definition: no code of the block's scale is
// nearer, and the scale is the smallest that fits the largest element.
func TestNearest(t *testing.T) {
	for _, limit := range []int{Int4, Int8} {
		x := filled(2, 0.01)
		q, err := Quantise(x, limit)
		if err != nil {
			t.Fatal(err)
		}
		for i, qt := range q {
			for j, v := range x[i].Tensor.Float32() {
				step := math.Ldexp(1, int(qt.Exponents[j/BlockSize]))
				if d := math.Abs(float64(v) - float64(qt.Value(j))); d > step/2 {
					t.Errorf("%s[%d]: %v became %v, more than half of %v away", qt.Name, j, v, qt.Value(j), step)
				}
			}
			if err := qt.blocks(func(b, first int, codes []int8) error { return checkBlock(qt.Exponents[b], codes, limit) }); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestQuantiseBlock(t *testing.T) {
	for _, c := range []struct {
		in    []float32
		codes []int8
		e     int
	}{
		{[]float32{0, float32(math.Copysign(0, -1))}, []int8{0, 0}, 0},
		{[]float32{7, 0.5, 1.5, -2.5}, []int8{7, 0, 2, -2}, 0}, // ties to even
		{[]float32{7.25, 1}, []int8{7, 1}, 0},
		{[]float32{7.5, 1}, []int8{4, 0}, 1}, // 7.5 rounds to 8, one too many
		{[]float32{-8, 2}, []int8{-4, 1}, 1},
		{[]float32{1}, []int8{4}, -2},
		{[]float32{0x1p-101}, []int8{0}, 0}, // half the smallest step: a tie, to even
		{[]float32{0x1p-100}, []int8{1}, -100},
		{[]float32{0x7p100}, []int8{7}, 100},
	} {
		codes := make([]int8, len(c.in))
		e, err := quantiseBlock(codes, c.in, Int4)
		if err != nil || e != c.e || !reflect.DeepEqual(codes, c.codes) {
			t.Errorf("%v: codes %v, exponent %d, %v; want %v, %d", c.in, codes, e, err, c.codes, c.e)
		}
	}
	for _, x := range []float32{float32(math.NaN()), float32(math.Inf(-1)), 0x1p103, math.MaxFloat32} {
		if _, err := quantiseBlock(make([]int8, 1), []float32{x}, Int4); !errors.Is(err, ErrRange) {
			t.Errorf("%v: %v", x, err)
		}
	}
}

// TestOneEncoding checks that each way to say the same thing twice is refused, and where.
func TestOneEncoding(t *testing.T) {
	good := encoded(t, filled(3, 1))
	const first = len(magic) + 4 // exponent of a.bias, then two bytes of codes
	change := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"short", good[:len(good)-1], "bytes where this model has"},
		{"long", append(bytes.Clone(good), 0), "bytes where this model has"},
		{"empty", nil, "bytes where this model has"},
		{"mark", change(func(b []byte) { b[0] = 'X' }), "mark"},
		{"count", change(func(b []byte) { b[4]++ }), "elements where this model has"},
		{"padding", change(func(b []byte) { b[first+2] |= 0x10 }), "a.bias: the half byte after element 2"},
		{"code -8", change(func(b []byte) { b[first+1] = 0x48 }), "a.bias: block 0 (from element 0): element 0: code -8"},
		{"small codes", change(func(b []byte) { copy(b[first+1:], []byte{0x32, 0x01}) }), "is not the smallest"},
		{"zeros with a scale", change(func(b []byte) { copy(b[first:], []byte{1, 0, 0}) }), "a block of zeros"},
		{"exponent", change(func(b []byte) { copy(b[first:], []byte{101, 0x77, 0x07}) }), "exponent 101 is outside"},
		{"exponent below", change(func(b []byte) { copy(b[first:], []byte{155, 0x77, 0x07}) }), "exponent -101 is outside"},
	} {
		if _, err := Decode(c.b, layout()); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestFirstDifference(t *testing.T) {
	a := encoded(t, filled(4, 1))
	q, err := Decode(a, layout())
	if err != nil {
		t.Fatal(err)
	}
	if _, differ, err := FirstDifference(a, a, layout()); differ || err != nil {
		t.Errorf("a payload differs from itself: %v", err)
	}
	// One code by one, where the block stays canonical: the largest code keeps its size.
	codes := q[1].Codes
	at := 57
	if codes[at] > 0 {
		codes[at]--
	} else {
		codes[at]++
	}
	b, err := Encode(q)
	if err != nil {
		t.Fatal(err)
	}
	d, differ, err := FirstDifference(a, b, layout())
	if err != nil || !differ || d.Place() != "a.weight[5,7]" || d.A == d.B {
		t.Errorf("difference %v, %v, %v", d, differ, err)
	}
	if _, _, err := FirstDifference(a, b[1:], layout()); !errors.Is(err, ErrInvalid) {
		t.Errorf("a broken payload: %v", err)
	}
	// Another scale alone is a difference too.
	q[0].Exponents[0]++
	c, err := Encode(q)
	if err != nil {
		t.Fatal(err)
	}
	if d, differ, err := FirstDifference(b, c, layout()); err != nil || !differ || d.Tensor != "a.bias" {
		t.Errorf("difference %v, %v, %v", d, differ, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, scale := range []float64{0, 1e-30, 1} {
		f.Add(encoded(f, filled(5, scale)))
	}
	shape := layout()
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := Decode(b, shape)
		if err != nil {
			return
		}
		again, err := Encode(q)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted bytes encode differently (%v)", err)
		}
		requantised, err := Quantise(Dequantise(q), Int4)
		if err != nil {
			t.Fatal(err)
		}
		if again, err = Encode(requantised); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("the values of accepted bytes encode differently (%v)", err)
		}
	})
}

// TestLocate encodes block by block what Encode writes at once.
func TestLocate(t *testing.T) {
	layout := []tensor.Named{
		{Name: "a", Tensor: tensor.New(tensor.Float32, 3, 90)}, {Name: "b", Tensor: tensor.New(tensor.Float32, 128)}, {Name: "c", Tensor: tensor.New(tensor.Float32, 5)},
	}
	for i, x := range layout {
		for j := range x.Tensor.Float32() {
			x.Tensor.Float32()[j] = float32((j*7+i)%23-11) / 64
		}
	}
	codes, err := Quantise(layout, Int4)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Encode(codes)
	if err != nil {
		t.Fatal(err)
	}
	for offset, want := range whole {
		p := Locate(offset, layout)
		if p.Head {
			if p.Byte != want {
				t.Fatalf("byte %d of the head is %d, want %d", offset, p.Byte, want)
			}
			continue
		}
		var x []float32
		for _, l := range layout {
			if l.Name == p.Name {
				x = l.Tensor.Float32()[p.First : p.First+p.Count]
			}
		}
		block, err := EncodeBlock(x)
		if err != nil || p.Index >= len(block) || block[p.Index] != want {
			t.Fatalf("byte %d: %+v encodes to % x, want %d: %v", offset, p, block, want, err)
		}
	}
}

// TestFind finds the bytes of every element and scale of a payload.
func TestFind(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var x []tensor.Named
	for i, n := range []int{1, 127, 128, 129, 300} {
		v := make([]float32, n)
		for j := range v {
			v[j] = float32(rng.NormFloat64())
		}
		x = append(x, tensor.Named{Name: string(rune('a' + i)), Tensor: tensor.FromFloat32(v, n)})
	}
	q, err := Quantise(x, Int4)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Encode(q)
	if err != nil {
		t.Fatal(err)
	}
	for j := range q {
		for i, code := range q[j].Codes {
			e := Find(x, j, i)
			if e.In(b[e.Code]) != code || Scale(b[e.Exponent]) != dequantise(1, q[j].Exponents[i/BlockSize]) {
				t.Fatalf("tensor %d, element %d: %+v", j, i, e)
			}
			if p := Locate(e.Code, x); p.Name != x[j].Name || i < p.First || i >= p.First+p.Count {
				t.Fatalf("tensor %d, element %d: %+v", j, i, p)
			}
		}
	}
}

// TestScales compares codes and their values with math.Ldexp, all codes and exponents, and numbers of all sizes.
func TestScales(t *testing.T) {
	for e := -128; e < 128; e++ {
		for c := -128; c < 128; c++ {
			if got, want := dequantise(int8(c), int8(e)), float32(math.Ldexp(float64(c), e)); got != want || math.Signbit(float64(got)) != math.Signbit(float64(want)) {
				t.Fatalf("%d with exponent %d: %v, want %v", c, e, got, want)
			}
		}
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for range 200000 {
		x := math.Float32frombits(rng.Uint32())
		if x != x || math.IsInf(float64(x), 0) {
			continue
		}
		_, k := math.Frexp(float64(x))
		e := max(k-rng.IntN(9), -101)
		if got, want := code(x, reciprocal(e)), int(math.RoundToEven(math.Ldexp(float64(x), -e))); got != want {
			t.Fatalf("%v with exponent %d: %d, want %d", x, e, got, want)
		}
	}
	inf, nan := float32(math.Inf(-1)), float32(math.NaN())
	for _, c := range []struct {
		x    []float32
		want float32
	}{{nil, 0}, {[]float32{-3, 2}, 3}, {[]float32{1, inf}, -inf}, {[]float32{float32(math.Copysign(0, -1))}, 0}} {
		if got := magnitude(c.x); got != c.want {
			t.Errorf("%v: %v", c.x, got)
		}
	}
	for _, bad := range []float32{inf, nan, -inf} {
		if _, err := quantiseBlock(make([]int8, 3), []float32{1, bad, 2}, Int8); !errors.Is(err, ErrRange) || !strings.Contains(err.Error(), "element 1") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
