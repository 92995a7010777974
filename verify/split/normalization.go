package split

var normalizationRules = map[string]func(*plan) stage{
	"Softmax": softmax, "LogSoftmax": logSoftmax,
	"LayerNormalization": norm(true), "RMSNormalization": norm(false),
	"LayerNormalizationGrad": normGrad(true), "RMSNormalizationGrad": normGrad(false),
}

// exponential is the greatest of n scores and the sum of e^(score - greatest), spec/numerics.md §7.
type exponential struct {
	greatest int // word
	sum      *sum
	stage
}

func (p *plan) newExponential(n int, score func(i int, in *inputs) float32) *exponential {
	e := &exponential{greatest: p.word(1), sum: p.newSum(n)}
	e.stage = seq(overall(n, func(i int, a Acc, in *inputs) {
		x := score(i, in)
		if i > 0 {
			x = maximum(a.float(e.greatest), x)
		}
		a.setFloat(e.greatest, x)
	}), overall(n, func(i int, a Acc, in *inputs) {
		e.sum.add(a, i, exp(score(i, in)-a.float(e.greatest)), 0)
	}))
	return e
}

// share is the part of a score in the sum, logarithm the logarithm of that as LogSoftmax computes it.
func (e *exponential) share(a Acc, x float32) float32 {
	return exp(x-a.float(e.greatest)) / e.sum.of(a)
}
func (e *exponential) logarithm(a Acc, x float32) float32 {
	return (x - a.float(e.greatest)) - log(e.sum.of(a))
}

// row is the list of elements along an axis through the one in question.
func (p *plan) row(input int) (n int, at func(i int) int) {
	shape, axis := p.In[input].Shape, p.Axis()
	place := p.index()
	return shape[axis], func(i int) int { return ravel(shape, moved(place, axis, i)) }
}

func softmax(p *plan) stage {
	n, at := p.row(0)
	e := p.newExponential(n, func(i int, in *inputs) float32 { return in.float(0, at(i)) })
	return seq(e.stage, once(func(a Acc, in *inputs) { a.done(e.share(a, in.float(0, p.element))) }))
}

func logSoftmax(p *plan) stage {
	n, at := p.row(0)
	e := p.newExponential(n, func(i int, in *inputs) float32 { return in.float(0, at(i)) })
	return seq(e.stage, once(func(a Acc, in *inputs) { a.done(e.logarithm(a, in.float(0, p.element))) }))
}

// standard is the mean, if it counts, and the root of the mean square of what is left, spec/numerics.md §8, for row r of an
// input.
type standard struct {
	p       *plan
	input   int
	n       int
	centred bool
	mean    int // word
	root    int // word
	total   *sum
	squares *sum
}

func (p *plan) newStandard(input, n int, centred bool) *standard {
	return &standard{p, input, n, centred, p.word(1), p.word(1), p.newSum(n), p.newDot(n)}
}

// row is the stage that measures row r.
func (s *standard) row(r int) stage {
	n := float32(s.n)
	squares := overall(s.n, func(i int, a Acc, in *inputs) {
		d := s.distance(a, in, r, i)
		s.squares.add(a, i, d, d)
		if i == s.n-1 {
			a.setFloat(s.root, root(s.squares.of(a)/n+s.p.Float("epsilon")))
		}
	})
	if !s.centred {
		return squares
	}
	return seq(overall(s.n, func(i int, a Acc, in *inputs) {
		s.total.add(a, i, in.float(s.input, r*s.n+i), 0)
		if i == s.n-1 {
			a.setFloat(s.mean, s.total.of(a)/n)
		}
	}), squares)
}

// distance is an element less the mean.
func (s *standard) distance(a Acc, in *inputs, r, i int) float32 {
	x := in.float(s.input, r*s.n+i)
	if s.centred {
		x -= a.float(s.mean)
	}
	return x
}

// of is a normalised element.
func (s *standard) of(a Acc, in *inputs, r, i int) float32 {
	return s.distance(a, in, r, i) / a.float(s.root)
}

func norm(centred bool) func(*plan) stage {
	return func(p *plan) stage {
		n := p.In[1].Len()
		s := p.newStandard(0, n, centred)
		r, i := p.element/n, p.element%n
		return seq(s.row(r), once(func(a Acc, in *inputs) {
			y := float32(s.of(a, in, r, i) * in.float(1, i))
			if p.Has(2) {
				y += in.float(2, i)
			}
			a.done(y)
		}))
	}
}

// normGrad differentiates a normalisation h, with g = dy·scale:
//
//	dx = ((g - Σg/n) - h·(Σg·h/n)) / root (RMS: without the mean of g), dscale = Σ over rows of dy·h, dbias = Σ over rows of dy
func normGrad(centred bool) func(*plan) stage {
	return func(p *plan) stage {
		n := p.In[2].Len()
		rows := p.In[1].Len() / n
		s := p.newStandard(1, n, centred)
		switch p.output {
		case 1:
			total := p.newSum(rows)
			return seq(times(rows, func(r int) stage {
				return seq(s.row(r), once(func(a Acc, in *inputs) {
					total.add(a, r, float32(in.float(0, r*n+p.element)*s.of(a, in, r, p.element)), 0)
				}))
			}), once(func(a Acc, _ *inputs) { a.done(total.of(a)) }))
		case 2:
			total := p.newSum(rows)
			return seq(overall(rows, func(r int, a Acc, in *inputs) { total.add(a, r, in.float(0, r*n+p.element), 0) }),
				once(func(a Acc, _ *inputs) { a.done(total.of(a)) }))
		}
		r, i := p.element/n, p.element%n
		g := func(in *inputs, i int) float32 { return float32(in.float(0, r*n+i) * in.float(2, i)) }
		along, mean := p.newDot(n), p.newSum(n)
		return seq(s.row(r), overall(n, func(i int, a Acc, in *inputs) {
			along.add(a, i, g(in, i), s.of(a, in, r, i))
			mean.add(a, i, g(in, i), 0)
		}), once(func(a Acc, in *inputs) {
			d := g(in, i)
			if centred {
				d -= mean.of(a) / float32(n)
			}
			d -= float32(s.of(a, in, r, i) * (along.of(a) / float32(n)))
			a.done(d / a.float(s.root))
		}))
	}
}
