package exec

import (
	"github.com/mutirao/mutirao/engine/kernel"
)

var windowGradientOps = map[string]operation{
	"ConvWeightGrad":  {emitConvWeightGrad, nil},
	"MaxPoolGrad":     {emitMaxPoolGrad, nil},
	"AveragePoolGrad": {emitAveragePoolGrad, nil},
}

func emitConvWeightGrad(_ *compiler, in *instruction) func(*Program) error {
	xs, ws, g := in.call.In[1].Shape, in.call.Out[0].Shape, in.call.Int("group")
	shape := kernel.ConvShape{Batch: xs[0], Groups: g, Channels: ws[1], Outputs: ws[0] / g, Window: windowOf(in.call)}
	dy, x, dw := in.in[0], in.in[1], in.out[0]
	return func(p *Program) error {
		kernel.ConvWeightGrad(p.f32[dw], p.f32[dy], p.f32[x], shape)
		return nil
	}
}

func emitMaxPoolGrad(_ *compiler, in *instruction) func(*Program) error {
	w, planes := windowOf(in.call), in.call.In[1].Shape[0]*in.call.In[1].Shape[1]
	dy, x, dx := in.in[0], in.in[1], in.out[0]
	return func(p *Program) error {
		kernel.MaxPoolGrad(p.f32[dx], p.f32[dy], p.f32[x], planes, w)
		return nil
	}
}

// emitAveragePoolGrad divides dy by how many elements of its window count, then adds it to all that the window reads.
func emitAveragePoolGrad(c *compiler, in *instruction) func(*Program) error {
	w, planes := windowOf(in.call), in.call.Out[0].Shape[0]*in.call.Out[0].Shape[1]
	counts := windowCounts(w, in.call.Int("count_include_pad") != 0)
	dy, dx, total := in.in[0], in.out[0], in.call.In[0].Len()
	c.scratch(total)
	return func(p *Program) error {
		shares := p.scratch[:total]
		for plane := range planes {
			at := plane * len(counts)
			kernel.Div(shares[at:at+len(counts)], p.f32[dy][at:at+len(counts)], counts)
		}
		kernel.SumPoolGrad(p.f32[dx], shares, planes, w)
		return nil
	}
}
