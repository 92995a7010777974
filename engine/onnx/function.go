package onnx

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
)

// inliner replaces calls of the functions that a file defines by their nodes, in the graph and in all graphs within it, so that nothing
// after Load knows functions. Values of a function get names that no other value has.
type inliner struct {
	functions map[[2]string]*functionProto // by domain and name
	open      []*functionProto             // those that are being replaced, to find recursion
	sizes     map[*functionProto]int       // what a copy takes, see sizeOf
	nodes     int                          // seen so far
	copied    int                          // sum of the sizes of all copies
	values    int                          // renamed so far
}

// maxCopied bounds what all copies of functions take, counted in nodes, attributes, names and initializers.
const maxCopied = 1 << 21

// inline replaces all calls in m. It returns an error for a function that calls itself or is defined twice, and for more than
// graph.MaxNodes nodes in all.
func inline(m *modelProto) error {
	if len(m.functions) == 0 {
		return nil
	}
	in := &inliner{functions: map[[2]string]*functionProto{}, sizes: map[*functionProto]int{}}
	for i := range m.functions {
		f := &m.functions[i]
		key := [2]string{f.domain, f.name}
		if in.functions[key] != nil {
			return fmt.Errorf("function %q is defined twice", f.name)
		}
		in.functions[key] = f
	}
	var err error
	m.graph.nodes, err = in.list(m.graph.nodes)
	return err
}

// list is nodes without calls.
func (in *inliner) list(nodes []nodeProto) ([]nodeProto, error) {
	var out []nodeProto
	for i := range nodes {
		n := &nodes[i]
		if in.nodes++; in.nodes > graph.MaxNodes {
			return nil, fmt.Errorf("more than %d nodes with those of functions", graph.MaxNodes)
		}
		if f := in.functions[[2]string{n.domain, n.op}]; f != nil {
			body, err := in.call(f, n)
			if err != nil {
				return nil, err
			}
			out = append(out, body...)
			continue
		}
		for j := range n.attrs {
			if g := n.attrs[j].graph; g != nil {
				var err error
				if g.nodes, err = in.list(g.nodes); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, *n)
	}
	return out, nil
}

// call is what f does for the node n.
func (in *inliner) call(f *functionProto, n *nodeProto) ([]nodeProto, error) {
	wrap := func(err error) error { return fmt.Errorf("node %q: function %q: %w", nameOf(n), f.name, err) }
	if slices.Contains(in.open, f) {
		return nil, wrap(fmt.Errorf("it calls itself"))
	}
	if len(in.open) == maxDepth {
		return nil, wrap(fmt.Errorf("functions call one another more than %d levels deep", maxDepth))
	}
	if len(n.inputs) > len(f.inputs) || len(n.outputs) > len(f.outputs) {
		return nil, wrap(fmt.Errorf("%d inputs and %d outputs, want at most %d and %d", len(n.inputs), len(n.outputs), len(f.inputs), len(f.outputs)))
	}
	if in.sizes[f] == 0 {
		in.sizes[f] = 1 + sizeOf(f.nodes)
	}
	if in.copied += in.sizes[f]; in.copied > maxCopied {
		return nil, wrap(fmt.Errorf("the functions of the file grow to more than %d parts", maxCopied))
	}
	c := &call{in: in, caller: n, function: f, names: map[string]string{"": ""}, opset: standardOpset(f.opsets)}
	for i, name := range f.inputs {
		c.names[name] = ""
		if i < len(n.inputs) {
			c.names[name] = n.inputs[i]
		}
	}
	for i, name := range f.outputs {
		if i < len(n.outputs) && n.outputs[i] != "" {
			if _, input := c.names[name]; input {
				return nil, wrap(fmt.Errorf("output %q is an input", name))
			}
			c.names[name] = n.outputs[i]
		}
	}
	in.open = append(in.open, f)
	defer func() { in.open = in.open[:len(in.open)-1] }()
	return in.list(c.nodes(f.nodes))
}

// sizeOf is the number of nodes, attributes, names and initializers in a list of nodes and the graphs within.
func sizeOf(nodes []nodeProto) int {
	sum := 0
	for i := range nodes {
		n := &nodes[i]
		sum += 1 + len(n.inputs) + len(n.outputs) + len(n.attrs)
		for j := range n.attrs {
			if g := n.attrs[j].graph; g != nil {
				sum += len(g.inputs) + len(g.outputs) + len(g.initializers) + sizeOf(g.nodes)
			}
		}
	}
	return sum
}

// call copies the nodes of a function for one caller.
type call struct {
	in       *inliner
	caller   *nodeProto
	function *functionProto
	names    map[string]string // in the function -> in the caller's graph
	opset    int
}

func (c *call) rename(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		to, ok := c.names[name]
		if !ok {
			c.in.values++
			to = fmt.Sprintf("%.64s (%.64s, value %d)", name, c.function.name, c.in.values)
			c.names[name] = to
		}
		out[i] = to
	}
	return out
}

func (c *call) nodes(list []nodeProto) []nodeProto {
	out := make([]nodeProto, len(list))
	for i, n := range list {
		n.inputs, n.outputs = c.rename(n.inputs), c.rename(n.outputs)
		if n.opset == 0 {
			n.opset = c.opset
		}
		var attrs []attrProto
		for _, a := range n.attrs {
			if a.ref != "" {
				value := attribute(c.caller.attrs, a.ref)
				if value == nil {
					value = attribute(c.function.defaults, a.ref)
				}
				if value == nil {
					continue // an optional attribute that the caller leaves out
				}
				name := a.name
				a = *value
				a.name = name
			} else if a.graph != nil {
				a.graph = c.graph(a.graph)
			}
			attrs = append(attrs, a)
		}
		n.attrs = attrs
		out[i] = n
	}
	return out
}

func (c *call) graph(g *graphProto) *graphProto {
	values := func(list []valueProto) []valueProto {
		out := slices.Clone(list)
		for i := range out {
			out[i].name = c.rename([]string{out[i].name})[0]
		}
		return out
	}
	copied := *g
	copied.inputs, copied.outputs = values(g.inputs), values(g.outputs)
	copied.initializers = slices.Clone(g.initializers)
	for i := range copied.initializers {
		copied.initializers[i].name = c.rename([]string{copied.initializers[i].name})[0]
	}
	copied.nodes = c.nodes(g.nodes)
	return &copied
}

func attribute(list []attrProto, name string) *attrProto {
	for i := range list {
		if list[i].name == name {
			return &list[i]
		}
	}
	return nil
}

// standardOpset is the version of ONNX's operator set in a list of imports, 0 if it is not there.
func standardOpset(list []opsetProto) int {
	for _, o := range list {
		if isStandard(o.domain) {
			return int(min(max(o.version, 0), 1<<20))
		}
	}
	return 0
}
