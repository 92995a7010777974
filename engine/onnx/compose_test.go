package onnx

import (
	"math"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// evaluate runs a model of one node on its only input.
func evaluate(t *testing.T, op string, attrs []graph.Attr, x []float32) []float32 {
	t.Helper()
	m, err := Load(file(18, nodeOf(op, attrs, "x"), []graph.Value{{Name: "x", DType: tensor.Float32, Shape: []int{len(x)}}}, "y"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Specialise(nil)
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	return compute(t, g, map[string]*tensor.Tensor{"x": tensor.FromFloat32(x, len(x))})["y"].Float32()
}

// TestCompositions compares functions that are composed with binary64, over all magnitudes and at the ends of their domains. The bound is
// in units of 2^-23 of the result; below 2^-126 an absolute error is allowed.
func TestCompositions(t *testing.T) {
	inf := math.Inf(1)
	all := []float64{0, math.Copysign(0, -1), inf, -inf, math.NaN()}
	for e := -130; e <= 127; e += 3 {
		for _, f := range []float64{1, 1.2345, 1.75} {
			all = append(all, math.Ldexp(f, e), -math.Ldexp(f, e))
		}
	}
	for i := -40; i <= 40; i++ {
		all = append(all, float64(i)/8, float64(i)/41)
	}
	softplus := func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	for _, c := range []struct {
		op   string
		want func(float64) float64
		in   func(float64) bool
		ulps float64
	}{
		{"Atan", math.Atan, nil, 4},
		{"Asin", math.Asin, func(x float64) bool { return math.Abs(x) <= 1 }, 8},
		{"Acos", math.Acos, func(x float64) bool { return math.Abs(x) <= 1 }, 8},
		{"Sinh", math.Sinh, func(x float64) bool { return math.Abs(x) < 80 }, 40},
		{"Cosh", math.Cosh, func(x float64) bool { return math.Abs(x) < 80 }, 40},
		{"Asinh", math.Asinh, func(x float64) bool { return math.Abs(x) < 1e30 }, 8},
		{"Acosh", math.Acosh, func(x float64) bool { return x >= 1 && x < 1e30 }, 8},
		{"Atanh", math.Atanh, func(x float64) bool { return math.Abs(x) < 1 }, 8},
		{"Floor", math.Floor, nil, 0}, {"Ceil", math.Ceil, nil, 0}, {"Round", math.RoundToEven, nil, 0},
		{"Softplus", softplus, func(x float64) bool { return x > -60 }, 4},
	} {
		var in []float32
		for _, x := range all {
			if c.in == nil || c.in(x) {
				in = append(in, float32(x))
			}
		}
		for i, got := range evaluate(t, c.op, nil, in) {
			want := c.want(float64(in[i]))
			d := math.Abs(float64(got) - want)
			if float64(got) == want || got != got && want != want {
				continue
			}
			if !(d <= c.ulps*math.Abs(want)*0x1p-23 || c.ulps > 0 && d < 0x1p-125) {
				t.Errorf("%s(%v) is %v, want %v", c.op, in[i], got, want)
			}
		}
	}
}

// TestSmallFileMakesLittle: what a few bytes ask for is refused before memory is taken.
func TestSmallFileMakesLittle(t *testing.T) {
	x := []graph.Value{{Name: "x", DType: tensor.Float32, Shape: []int{1, 1, 1 << 14, 1 << 14}}}
	shape := tensor.Named{Name: "s", Tensor: tensor.FromInt64([]int64{1 << 28}, 1)}
	for op, model := range map[string][]byte{
		"MaxUnpool":       file(18, nodeOf("MaxUnpool", nil, "x", "x"), x, "y"),
		"GatherElements":  file(18, nodeOf("GatherElements", nil, "x", "x"), x, "y"),
		"ConstantOfShape": file(18, nodeOf("ConstantOfShape", nil, "s"), nil, "y", shape),
	} {
		m, err := Load(model)
		if err != nil {
			t.Fatal(err)
		}
		g, err := m.Specialise(nil)
		if err != nil {
			continue
		}
		held := 0
		for _, c := range g.Initializers {
			held += c.Tensor.Len()
		}
		if held > madeLimit {
			t.Errorf("%s: a file of %d bytes makes %d elements of constants", op, len(model), held)
		}
	}
}
