package exec

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// foldLimit is how many elements a value that Optimize computes may have if its operands have fewer: an Expand of one number is not
// worth its memory.
const foldLimit = 1 << 16

// Optimize returns a graph that gives the same bits with fewer nodes: what follows from initializers alone is computed now and becomes an
// initializer, and what no output depends on is left out. Inputs and outputs stay as they are. g is not changed and shares its
// initializers; as a program of a ledger the result is another one, with another hash. It returns graph.Infer's error.
func Optimize(g *graph.Graph) (*graph.Graph, error) {
	calls, err := graph.Calls(g)
	if err != nil {
		return nil, err
	}
	f := &folding{from: g, known: map[string]bool{}}
	for _, t := range g.Initializers {
		f.known[t.Name] = true
	}
	for i := range calls {
		f.look(&calls[i])
	}
	out := &graph.Graph{Name: g.Name, Opset: g.Opset, Inputs: g.Inputs, Outputs: g.Outputs, Initializers: slices.Clone(g.Initializers), Nodes: f.rest}
	if computed, err := f.compute(); err == nil {
		out.Initializers = append(out.Initializers, computed...)
	} else { // it fails in each run, which says where
		out.Nodes = g.Nodes
	}
	removeUnused(out)
	_, err = graph.Infer(out)
	return out, err
}

// folding is the state of Optimize.
type folding struct {
	from      *graph.Graph
	known     map[string]bool // initializers, and what follows from them
	now, rest []graph.Node    // nodes that are computed now, and the others
	values    []graph.Value   // of the former
}

// look decides about a node whose predecessors have been looked at.
func (f *folding) look(c *graph.Call) {
	operands, results := 0, 0
	for i, name := range c.Node.Inputs {
		if name != "" && !f.known[name] {
			f.rest = append(f.rest, *c.Node)
			return
		}
		operands += c.In[i].Len()
	}
	for _, v := range c.Out {
		results += v.Len()
	}
	if len(c.Node.Inputs) == 0 || results > max(foldLimit, operands) {
		f.rest = append(f.rest, *c.Node)
		return
	}
	f.now = append(f.now, *c.Node)
	for _, v := range c.Out {
		f.known[v.Name] = true
		f.values = append(f.values, v)
	}
}

// compute runs the nodes that are known and returns what the others and the outputs read of them.
func (f *folding) compute() ([]tensor.Named, error) {
	needed := map[string]bool{}
	for _, n := range f.rest {
		for _, name := range n.Inputs {
			needed[name] = true
		}
	}
	for _, v := range f.from.Outputs {
		needed[v.Name] = true
	}
	sub := &graph.Graph{Name: f.from.Name, Opset: f.from.Opset, Initializers: f.from.Initializers, Nodes: f.now}
	for _, v := range f.values {
		if needed[v.Name] {
			sub.Outputs = append(sub.Outputs, v)
		}
	}
	if len(sub.Outputs) == 0 {
		return nil, nil
	}
	removeUnused(sub)
	p, err := Compile(sub)
	if err != nil {
		return nil, err
	}
	results, err := p.Run(nil)
	if err != nil {
		return nil, err
	}
	var list []tensor.Named
	for _, v := range sub.Outputs {
		list = append(list, tensor.Named{Name: v.Name, Tensor: results[v.Name]})
	}
	return list, nil
}

// removeUnused removes nodes and initializers that no output depends on.
func removeUnused(g *graph.Graph) {
	needed := map[string]bool{}
	for _, v := range g.Outputs {
		needed[v.Name] = true
	}
	var nodes []graph.Node
	for _, n := range slices.Backward(g.Nodes) {
		if slices.ContainsFunc(n.Outputs, func(name string) bool { return needed[name] }) {
			nodes = append(nodes, n)
			for _, name := range n.Inputs {
				needed[name] = true
			}
		}
	}
	slices.Reverse(nodes)
	g.Nodes = nodes
	var initializers []tensor.Named
	for _, t := range g.Initializers {
		if needed[t.Name] {
			initializers = append(initializers, t)
		}
	}
	g.Initializers = initializers
}
