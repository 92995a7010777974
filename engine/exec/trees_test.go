package exec

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// treeGraph is two stumps on a batch: feature 0 at most 0 (NaN first), feature 1 at most 1 (NaN second).
func treeGraph(rows int, aggregate string) *graph.Builder {
	b := graph.NewBuilder("trees")
	ints := func(name string, list []int32, shape ...int) graph.Ref {
		return b.Initializer(name, tensor.From(list, shape...))
	}
	b.Output("y", b.Op("TreeEnsemble", graph.Attrs{"targets": 2, "aggregate": aggregate}, b.Input("x", tensor.Float32, rows, 2),
		b.Initializer("thresholds", floats(0, 1)), ints("nodes", []int32{0, -1, -2, 1, 1, -3, -4, 0}, 2, 4), ints("roots", []int32{0, 1}, 2),
		ints("starts", []int32{0, 1, 2, 4, 4}, 5), ints("targets", []int32{0, 0, 0, 1}, 4), b.Initializer("weights", floats(1, 2, 10, 100))))
	return b
}

// TestTreeEnsemble checks sums, least and greatest weights; a target without any is 0.
func TestTreeEnsemble(t *testing.T) {
	nan := float32(math.NaN())
	x := shaped(floats(0, 1, 0.5, 1, nan, 2, 0, nan), 4, 2)
	for aggregate, want := range map[string][]float32{
		"SUM": {11, 100, 12, 100, 1, 0, 1, 0}, "MIN": {1, 100, 2, 100, 1, 0, 1, 0}, "MAX": {10, 100, 10, 100, 1, 0, 1, 0},
	} {
		out, err := run(treeGraph(4, aggregate), map[string]*tensor.Tensor{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		if !same(out["y"], shaped(floats(want...), 4, 2)) {
			t.Errorf("%s: %v, want %v", aggregate, out["y"].Float32(), want)
		}
	}
}

// TestTreeRowsAreIndependent: neither the batch nor the number of threads shows in a row.
func TestTreeRowsAreIndependent(t *testing.T) {
	const rows = 1500
	x := random(rand.New(rand.NewPCG(1, 23)), rows, 2)
	for i := 0; i < rows; i += 7 {
		x.Float32()[2*i] = float32(math.NaN())
	}
	var want *tensor.Tensor
	for _, threads := range []int{1, 2, 5} {
		old := runtime.GOMAXPROCS(threads)
		out, err := run(treeGraph(rows, "SUM"), map[string]*tensor.Tensor{"x": x})
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = out["y"]
		} else if !same(want, out["y"]) {
			t.Errorf("%d threads give other bits", threads)
		}
	}
	for _, i := range []int{0, 1, 777, rows - 1} {
		out, err := run(treeGraph(1, "SUM"), map[string]*tensor.Tensor{"x": shaped(floats(x.Float32()[2*i:2*i+2]...), 1, 2)})
		if err != nil {
			t.Fatal(err)
		}
		if !same(out["y"], shaped(floats(want.Float32()[2*i:2*i+2]...), 1, 2)) {
			t.Errorf("row %d alone gives other bits", i)
		}
	}
}
