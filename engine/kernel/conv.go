package kernel

import "math"

// ConvShape is the size of a convolution: x is [Batch, Groups·Channels, in...], the weights are [Groups·Outputs, Channels, window...]
// and y is [Batch, Groups·Outputs, out...].
type ConvShape struct {
	Batch, Groups     int
	Channels, Outputs int // of one group
	Window
}

// depth is the length of the sums: places of the window times channels of a group.
func (s *ConvShape) depth() int { return s.places() * s.Channels }

// Conv is a convolution of one shape:
//
//	y[b,o,j] = Σ_k w[o,k]·x[b,k,j],  k = (place of the window in row-major order, channel of the group)
//
// contracted as MatMul contracts k: chains of fma over blocks of 256 from +0, added in ascending order to +0. Padding takes part
// as products with +0. An element depends on its own window and weights only. It is not changed by use and safe for concurrent
// use. Source: ONNX Conv-11; order: spec/numerics.md §12.
type Conv struct {
	ConvShape
	made     implementation // that the plan is for
	serial   bool           // it does not start goroutines
	from, to Layout         // of x and y
	plan     convPlan
}

// ConvWeights are weights laid out for one convolution. They are not changed after Pack and safe for concurrent use.
type ConvWeights struct {
	conv *Conv
	data []float32
}

// After is what follows the steps of a Then, by channel: it is called with each part of y once, when that is complete. y begins at
// the element at of the output and belongs to one channel, counted over all groups; if channels come last, it begins at that channel of a
// place and goes on to others, then to other places. Calls may run at the same time, and must not depend on how y is cut.
type After func(y []float32, channel, at int)

// NewConv plans a convolution, which runs on one goroutine if serial says so.
func NewConv(s ConvShape, serial bool) *Conv {
	return NewConvLayout(s, ChannelsFirst, ChannelsFirst, serial)
}

// NewConvLayout is NewConv for layouts of x and y. From channels last to channels first there is none.
func NewConvLayout(s ConvShape, from, to Layout, serial bool) *Conv {
	if from == ChannelsLast && to == ChannelsFirst {
		panic("kernel: no convolution from channels last to channels first")
	}
	c := &Conv{ConvShape: s, made: current(), serial: serial, from: from, to: to}
	if s.identity() { // one long row
		c.Window = Along(Axis{s.in(), 1, 1, 1, 0, s.out()})
	}
	c.makePlan()
	return c
}

// Pack lays weights out. It panics if their number does not fit.
func (c *Conv) Pack(w []float32) *ConvWeights {
	p := &ConvWeights{conv: c}
	c.PackInto(p, w)
	return p
}

// PackInto is Pack into weights made before, for the same convolution, whose memory it uses again.
func (c *Conv) PackInto(p *ConvWeights, w []float32) {
	checkLen("w", len(w), c.Groups*c.Outputs*c.depth())
	p.conv = c
	if n := c.packedLen(); len(p.data) != n {
		p.data = aligned(n)[:n]
	}
	c.pack(p.data, w)
}

// Run computes y, then what then and after say, each unless it is nil; biases by row of a Then are those of output channels, there are
// none by column. y must not overlap x. It panics if a length does not fit.
func (c *Conv) Run(y, x []float32, w *ConvWeights, then *Then, after After) {
	checkLen("y", len(y), c.Batch*c.Groups*c.Outputs*c.out())
	checkLen("x", len(x), c.Batch*c.Groups*c.Channels*c.in())
	if w.conv != c {
		panic("kernel: the weights were packed for another convolution")
	}
	e := ending{after: after, low: negativeInfinity, high: positiveInfinity}
	if then != nil {
		e.set(then, c.Groups*c.Outputs, len(y))
	}
	c.run(y, x, w.data, &e)
}

// ending is what follows a convolution: the steps that its tiles do, y = min(max((y ⊕ bias) ⊕ residual, low), high), then the others.
// Left out are a bias of -0, a residual of nil and infinite bounds: they change nothing, y never being -0 before them.
type ending struct {
	bias, residual []float32
	low, high      float32
	steps          *Then // all steps, if the tiles cannot do them; nil otherwise
	apply          func(dst, src []float32)
	after          After
}

var negativeInfinity, positiveInfinity = float32(math.Inf(-1)), float32(math.Inf(1))

// set takes over what a Then says, for y of that many channels and elements.
func (e *ending) set(then *Then, channels, elements int) {
	if then.Rows != nil {
		checkLen("Rows", len(then.Rows), channels)
	}
	if then.Add != nil {
		checkLen("Add", len(then.Add), elements)
	}
	if then.Cols != nil {
		panic("kernel: a convolution has no biases by column")
	}
	e.apply = then.Apply
	if then.Scale != 0 || then.Clip && !(then.Low == then.Low && then.High > 0) {
		e.steps = then
		return
	}
	e.bias, e.residual = then.Rows, then.Add
	if then.Clip {
		e.low, e.high = then.Low, then.High
	}
}

// plain reports whether a part of y is complete when its tiles are.
func (e *ending) plain() bool { return e.steps == nil && e.apply == nil && e.after == nil }

// rest does what tiles leave.
func (e *ending) rest(y []float32, channel, at int) {
	if t := e.steps; t != nil {
		if t.Scale != 0 {
			scalarActive(opMul, y, y, t.Scale)
		}
		if t.Rows != nil {
			scalarActive(opAdd, y, y, t.Rows[channel])
		}
		if t.Add != nil {
			binaryActive(opAdd, y, y, t.Add[at:at+len(y)])
		}
		if t.Clip {
			scalarActive(opMaximum, y, y, t.Low)
			scalarActive(opMinimum, y, y, t.High)
		}
	}
	if e.apply != nil {
		e.apply(y, y)
	}
	if e.after != nil {
		e.after(y, channel, at)
	}
}

// all does all steps.
func (e *ending) all(y []float32, channel, at int) {
	if e.bias != nil {
		scalarActive(opAdd, y, y, e.bias[channel])
	}
	if e.residual != nil {
		binaryActive(opAdd, y, y, e.residual[at:at+len(y)])
	}
	e.limit(y)
	e.rest(y, channel, at)
}

// limit keeps y within the bounds.
func (e *ending) limit(y []float32) {
	if !math.IsInf(float64(e.low), -1) {
		scalarActive(opMaximum, y, y, e.low)
	}
	if !math.IsInf(float64(e.high), 1) {
		scalarActive(opMinimum, y, y, e.high)
	}
}

// rows adds the biases of channels from one on to rows of as many sums, pitch apart, and keeps all within the bounds.
func (e *ending) rows(sums []float32, channel, channels, pitch int) {
	if e.bias != nil {
		bias := e.bias[channel:][:channels]
		for at := 0; at < len(sums); at += pitch {
			row := sums[at:][:channels]
			binaryActive(opAdd, row, row, bias)
		}
	}
	e.limit(sums)
}

// packGeneric sets dst to [Groups·Outputs, places, Channels].
func (c *Conv) packGeneric(dst, w []float32) {
	places, depth := c.places(), c.depth()
	for o := range c.Groups * c.Outputs {
		in, out := w[o*depth:][:depth], dst[o*depth:][:depth]
		for k := range out {
			out[k] = in[k%c.Channels*places+k/c.Channels]
		}
	}
}

// runGeneric is the definition, with weights of packGeneric: a row of outputs at a time.
func (c *Conv) runGeneric(y, x, w []float32, e *ending) {
	n, row, depth := c.out(), c.Window[2].Out, c.depth()
	planes := c.Batch * c.Groups * c.Outputs
	const macsPerTask = 1 << 15
	end := *e // a copy, so that e may stay on the stack where this is not called
	parallel(planes, max(1, macsPerTask/(n*depth)), func(lo, hi int) {
		read, chain := make([]float32, row), make([]float32, row)
		for plane := lo; plane < hi; plane++ {
			channel := plane % (c.Groups * c.Outputs)
			group := plane / c.Outputs // over the batch
			weights := w[channel*depth:][:depth]
			for r := range n / row {
				out := y[plane*n+r*row:][:row]
				clear(out)
				for k0 := 0; k0 < depth; k0 += blockK {
					clear(chain)
					for k := k0; k < min(k0+blockK, depth); k++ {
						in := x[(group*c.Channels+k%c.Channels)*c.in():][:c.in()]
						c.row(read, in, r, 0, c.place(k/c.Channels), 0)
						fmaRow(chain, read, weights[k])
					}
					for j, v := range chain {
						out[j] += v
					}
				}
			}
			end.all(y[plane*n:][:n], channel, plane*n)
		}
	})
}
