package exec

import (
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// convInteger is a convolution of 8-bit integers as products of matrices: some outputs at a time, each with the elements that its
// window reads side by side, place by place and channels within a place. Padding is the zero point.
type convInteger struct {
	batch, groups      int
	channels, outputs  int // of one group
	window             kernel.Window
	x, w               octets
	y                  int
	then               *rescale
	packed             []*kernel.PackedInt8 // by group; nil while the weights can change
	fix                []*corrected         // by group
	last               []int8               // [input plane, channels of all groups]: an image with its channels last
	gathered           []int8               // [gatherRows, terms]
	sums               []int32              // [gatherRows, outputs]
	places             int                  // of the window
	terms, plane, area int                  // of a window over all channels; elements of an input plane, of an output plane
}

// gatherRows is how many outputs of a plane are computed at a time: what is gathered and summed for them stays in the cache.
const gatherRows = 128

func emitConvInteger(c *compiler, in *instruction) func(*Program) error {
	xs, ws, g := in.call.In[0].Shape, in.call.In[1].Shape, in.call.Int("group")
	v := &convInteger{
		batch: xs[0], groups: g, channels: ws[1], outputs: ws[0] / g, window: windowOf(in.call), places: 1,
		x: newOctets(in, 0, 2), w: newOctets(in, 1, 3), y: in.out[0], then: in.rescale,
	}
	v.terms, v.plane, v.area = in.call.In[1].Len()/ws[0], 1, 1
	for _, a := range v.window {
		v.plane, v.area, v.places = v.plane*a.In, v.area*a.Out, v.places*a.Kernel
	}
	if v.outputs <= fewOutputs && v.then == nil {
		return v.emitDirect(c)
	}
	v.x.copied = nil // turn reads x itself
	v.last, v.sums = make([]int8, v.plane*g*v.channels), make([]int32, gatherRows*v.outputs)
	if !v.pixels() {
		v.gathered = make([]int8, gatherRows*v.terms)
	}
	for range g {
		v.fix = append(v.fix, newCorrected(v.outputs))
	}
	if t, ok := c.initializers[v.w.storage]; ok {
		v.packed = v.pack(v.w.read(t))
		v.w.copied = nil
	}
	return func(p *Program) error {
		packed := v.packed
		if packed == nil {
			packed = v.pack(v.w.read(p.values[v.w.storage]))
		}
		v.run(p, packed)
		return nil
	}
}

// emitDirect makes the function for groups of few outputs.
func (v *convInteger) emitDirect(c *compiler) func(*Program) error {
	var constant []int8
	if t, ok := c.initializers[v.w.storage]; ok {
		constant = v.w.read(t)
	}
	return func(p *Program) error {
		w := constant
		if w == nil {
			w = v.w.read(p.values[v.w.storage])
		}
		x, y := v.x.read(p.values[v.x.storage]), tensor.Data[int32](p.values[v.y])
		v.direct(x, w, y, v.x.zeroPoint(p, 0), func(output int) int32 { return v.w.zeroPoint(p, output) })
		return nil
	}
}

// pixels reports whether the window is one place without padding at every place of the input in turn, so that an image with its
// channels last is the factor of the product as it is.
func (v *convInteger) pixels() bool {
	for _, a := range v.window {
		if a.Kernel != 1 || a.Stride != 1 || a.Before != 0 || a.Out != a.In {
			return false
		}
	}
	return v.groups == 1
}

// pack lays the weights of each group out as the right factor of its products.
func (v *convInteger) pack(w []int8) []*kernel.PackedInt8 {
	var list []*kernel.PackedInt8
	turned := make([]int8, v.outputs*v.terms)
	for g := range v.groups {
		part := w[g*v.outputs*v.terms:][:v.outputs*v.terms]
		for j := range v.outputs {
			for c := range v.channels {
				for k := range v.places {
					turned[j*v.terms+k*v.channels+c] = part[j*v.terms+c*v.places+k]
				}
			}
		}
		v.fix[g].count(turned, v.terms, true)
		list = append(list, kernel.PackInt8(turned, v.terms, v.outputs, true))
	}
	return list
}

func (v *convInteger) run(p *Program, packed []*kernel.PackedInt8) {
	padding := int8(v.x.zeroPoint(p, 0))
	for g := range v.groups {
		v.fix[g].prepare(p, &v.x, &v.w, v.terms, g*v.outputs)
	}
	size := v.groups * v.channels * v.plane
	for image := range v.batch {
		v.turn(p.values[v.x.storage], image*size)
		for g := range v.groups {
			for first := 0; first < v.area; first += gatherRows {
				rows := min(gatherRows, v.area-first)
				left := v.gathered
				if v.pixels() {
					left = v.last[first*v.terms:]
				} else {
					v.gather(padding, g, first, rows)
				}
				sums := v.sums[:rows*v.outputs]
				kernel.MatMulInt8Packed(sums, left[:rows*v.terms], packed[g], rows, v.terms, v.outputs)
				v.scatter(p, (image*v.groups+g)*v.outputs, left, sums, first, g)
			}
		}
	}
}

// turn copies the image that begins at an element to last, as octets reads them.
func (v *convInteger) turn(x *tensor.Tensor, from int) {
	channels := v.groups * v.channels
	const block = 64 // places whose channels are written together, so that they stay in the cache
	parallel((v.plane+block-1)/block, max(1, elementGrain/(block*channels)), func(lo, hi int) {
		for b := lo; b < hi; b++ {
			first, end := b*block, min((b+1)*block, v.plane)
			for c := range channels {
				at := from + c*v.plane
				out := v.last[first*channels+c:]
				if v.x.dtype == tensor.Int8 {
					for i, e := range tensor.Data[int8](x)[at+first : at+end] {
						out[i*channels] = e
					}
					continue
				}
				for i, e := range tensor.Data[uint8](x)[at+first : at+end] {
					out[i*channels] = int8(e ^ 0x80)
				}
			}
		}
	})
}

// gather copies what the windows of some outputs read to rows.
func (v *convInteger) gather(padding int8, g, first, rows int) {
	parallel(rows, max(1, elementGrain/v.terms), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			v.gatherRow(v.gathered[r*v.terms:][:v.terms], padding, g*v.channels, first+r)
		}
	})
}

// gatherRow copies what the window of one output reads of the channels from one on.
func (v *convInteger) gatherRow(row []int8, padding int8, channel, output int) {
	a, b, c := v.window[0], v.window[1], v.window[2]
	o2 := output % c.Out
	o1 := output / c.Out % b.Out
	o0 := output / c.Out / b.Out
	for k0 := range a.Kernel {
		i0 := o0*a.Stride + k0*a.Dilation - a.Before
		for k1 := range b.Kernel {
			i1 := o1*b.Stride + k1*b.Dilation - b.Before
			outside := i0 < 0 || i0 >= a.In || i1 < 0 || i1 >= b.In
			line := (i0*b.In + i1) * c.In
			for k2 := range c.Kernel {
				i2 := o2*c.Stride + k2*c.Dilation - c.Before
				part := row[:v.channels]
				row = row[v.channels:]
				if outside || i2 < 0 || i2 >= c.In {
					for i := range part {
						part[i] = padding
					}
					continue
				}
				copy(part, v.last[(line+i2)*v.groups*v.channels+channel:])
			}
		}
	}
}

// scatter corrects the sums and puts them to the planes of their outputs, which begin at a plane.
func (v *convInteger) scatter(p *Program, plane int, left []int8, sums []int32, first, g int) {
	rows, fix := len(sums)/v.outputs, v.fix[g]
	for r := range rows {
		fix.apply(sums[r*v.outputs:][:v.outputs], left[r*v.terms:][:v.terms])
	}
	if v.then == nil {
		y := tensor.Data[int32](p.values[v.y])
		for j := range v.outputs {
			out := y[(plane+j)*v.area+first:][:rows]
			for r := range out {
				out[r] = sums[r*v.outputs+j]
			}
		}
		return
	}
	factor, bias := v.then.numbers(p)
	for j := range v.outputs {
		v.then.column(p.f32[v.y][(plane+j)*v.area+first:][:rows], sums[j:], v.outputs, factor, bias, g*v.outputs+j)
	}
}
