package autodiff

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
)

var reductionRules = map[string]rule{
	"ReduceSum": reduction(func(n *node, dy, y graph.Ref) graph.Ref { return dy }),
	"ReduceMean": reduction(func(n *node, dy, y graph.Ref) graph.Ref {
		return n.op("Div", dy, n.Float(float32(n.call.In[0].Len()/n.call.Out[0].Len())))
	}),
	"ReduceSumSquare": reduction(func(n *node, dy, y graph.Ref) graph.Ref {
		return n.op("Mul", n.x(0), n.op("Add", dy, dy))
	}),
	"ReduceMax": reduction(reducedExtreme),
	"ReduceMin": reduction(reducedExtreme),
}

// reduction gives f the gradient and the value of the output with the reduced axes kept as 1, and spreads what it returns over
// the shape of the input.
func reduction(f func(n *node, dy, y graph.Ref) graph.Ref) rule {
	return func(n *node) ([]graph.Ref, error) {
		shape := slices.Clone(n.call.In[0].Shape)
		for _, axis := range n.call.ReducedAxes() {
			shape[axis] = 1
		}
		d := f(n, reshape(n.Builder, n.dy[0], shape), reshape(n.Builder, n.y(), shape))
		if full := n.call.In[0].Shape; !slices.Equal(n.Shape(d), full) {
			d = n.op("Expand", d, n.Ints(full...))
		}
		dx := make([]graph.Ref, len(n.call.In))
		dx[0] = d
		return dx, nil
	}
}

// reducedExtreme shares the gradient equally among the elements that are equal to the extreme.
func reducedExtreme(n *node, dy, y graph.Ref) graph.Ref {
	mask := n.Op("Cast", graph.Attrs{"to": 1}, n.op("Equal", n.x(0), y))
	count := mask
	if axes := n.call.ReducedAxes(); len(axes) > 0 {
		count = n.op("ReduceSum", mask, n.Ints(axes...))
	}
	return n.op("Mul", mask, n.op("Div", dy, count))
}
