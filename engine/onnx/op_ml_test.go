package onnx

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// mlAttr writes an attribute of the kinds that classical models have.
func mlAttr(name string, value any) []byte {
	var a writer
	a.text(1, name)
	kind := int64(0)
	switch v := value.(type) {
	case float32:
		a.float(2, v)
		kind = kindFloat
	case int:
		a.number(3, int64(v))
		kind = kindInt
	case string:
		a.text(4, v)
		kind = kindString
	case []float32:
		for _, x := range v {
			a.float(7, x)
		}
		kind = kindFloats
	case []int64:
		for _, x := range v {
			a.number(8, x)
		}
		kind = kindInts
	case []string:
		for _, x := range v {
			a.text(9, x)
		}
		kind = kindStrings
	case *tensor.Tensor:
		a.bytes(5, WriteTensor(tensor.Named{Tensor: v}))
		kind = kindTensor
	}
	a.number(20, kind)
	return a
}

// mlModel is a file of one classical operator. An output's type of 8 declares strings.
func mlModel(op string, attrs map[string]any, inputs []graph.Value, outputs map[string]int64) []byte {
	var n, g, w writer
	for _, v := range inputs {
		n.text(1, v.Name)
	}
	var names []string
	for name := range outputs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		n.text(2, name)
	}
	n.text(4, op)
	for name, value := range attrs {
		n.bytes(5, mlAttr(name, value))
	}
	n.text(7, mlDomain)
	g.bytes(1, n)
	for _, v := range inputs {
		g.bytes(11, saveValue(v))
	}
	for _, name := range names {
		var typed, kind, out writer
		typed.number(1, outputs[name])
		kind.bytes(1, typed)
		out.text(1, name)
		out.bytes(2, kind)
		g.bytes(12, out)
	}
	w.number(1, 8)
	w.bytes(7, g)
	w.bytes(8, saveOpset(mlDomain, 3))
	return w
}

// evaluateML runs a classical operator on one input.
func evaluateML(t *testing.T, op string, attrs map[string]any, x *tensor.Tensor, outputs map[string]int64) (map[string]*tensor.Tensor, *Model) {
	t.Helper()
	m, err := Load(mlModel(op, attrs, []graph.Value{{Name: "x", DType: x.DType(), Shape: x.Shape()}}, outputs))
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Specialise(nil)
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	return compute(t, g, map[string]*tensor.Tensor{"x": x}), m
}

// TestTransformations checks the operators that prepare features, on values that can be worked out by hand.
func TestTransformations(t *testing.T) {
	nan := float32(math.NaN())
	rows := tensor.FromFloat32([]float32{3, -4, 0, 0}, 2, 2)
	for _, c := range []struct {
		op    string
		attrs map[string]any
		in    *tensor.Tensor
		want  []float32
	}{
		{"Scaler", map[string]any{"offset": []float32{1, 2}, "scale": []float32{10, 0.5}}, rows, []float32{20, -3, -10, -1}},
		{"Scaler", map[string]any{"offset": []float32{1}, "scale": []float32{2}}, tensor.FromInt64([]int64{5, 7}, 2), []float32{8, 12}},
		{"Normalizer", map[string]any{"norm": "L1"}, rows, []float32{float32(3) / 7, float32(-4) / 7, 0, 0}},
		{"Normalizer", map[string]any{"norm": "L2"}, rows, []float32{0.6, -0.8, 0, 0}},
		{"Normalizer", nil, rows, []float32{1, float32(-4) / 3, 0, 0}},
		{"Imputer", map[string]any{"imputed_value_floats": []float32{7, 8}, "replaced_value_float": nan}, tensor.FromFloat32([]float32{nan, 1, 2, nan}, 2, 2), []float32{7, 1, 2, 8}},
		{"Imputer", map[string]any{"imputed_value_floats": []float32{9}, "replaced_value_float": float32(0)}, rows, []float32{3, -4, 9, 9}},
		{"Binarizer", map[string]any{"threshold": float32(2)}, rows, []float32{1, 0, 0, 0}},
		{"OneHotEncoder", map[string]any{"cats_int64s": []int64{5, 9}}, tensor.FromInt64([]int64{9, 4, 5}, 3), []float32{0, 1, 0, 0, 1, 0}},
		{"LabelEncoder", map[string]any{"keys_int64s": []int64{4, 1 << 50}, "values_floats": []float32{1, 2}, "default_float": float32(-3)}, tensor.FromInt64([]int64{1 << 50, 4, 5}, 3), []float32{2, 1, -3}},
		{"LabelEncoder", map[string]any{"keys_floats": []float32{nan, 2, 2}, "values_floats": []float32{1, 2, 3}}, tensor.FromFloat32([]float32{2, nan, 5}, 3), []float32{2, 1, float32(math.Copysign(0, -1))}},
		{"LinearRegressor", map[string]any{"coefficients": []float32{1, 2, 3, 4}, "intercepts": []float32{10, 20}, "targets": 2}, rows, []float32{5, 13, 10, 20}},
		{"SVMRegressor", map[string]any{"kernel_type": "POLY", "kernel_params": []float32{1, 2, 2}, "n_supports": 1, "support_vectors": []float32{1, 1}, "coefficients": []float32{3}, "rho": []float32{0.5}}, rows, []float32{3.5, 12.5}},
	} {
		out, _ := evaluateML(t, c.op, c.attrs, c.in, map[string]int64{"y": 1})
		if got := out["y"].Float32(); !slices.Equal(got, c.want) {
			t.Errorf("%s %v: %v, want %v", c.op, c.attrs, got, c.want)
		}
	}
}

// TestStrings: strings go in and come out by number.
func TestStrings(t *testing.T) {
	text := graph.Value{Name: "x", DType: 8, Shape: []int{3}}
	attrs := map[string]any{"keys_strings": []string{"dog", "cat"}, "values_strings": []string{"Hund", "Katze"}, "default_string": "?"}
	m, err := Load(mlModel("LabelEncoder", attrs, []graph.Value{text}, map[string]int64{"y": 8}))
	if err != nil {
		t.Fatal(err)
	}
	if in, out := m.Inputs()[0], m.Outputs()[0]; in.Element != String || in.DType != tensor.Int64 || out.Element != String {
		t.Errorf("input %+v, output %+v", in, out)
	}
	g, err := m.Specialise(nil)
	if err != nil {
		t.Fatal(err)
	}
	words := m.Vocabulary()
	out := compute(t, g, map[string]*tensor.Tensor{"x": words.Encode([]string{"cat", "cow", "dog"}, 3)})
	if got, err := words.Decode(out["y"]); err != nil || !slices.Equal(got, []string{"Katze", "?", "Hund"}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := words.Decode(tensor.FromInt64([]int64{unknownWord}, 1)); err == nil {
		t.Error("a string that the model does not contain was decoded")
	}
	m, err = Load(mlModel("Scaler", map[string]any{"offset": []float32{0}, "scale": []float32{1}}, []graph.Value{text}, map[string]int64{"y": 1}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Specialise(nil); err == nil || !strings.Contains(err.Error(), "strings") {
		t.Errorf("scaling strings: error %v", err)
	}
}

// TestUnknownCategory: with zeros 0 an unknown category is an error of the run, as ONNX says.
func TestUnknownCategory(t *testing.T) {
	x := []graph.Value{{Name: "x", DType: tensor.Int64, Shape: []int{1}}}
	m, err := Load(mlModel("OneHotEncoder", map[string]any{"cats_int64s": []int64{1, 2}, "zeros": 0}, x, map[string]int64{"y": 1}))
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Specialise(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := exec.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[int64]bool{2: true, 3: false} {
		if _, err := p.Run(map[string]*tensor.Tensor{"x": tensor.FromInt64([]int64{v}, 1)}); (err == nil) != want {
			t.Errorf("category %d: error %v", v, err)
		}
	}
}

// TestClassifiers checks labels and scores: of equal scores the first class wins, one score serves two classes.
func TestClassifiers(t *testing.T) {
	x := tensor.FromFloat32([]float32{1, 0, 0, 1, -1, 0}, 3, 2)
	for _, c := range []struct {
		op     string
		attrs  map[string]any
		labels []int64
		scores []float32
	}{
		{"LinearClassifier", map[string]any{"coefficients": []float32{1, 0, 1, 0, 0, 1}, "intercepts": []float32{0, 0, 0}, "classlabels_ints": []int64{7, 8, 9}},
			[]int64{7, 9, 9}, []float32{1, 1, 0, 0, 0, 1, -1, -1, 0}},
		{"LinearClassifier", map[string]any{"coefficients": []float32{1, 0.5}, "intercepts": []float32{0}, "classlabels_ints": []int64{7, 8}},
			[]int64{8, 8, 7}, []float32{0, 1, 0.5, 0.5, 2, -1}},
		{"SVMClassifier", map[string]any{"kernel_type": "LINEAR", "vectors_per_class": []int64{1, 1}, "support_vectors": []float32{1, 0, 0, 1}, "coefficients": []float32{1, -1}, "rho": []float32{0.25}, "classlabels_ints": []int64{7, 8}},
			[]int64{7, 8, 8}, []float32{-1.25, 1.25, 0.75, -0.75, 0.75, -0.75}},
	} {
		out, _ := evaluateML(t, c.op, c.attrs, x, map[string]int64{"label": 7, "scores": 1})
		if got := out["label"].Int64(); !slices.Equal(got, c.labels) {
			t.Errorf("%s: labels %v, want %v", c.op, got, c.labels)
		}
		if got := out["scores"].Float32(); !slices.Equal(got, c.scores) {
			t.Errorf("%s: scores %v, want %v", c.op, got, c.scores)
		}
	}
}

// TestCoupling: probabilities of pairs that come from probabilities of classes give those back, and rows do not depend on their neighbours.
func TestCoupling(t *testing.T) {
	attrs := map[string]any{"kernel_type": "RBF", "kernel_params": []float32{0.5, 0, 0}, "vectors_per_class": []int64{1, 1, 1}, "support_vectors": []float32{0, 0, 3, 0, 0, 3},
		"coefficients": []float32{1, -1, -1, 1, 1, -1}, "rho": []float32{0, 0, 0}, "prob_a": []float32{-3, -3, -3}, "prob_b": []float32{0, 0, 0}, "classlabels_ints": []int64{0, 1, 2}}
	rows := []float32{0, 0, 3, 0, 0, 3, 1, 1}
	all, _ := evaluateML(t, "SVMClassifier", attrs, tensor.FromFloat32(rows, 4, 2), map[string]int64{"label": 7, "scores": 1})
	for i := range 4 {
		p := all["scores"].Float32()[3*i : 3*i+3]
		if sum := p[0] + p[1] + p[2]; math.Abs(float64(sum-1)) > 1e-6 {
			t.Errorf("row %d: probabilities %v", i, p)
		}
		if i < 3 && (p[i] < 0.6 || all["label"].Int64()[i] != int64(i)) {
			t.Errorf("row %d, on the support vector of its class: label %d, probabilities %v", i, all["label"].Int64()[i], p)
		}
		single, _ := evaluateML(t, "SVMClassifier", attrs, tensor.FromFloat32(rows[2*i:2*i+2], 1, 2), map[string]int64{"label": 7, "scores": 1})
		if !slices.Equal(single["scores"].Float32(), p) {
			t.Errorf("row %d alone: %v, in a batch %v", i, single["scores"].Float32(), p)
		}
	}
}

// TestMaps: a map is a row of numbers in the order of its keys, which the model's border names.
func TestMaps(t *testing.T) {
	x := tensor.FromFloat32([]float32{0.25, 0.75}, 1, 2)
	out, m := evaluateML(t, "ZipMap", map[string]any{"classlabels_strings": []string{"no", "yes"}}, x, map[string]int64{"y": 1})
	if got := out["y"].Float32(); !slices.Equal(got, x.Float32()) || !slices.Equal(m.Outputs()[0].Keys, []string{"no", "yes"}) {
		t.Errorf("ZipMap gives %v with keys %q", got, m.Outputs()[0].Keys)
	}
	m, err := Load(mlModel("DictVectorizer", map[string]any{"int64_vocabulary": []int64{7, -3}}, []graph.Value{{Name: "x"}}, map[string]int64{"y": 1}))
	if err != nil {
		t.Fatal(err)
	}
	in := m.Inputs()[0]
	if !slices.Equal(in.Keys, []string{"7", "-3"}) || in.DType != tensor.Float32 || len(in.Dims) != 2 || in.Dims[1].Size != 2 {
		t.Errorf("the input of a DictVectorizer is %+v", in)
	}
	g, err := m.Specialise(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := compute(t, g, map[string]*tensor.Tensor{"x": x})["y"].Float32(); !slices.Equal(got, x.Float32()) {
		t.Errorf("DictVectorizer gives %v", got)
	}
}
