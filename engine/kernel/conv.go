package kernel

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
type Conv struct{ ConvShape }

// ConvWeights are weights laid out for one convolution. They are not changed after Pack and safe for concurrent use.
type ConvWeights struct{ data []float32 } // [Groups·Outputs, places, Channels]

// After is what follows a convolution, elementwise: it is called with each part of y once, when that is complete. y begins at the
// element at of the output and belongs to one channel (counted over all groups). Calls may run at the same time.
type After func(y []float32, channel, at int)

// NewConv plans a convolution.
func NewConv(s ConvShape) *Conv { return &Conv{s} }

// Pack lays weights out. It panics if their number does not fit.
func (c *Conv) Pack(w []float32) *ConvWeights {
	places := c.places()
	checkLen("w", len(w), c.Groups*c.Outputs*c.depth())
	p := &ConvWeights{make([]float32, len(w))}
	for o := range c.Groups * c.Outputs {
		in, out := w[o*c.depth():][:c.depth()], p.data[o*c.depth():][:c.depth()]
		for k := range out {
			out[k] = in[k%c.Channels*places+k/c.Channels]
		}
	}
	return p
}

// Run computes y, then what follows. after may be nil. y must not overlap x. It panics if a length does not fit.
func (c *Conv) Run(y, x []float32, w *ConvWeights, after After) {
	checkLen("y", len(y), c.Batch*c.Groups*c.Outputs*c.out())
	checkLen("x", len(x), c.Batch*c.Groups*c.Channels*c.in())
	checkLen("w", len(w.data), c.Groups*c.Outputs*c.depth())
	k, n := c.depth(), c.out()
	columns := make([]float32, k*n)
	for i := range c.Batch * c.Groups {
		g := i % c.Groups
		c.patches(columns, x[i*c.Channels*c.in():][:c.Channels*c.in()])
		MatMul(y[i*c.Outputs*n:][:c.Outputs*n], w.data[g*c.Outputs*k:][:c.Outputs*k], columns, c.Outputs, k, n, false, false)
		if after != nil {
			for o := range c.Outputs {
				after(y[(i*c.Outputs+o)*n:][:n], g*c.Outputs+o, (i*c.Outputs+o)*n)
			}
		}
	}
}

// patches sets columns[k, j] to what output j reads at k from the channels of one group.
func (c *Conv) patches(columns, x []float32) {
	n, row := c.out(), c.Window[2].Out
	parallel(c.depth(), max(1, elementGrain/n), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			place := c.place(k / c.Channels)
			plane := x[k%c.Channels*c.in():][:c.in()]
			for r := range n / row {
				c.row(columns[k*n+r*row:][:row], plane, r/c.Window[1].Out, r%c.Window[1].Out, place, 0)
			}
		}
	})
}
