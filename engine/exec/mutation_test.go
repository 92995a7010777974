package exec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// TestMutatedGraphs changes valid graphs in ways that keep their form, as an attacker would: validation either refuses them or
// they run, and nothing panics.
func TestMutatedGraphs(t *testing.T) {
	operators := graph.Operators()
	valid, refused := 0, 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed%200, 15))
		g, _, err := randomGraph(r)
		if err != nil {
			t.Fatal(err)
		}
		if g, err = graph.Decode(graph.Encode(g)); err != nil { // a copy that may be changed
			t.Fatal(err)
		}
		r = rand.New(rand.NewPCG(seed, 16))
		for range 1 + r.IntN(3) {
			mutate(r, g, operators)
		}
		// What an output is declared to be would refuse most changes, so declare what it is.
		g.Outputs = slices.DeleteFunc(g.Outputs, func(v graph.Value) bool { return r.IntN(2) == 0 })
		macs, err := graph.MACs(g)
		if err != nil {
			refused++
			continue
		}
		if n, err := graph.Elements(g); err != nil || n > 1<<18 || macs > 1<<20 {
			continue
		}
		valid++
		p, err := Compile(g)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		in := map[string]*tensor.Tensor{}
		for _, v := range g.Inputs {
			in[v.Name] = tensor.New(v.DType, v.Shape...)
		}
		if _, err := p.Run(in); err != nil {
			refused++
		}
	}
	if valid < 300 || refused < 300 {
		t.Errorf("%d mutated graphs were valid and %d refused, want both often", valid, refused)
	}
}

func mutate(r *rand.Rand, g *graph.Graph, operators []string) {
	n := &g.Nodes[r.IntN(len(g.Nodes))]
	dims := []int{1, 2, 3, 6, 7, 36}
	values := []int64{0, 1, -1, 2, 5, 6, -6, 7, -7, 1 << 40, -1 << 63}
	switch r.IntN(8) {
	case 0:
		n.Op = operators[r.IntN(len(operators))]
	case 1:
		other := &g.Nodes[r.IntN(len(g.Nodes))]
		n.Inputs[r.IntN(len(n.Inputs))] = other.Outputs[0]
	case 2:
		n.Inputs = append(n.Inputs, n.Inputs[r.IntN(len(n.Inputs))])
	case 3:
		n.Inputs[r.IntN(len(n.Inputs))] = g.Inputs[r.IntN(len(g.Inputs))].Name
	case 4:
		v := &g.Inputs[r.IntN(len(g.Inputs))]
		if len(v.Shape) > 0 {
			v.Shape[r.IntN(len(v.Shape))] = dims[r.IntN(len(dims))]
		}
	case 5:
		x := g.Initializers[r.IntN(len(g.Initializers))].Tensor
		if x.DType() == tensor.Int64 {
			x.Int64()[r.IntN(x.Len())] = values[r.IntN(len(values))]
		}
	case 6:
		if len(n.Attrs) > 0 {
			n.Attrs[0].Int = values[r.IntN(len(values))]
		}
	case 7:
		n.Inputs[r.IntN(len(n.Inputs))] = g.Initializers[r.IntN(len(g.Initializers))].Name
	}
}
