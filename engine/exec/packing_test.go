package exec

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// TestConstantFactors: a product gives the same bits whether its right factor is fed or an initializer, which is packed;
// plain, transposed by a node or by an attribute, and read twice in different ways.
func TestConstantFactors(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for _, s := range [][]int{{1, 300, 161}, {5, 16, 16}, {33, 257, 40}, {2, 8, 3}} {
		m, k, n := s[0], s[1], s[2]
		x, w, square, bias := random(r, 2, m, k), random(r, k, n), random(r, k, k), random(r, n)
		var results [2]map[string]*tensor.Tensor
		for constant := range 2 {
			b := graph.NewBuilder("products")
			feed := map[string]*tensor.Tensor{"x": x}
			weight := func(name string, t *tensor.Tensor) graph.Ref {
				if constant == 1 {
					return b.Initializer(name, t)
				}
				feed[name] = t
				return b.Input(name, t.DType(), t.Shape()...)
			}
			in := b.Input("x", tensor.Float32, 2, m, k)
			rows := b.Op("Reshape", nil, in, b.Ints(2*m, k))
			weights, turned := weight("w", w), weight("square", square)
			b.Output("plain", b.Op("MatMul", nil, in, weights))
			b.Output("once", b.Op("MatMul", nil, in, turned))
			b.Output("turned", b.Op("MatMul", nil, in, b.Op("Transpose", graph.Attrs{"perm": []int{1, 0}}, turned)))
			b.Output("gemm", b.Op("Gemm", graph.Attrs{"alpha": float32(0.3), "beta": float32(3)}, rows, weights, weight("bias", bias)))
			b.Output("gemmTurned", b.Op("Gemm", graph.Attrs{"transB": 1}, rows, turned))
			out, err := run(b, feed)
			if err != nil {
				t.Fatal(err)
			}
			results[constant] = out
		}
		for name, fed := range results[0] {
			if !slices.Equal(fed.Bytes(), results[1][name].Bytes()) {
				t.Errorf("%s of %s differs if the weights are initializers", name, fmt.Sprint(s))
			}
		}
		if slices.Equal(results[1]["once"].Bytes(), results[1]["turned"].Bytes()) {
			t.Errorf("%v: a matrix and its transpose give one product", s)
		}
	}
}
