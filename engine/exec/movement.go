package exec

import (
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var movementOps = map[string]operation{
	"Transpose": {emitTranspose, nil},
	"Expand":    {emitExpand, nil},
	"Concat":    {emitConcat, nil},
	"Slice":     {emitSlice, nil},
	"SliceGrad": {emitSliceGrad, nil},
	"Split":     {emitSplit, nil},
}

// copier copies elements over a loop of a destination and a source that begin at the given offsets.
type copier func(dst, src *tensor.Tensor, l *loop, dstAt, srcAt int)

// copierOf is the copier for an element type.
func copierOf(dt tensor.DType) copier {
	switch dt {
	case tensor.Float32:
		return copyElements[float32]
	case tensor.Uint8:
		return copyElements[uint8]
	case tensor.Int8:
		return copyElements[int8]
	case tensor.Int32:
		return copyElements[int32]
	case tensor.Int64:
		return copyElements[int64]
	}
	return copyElements[bool]
}

func copyElements[T tensor.Element](dst, src *tensor.Tensor, l *loop, dstAt, srcAt int) {
	copyData(tensor.Data[T](dst), tensor.Data[T](src), l, dstAt, srcAt)
}

func copyData[T tensor.Element](d, s []T, l *loop, dstAt, srcAt int) {
	if grain := l.grain(); !serial(l.rows, grain) {
		parallel(l.rows, grain, func(lo, hi int) { copyRows(d, s, l, dstAt, srcAt, lo, hi) })
		return
	}
	copyRows(d, s, l, dstAt, srcAt, 0, l.rows)
}

// copyRows copies the rows lo to hi.
func copyRows[T tensor.Element](d, s []T, l *loop, dstAt, srcAt, lo, hi int) {
	l.each(lo, hi, func(at offsets) {
		i, j := dstAt+at[0], srcAt+at[1]
		if l.step[0] == 1 && l.step[1] == 1 {
			copy(d[i:i+l.inner], s[j:j+l.inner])
			return
		}
		for range l.inner {
			d[i] = s[j]
			i += l.step[0]
			j += l.step[1]
		}
	})
}

// emitCopy copies from the first input to output o over a loop.
func emitCopy(in *instruction, o int, l *loop, dstAt, srcAt int) func(*Program) error {
	x, y, move := in.in[0], in.out[o], copierOf(in.call.Out[o].DType)
	return func(p *Program) error {
		move(p.values[y], p.values[x], l, dstAt, srcAt)
		return nil
	}
}

func emitTranspose(_ *compiler, in *instruction) func(*Program) error {
	out := in.call.Out[0].Shape
	from := contiguous(in.call.In[0].Shape)
	strides := make([]int, len(out))
	for i, axis := range in.call.Perm() {
		strides[i] = from[axis]
	}
	return emitCopy(in, 0, newLoop(out, contiguous(out), strides), 0, 0)
}

func emitExpand(_ *compiler, in *instruction) func(*Program) error {
	return emitCopy(in, 0, elementLoop(in.call.Out[0].Shape, in.call.In[0].Shape), 0, 0)
}

func emitConcat(_ *compiler, in *instruction) func(*Program) error {
	if in.to == kernel.ChannelsLast && in.call.Axis() == 1 {
		return emitConcatChannels(in)
	}
	rank := len(in.call.Out[0].Shape)
	axis := in.laidAxis(in.call.Axis(), rank)
	strides := contiguous(in.laid(in.call.Out[0].Shape))
	ids, y, move := in.in, in.out[0], copierOf(in.call.Out[0].DType)
	var loops []*loop
	var starts []int
	at := 0
	for _, v := range in.call.In {
		shape := in.laid(v.Shape)
		loops = append(loops, newLoop(shape, strides, contiguous(shape)))
		starts = append(starts, at)
		at += shape[axis] * strides[axis]
	}
	return func(p *Program) error {
		for i, id := range ids {
			move(p.values[y], p.values[id], loops[i], starts[i], 0)
		}
		return nil
	}
}

// emitConcatChannels joins the channels of each place, which are last.
func emitConcatChannels(in *instruction) func(*Program) error {
	whole := planesOf(in.call.Out[0].Shape)
	ids, y := in.in, in.out[0]
	var parts []int
	for _, v := range in.call.In {
		parts = append(parts, v.Shape[1])
	}
	return func(p *Program) error {
		at := 0
		for i, id := range ids {
			kernel.CopyRows(p.f32[y][at:], whole.channels, p.f32[id], parts[i], whole.batch*whole.places, parts[i])
			at += parts[i]
		}
		return nil
	}
}

// slicesChannels reports whether a Slice takes consecutive channels and all of the other axes.
func (in *instruction) slicesChannels() bool {
	for i, r := range in.call.Ranges() {
		if r.Step != 1 || i != 1 && r.Len != in.call.In[0].Shape[i] {
			return false
		}
	}
	return true
}

// emitSliceChannels takes some channels of each place, which are last.
func emitSliceChannels(in *instruction) func(*Program) error {
	whole, part := planesOf(in.call.In[0].Shape), in.call.Ranges()[1]
	x, y := in.in[0], in.out[0]
	return func(p *Program) error {
		kernel.CopyRows(p.f32[y], part.Len, p.f32[x][part.Start:], whole.channels, whole.batch*whole.places, part.Len)
		return nil
	}
}

// slicing is a loop over a whole tensor's part, where the part is contiguous and the whole is walked with strides from start.
func slicing(in *instruction, whole []int) (part, strides []int, start int) {
	strides = contiguous(in.laid(whole))
	part = make([]int, len(whole))
	for i, r := range in.call.Ranges() {
		axis := in.laidAxis(i, len(whole))
		start += r.Start * strides[axis]
		strides[axis] *= r.Step
		part[axis] = r.Len
	}
	return part, strides, start
}

func emitSlice(_ *compiler, in *instruction) func(*Program) error {
	if in.to == kernel.ChannelsLast && in.slicesChannels() {
		return emitSliceChannels(in)
	}
	part, strides, start := slicing(in, in.call.In[0].Shape)
	return emitCopy(in, 0, newLoop(part, contiguous(part), strides), 0, start)
}

func emitSliceGrad(_ *compiler, in *instruction) func(*Program) error {
	part, strides, start := slicing(in, in.call.Out[0].Shape)
	scatter := emitCopy(in, 0, newLoop(part, strides, contiguous(part)), start, 0)
	dx := in.out[0]
	return func(p *Program) error {
		clear(p.f32[dx])
		return scatter(p)
	}
}

func emitSplit(_ *compiler, in *instruction) func(*Program) error {
	axis := in.call.Axis()
	strides := contiguous(in.call.In[0].Shape)
	var parts []func(*Program) error
	at := 0
	for i, v := range in.call.Out {
		parts = append(parts, emitCopy(in, i, newLoop(v.Shape, contiguous(v.Shape), strides), 0, at))
		at += v.Shape[axis] * strides[axis]
	}
	return func(p *Program) error {
		for _, part := range parts {
			if err := part(p); err != nil {
				return err
			}
		}
		return nil
	}
}
