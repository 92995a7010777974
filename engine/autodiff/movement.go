package autodiff

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
)

var movementRules = map[string]rule{
	"Reshape": renamed, "Squeeze": renamed, "Unsqueeze": renamed,
	"Transpose": transpose, "Expand": expand, "Concat": concat, "Slice": slice, "Split": split,
	"Gather": gather, "GatherND": gather, "ScatterND": scatter, "TopK": topK,
}

func renamed(n *node) ([]graph.Ref, error) {
	return n.each(func(i int) graph.Ref { return reshape(n.Builder, n.dy[0], n.call.In[0].Shape) }), nil
}

func transpose(n *node) ([]graph.Ref, error) {
	perm := n.call.Perm()
	back := make([]int, len(perm))
	for i, p := range perm {
		back[p] = i
	}
	if len(perm) == 0 {
		return n.dy, nil
	}
	return []graph.Ref{n.Op("Transpose", graph.Attrs{"perm": back}, n.dy[0])}, nil
}

func expand(n *node) ([]graph.Ref, error) {
	return n.each(func(i int) graph.Ref { return n.toInput(0, n.dy[0]) }), nil
}

func concat(n *node) ([]graph.Ref, error) {
	axis, at := n.call.Axis(), 0
	dx := make([]graph.Ref, len(n.call.In))
	for i, v := range n.call.In {
		end := at + v.Shape[axis]
		if n.need[i] {
			dx[i] = n.op("Slice", n.dy[0], n.Ints(at), n.Ints(end), n.Ints(axis))
		}
		at = end
	}
	return dx, nil
}

func slice(n *node) ([]graph.Ref, error) {
	operands := []graph.Ref{n.dy[0]}
	for _, name := range n.call.Node.Inputs[1:] {
		operands = append(operands, graph.Ref(name))
	}
	return n.each(func(int) graph.Ref {
		return n.Op("SliceGrad", graph.Attrs{"shape": slices.Clone(n.call.In[0].Shape)}, operands...)
	}), nil
}

func split(n *node) ([]graph.Ref, error) {
	parts := slices.Clone(n.dy)
	for i, d := range parts {
		if d == graph.None {
			parts[i] = fill(n.Builder, 0, n.call.Out[i].Shape)
		}
	}
	return n.each(func(int) graph.Ref { return n.Op("Concat", graph.Attrs{"axis": n.call.Axis()}, parts...) }), nil
}

// gather: the gradient of a row is the sum over the places that it went to, in index order (spec/numerics.md §8).
func gather(n *node) ([]graph.Ref, error) {
	indices := n.x(1)
	if n.call.Node.Op == "Gather" {
		indices = n.op("Unsqueeze", indices, n.Ints(-1))
	}
	return n.each(func(int) graph.Ref {
		zeros := fill(n.Builder, 0, n.call.In[0].Shape)
		return n.Op("ScatterND", graph.Attrs{"reduction": "add"}, zeros, indices, n.dy[0])
	}), nil
}

// topK: the gradient of a value goes where the value came from.
func topK(n *node) ([]graph.Ref, error) {
	shape, axis := n.call.Out[0].Shape, n.call.Axis()
	if len(shape) == graph.MaxRank {
		return nil, fmt.Errorf("%d axes have no derivative", len(shape))
	}
	if n.dy[0] == graph.None {
		return make([]graph.Ref, 2), nil
	}
	wide := append(slices.Clone(shape), 1)
	var columns []graph.Ref
	for i, d := range shape {
		if i == axis {
			columns = append(columns, n.op("Reshape", graph.Ref(n.call.Out[1].Name), n.Ints(wide...)))
			continue
		}
		places, line := make([]int, d), slices.Repeat([]int{1}, len(wide))
		for j := range places {
			places[j] = j
		}
		line[i] = d
		columns = append(columns, n.op("Expand", n.op("Reshape", n.Ints(places...), n.Ints(line...)), n.Ints(wide...)))
	}
	at := n.Op("Concat", graph.Attrs{"axis": len(shape)}, columns...)
	zeros := fill(n.Builder, 0, n.call.In[0].Shape)
	return []graph.Ref{n.Op("ScatterND", graph.Attrs{"reduction": "add"}, zeros, at, n.dy[0]), graph.None}, nil
}

// scatter: only sums have a derivative here; replacing and multiplying would need the rows that are overwritten.
func scatter(n *node) ([]graph.Ref, error) {
	if r := n.call.String("reduction"); r != "add" {
		return nil, fmt.Errorf("reduction %q has no derivative", r)
	}
	return n.each(func(i int) graph.Ref {
		if i == 0 {
			return n.dy[0]
		}
		return n.op("GatherND", n.dy[0], n.x(1))
	}), nil
}
