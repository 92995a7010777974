package split

import "github.com/mutirao/mutirao/engine/kernel"

var recurrentRules = map[string]func(*plan) stage{"LSTM": recurrent(4), "GRU": recurrent(3)}

var sigmoid = of(kernel.Sigmoid)

// layer is a recurrent layer for one direction and one sequence of a batch. All its hidden values are in the accumulator, since a
// step needs those of the one before: three words for each.
type layer struct {
	p                          *plan
	gates, direction, sequence int
	steps, batch, in, hidden   int
	back                       bool
	h, c, next                 int // words: the state of an LSTM, or r ⊗ h of a GRU, is c
	sum                        int // words: one for each gate, and one to work with
	f                          *fold
}

// recurrent follows the steps up to the element's, in the order of ONNX's LSTM and GRU as package exec documents them.
func recurrent(gates int) func(*plan) stage {
	return func(p *plan) stage {
		x, hidden := p.In[0].Shape, p.In[2].Shape[2]
		at := p.index()
		l := &layer{p: p, gates: gates, steps: x[0], batch: x[1], in: x[2], hidden: hidden}
		last := l.steps - 1
		if p.output == 0 {
			last = at[0]
			at = at[1:]
		}
		l.direction, l.sequence = at[0], at[1]
		if l.back = p.Directions()[l.direction]; l.back && p.output == 0 {
			last = l.steps - 1 - last
		}
		l.h, l.c, l.next, l.sum, l.f = p.word(hidden), p.word(hidden), p.word(hidden), p.word(gates+1), p.newFold()
		stages := []stage{l.begin(), times(last+1, l.step), once(func(a Acc, _ *inputs) {
			from := l.h
			if p.output == 2 {
				from = l.c
			}
			a.done(a.float(from + at[2]))
		})}
		return seq(stages...)
	}
}

// begin loads the state before the first step.
func (l *layer) begin() stage {
	return overall(l.hidden, func(u int, a Acc, in *inputs) {
		i := (l.direction*l.batch+l.sequence)*l.hidden + u
		if l.p.Has(5) {
			a.setFloat(l.h+u, in.float(5, i))
		}
		if l.gates == 4 && l.p.Has(6) {
			a.setFloat(l.c+u, in.float(6, i))
		}
	})
}

// step is one step: each hidden value, then all of them at once.
func (l *layer) step(i int) stage {
	t := i
	if l.back {
		t = l.steps - 1 - i
	}
	taken := once(func(a Acc, _ *inputs) { copy(a[l.h:l.h+l.hidden], a[l.next:l.next+l.hidden]) })
	if l.gates == 4 {
		return seq(times(l.hidden, func(u int) stage { return l.lstm(t, u) }), taken)
	}
	if l.p.Int("linear_before_reset") != 0 {
		return seq(times(l.hidden, func(u int) stage { return l.gru(t, u, l.h) }), taken)
	}
	reset := times(l.hidden, func(u int) stage {
		return seq(l.gate(1, t, u, l.h), once(func(a Acc, _ *inputs) {
			a.setFloat(l.c+u, float32(sigmoid(a.float(l.sum+1))*a.float(l.h+u)))
		}))
	})
	return seq(reset, times(l.hidden, func(u int) stage { return l.gru(t, u, l.c) }), taken)
}

// input is the stage that sets the last of sum to x·W_gᵀ ⊕ Wb_g.
func (l *layer) input(g, t, u int) stage {
	w := ((l.direction*l.gates+g)*l.hidden + u) * l.in
	return seq(l.f.product(l.in, func(k int, in *inputs) (x, y float32) {
		return in.float(0, (t*l.batch+l.sequence)*l.in+k), in.float(1, w+k)
	}), once(func(a Acc, in *inputs) { a.setFloat(l.sum+l.gates, l.biased(l.f.of(a), in, g, u, 0)) }))
}

// hiddenly is the stage that sets a gate's sum to h·R_gᵀ ⊕ Rb_g, with h the words from the given one on.
func (l *layer) hiddenly(g, u, h int) stage {
	r := ((l.direction*l.gates+g)*l.hidden + u) * l.hidden
	return stage{(l.hidden + along - 1) / along, func(op int, a Acc, in *inputs) {
		if op == 0 {
			l.f.reset(a)
		}
		for k := op * along; k < min((op+1)*along, l.hidden); k++ {
			l.f.add(a, k, l.hidden, a.float(h+k), in.float(2, r+k))
		}
		if (op+1)*along >= l.hidden {
			a.setFloat(l.sum+g, l.biased(l.f.of(a), in, g, u, l.gates))
		}
	}}
}

// biased adds a bias if there is one: those of W come before those of R.
func (l *layer) biased(v float32, in *inputs, g, u, skip int) float32 {
	if !l.p.Has(3) {
		return v
	}
	return v + in.float(3, ((2*l.direction*l.gates)+skip+g)*l.hidden+u)
}

// gate is the stage that sets a gate's sum to both products.
func (l *layer) gate(g, t, u, h int) stage {
	return seq(l.input(g, t, u), l.hiddenly(g, u, h), once(func(a Acc, _ *inputs) {
		a.setFloat(l.sum+g, a.float(l.sum+g)+a.float(l.sum+l.gates))
	}))
}

func (l *layer) lstm(t, u int) stage {
	return seq(times(4, func(g int) stage { return l.gate(g, t, u, l.h) }), once(func(a Acc, _ *inputs) {
		in, out, forget, fresh := sigmoid(a.float(l.sum)), sigmoid(a.float(l.sum+1)), sigmoid(a.float(l.sum+2)), tanh(a.float(l.sum+3))
		c := float32(forget*a.float(l.c+u)) + float32(in*fresh)
		a.setFloat(l.c+u, c)
		a.setFloat(l.next+u, float32(out*tanh(c)))
	}))
}

// gru computes a hidden value; h is what the third gate's product reads, r ⊗ h or, with linear_before_reset, h itself.
func (l *layer) gru(t, u, h int) stage {
	return seq(l.gate(0, t, u, l.h), l.gate(1, t, u, l.h), l.input(2, t, u), l.hiddenly(2, u, h), once(func(a Acc, _ *inputs) {
		z, back := sigmoid(a.float(l.sum)), a.float(l.sum+2)
		if l.p.Int("linear_before_reset") != 0 {
			back = float32(sigmoid(a.float(l.sum+1)) * back)
		}
		fresh := tanh(back + a.float(l.sum+3))
		a.setFloat(l.next+u, float32((1-z)*fresh)+float32(z*a.float(l.h+u)))
	}))
}
