package exec

import (
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
)

var windowOps = map[string]operation{
	"Conv":        {emitConv, nil},
	"MaxPool":     {emitMaxPool, nil},
	"AveragePool": {emitAveragePool, nil},
}

// windowOf is the call's window as the kernels take it.
func windowOf(call *graph.Call) kernel.Window {
	var axes []kernel.Axis
	for _, s := range call.Window() {
		axes = append(axes, kernel.Axis{In: s.In, Kernel: s.Kernel, Stride: s.Stride, Dilation: s.Dilation, Before: s.Before, Out: s.Out})
	}
	return kernel.Along(axes...)
}

// convShape is a convolution as the kernels take it.
func convShape(call *graph.Call) kernel.ConvShape {
	xs, ws, g := call.In[0].Shape, call.In[1].Shape, call.Int("group")
	return kernel.ConvShape{Batch: xs[0], Groups: g, Channels: ws[1], Outputs: ws[0] / g, Window: windowOf(call)}
}

// emitConv packs weights that are an initializer here, once. What follows the sums, a bias first, is in.conv.
func emitConv(c *compiler, in *instruction) func(*Program) error {
	x, w, y := in.in[0], in.in[1], in.out[0]
	conv, packed := c.convolution(in)
	var own kernel.ConvWeights // of weights that change
	bind := in.conv.bind()
	return func(p *Program) error {
		weights := packed
		if weights == nil {
			conv.PackInto(&own, p.f32[w])
			weights = &own
		}
		then, after := bind(p)
		conv.Run(p.f32[y], p.f32[x], weights, then, after)
		return nil
	}
}

// convolution plans a convolution, and packs its weights if they are an initializer.
func (c *compiler) convolution(in *instruction) (*kernel.Conv, *kernel.ConvWeights) {
	s := convShape(in.call)
	t, ok := c.initializers[in.in[1]]
	if !ok {
		return kernel.NewConvLayout(s, in.from, in.to, c.serial), nil
	}
	owner := c.own
	if c.weights.shared[t] {
		owner = c.weights
	}
	v := owner.convolve(t, s, in.from, in.to, c.serial)
	return v.plan, v.weights
}

func emitMaxPool(_ *compiler, in *instruction) func(*Program) error {
	w := windowOf(in.call)
	x, y := in.in[0], in.out[0]
	shape := in.call.In[0].Shape
	pool := kernel.MaxPool(shape[0]*shape[1], w)
	if in.to == kernel.ChannelsLast {
		pool := kernel.MaxPoolLast(shape[0], shape[1], w)
		return func(p *Program) error {
			pool.Run(p.f32[y], p.f32[x])
			return nil
		}
	}
	return func(p *Program) error {
		pool.Run(p.f32[y], p.f32[x])
		return nil
	}
}

// emitAveragePool divides sums by how many elements of its window count: those that are not padding, or all.
func emitAveragePool(_ *compiler, in *instruction) func(*Program) error {
	w := windowOf(in.call)
	x, y, planes := in.in[0], in.out[0], in.call.In[0].Shape[0]*in.call.In[0].Shape[1]
	pool := kernel.SumPool(planes, w)
	counts := windowCounts(w, in.call.Int("count_include_pad") != 0)
	return func(p *Program) error {
		out := p.f32[y]
		pool.Run(out, p.f32[x])
		parallel(planes, max(1, elementGrain/len(counts)), func(lo, hi int) {
			for c := lo; c < hi; c++ {
				plane := out[c*len(counts):][:len(counts)]
				kernel.Div(plane, plane, counts)
			}
		})
		return nil
	}
}

// windowCounts is how many elements of each window count.
func windowCounts(w kernel.Window, padding bool) []float32 {
	counts := []int{1}
	for _, a := range w {
		next := make([]int, 0, len(counts)*a.Out)
		for _, n := range counts {
			for o := range a.Out {
				next = append(next, n*windowCount(a, o, padding))
			}
		}
		counts = next
	}
	divisors := make([]float32, len(counts))
	for i, n := range counts {
		divisors[i] = float32(n)
	}
	return divisors
}

// windowCount is how many places of output o along one axis count.
func windowCount(a kernel.Axis, o int, padding bool) int {
	if padding {
		return a.Kernel
	}
	first, skip := o*a.Stride-a.Before, 0
	if first < 0 {
		skip = (-first + a.Dilation - 1) / a.Dilation
		first += skip * a.Dilation
	}
	if first >= a.In {
		return 0
	}
	return max(0, min(a.Kernel-skip, (a.In-1-first)/a.Dilation+1))
}
