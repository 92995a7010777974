package exec

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
)

// convThen is what follows a convolution, by storages: what kernel.Then says in its order, then steps that are done channel by channel.
type convThen struct {
	bias, add int // -1 for none
	clip      bool
	low, high float32
	apply     func(dst, src []float32)
	steps     []channelStep
	channels  int // of the output if they are last, else 0
}

// channelStep is one operation on a part of a channel: with a number of the channel, with another value of the same shape, or a
// function.
type channelStep struct {
	op       *rowwise
	numbers  int // storage of one number for each channel
	whole    int // storage of the other value; -1 if numbers or apply is meant
	reversed bool
	apply    func(dst, src []float32)
}

// hasSteps reports whether nothing of kernel.Then may follow any more.
func (t *convThen) hasSteps() bool { return len(t.steps) > 0 || t.apply != nil }

// convolution joins a convolution with the elementwise operations that follow it one after the other, as product does.
func (f *products) convolution(i int) {
	in := f.c.code[i]
	if in.call.Node.Op != "Conv" || in.conv != nil {
		return
	}
	t := &convThen{bias: -1, add: -1}
	if in.call.Has(2) {
		t.bias = in.in[2]
	}
	at := i
	for {
		z := f.c.code[at].out[0]
		if f.needed[z] {
			break
		}
		if r, other, ok := f.channelwise(t, z, in.call.Out[0].Shape); ok {
			in.in = append(slices.Clone(in.in), other)
			f.gone[at] = true
			at = r
			continue
		}
		group := f.pointwiseGroup(z)
		if group == nil || slices.ContainsFunc(f.readers[z], func(r int) bool { return !slices.Contains(group, r) }) {
			break
		}
		if low, high, ok := f.c.bounds(z, group); ok && !t.clip && !t.hasSteps() {
			t.clip, t.low, t.high = true, low, high
		} else if function, ok := f.c.compose(z, group); !ok {
			break
		} else if t.hasSteps() {
			t.steps = append(t.steps, channelStep{whole: -1, apply: function.apply})
		} else {
			t.apply = function.apply
		}
		f.gone[at] = true
		for _, g := range group {
			f.gone[g] = true
		}
		at = group[len(group)-1]
	}
	if at == i && t.bias < 0 {
		return
	}
	in.conv, in.out = t, f.c.code[at].out
	f.gone[at] = false
	f.c.code[at] = in
}

// channelwise takes the only reader of z into t, if that is an operation with one number for each channel or with a value of the same
// shape, which is that of the convolution. It returns the reader and the other operand.
func (f *products) channelwise(t *convThen, z int, shape []int) (reader, other int, ok bool) {
	if len(f.readers[z]) != 1 {
		return 0, 0, false
	}
	reader = f.readers[z][0]
	if f.gone[reader] { // it is part of the other operand's convolution
		return 0, 0, false
	}
	next := &f.c.code[reader]
	op := fusedBinary[next.call.Node.Op]
	if op == nil || op.rowScalar == nil || len(next.in) != 2 || next.in[0] == next.in[1] || next.group != nil || next.then != nil {
		return 0, 0, false
	}
	side := slices.Index(next.in, z)
	v := next.call.In[1-side]
	if !slices.Equal(next.call.In[side].Shape, shape) || !slices.Equal(next.call.Out[0].Shape, shape) { // z may have been reshaped
		return 0, 0, false
	}
	other = next.in[1-side]
	adds := next.call.Node.Op == "Add"
	switch {
	case slices.Equal(v.Shape, shape):
		if adds && t.add < 0 && !t.clip && !t.hasSteps() {
			t.add = other
			break
		}
		t.steps = append(t.steps, channelStep{op: op, whole: other, reversed: side == 1})
	case isPerChannel(v.Shape, shape) && (side == 0 || op.commutative):
		if adds && t.bias < 0 && t.add < 0 && !t.clip && !t.hasSteps() {
			t.bias = other
			break
		}
		t.steps = append(t.steps, channelStep{op: op, numbers: other, whole: -1})
	default:
		return 0, 0, false
	}
	return reader, other, true
}

// isPerChannel reports whether a shape that broadcasts to [batch, channels, ...] has one element for each channel.
func isPerChannel(shape, out []int) bool {
	at := len(shape) - len(out) + 1 // of the channels
	if at < 0 || shape[at] != out[1] {
		return false
	}
	return (graph.Value{Shape: shape}).Len() == out[1]
}

// bounds recognises Relu and the two operators of a Clip, which the kernels do in one step.
func (c *compiler) bounds(z int, group []int) (low, high float32, ok bool) {
	low, high = float32(math.Inf(-1)), float32(math.Inf(1))
	for i, m := range group {
		in := &c.code[m]
		switch op := in.call.Node.Op; {
		case op == "Relu" && len(group) == 1:
			return 0, high, true
		case i == 0 && op == "Max" && c.otherScalar(in, z) != nil:
			low = *c.otherScalar(in, z)
		case i == len(group)-1 && op == "Min" && c.otherScalar(in, z) != nil:
			high = *c.otherScalar(in, z)
		default:
			return 0, 0, false
		}
		z = in.out[0]
	}
	return low, high, len(group) <= 2
}

// otherScalar is the constant that an operator of two operands has beside z, or nil.
func (c *compiler) otherScalar(in *instruction, z int) *float32 {
	if len(in.in) != 2 {
		return nil
	}
	if in.in[0] == z {
		return c.scalar(in.in[1])
	}
	return c.scalar(in.in[0])
}

// bind makes what the kernel wants. The results are made once and filled in each run.
func (t *convThen) bind() func(*Program) (*kernel.Then, kernel.After) {
	if t == nil {
		return func(*Program) (*kernel.Then, kernel.After) { return nil, nil }
	}
	k := &kernel.Then{Clip: t.clip, Low: t.low, High: t.high, Apply: t.apply}
	var program *Program
	var after kernel.After
	if len(t.steps) > 0 {
		after = func(y []float32, channel, at int) {
			for i := range t.steps {
				t.steps[i].run(program, y, channel, at, t.channels)
			}
		}
	}
	return func(p *Program) (*kernel.Then, kernel.After) {
		program = p
		if t.bias >= 0 {
			k.Rows = p.f32[t.bias]
		}
		if t.add >= 0 {
			k.Add = p.f32[t.add]
		}
		return k, after
	}
}

// run does the step on a part of a channel, which begins at the element at, or if channels are last, of whose number there are some, on
// what kernel.After says.
func (s *channelStep) run(p *Program, y []float32, channel, at, channels int) {
	switch {
	case s.apply != nil:
		s.apply(y, y)
	case s.whole < 0 && channels > 0:
		for numbers := p.f32[s.numbers]; len(y) > 0; channel = 0 {
			n := min(len(y), channels-channel)
			s.op.rows(y[:n], y[:n], numbers[channel:channel+n])
			y = y[n:]
		}
	case s.whole < 0:
		s.op.rowScalar(y, y, p.f32[s.numbers][channel])
	case s.reversed:
		s.op.rows(y, p.f32[s.whole][at:at+len(y)], y)
	default:
		s.op.rows(y, y, p.f32[s.whole][at:at+len(y)])
	}
}
