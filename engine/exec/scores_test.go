package exec

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// TestScoresKeepBits: attention written out as products gives the bits that the operators give alone. Each graph is run twice, the second
// time with every value as an output, which leaves nothing to join.
func TestScoresKeepBits(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	const d, dv = 16, 24
	for _, c := range []struct{ batch, heads, queries, keys int }{{2, 3, 1, 70}, {1, 2, 5, 9}, {2, 2, 130, 40}, {1, 4, 9, 300}} {
		full := []int{c.batch, c.heads, c.queries, c.keys}
		for variant := range 32 {
			build := func(all bool) (*graph.Graph, map[string]*tensor.Tensor) {
				b := graph.NewBuilder("attention")
				r := rand.New(rand.NewPCG(uint64(variant), 63))
				feed := map[string]*tensor.Tensor{}
				in := func(name string, x *tensor.Tensor) graph.Ref {
					feed[name] = x
					return b.Input(name, x.DType(), x.Shape()...)
				}
				q := in("q", random(r, c.batch, c.heads, c.queries, d))
				var k graph.Ref
				if variant&1 != 0 {
					k = in("k", random(r, c.batch, c.heads, d, c.keys))
				} else {
					k = b.Op("Transpose", graph.Attrs{"perm": []int{0, 1, 3, 2}}, in("k", random(r, c.batch, c.heads, c.keys, d)))
				}
				v := in("v", random(r, c.batch, c.heads, c.keys, dv))
				s := b.Op("MatMul", nil, q, k)
				if variant&2 != 0 {
					s = b.Op("Div", nil, s, b.Float(3))
				} else {
					s = b.Op("Mul", nil, b.Float(0.3), s)
				}
				if variant&4 != 0 {
					keep := tensor.New(tensor.Bool, c.queries, c.keys)
					for i := range keep.Bool() {
						keep.Bool()[i] = r.IntN(3) > 0
					}
					s = b.Op("Where", nil, in("keep", keep), s, b.Float(-1e30))
				}
				if variant&8 != 0 {
					s = b.Op("Add", nil, s, in("mask", random(r, c.batch, 1, 1, c.keys)))
				}
				if variant&16 != 0 {
					s = b.Op("Add", nil, in("bias", random(r, 1, c.heads, c.queries, 1)), s)
				}
				b.Output("y", b.Op("MatMul", nil, b.Op("Softmax", nil, s), v))
				g, err := b.Graph()
				if err != nil {
					t.Fatal(err)
				}
				for i, node := range g.Nodes {
					if last := len(g.Nodes) - 2; all && i < last && node.Op != "Transpose" { // then come a product and its name
						g.Outputs = append(g.Outputs, graph.Value{Name: node.Outputs[0], DType: tensor.Float32, Shape: full})
					}
				}
				return g, feed
			}
			var results [2]*tensor.Tensor
			for i := range results {
				g, feed := build(i == 1)
				p, err := Compile(g)
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 && len(p.steps) != 1 {
					t.Errorf("%+v, variant %d: %d steps, want 1", c, variant, len(p.steps))
				}
				before := runtime.GOMAXPROCS(1 + r.IntN(2))
				out, err := p.Run(feed)
				runtime.GOMAXPROCS(before)
				if err != nil {
					t.Fatal(err)
				}
				results[i] = out["y"]
			}
			if !same(results[0], results[1]) {
				t.Errorf("%s, variant %d: joined attention gives other bits", fmt.Sprint(full), variant)
			}
		}
	}
}
