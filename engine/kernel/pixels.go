package kernel

// A convolution whose values have their channels last needs next to no preparation: what an output reads at one place of the window are
// consecutive elements, and vectors run over output channels. It is the same sum as any other convolution, in the same order.

// runDefined computes by the definition.
func (c *Conv) runDefined(y, x, w []float32, e *ending) {
	if c.to == ChannelsLast {
		c.definedLast(y, x, w, e)
		return
	}
	c.runGeneric(y, x, w, e)
}

// definedLast computes y, and x unless it has its channels first, by the definition, which has them first.
func (c *Conv) definedLast(y, x, w []float32, e *ending) {
	channels, n := c.Groups*c.Outputs, c.out()
	if c.from == ChannelsLast {
		first := make([]float32, len(x))
		ToChannelsFirst(first, x, c.Batch, c.Groups*c.Channels, c.in())
		x = first
	}
	first := make([]float32, len(y))
	none := ending{low: negativeInfinity, high: positiveInfinity}
	c.runGeneric(first, x, w, &none)
	ToChannelsLast(y, first, c.Batch, channels, n)
	for at := 0; at < len(y); at += channels {
		e.allLast(y[at:at+channels], 0, at, channels)
	}
}

// allLast does all steps for y, which begins at the element at of the output, at a channel, and runs over channels, then places.
func (e *ending) allLast(y []float32, channel, at, channels int) {
	if e.bias != nil {
		perPixel(y, channel, channels, e.bias)
	}
	if e.residual != nil {
		binaryActive(opAdd, y, y, e.residual[at:at+len(y)])
	}
	e.limit(y)
	e.restLast(y, channel, at, channels)
}

// restLast does what tiles leave.
func (e *ending) restLast(y []float32, channel, at, channels int) {
	if t := e.steps; t != nil {
		if t.Scale != 0 {
			scalarActive(opMul, y, y, t.Scale)
		}
		if t.Rows != nil {
			perPixel(y, channel, channels, t.Rows)
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

// perPixel adds numbers of channels to y, which begins at a channel.
func perPixel(y []float32, channel, channels int, numbers []float32) {
	for len(y) > 0 {
		n := min(len(y), channels-channel)
		binaryActive(opAdd, y[:n], y[:n], numbers[channel:channel+n])
		y, channel = y[n:], 0
	}
}
