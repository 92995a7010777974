package exec

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// TestProductsKeepBits: what is joined gives the bits that the operators give alone. Each graph is run twice, the second time with
// every value as an output, which leaves nothing to join.
func TestProductsKeepBits(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	erfGelu := func(b *graph.Builder, x graph.Ref) graph.Ref {
		e := b.Op("Erf", nil, b.Op("Div", nil, x, b.Float(1.4142135)))
		return b.Op("Mul", nil, b.Op("Mul", nil, x, b.Op("Add", nil, e, b.Float(1))), b.Float(0.5))
	}
	tanhGelu := func(b *graph.Builder, x graph.Ref) graph.Ref {
		cube := b.Op("Mul", nil, b.Op("Mul", nil, x, x), x)
		inner := b.Op("Mul", nil, b.Float(0.79788), b.Op("Add", nil, x, b.Op("Mul", nil, b.Float(0.044715), cube)))
		return b.Op("Mul", nil, b.Op("Mul", nil, b.Float(0.5), x), b.Op("Add", nil, b.Float(1), b.Op("Tanh", nil, inner)))
	}
	silu := func(b *graph.Builder, x graph.Ref) graph.Ref { return b.Op("Mul", nil, x, b.Op("Sigmoid", nil, x)) }
	relu := func(b *graph.Builder, x graph.Ref) graph.Ref { return b.Op("Relu", nil, x) }
	reverse := func(b *graph.Builder, x graph.Ref) graph.Ref {
		return b.Op("Div", nil, b.Float(2), b.Op("Sub", nil, b.Float(3), b.Op("Max", nil, x, b.Float(-1))))
	}
	none := func(_ *graph.Builder, x graph.Ref) graph.Ref { return x }
	functions := map[string]func(*graph.Builder, graph.Ref) graph.Ref{"none": none, "erf": erfGelu, "tanh": tanhGelu, "silu": silu, "relu": relu, "reverse": reverse}
	for _, shape := range [][]int{{1, 5, 3}, {1, 64, 96}, {37, 300, 70}, {130, 65, 1030}} {
		m, k, n := shape[0], shape[1], shape[2]
		x, w, bias, rest := random(r, m, k), random(r, k, n), random(r, n), random(r, m, n)
		for name, f := range functions {
			for variant := range 16 {
				build := func(all bool) (*graph.Graph, error) {
					b := graph.NewBuilder(name)
					in := b.Input("x", tensor.Float32, m, k)
					res := b.Input("rest", tensor.Float32, m, n)
					weight := b.Initializer("w", w)
					y := b.Op("MatMul", nil, in, weight)
					if variant&8 != 0 {
						y = b.Op("Gemm", nil, in, weight, b.Initializer("c", bias))
					}
					if variant&1 != 0 {
						y = b.Op("Add", nil, b.Initializer("bias", bias), y)
					}
					if variant&2 != 0 {
						y = b.Op("Add", nil, y, res)
					}
					if variant&4 != 0 {
						y = f(b, y)
					} else {
						y = b.Op("Add", nil, f(b, b.Op("Sub", nil, y, res)), y)
					}
					b.Output("y", y)
					g, err := b.Graph()
					if err == nil && all {
						for _, node := range g.Nodes {
							if node.Outputs[0] != "y" {
								g.Outputs = append(g.Outputs, graph.Value{Name: node.Outputs[0], DType: tensor.Float32, Shape: []int{m, n}})
							}
						}
					}
					return g, err
				}
				var results [2]*tensor.Tensor
				for i := range results {
					g, err := build(i == 1)
					if err != nil {
						t.Fatal(err)
					}
					p, err := Compile(g)
					if err != nil {
						t.Fatal(err)
					}
					if i == 0 && variant == 5 && len(p.steps) != 1 {
						t.Errorf("%s: %d steps for a product, a bias and a function, want 1", name, len(p.steps))
					}
					before := runtime.GOMAXPROCS(1 + variant%2)
					out, err := p.Run(map[string]*tensor.Tensor{"x": x, "rest": rest})
					runtime.GOMAXPROCS(before)
					if err != nil {
						t.Fatal(err)
					}
					results[i] = out["y"]
				}
				if !same(results[0], results[1]) {
					t.Errorf("%s, variant %d, %v: joined operators give other bits", name, variant, shape)
				}
			}
		}
	}
}

// TestBatchedProducts: products of many pairs of matrices give the bits of each pair alone, for every way to broadcast them.
func TestBatchedProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(43, 44))
	const m, k, n = 9, 33, 20
	for _, lead := range [][2][]int{{{40}, {40}}, {{5, 8}, {5, 8}}, {{5, 1}, {5, 8}}, {{1, 8}, {5, 1}}, {{8}, {3, 8}}, {{}, {6}}} {
		a, b := random(r, append(slices.Clone(lead[0]), m, k)...), random(r, append(slices.Clone(lead[1]), k, n)...)
		got := apply(t, "MatMul", 1, nil, a, b)[0]
		shape, _ := graph.Broadcast(lead[0], lead[1])
		sa, sb := broadcastStrides(lead[0], shape), broadcastStrides(lead[1], shape)
		at := contiguous(shape)
		for i := range got.Len() / (m * n) {
			ia, ib := 0, 0
			for axis := range shape {
				index := i / at[axis] % shape[axis]
				ia += index * sa[axis]
				ib += index * sb[axis]
			}
			x := tensor.FromFloat32(a.Float32()[ia*m*k:][:m*k], m, k)
			y := tensor.FromFloat32(b.Float32()[ib*k*n:][:k*n], k, n)
			want := apply(t, "MatMul", 1, nil, x, y)[0]
			if !slices.Equal(want.Bytes(), tensor.FromFloat32(got.Float32()[i*m*n:][:m*n], m, n).Bytes()) {
				t.Fatal(fmt.Sprint(lead), "pair", i, "differs from the product alone")
			}
		}
	}
}
