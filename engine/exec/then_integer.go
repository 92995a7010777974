package exec

import (
	"slices"

	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// rescale is what follows a sum of 8-bit integers to become float32 again: the conversion, a product with one number for each
// output channel, maybe the sum with another, maybe Relu, each rounded on its own. Numbers are storages; -1 for none.
type rescale struct {
	factor, bias int
	relu         bool
}

// integers joins a product of integers with what makes float32 of it.
func (f *products) integers(i int) {
	in := f.c.code[i]
	op := in.call.Node.Op
	if op != "MatMulInteger" && op != "ConvInteger" || in.rescale != nil {
		return
	}
	at, next := i, f.only(i)
	if next < 0 || f.c.code[next].call.Node.Op != "Cast" || f.c.code[next].call.Out[0].DType != tensor.Float32 {
		return
	}
	t := &rescale{factor: -1, bias: -1}
	cast := next
	at = next
	if next = f.perChannel(at, "Mul", op, &t.factor); next < 0 {
		return
	}
	joined := []int{i, cast}
	at = next
	if next = f.perChannel(at, "Add", op, &t.bias); next >= 0 {
		joined, at = append(joined, at), next
	}
	if next = f.only(at); next >= 0 && f.c.code[next].call.Node.Op == "Relu" && f.c.code[next].group == nil {
		t.relu = true
		joined, at = append(joined, at), next
	}
	in.in = append(slices.Clone(in.in), t.factor)
	if t.bias >= 0 {
		in.in = append(in.in, t.bias)
	}
	for _, j := range joined {
		f.gone[j] = true
	}
	in.rescale, in.out = t, f.c.code[at].out
	f.c.code[at] = in
}

// only is the one instruction that reads the result of another, which nothing else needs; -1 if there is none.
func (f *products) only(i int) int {
	z := f.c.code[i].out[0]
	if f.needed[z] || len(f.readers[z]) != 1 || f.gone[f.readers[z][0]] {
		return -1
	}
	return f.readers[z][0]
}

// perChannel is the instruction that joins the result of another with one number for each output channel: the last axis of a
// product of matrices, the second of a convolution. It stores where the numbers are; -1 if there is no such instruction.
func (f *products) perChannel(i int, op, product string, numbers *int) int {
	r := f.only(i)
	if r < 0 {
		return -1
	}
	next := &f.c.code[r]
	if next.call.Node.Op != op || next.group != nil || next.then != nil || next.conv != nil || next.in[0] == next.in[1] {
		return -1
	}
	side := slices.Index(next.in, f.c.code[i].out[0])
	shape, v := next.call.In[side].Shape, next.call.In[1-side].Shape
	out := next.call.Out[0].Shape
	fits := slices.Equal(shape, f.c.code[i].call.Out[0].Shape) && slices.Equal(out, shape)
	if product == "ConvInteger" {
		fits = fits && isPerChannel(v, out)
	} else {
		fits = fits && isRow(v, out, out[len(out)-1])
	}
	if !fits {
		return -1
	}
	*numbers = next.in[1-side]
	return r
}

// row turns sums of one row of outputs into float32.
func (t *rescale) row(dst []float32, sums []int32, factor, bias []float32) {
	for j, s := range sums {
		y := float32(float32(s) * factor[j])
		if bias != nil {
			y += bias[j]
		}
		dst[j] = y
	}
	if t.relu {
		kernel.Relu(dst, dst)
	}
}

// numbers are the storages' contents.
func (t *rescale) numbers(p *Program) (factor, bias []float32) {
	if t.bias >= 0 {
		bias = p.f32[t.bias]
	}
	return p.f32[t.factor], bias
}

// column turns every step-th sum, those of output channel j, into float32.
func (t *rescale) column(dst []float32, sums []int32, step int, factor, bias []float32, j int) {
	f, b := factor[j], float32(0)
	if bias != nil {
		b = bias[j]
	}
	for r := range dst {
		y := float32(float32(sums[r*step]) * f)
		if bias != nil {
			y += b
		}
		dst[r] = y
	}
	if t.relu {
		kernel.Relu(dst, dst)
	}
}
