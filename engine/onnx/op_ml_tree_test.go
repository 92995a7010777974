package onnx

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// stumpAttrs is a tree of one comparison of feature 0: 1 if it holds, else 0.
func stumpAttrs(mode string, value float32, nanTrue int64) map[string]any {
	return map[string]any{
		"nodes_treeids": []int64{4, 4, 4}, "nodes_nodeids": []int64{0, 1, 2}, "nodes_featureids": []int64{0, 0, 0}, "nodes_values": []float32{value, 0, 0},
		"nodes_modes": []string{mode, "LEAF", "LEAF"}, "nodes_truenodeids": []int64{1, 0, 0}, "nodes_falsenodeids": []int64{2, 0, 0},
		"nodes_missing_value_tracks_true": []int64{nanTrue, 0, 0}, "n_targets": 1,
		"target_treeids": []int64{4, 4}, "target_nodeids": []int64{1, 2}, "target_ids": []int64{0, 0}, "target_weights": []float32{1, 0},
	}
}

// TestTreeModes: every comparison, written as "at most", holds where it should, at the ends of binary32 and next to zero too.
func TestTreeModes(t *testing.T) {
	inf := float32(math.Inf(1))
	nan := float32(math.NaN())
	negativeZero := float32(math.Copysign(0, -1))
	values := []float32{-inf, -math.MaxFloat32, -1, -math.SmallestNonzeroFloat32, negativeZero, 0, math.SmallestNonzeroFloat32, 0.1, 1, math.MaxFloat32, inf, nan}
	for name, holds := range map[string]func(x, v float32) bool{
		"BRANCH_LEQ": func(x, v float32) bool { return x <= v }, "BRANCH_LT": func(x, v float32) bool { return x < v },
		"BRANCH_GTE": func(x, v float32) bool { return x >= v }, "BRANCH_GT": func(x, v float32) bool { return x > v },
		"BRANCH_EQ": func(x, v float32) bool { return x == v }, "BRANCH_NEQ": func(x, v float32) bool { return x != v },
	} {
		for _, v := range values {
			for _, nanTrue := range []int64{0, 1} {
				x := tensor.FromFloat32(slices.Clone(values), len(values), 1)
				out, _ := evaluateML(t, "TreeEnsembleRegressor", stumpAttrs(name, v, nanTrue), x, map[string]int64{"y": 1})
				for i, got := range out["y"].Float32() {
					want := float32(0)
					if holds(values[i], v) || nanTrue == 1 && values[i] != values[i] {
						want = 1
					}
					if got != want {
						t.Errorf("%v %s %v, NaN holds %d: %v, want %v", values[i], name, v, nanTrue, got, want)
					}
				}
			}
		}
	}
}

// TestWideThresholds: a threshold of float64 between two float32 divides them as it would divide float64.
func TestWideThresholds(t *testing.T) {
	low := float32(0.1)
	high := math.Nextafter32(low, 1)
	for _, c := range []struct {
		m    mode
		v    float64
		want float32
	}{
		{atMost, float64(low) + 1e-10, low}, {atMost, float64(high) - 1e-12, low}, {greater, float64(high) - 1e-12, low},
		{below, float64(low) + 1e-12, high}, {atLeast, float64(low) + 1e-12, high}, {below, float64(low), low}, {equal, float64(low), low},
		{atMost, 1e300, math.MaxFloat32}, {below, -1e300, -math.MaxFloat32},
	} {
		if got := c.m.threshold(c.v); got != c.want {
			t.Errorf("mode %d, %v: %v, want %v", c.m, c.v, got, c.want)
		}
	}
	if got := equal.threshold(float64(low) + 1e-10); got == got {
		t.Errorf("a number that is no float32 equals %v", got)
	}
}

// TestTreeAggregates: what is done with several trees, base values and one leaf alone.
func TestTreeAggregates(t *testing.T) {
	attrs := map[string]any{
		"nodes_treeids": []int64{0, 1, 1, 1}, "nodes_nodeids": []int64{0, 5, 6, 7}, "nodes_featureids": []int64{0, 1, 0, 0}, "nodes_values": []float32{0, 2, 0, 0},
		"nodes_modes": []string{"LEAF", "BRANCH_LEQ", "LEAF", "LEAF"}, "nodes_truenodeids": []int64{0, 6, 0, 0}, "nodes_falsenodeids": []int64{0, 7, 0, 0},
		"n_targets": 2, "base_values": []float32{0.5, 0.25},
		"target_treeids": []int64{0, 1, 1, 1}, "target_nodeids": []int64{0, 6, 7, 7}, "target_ids": []int64{0, 0, 0, 1}, "target_weights": []float32{8, 2, -4, 6},
	}
	x := tensor.FromFloat32([]float32{0, 2, 0, 3}, 2, 2)
	for aggregate, want := range map[string][]float32{
		"SUM": {10.5, 0.25, 4.5, 6.25}, "AVERAGE": {5.5, 0.25, 2.5, 3.25}, "MIN": {2.5, 0.25, -3.5, 6.25}, "MAX": {8.5, 0.25, 8.5, 6.25},
	} {
		attrs["aggregate_function"] = aggregate
		out, _ := evaluateML(t, "TreeEnsembleRegressor", attrs, x, map[string]int64{"y": 1})
		if got := out["y"].Float32(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", aggregate, got, want)
		}
	}
}

// TestTreeEnsemble5 reads the operator of set 5, with a node that asks whether a feature is one of a set.
func TestTreeEnsemble5(t *testing.T) {
	nan := float32(math.NaN())
	attrs := map[string]any{
		"aggregate_function": 1, "post_transform": 0, "n_targets": 2, "tree_roots": []int64{0},
		"nodes_featureids": []int64{0, 0, 0}, "nodes_truenodeids": []int64{1, 0, 1}, "nodes_trueleafs": []int64{0, 1, 1},
		"nodes_falsenodeids": []int64{2, 2, 3}, "nodes_falseleafs": []int64{0, 1, 1}, "leaf_targetids": []int64{0, 1, 0, 1},
		"nodes_modes": tensor.From([]uint8{0, 0, 6}, 3), "nodes_splits": tensor.FromFloat32([]float32{3.14, 1.2, 4.2}, 3),
		"leaf_weights": tensor.FromFloat32([]float32{5.23, 12.12, -12.23, 7.21}, 4), "membership_values": tensor.FromFloat32([]float32{1.2, 3.7, 8, 9, nan}, 5),
	}
	x := tensor.FromFloat32([]float32{1.2, 3.4, -0.12, 1.66, 4.14, 1.77, 8, 3.7}, 8, 1)
	out, _ := evaluateML(t, "TreeEnsemble", attrs, x, map[string]int64{"y": 1})
	want := []float32{5.23, 0, 0, 7.21, 5.23, 0, -12.23, 0, 0, 7.21, -12.23, 0, 0, 12.12, 0, 12.12}
	if got := out["y"].Float32(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestTreeClassifier: one sum serves two classes; of more classes the greatest sum wins.
func TestTreeClassifier(t *testing.T) {
	attrs := stumpAttrs("BRANCH_LEQ", 1, 0)
	for _, name := range []string{"treeids", "nodeids", "ids", "weights"} {
		attrs["class_"+name] = attrs["target_"+name]
		delete(attrs, "target_"+name)
	}
	delete(attrs, "n_targets")
	attrs["class_weights"] = []float32{0.75, 0.25}
	x := tensor.FromFloat32([]float32{0, 2}, 2, 1)
	for _, c := range []struct {
		change map[string]any
		labels []int64
		scores []float32
	}{
		{map[string]any{"classlabels_int64s": []int64{7, 8}}, []int64{8, 7}, []float32{0.25, 0.75, 0.75, 0.25}},
		{map[string]any{"class_weights": []float32{0.25, -0.25}}, []int64{8, 7}, []float32{-0.25, 0.25, 0.25, -0.25}},
		{map[string]any{"post_transform": "LOGISTIC", "class_weights": []float32{0, -40}}, []int64{7, 7}, []float32{0.5, 0.5, 1, 4.2483542e-18}},
		{map[string]any{"classlabels_int64s": []int64{7, 8, 9}, "class_ids": []int64{2, 1}, "post_transform": "NONE", "class_weights": []float32{1, 2}}, []int64{9, 8}, []float32{0, 0, 1, 0, 2, 0}},
	} {
		for name, v := range c.change {
			attrs[name] = v
		}
		out, _ := evaluateML(t, "TreeEnsembleClassifier", attrs, x, map[string]int64{"label": 7, "scores": 1})
		if got := out["label"].Int64(); !slices.Equal(got, c.labels) {
			t.Errorf("%v: labels %v, want %v", c.change, got, c.labels)
		}
		if got := out["scores"].Float32(); !slices.Equal(got, c.scores) {
			t.Errorf("%v: scores %v, want %v", c.change, got, c.scores)
		}
	}
}

// TestHostileTrees: what is no tree is an error that says where.
func TestHostileTrees(t *testing.T) {
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"nodes_truenodeids", []int64{0, 0, 0}, "root"},
		{"nodes_truenodeids", []int64{9, 0, 0}, "children 9"},
		{"nodes_falsenodeids", []int64{1, 0, 0}, "two roots"},
		{"nodes_treeids", []int64{4, 4}, "nodes"},
		{"nodes_nodeids", []int64{0, 1, 1}, "twice"},
		{"nodes_featureids", []int64{-1, 0, 0}, "feature -1"},
		{"nodes_featureids", []int64{9, 0, 0}, "feature 9 of 1"},
		{"nodes_modes", []string{"BRANCH_MAYBE", "LEAF", "LEAF"}, "BRANCH_MAYBE"},
		{"target_ids", []int64{0, 1}, "target 1 of 1"},
		{"target_nodeids", []int64{1, 7}, "node 7"},
		{"target_weights", []float32{1}, "1 weights"},
		{"n_targets", 1 << 30, "targets"},
		{"base_values", []float32{1, 2, 3}, "base values"},
	} {
		attrs := stumpAttrs("BRANCH_LEQ", 1, 0)
		attrs[c.name] = c.value
		m, err := Load(mlModel("TreeEnsembleRegressor", attrs, []graph.Value{{Name: "x", DType: tensor.Float32, Shape: []int{1, 1}}}, map[string]int64{"y": 1}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Specialise(nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: error %v, want one with %q", c.name, c.value, err, c.want)
		}
	}
}
