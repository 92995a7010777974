// Package optim owns the optimizers of a run: AdamW, SGD, Muon or Adafactor inside a unit, as part of the step's graph,
// and Nesterov's step between rounds, on the sum of what the units sent.
//
// All are exact sequences of the engine's operations, because verifiers repeat them.
package optim

import (
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Names of the step graph's inputs and outputs besides those of the loss graph. A weight w comes with
// moments m/w and v/w and leaves as next/w, next/m/w and next/v/w.
const (
	Next         = "next/"
	FirstMoment  = "m/"
	SecondMoment = "v/"
	LearningRate = "learning_rate" // scalar
	Beta1Power   = "beta1_power"   // scalar: beta1 to the steps taken, a running product
	Beta2Power   = "beta2_power"
	SumSquares   = "gradient_sum_squares" // output, scalar: of the gradient before clipping
	Taken        = "steps_taken"          // scalar, of Adafactor: 0 before the first step
	RowMoment    = "r/"                   // of Adafactor, for a matrix
	ColumnMoment = "c/"
)

// Hyper are the hyper-parameters of AdamW.
type Hyper struct {
	Beta1, Beta2, Eps, WeightDecay, Clip float32
}

// AppendAdamW extends a graph by one AdamW step on params (in this order) with the given gradients:
//
//	s  = Σ over params of Σ g², the sums added in the order of params
//	g  = g·min(1, clip/sqrt(s))
//	p1 = beta1Power·beta1, p2 = beta2Power·beta2
//	m  = beta1·m + (1-beta1)·g, v = beta2·v + (1-beta2)·(g·g)
//	x  = (x - (lr·(m/(1-p1))) / (sqrt(v/(1-p2)) + eps)) - (lr·decay)·x
//
// each operation rounded once. gradients maps a param's name to the value that holds its gradient.
// If s is not finite the outputs are useless and the caller skips the step.
// Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2.
func AppendAdamW(b *graph.Builder, params []graph.Value, gradients map[string]string, h Hyper) {
	a := newAdamW(b, h)
	factor := clip(b, params, gradients, h.Clip)
	a.correct()
	for _, p := range params {
		a.update(p, b.Op("Mul", nil, graph.Ref(gradients[p.Name]), factor))
	}
}

// clip puts out the sum of squares of all gradients. It returns min(1, most/its root), by which they are multiplied.
func clip(b *graph.Builder, params []graph.Value, gradients map[string]string, most float32) graph.Ref {
	var sum graph.Ref
	for i, p := range params {
		s := b.Op("ReduceSumSquare", graph.Attrs{"keepdims": 0}, graph.Ref(gradients[p.Name]))
		if i == 0 {
			sum = s
		} else {
			sum = b.Op("Add", nil, sum, s)
		}
	}
	b.Output(SumSquares, sum)
	// A zero gradient gives most/0 = +Inf, and the minimum is 1.
	return b.Op("Min", nil, b.Float(1), b.Op("Div", nil, b.Float(most), b.Op("Sqrt", nil, sum)))
}

// adamW are the scalars of a step.
type adamW struct {
	*graph.Builder
	Hyper
	lr, power1, power2, correction1, correction2, decay graph.Ref
}

// newAdamW declares what a step of AdamW reads besides weights, and counts it.
func newAdamW(b *graph.Builder, h Hyper) *adamW {
	a := &adamW{Builder: b, Hyper: h, lr: b.Input(LearningRate, tensor.Float32)}
	a.power1 = b.Op("Mul", nil, b.Input(Beta1Power, tensor.Float32), b.Float(h.Beta1))
	a.power2 = b.Op("Mul", nil, b.Input(Beta2Power, tensor.Float32), b.Float(h.Beta2))
	b.Output(Next+Beta1Power, a.power1)
	b.Output(Next+Beta2Power, a.power2)
	return a
}

// correct computes what all weights share.
func (a *adamW) correct() {
	a.correction1 = a.Op("Sub", nil, a.Float(1), a.power1)
	a.correction2 = a.Op("Sub", nil, a.Float(1), a.power2)
	a.decay = a.Op("Mul", nil, a.lr, a.Float(a.WeightDecay))
}

// update is the step of one weight with clipped gradient g.
func (a *adamW) update(p graph.Value, g graph.Ref) {
	b, x := a.Builder, graph.Ref(p.Name)
	m := blend(b, b.Input(FirstMoment+p.Name, tensor.Float32, p.Shape...), g, a.Beta1)
	v := blend(b, b.Input(SecondMoment+p.Name, tensor.Float32, p.Shape...), b.Op("Mul", nil, g, g), a.Beta2)
	step := b.Op("Mul", nil, a.lr, b.Op("Div", nil, m, a.correction1))
	step = b.Op("Div", nil, step, b.Op("Add", nil, b.Op("Sqrt", nil, b.Op("Div", nil, v, a.correction2)), b.Float(a.Eps)))
	next := b.Op("Sub", nil, b.Op("Sub", nil, x, step), b.Op("Mul", nil, a.decay, x))
	b.Output(Next+p.Name, next)
	b.Output(Next+FirstMoment+p.Name, m)
	b.Output(Next+SecondMoment+p.Name, v)
}

// blend is beta·old + (1-beta)·new.
func blend(b *graph.Builder, old, new graph.Ref, beta float32) graph.Ref {
	return b.Op("Add", nil, b.Op("Mul", nil, old, b.Float(beta)), b.Op("Mul", nil, new, b.Float(1-beta)))
}

// Rate is the learning rate of inner step j of steps, j from 0: it climbs in equal parts to lr over
// the first max(5, steps/20), because moments start from zero in every round, and stays there.
func Rate(lr float32, j, steps int) float32 {
	warm := max(5, steps/20)
	if j >= warm {
		return lr
	}
	return float32(lr * (float32(j+1) / float32(warm)))
}
