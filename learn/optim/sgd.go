package optim

import (
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// SGD are the hyper-parameters of stochastic gradient descent.
type SGD struct {
	Momentum, WeightDecay, Clip float32
	Nesterov                    bool
}

// AppendSGD extends a graph by one step of gradient descent with momentum on params:
//
//	s, g as in AppendAdamW: the sum of squares, and the gradient clipped by its root
//	g = g + decay·x
//	m = momentum·m + g
//	x = x - lr·m, with Nesterov x - lr·(g + momentum·m)
//
// each operation rounded once; m starts at zero. Weight decay is part of the gradient, as usual for SGD.
// Sources: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Sutskever et al., "On the importance of
// initialization and momentum in deep learning", ICML 2013, in the form of torch.optim.SGD without dampening.
func AppendSGD(b *graph.Builder, params []graph.Value, gradients map[string]string, h SGD) {
	lr := b.Input(LearningRate, tensor.Float32)
	factor := clip(b, params, gradients, h.Clip)
	for _, p := range params {
		x := graph.Ref(p.Name)
		g := b.Op("Mul", nil, graph.Ref(gradients[p.Name]), factor)
		g = b.Op("Add", nil, g, b.Op("Mul", nil, x, b.Float(h.WeightDecay)))
		m := momentum(b, p, g, h.Momentum)
		step := m
		if h.Nesterov {
			step = b.Op("Add", nil, g, b.Op("Mul", nil, m, b.Float(h.Momentum)))
		}
		b.Output(Next+p.Name, b.Op("Sub", nil, x, b.Op("Mul", nil, lr, step)))
		b.Output(Next+FirstMoment+p.Name, m)
	}
}

// momentum is mu·m + g.
func momentum(b *graph.Builder, p graph.Value, g graph.Ref, mu float32) graph.Ref {
	return b.Op("Add", nil, b.Op("Mul", nil, b.Input(FirstMoment+p.Name, tensor.Float32, p.Shape...), b.Float(mu)), g)
}
