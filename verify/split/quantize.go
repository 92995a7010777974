package split

import (
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var quantizeRules = map[string]func(*plan) stage{
	"QuantizeLinear": quantizeLinear, "MatMulInteger": matMulInteger, "ConvInteger": convInteger,
}

// quantizeLinear is one number by one scale and zero point.
func quantizeLinear(p *plan) stage {
	channel := 0
	if len(p.In[1].Shape) > 0 {
		channel = p.index()[p.Axis()]
	}
	return once(func(a Acc, in *inputs) {
		x, scale := []float32{in.float(0, p.element)}, in.float(1, channel)
		if p.Out[0].DType == tensor.Int8 {
			var q [1]int8
			kernel.QuantizeLinear(q[:], x, scale, int8(in.int(2, channel)))
			a.doneBits(uint64(int64(q[0])))
			return
		}
		var q [1]uint8
		kernel.QuantizeLinear(q[:], x, scale, uint8(in.int(2, channel)))
		a.doneBits(uint64(q[0]))
	})
}

// zeroPoint is an entry of the zero points in an input, or the only one; 0 if they are left out.
func (p *plan) zeroPoint(in *inputs, input, i int) int64 {
	if !p.Has(input) {
		return 0
	}
	return in.int(input, min(i, p.In[input].Len()-1))
}

// integers adds products of differences from the zero points, modulo 2^32, a few in a micro-operation.
func (p *plan) integers(n, channel int, factors func(k int, in *inputs) (a, b int64)) stage {
	return overall(n, func(k int, acc Acc, in *inputs) {
		a, b := factors(k, in)
		sum := int64(acc[0])
		if k == 0 {
			sum = 0
		}
		sum += (a - p.zeroPoint(in, 2, 0)) * (b - p.zeroPoint(in, 3, channel))
		acc.doneBits(uint64(int64(int32(sum))))
	})
}

func matMulInteger(p *plan) stage {
	k, n := p.In[1].Shape[0], p.In[1].Shape[1]
	i, j := p.element/n, p.element%n
	return p.integers(k, j, func(l int, in *inputs) (a, b int64) { return in.int(0, i*k+l), in.int(1, l*n+j) })
}

// convInteger reads the zero point where the window reads padding.
func convInteger(p *plan) stage {
	x, w := p.In[0].Shape, p.In[1].Shape
	out := p.index()
	places, at := p.window()
	channels, plane := w[1], size(x[2:])
	first := out[0]*x[1] + out[1]/(w[0]/p.Int("group"))*channels
	return p.integers(channels*places, out[1], func(k int, in *inputs) (a, b int64) {
		if i := at(k % places); i >= 0 {
			a = in.int(0, (first+k/places)*plane+i)
		} else {
			a = p.zeroPoint(in, 2, 0)
		}
		return a, in.int(1, out[1]*channels*places+k)
	})
}
