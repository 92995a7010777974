package optim

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Adafactor are its hyper-parameters.
type Adafactor struct {
	Eps, WeightDecay, Clip float32
}

const (
	adafactorDecay = -0.8 // of the second moment: 1 - t^-0.8
	adafactorFloor = 1e-3 // of the RMS of a weight
)

// AppendAdafactor extends a graph by one step of Adafactor on params. The second moment of a weight with two axes or more is kept as
// means r over its last axis and c over the one before, of any other whole, as v; there is no first moment. With g the clipped gradient
// as in AppendAdamW, t the number of steps with this one, n the elements of x:
//
//	β = exp(-0.8·log(t)), ρ = min(lr, 1/√t), α = max(1e-3, √(Σx²/n))·ρ
//	r = r + β·(mean of g² over the last axis - r), c likewise;  e = (r·c)/max(mean of r, eps)     or v = v + β·(g² - v), e = v
//	u = g/√max(e, eps²)
//	x = (x - (lr·decay)·x) - (α/max(1, √(Σu²/n)))·u
//
// each operation rounded once. Source: Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML 2018,
// algorithms 4 to 6 without momentum, in the form of torch.optim.Adafactor.
func AppendAdafactor(b *graph.Builder, params []graph.Value, gradients map[string]string, h Adafactor) {
	a := &adafactor{Builder: b, Adafactor: h, lr: b.Input(LearningRate, tensor.Float32)}
	taken := a.op("Add", b.Input(Taken, tensor.Float32), b.Float(1))
	b.Output(Next+Taken, taken)
	factor := clip(b, params, gradients, h.Clip)
	a.beta = a.op("Exp", a.op("Mul", a.op("Log", taken), b.Float(adafactorDecay)))
	a.rho = a.op("Min", a.lr, a.op("Reciprocal", a.op("Sqrt", taken)))
	a.decay = a.op("Mul", a.lr, b.Float(h.WeightDecay))
	for _, p := range params {
		a.update(p, a.op("Mul", graph.Ref(gradients[p.Name]), factor))
	}
}

// adafactor are the scalars of a step.
type adafactor struct {
	*graph.Builder
	Adafactor
	lr, beta, rho, decay graph.Ref
}

func (a *adafactor) op(name string, in ...graph.Ref) graph.Ref { return a.Op(name, nil, in...) }

// update is the step of one weight with clipped gradient g.
func (a *adafactor) update(p graph.Value, g graph.Ref) {
	x := graph.Ref(p.Name)
	alpha := a.op("Mul", a.op("Max", a.rms(x, p.Len()), a.Float(adafactorFloor)), a.rho)
	u := a.op("Div", g, a.op("Sqrt", a.op("Max", a.estimate(p, g), a.Float(float32(a.Eps*a.Eps)))))
	step := a.op("Div", alpha, a.op("Max", a.rms(u, p.Len()), a.Float(1)))
	next := a.op("Sub", a.op("Sub", x, a.op("Mul", a.decay, x)), a.op("Mul", step, u))
	a.Output(Next+p.Name, next)
}

// rms is the root of the mean square of x, of n elements.
func (a *adafactor) rms(x graph.Ref, n int) graph.Ref {
	sum := a.Op("ReduceSumSquare", graph.Attrs{"keepdims": 0}, x)
	return a.op("Sqrt", a.op("Div", sum, a.Float(float32(n))))
}

// estimate moves the second moment towards g² and returns what it says about each element.
func (a *adafactor) estimate(p graph.Value, g graph.Ref) graph.Ref {
	square := a.op("Mul", g, g)
	last := len(p.Shape) - 1
	if last < 1 {
		return a.towards(SecondMoment, p.Name, p.Shape, square)
	}
	rows, columns := slices.Clone(p.Shape), slices.Clone(p.Shape)
	rows[last], columns[last-1] = 1, 1
	r := a.towards(RowMoment, p.Name, rows, a.op("ReduceMean", square, a.Ints(last)))
	c := a.towards(ColumnMoment, p.Name, columns, a.op("ReduceMean", square, a.Ints(last-1)))
	mean := a.op("Max", a.op("ReduceMean", r, a.Ints(last-1)), a.Float(a.Eps))
	return a.op("Div", a.op("Mul", r, c), mean)
}

// towards is old + beta·(new - old), which is the next state.
func (a *adafactor) towards(role, name string, shape []int, new graph.Ref) graph.Ref {
	old := a.Input(role+name, tensor.Float32, shape...)
	next := a.op("Add", old, a.op("Mul", a.beta, a.op("Sub", new, old)))
	a.Output(Next+role+name, next)
	return next
}

// Initial is the value that a state of the given name starts from, other than a weight: 1 for powers, 0 for all else.
func Initial(name string) float32 {
	if name == Beta1Power || name == Beta2Power {
		return 1
	}
	return 0
}
