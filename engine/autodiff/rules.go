package autodiff

import (
	"maps"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
)

// node is what a rule sees: the call, the gradients of its outputs, and which inputs need one.
type node struct {
	*graph.Builder
	call *graph.Call
	dy   []graph.Ref // None for an output that nothing depends on
	need []bool
}

// rule returns the gradient of each input, None for those that need none or have none.
type rule func(n *node) ([]graph.Ref, error)

// rules has an entry for each operator that has a derivative. Operators without one either give no float32 or, like the
// derivatives themselves, are not differentiated again.
var rules = func() map[string]rule {
	table := map[string]rule{}
	for _, family := range []map[string]rule{elementwiseRules, productRules, movementRules, reductionRules, layerRules, windowRules} {
		maps.Copy(table, family)
	}
	return table
}()

// underivable says of each operator that has no rule why. A test finds that every operator of package graph has either.
var underivable = map[string]string{
	"Equal": isStep, "Greater": isStep, "Less": isStep, "GreaterOrEqual": isStep, "LessOrEqual": isStep,
	"TreeEnsemble": isStep, "QuantizeLinear": isStep,
	"MatMulInteger": isInteger, "ConvInteger": isInteger,
	"TensorScatter": "writes a cache that a decoder keeps between runs, which no loss sees",
	"GeluGrad":      isDerivative, "SliceGrad": isDerivative, "SoftmaxCrossEntropyLossGrad": isDerivative, "AttentionGrad": isDerivative,
	"LayerNormalizationGrad": isDerivative, "RMSNormalizationGrad": isDerivative,
	"ConvWeightGrad": isDerivative, "MaxPoolGrad": isDerivative, "AveragePoolGrad": isDerivative,
}

const (
	isStep       = "is a step function: its derivative is zero or does not exist"
	isInteger    = "computes on integers"
	isDerivative = "is a derivative, which is not differentiated again"
)

// op adds a node with one output.
func (n *node) op(name string, in ...graph.Ref) graph.Ref { return n.Op(name, nil, in...) }

// x is input i, y is output 0.
func (n *node) x(i int) graph.Ref { return graph.Ref(n.call.In[i].Name) }
func (n *node) y() graph.Ref      { return graph.Ref(n.call.Out[0].Name) }

// each computes the gradients of the inputs that need one.
func (n *node) each(f func(i int) graph.Ref) []graph.Ref {
	dx := make([]graph.Ref, len(n.call.In))
	for i := range dx {
		if n.need[i] {
			dx[i] = f(i)
		}
	}
	return dx
}

// toInput sums d over the axes along which input i was broadcast.
func (n *node) toInput(i int, d graph.Ref) graph.Ref {
	return reduceTo(n.Builder, d, n.call.In[i].Shape)
}

// reduceTo is the derivative of broadcasting from shape.
func reduceTo(b *graph.Builder, d graph.Ref, shape []int) graph.Ref {
	from := b.Shape(d)
	extra := len(from) - len(shape)
	var sum, drop []int
	for i, size := range from {
		if i < extra {
			drop = append(drop, i)
		}
		if size != 1 && (i < extra || shape[i-extra] == 1) {
			sum = append(sum, i)
		}
	}
	if sum != nil {
		d = b.Op("ReduceSum", nil, d, b.Ints(sum...))
	}
	if drop != nil {
		d = b.Op("Squeeze", nil, d, b.Ints(drop...))
	}
	return d
}

// fill is a tensor with the same value everywhere.
func fill(b *graph.Builder, v float32, shape []int) graph.Ref {
	if len(shape) == 0 {
		return b.Float(v)
	}
	return b.Op("Expand", nil, b.Float(v), b.Ints(shape...))
}

// reshape gives d another shape of as many elements.
func reshape(b *graph.Builder, d graph.Ref, shape []int) graph.Ref {
	switch {
	case slices.Equal(b.Shape(d), shape):
		return d
	case len(shape) == 0: // a shape operand cannot be empty
		return b.Op("Squeeze", nil, d)
	}
	return b.Op("Reshape", nil, d, b.Ints(shape...))
}

// attrs are the attributes that the node sets, for an operator that has the same.
func (n *node) attrs() graph.Attrs {
	out := graph.Attrs{}
	for _, a := range n.call.Node.Attrs {
		switch a.Kind {
		case graph.KindFloat:
			out[a.Name] = a.Float
		case graph.KindInt:
			out[a.Name] = int(a.Int)
		case graph.KindString:
			out[a.Name] = a.String
		}
	}
	return out
}
