package exec

import (
	"math/rand/v2"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// TestOptimize: random graphs of which some inputs have become initializers give the same bits with fewer nodes.
func TestOptimize(t *testing.T) {
	fewer := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 71))
		g, feed, err := randomGraph(r)
		if err != nil {
			t.Fatal(err)
		}
		var inputs []graph.Value
		for _, v := range g.Inputs {
			if r.IntN(2) == 0 {
				g.Initializers = append(g.Initializers, tensor.Named{Name: v.Name, Tensor: feed[v.Name]})
				delete(feed, v.Name)
			} else {
				inputs = append(inputs, v)
			}
		}
		g.Inputs = inputs
		before := string(graph.Encode(g))
		o, err := Optimize(g)
		if err != nil {
			t.Fatal(err)
		}
		if string(graph.Encode(g)) != before {
			t.Fatal("the graph was changed")
		}
		if len(o.Nodes) < len(g.Nodes) {
			fewer++
		}
		var results [2]map[string]*tensor.Tensor
		for i, h := range []*graph.Graph{g, o} {
			p, err := Compile(h)
			if err != nil {
				t.Fatal(err)
			}
			if results[i], err = p.Run(feed); err != nil {
				t.Fatal(err)
			}
		}
		for name := range results[0] {
			if !same(results[0][name], results[1][name]) {
				t.Fatalf("seed %d: output %q differs", seed, name)
			}
		}
	}
	if fewer < 100 {
		t.Errorf("%d of 200 graphs have fewer nodes", fewer)
	}
}

// TestOptimizeLeaves what would take much more memory, and what fails.
func TestOptimizeLeaves(t *testing.T) {
	b := graph.NewBuilder("large")
	b.Output("y", b.Op("Expand", nil, b.Float(1), b.Ints(foldLimit+1)))
	b.Output("z", b.Op("Neg", nil, b.Op("Sqrt", nil, b.Float(2))))
	b.Op("Neg", nil, b.Input("x", tensor.Float32, 3))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	o, err := Optimize(g)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Nodes) != 2 || o.Nodes[0].Op != "Expand" || len(o.Inputs) != 1 { // and the Identity that names it
		t.Errorf("%d nodes are left: %v", len(o.Nodes), o.Nodes)
	}
	b = graph.NewBuilder("fails")
	b.Output("y", b.Op("Gather", nil, b.Initializer("table", floats(1, 2)), b.Ints(5)))
	if g, err = b.Graph(); err != nil {
		t.Fatal(err)
	}
	if o, err = Optimize(g); err != nil || len(o.Nodes) != len(g.Nodes) {
		t.Errorf("a graph that fails in each run: %v, %d nodes", err, len(o.Nodes))
	}
}
