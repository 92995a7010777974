package exec

import (
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var quantizeOps = map[string]operation{
	"QuantizeLinear": {emitQuantizeLinear, nil},
	"MatMulInteger":  {emitMatMulInteger, nil},
	"ConvInteger":    {emitConvInteger, nil},
}

// emitQuantizeLinear walks x as [outer, n, inner], where the scales belong to the axis of n.
func emitQuantizeLinear(_ *compiler, in *instruction) func(*Program) error {
	shape := in.call.In[0].Shape
	n, inner := 1, in.call.In[0].Len()
	if len(in.call.In[1].Shape) > 0 {
		inner = 1
		for _, d := range shape[in.call.Axis()+1:] {
			inner *= d
		}
		n = shape[in.call.Axis()]
	}
	x, scale, zero, y := in.in[0], in.in[1], in.in[2], in.out[0]
	if in.call.In[2].DType == tensor.Int8 {
		return quantizeRows[int8](x, scale, zero, y, n, inner)
	}
	return quantizeRows[uint8](x, scale, zero, y, n, inner)
}

func quantizeRows[T int8 | uint8](x, scale, zero, y, n, inner int) func(*Program) error {
	return func(p *Program) error {
		src, dst, scales, zeros := p.f32[x], tensor.Data[T](p.values[y]), p.f32[scale], tensor.Data[T](p.values[zero])
		if n == 1 {
			parallel(len(src), elementGrain, func(lo, hi int) {
				kernel.QuantizeLinear(dst[lo:hi], src[lo:hi], scales[0], zeros[0])
			})
			return nil
		}
		parallel(len(src)/inner, max(1, elementGrain/inner), func(lo, hi int) {
			for row := lo; row < hi; row++ {
				kernel.QuantizeLinear(dst[row*inner:][:inner], src[row*inner:][:inner], scales[row%n], zeros[row%n])
			}
		})
		return nil
	}
}

// octets reads a value of 8-bit integers as int8: a uint8 less 128, which its zero point must lose, too. Sums of products of
// differences from the zero points are the same then.
type octets struct {
	storage int
	dtype   tensor.DType
	zero    int // storage of its zero points; -1 for none
	copied  []int8
}

func newOctets(in *instruction, i, zero int) octets {
	o := octets{storage: in.in[i], dtype: in.call.In[i].DType, zero: -1}
	if in.call.Has(zero) {
		o.zero = in.in[zero]
	}
	if o.dtype == tensor.Uint8 {
		o.copied = make([]int8, in.call.In[i].Len())
	}
	return o
}

// read returns the elements as int8.
func (o *octets) read(t *tensor.Tensor) []int8 {
	if o.dtype == tensor.Int8 {
		return tensor.Data[int8](t)
	}
	data := tensor.Data[uint8](t)
	parallel(len(data), elementGrain, func(lo, hi int) {
		for i, v := range data[lo:hi] {
			o.copied[lo+i] = int8(v ^ 0x80)
		}
	})
	return o.copied
}

// zeroPoint is the i-th zero point of what read returns, or the only one.
func (o *octets) zeroPoint(p *Program, i int) int32 {
	less := int32(0)
	if o.dtype == tensor.Uint8 {
		less = 128
	}
	if o.zero < 0 {
		return -less
	}
	if o.dtype == tensor.Uint8 {
		z := tensor.Data[uint8](p.values[o.zero])
		return int32(z[min(i, len(z)-1)]) - less
	}
	z := tensor.Data[int8](p.values[o.zero])
	return int32(z[min(i, len(z)-1)])
}

// corrected turns sums of products into sums of products of differences from the zero points, exactly:
// Σ(a-α)(b-β) = Σab - αΣb - βΣa + kαβ. It is right for any number of rows of n sums each.
type corrected struct {
	columns []int32 // Σb by column
	shift   []int32 // by column: what the column adds to every sum
	zeros   []int32 // β by column
	rows    bool    // whether any β is not 0
}

func newCorrected(n int) *corrected {
	return &corrected{columns: make([]int32, n), shift: make([]int32, n), zeros: make([]int32, n)}
}

// count adds the columns of b, stored [n, k] if transposed, otherwise [k, n].
func (c *corrected) count(b []int8, k int, transposed bool) {
	n := len(c.columns)
	clear(c.columns)
	for i, v := range b {
		if transposed {
			c.columns[i/k] += int32(v)
		} else {
			c.columns[i%n] += int32(v)
		}
	}
}

// prepare reads the zero points; those of b begin at index first.
func (c *corrected) prepare(p *Program, a, b *octets, k, first int) {
	alpha := a.zeroPoint(p, 0)
	c.rows = false
	for j := range c.shift {
		beta := b.zeroPoint(p, first+j)
		c.zeros[j] = beta
		c.shift[j] = int32(k)*alpha*beta - alpha*c.columns[j]
		c.rows = c.rows || beta != 0
	}
}

// apply corrects the sums of one row of a.
func (c *corrected) apply(sums []int32, a []int8) {
	for j, s := range c.shift {
		sums[j] += s
	}
	if !c.rows {
		return
	}
	total := int32(0)
	for _, v := range a {
		total += int32(v)
	}
	for j, beta := range c.zeros {
		sums[j] -= total * beta
	}
}

// emitMatMulInteger packs a right factor that is an initializer once.
func emitMatMulInteger(c *compiler, in *instruction) func(*Program) error {
	k, n := in.call.In[1].Shape[0], in.call.In[1].Shape[1]
	m := in.call.In[0].Len() / k
	a, b, y := newOctets(in, 0, 2), newOctets(in, 1, 3), in.out[0]
	fix, then := newCorrected(n), in.rescale
	var own []int32 // sums that become float32 at once
	if then != nil {
		own = make([]int32, m*n)
	}
	var packed *kernel.PackedInt8
	if t, ok := c.initializers[b.storage]; ok {
		data := b.read(t)
		fix.count(data, k, false)
		packed, b.copied = kernel.PackInt8(data, k, n, false), nil
	}
	return func(p *Program) error {
		left, sums := a.read(p.values[a.storage]), own
		var factor, bias []float32
		if then != nil {
			factor, bias = then.numbers(p)
		} else {
			sums = tensor.Data[int32](p.values[y])
		}
		if packed != nil {
			kernel.MatMulInt8Packed(sums, left, packed, m, k, n)
		} else {
			right := b.read(p.values[b.storage])
			fix.count(right, k, false)
			kernel.MatMulInt8(sums, left, right, m, k, n)
		}
		fix.prepare(p, &a, &b, k, 0)
		parallel(m, max(1, elementGrain/n), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row := sums[i*n:][:n]
				fix.apply(row, left[i*k:][:k])
				if then != nil {
					then.row(p.f32[y][i*n:][:n], row, factor, bias)
				}
			}
		})
		return nil
	}
}
