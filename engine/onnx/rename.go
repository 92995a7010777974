package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
)

// rename gives values the names of the file. A value without one keeps the builder's name, with an apostrophe for each value of the file
// that is called so.
func rename(g *graph.Graph, names map[string]string, used map[string]bool) {
	to := func(name string) string {
		if name == "" {
			return ""
		}
		if n, ok := names[name]; ok {
			return n
		}
		n := name
		for used[n] {
			n += "'"
		}
		names[name], used[n] = n, true
		return n
	}
	for i := range g.Inputs {
		g.Inputs[i].Name = to(g.Inputs[i].Name)
	}
	for i := range g.Initializers {
		g.Initializers[i].Name = to(g.Initializers[i].Name)
	}
	for i := range g.Nodes {
		for _, list := range [][]string{g.Nodes[i].Inputs, g.Nodes[i].Outputs} {
			for j := range list {
				list[j] = to(list[j])
			}
		}
	}
	for i := range g.Outputs {
		g.Outputs[i].Name = to(g.Outputs[i].Name)
	}
}

// prune removes nodes and initializers that no output depends on. Inputs stay.
func prune(g *graph.Graph) {
	needed := map[string]bool{}
	for _, v := range g.Outputs {
		needed[v.Name] = true
	}
	var kept []graph.Node
	for _, n := range slices.Backward(g.Nodes) {
		if slices.ContainsFunc(n.Outputs, func(name string) bool { return needed[name] }) {
			kept = append(kept, n)
			for _, name := range n.Inputs {
				needed[name] = true
			}
		}
	}
	slices.Reverse(kept)
	g.Nodes = kept
	initializers := g.Initializers[:0]
	for _, t := range g.Initializers {
		if needed[t.Name] {
			initializers = append(initializers, t)
		}
	}
	g.Initializers = initializers
}
