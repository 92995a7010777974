package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// forest is trees of random shape. Leaves have up to so many weights for random targets, or if most is 0, one for each target.
type forest struct {
	thresholds             []float32
	nodes                  []int32
	roots, starts, targets []int32
	weights                []float32
}

func randomForest(r *rand.Rand, trees, depth, features, targets, most int) *forest {
	f := &forest{}
	thresholds := []float32{-1, 0, float32(math.Copysign(0, -1)), 0.5, 1, 1e-45, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
	var grow func(depth int) int32
	grow = func(depth int) int32 {
		if depth == 0 || r.IntN(8) == 0 {
			f.starts = append(f.starts, int32(len(f.weights)))
			for i := range max(targets, most) {
				to := i // of leaves with a weight for each target
				if most > 0 {
					if to = r.IntN(targets); i > r.IntN(most) {
						break
					}
				}
				if to < targets {
					f.targets, f.weights = append(f.targets, int32(to)), append(f.weights, float32(r.NormFloat64()))
				}
			}
			return -int32(len(f.starts))
		}
		at := len(f.thresholds)
		f.thresholds = append(f.thresholds, thresholds[r.IntN(len(thresholds))])
		f.nodes = append(f.nodes, int32(r.IntN(features)), 0, 0, int32(r.IntN(2)))
		f.nodes[4*at+1] = grow(depth - 1)
		f.nodes[4*at+2] = grow(depth - 1)
		return int32(at)
	}
	for range trees {
		f.roots = append(f.roots, grow(depth))
	}
	f.starts = append(f.starts, int32(len(f.weights)))
	return f
}

// expected follows the text of spec/numerics.md §14, one row and one node at a time.
func (f *forest) expected(x []float32, targets int, combine Combine) []float32 {
	infinity := float32(math.Inf(1))
	out := make([]float32, targets)
	for i := range out {
		out[i] = [...]float32{0, infinity, -infinity}[combine]
	}
	for _, at := range f.roots {
		for at >= 0 {
			n := f.nodes[4*at : 4*at+4]
			v := x[n[0]]
			switch {
			case math.IsNaN(float64(v)):
				at = n[2-n[3]]
			case v <= f.thresholds[at]:
				at = n[1]
			default:
				at = n[2]
			}
		}
		for i := f.starts[-1-at]; i < f.starts[-at]; i++ {
			to := &out[f.targets[i]]
			switch w := f.weights[i]; {
			case combine == TreeSum:
				*to += w
			case (combine == TreeMin) == (w < *to):
				*to = w
			}
		}
	}
	for i, v := range out {
		if combine != TreeSum && math.IsInf(float64(v), 0) {
			out[i] = 0
		}
	}
	return out
}

// TestTrees compares every number of rows up to 67 with the text of the standard, with and without NaN among the features.
func TestTrees(t *testing.T) { each(t, testTrees) }

func testTrees(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 21))
	values := []float32{-2, -1, 0, float32(math.Copysign(0, -1)), 0.25, 0.5, 1, 2, 1e-45, float32(math.Inf(1)), float32(math.Inf(-1))}
	for rows := range 68 {
		features, targets, most := 1+r.IntN(9), 1+r.IntN(3), 1+r.IntN(3)
		if rows%3 == 0 {
			most = 0
		}
		f := randomForest(r, 1+r.IntN(20), r.IntN(7), features, targets, most)
		if rows%2 == 1 {
			values = append(values[:11], float32(math.NaN()))
		} else {
			values = values[:11]
		}
		x := make([]float32, rows*features)
		for i := range x {
			x[i] = values[r.IntN(len(values))]
		}
		for _, combine := range []Combine{TreeSum, TreeMin, TreeMax} {
			trees := NewTrees(f.thresholds, f.nodes, f.roots, f.starts, f.targets, f.weights, targets, combine)
			got := make([]float32, rows*targets)
			trees.Predict(got, x, rows, features, make([]float32, TreesScratch(rows, features)))
			for i := range rows {
				want := f.expected(x[i*features:(i+1)*features], targets, combine)
				for j, w := range want {
					if g := got[i*targets+j]; math.Float32bits(g) != math.Float32bits(w) {
						t.Fatalf("row %d of %d, target %d, combine %d: %v, want %v", i, rows, j, combine, g, w)
					}
				}
			}
		}
	}
}

func BenchmarkTrees(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 22))
	const rows, features = 256, 28
	f := &forest{}
	var grow func(depth int) int32
	grow = func(depth int) int32 {
		if depth == 0 {
			f.starts = append(f.starts, int32(len(f.weights)))
			f.targets, f.weights = append(f.targets, 0), append(f.weights, float32(r.NormFloat64()))
			return -int32(len(f.starts))
		}
		at := len(f.thresholds)
		f.thresholds, f.nodes = append(f.thresholds, float32(r.NormFloat64())), append(f.nodes, int32(r.IntN(features)), 0, 0, 0)
		f.nodes[4*at+1] = grow(depth - 1)
		f.nodes[4*at+2] = grow(depth - 1)
		return int32(at)
	}
	for range 100 {
		f.roots = append(f.roots, grow(6))
	}
	f.starts = append(f.starts, int32(len(f.weights)))
	trees := NewTrees(f.thresholds, f.nodes, f.roots, f.starts, f.targets, f.weights, 1, TreeSum)
	x, y, scratch := make([]float32, rows*features), make([]float32, rows), make([]float32, TreesScratch(rows, features))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	b.ResetTimer()
	for range b.N {
		trees.Predict(y, x, rows, features, scratch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(rows*100*6), "ns/node")
}
