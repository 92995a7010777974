// Package autodiff differentiates graphs: one rule per operator, graph in, graph out, so that a training step is a graph too.
// It computes no values. It imports engine/graph and engine/tensor only.
package autodiff

import (
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// ErrGradient is wrapped by errors about what cannot be differentiated.
var ErrGradient = errors.New("no gradient")

// Gradient returns g with nodes added that compute the derivative of a value of one element with respect to each value in wrt
// (an input, initializer or intermediate result, of float32). The map gives the name of each gradient, name + ".grad", which is
// also a further output. What several nodes read gets the sum of their contributions, added from the first reader to the last;
// what the loss does not depend on gets zeros; nothing is computed that no gradient in wrt needs. g is not changed.
// Recurrent layers
// are unrolled in the result, bits unchanged.
// It returns graph.Infer's error, or one wrapping ErrGradient that names what stands in the way.
func Gradient(g *graph.Graph, loss string, wrt []string) (*graph.Graph, map[string]string, error) {
	values, err := graph.Infer(g)
	if err != nil {
		return nil, nil, err
	}
	calls, err := graph.Calls(g)
	if err != nil {
		return nil, nil, err
	}
	if flat, err := unrolled(g, calls); err != nil {
		return nil, nil, err
	} else if flat != g {
		return Gradient(flat, loss, wrt)
	}
	if v, ok := values[loss]; !ok || v.DType != tensor.Float32 || v.Len() != 1 {
		return nil, nil, fmt.Errorf("%w: loss %q is not a float32 value of one element", ErrGradient, loss)
	}
	t := tape{builder: graph.Extend(g), parts: map[string][]graph.Ref{}, active: map[string]bool{}}
	for _, name := range wrt {
		if v, ok := values[name]; !ok || v.DType != tensor.Float32 {
			return nil, nil, fmt.Errorf("%w: %q is not a float32 value of the graph", ErrGradient, name)
		}
		t.active[name] = true
	}
	t.markActive(calls)
	t.add(loss, fill(t.builder, 1, values[loss].Shape))
	for i := len(calls) - 1; i >= 0; i-- {
		if err := t.differentiate(&calls[i]); err != nil {
			return nil, nil, fmt.Errorf("%w: node %q (%s): %w", ErrGradient, calls[i].Node.Name, calls[i].Node.Op, err)
		}
	}
	names := map[string]string{}
	for _, name := range wrt {
		if _, ok := names[name]; ok {
			continue
		}
		d := t.sum(name)
		if d == graph.None {
			d = fill(t.builder, 0, values[name].Shape)
		}
		names[name] = name + ".grad"
		t.builder.Output(names[name], d)
	}
	out, err := t.builder.Graph()
	return out, names, err
}

// tape collects gradients while the nodes are walked from the last to the first.
type tape struct {
	builder *graph.Builder
	parts   map[string][]graph.Ref // contributions to a value's gradient, from the last reader to the first
	active  map[string]bool        // values that depend on what we differentiate by
}

func (t *tape) markActive(calls []graph.Call) {
	for i := range calls {
		for _, in := range calls[i].In {
			if !t.active[in.Name] {
				continue
			}
			for _, out := range calls[i].Out {
				t.active[out.Name] = out.DType == tensor.Float32
			}
		}
	}
}

func (t *tape) add(name string, d graph.Ref) {
	if d != graph.None && t.active[name] {
		t.parts[name] = append(t.parts[name], d)
	}
}

// sum is the gradient of a value, whose readers have all been walked; None if it is zero.
func (t *tape) sum(name string) graph.Ref {
	parts := t.parts[name]
	if len(parts) == 0 {
		return graph.None
	}
	d := parts[len(parts)-1]
	for i := len(parts) - 2; i >= 0; i-- {
		d = t.builder.Op("Add", nil, d, parts[i])
	}
	t.parts[name] = []graph.Ref{d}
	return d
}

// differentiate applies the rule of one node.
func (t *tape) differentiate(call *graph.Call) error {
	n := &node{Builder: t.builder, call: call, need: make([]bool, len(call.In))}
	for i, in := range call.In {
		n.need[i] = t.active[in.Name]
	}
	flows := false
	for _, out := range call.Out {
		d := graph.None
		if t.active[out.Name] {
			d = t.sum(out.Name)
		}
		n.dy = append(n.dy, d)
		flows = flows || d != graph.None
	}
	if !flows {
		return nil
	}
	rule, ok := rules[call.Node.Op]
	if !ok {
		return fmt.Errorf("the operator has no derivative: it %s", underivable[call.Node.Op])
	}
	dx, err := rule(n)
	if err != nil {
		return err
	}
	for i := len(dx) - 1; i >= 0; i-- {
		t.add(call.In[i].Name, dx[i])
	}
	return t.builder.Err()
}
