package onnx

import (
	"fmt"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// controlRules write control flow that is known beforehand as plain nodes: the branch that an If takes, the iterations of a Loop or
// Scan one after the other. What only a run decides is for a Session.
var controlRules = map[string]rule{"If": ifRule, "Loop": loopRule, "Scan": scanRule}

// hasBody reports whether a node of ONNX's own domain holds graphs, which may read values that are not among its inputs.
func hasBody(op string) bool {
	return op == "If" || op == "Loop" || op == "Scan" || op == "SequenceMap"
}

// specialiseUnrolls is how many nodes of bodies Specialise writes out, counted once for each iteration.
const specialiseUnrolls = 1 << 14

// graph is a graph attribute, which must be there.
func (n *node) graph(name string) *graphProto {
	a := n.attr(name)
	if a == nil || a.graph == nil {
		panic(stop{fmt.Errorf("%w: attribute %q holds no graph", ErrInvalid, name)})
	}
	return a.graph
}

// unroll counts the nodes of iterations before they are added.
func (n *node) unroll(g *graphProto, iterations int) {
	nodes := 1 + len(g.nodes)
	if iterations > n.l.unrolled/nodes {
		unsupported("%d iterations of %d nodes: too many to write out", iterations, nodes)
	}
	n.l.unrolled -= iterations * nodes
}

// body adds the nodes of a graph within n, whose inputs are in, and returns its outputs.
func (n *node) body(g *graphProto, in []*value) []*value {
	if len(in) != len(g.inputs) {
		panic(stop{fmt.Errorf("%w: graph %q has %d inputs, want %d", ErrInvalid, trim(g.name), len(g.inputs), len(in))})
	}
	l := &lowering{building: n.l.building, outer: n.l, values: map[string]*value{}}
	if len(g.sparse) > 0 {
		unsupported("sparse initializers")
	}
	if l.bodies[g] == nil {
		l.bodies[g] = map[string]*value{}
		for i := range g.initializers {
			v, err := l.constant(&g.initializers[i])
			if err != nil {
				panic(stop{fmt.Errorf("initializer %d: %w", i, err)})
			}
			l.bodies[g][g.initializers[i].name] = v
		}
	}
	for name, v := range l.bodies[g] {
		l.values[name] = v
	}
	for i := range g.inputs {
		l.values[g.inputs[i].name] = in[i]
	}
	for i := range g.nodes {
		if err := l.node(&g.nodes[i]); err != nil {
			panic(stop{err})
		}
	}
	out := make([]*value, len(g.outputs))
	for i := range g.outputs {
		v := l.value(g.outputs[i].name)
		if v == nil {
			panic(stop{fmt.Errorf("%w: graph %q: output %q is not a value of it", ErrInvalid, trim(g.name), g.outputs[i].name)})
		}
		copied := *v // what the rule says of its output is not so of the value inside
		out[i] = &copied
	}
	return out
}

// truth is the one bool that a value holds.
func truth(v *value) bool {
	switch {
	case v.known == nil:
		unsupported("a condition is known only in a run")
	case v.known.DType() != tensor.Bool || v.known.Len() != 1:
		unsupported("a condition is %v%v, want one bool", v.known.DType(), v.known.Shape())
	}
	return v.known.Bool()[0]
}

func ifRule(n *node) []*value {
	n.contents(0)
	branch := "else_branch"
	if truth(n.given(0)) {
		branch = "then_branch"
	}
	g := n.graph(branch)
	n.unroll(g, 1)
	return n.body(g, nil)
}

// given is input i, which must be present.
func (n *node) given(i int) *value {
	if !n.has(i) {
		panic(stop{fmt.Errorf("%w: input %d is missing", ErrInvalid, i)})
	}
	return n.in[i]
}

// loopRule writes the iterations out if the trip count, and the condition after each of them, is known.
func loopRule(n *node) []*value {
	g := n.graph("body")
	const unlimited = 1 << 20 // more are never written out, unless the condition ends the loop early
	trips, going := unlimited, true
	if n.has(0) {
		trips = min(n.only(0), unlimited)
	}
	if n.has(1) {
		n.contents(1)
		going = truth(n.in[1])
	}
	carried := append([]*value{}, n.in[min(2, len(n.in)):]...)
	for i, v := range carried {
		if v == nil {
			panic(stop{fmt.Errorf("%w: input %d is missing", ErrInvalid, i+2)})
		}
	}
	if trips < unlimited && going {
		n.unroll(g, max(trips, 0))
	}
	if len(g.outputs) < 1+len(carried) {
		panic(stop{fmt.Errorf("%w: body has %d outputs, want at least %d", ErrInvalid, len(g.outputs), 1+len(carried))})
	}
	scanned := make([][]*value, len(g.outputs)-1-len(carried))
	for i := 0; i < trips && going; i++ {
		if trips == unlimited {
			n.unroll(g, 1)
		}
		in := []*value{{known: tensor.FromInt64([]int64{int64(i)})}, {known: tensor.FromBool([]bool{true})}}
		out := n.body(g, append(in, carried...))
		going = truth(out[0])
		carried = out[1 : 1+len(carried)]
		for j, v := range out[1+len(carried):] {
			scanned[j] = append(scanned[j], v)
		}
	}
	out := carried
	for _, list := range scanned {
		out = append(out, n.stack(list, 0))
	}
	return out
}

// stack joins values of one shape along a new axis.
func (n *node) stack(list []*value, axis int) *value {
	if len(list) == 0 {
		unsupported("an empty tensor: no iteration")
	}
	var parts []graph.Ref
	for _, v := range list {
		r := n.l.refOf(v)
		n.check()
		parts = append(parts, n.inserted(r, axis))
	}
	rank := len(n.shape(parts[0]))
	return &value{ref: n.concat(n.axis(axis, rank), parts...), element: n.l.elementOf(list[0])}
}

// inserted is r with a further axis of length 1.
func (n *node) inserted(r graph.Ref, axis int) graph.Ref {
	return n.op("Unsqueeze", nil, r, n.l.b.Ints(axis))
}

// scanForm is what the attributes of a Scan say. Operator sets before 9 scan each element of a batch, the leading axis of all inputs.
type scanForm struct {
	states, inputs, outputs         int
	inputAxes, outputAxes           []int
	inputsReversed, outputsReversed []int
}

// scanFormOf reads the attributes. given is the number of inputs, without the lengths that operator sets before 9 have.
func scanFormOf(attrs []attrProto, g *graphProto, given int) (scanForm, error) {
	f := scanForm{}
	if a := attribute(attrs, "num_scan_inputs"); a != nil && a.integer >= 1 && a.integer <= int64(given) {
		f.inputs = int(a.integer)
	} else {
		return f, fmt.Errorf("%w: num_scan_inputs for %d inputs", ErrInvalid, given)
	}
	f.states = given - f.inputs
	f.outputs = len(g.outputs) - f.states
	if f.outputs < 0 || len(g.inputs) != given {
		return f, fmt.Errorf("%w: body has %d inputs and %d outputs for %d states and %d scanned inputs", ErrInvalid, len(g.inputs), len(g.outputs), f.states, f.inputs)
	}
	for _, l := range []struct {
		to    *[]int
		names []string
		count int
	}{
		{&f.inputAxes, []string{"scan_input_axes"}, f.inputs}, {&f.outputAxes, []string{"scan_output_axes"}, f.outputs},
		{&f.inputsReversed, []string{"scan_input_directions", "directions"}, f.inputs}, {&f.outputsReversed, []string{"scan_output_directions"}, f.outputs},
	} {
		*l.to = make([]int, l.count)
		for _, name := range l.names {
			a := attribute(attrs, name)
			if a == nil {
				continue
			}
			if len(a.ints) != l.count {
				return f, fmt.Errorf("%w: %s has %d entries, want %d", ErrInvalid, name, len(a.ints), l.count)
			}
			for i, v := range a.ints {
				if v < -graph.MaxRank || v > graph.MaxRank {
					return f, fmt.Errorf("%w: %s holds %d", ErrInvalid, name, v)
				}
				(*l.to)[i] = int(v)
			}
		}
	}
	return f, nil
}

// order is the index of what iteration i reads or writes.
func order(i, count, reversed int) int {
	if reversed != 0 {
		return count - 1 - i
	}
	return i
}

func scanRule(n *node) []*value {
	g := n.graph("body")
	if n.l.opset < 9 {
		unsupported("the form of operator set 8")
	}
	f, err := scanFormOf(n.p.attrs, g, len(n.in))
	if err != nil {
		panic(stop{err})
	}
	for i := range n.in {
		n.given(i)
	}
	count := -1
	axes := make([]int, f.inputs)
	for i := range f.inputs {
		x := n.shape(n.need(f.states + i))
		axes[i] = n.axis(f.inputAxes[i], len(x))
		if count >= 0 && x[axes[i]] != count {
			unsupported("scanned inputs of %d and %d steps", count, x[axes[i]])
		}
		count = x[axes[i]]
	}
	n.unroll(g, count)
	states := append([]*value{}, n.in[:f.states]...)
	scanned := make([][]*value, f.outputs)
	for j := range scanned {
		scanned[j] = make([]*value, count)
	}
	for i := range count {
		in := append([]*value{}, states...)
		for j := range f.inputs {
			at := order(i, count, f.inputsReversed[j])
			part := n.slice(n.need(f.states+j), axes[j], at, at+1, 1)
			in = append(in, &value{ref: n.op("Squeeze", nil, part, n.l.b.Ints(axes[j])), element: n.element(f.states + j)})
		}
		out := n.body(g, in)
		states = out[:f.states]
		for j, v := range out[f.states:] {
			scanned[j][order(i, count, f.outputsReversed[j])] = v
		}
	}
	out := states
	for j, list := range scanned {
		out = append(out, n.stack(list, f.outputAxes[j]))
	}
	return out
}
