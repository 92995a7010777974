package exec

import (
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// convInteger is a convolution of 8-bit integers as products of matrices: some outputs at a time, each with the elements that its
// window reads side by side. Padding is the zero point.
type convInteger struct {
	batch, groups      int
	channels, outputs  int // of one group
	window             kernel.Window
	x, w               octets
	y                  int
	packed             []*kernel.PackedInt8 // by group; nil while the weights can change
	fix                []*corrected         // by group
	gathered           []int8               // [gatherRows, terms]
	sums               []int32              // [gatherRows, outputs]
	terms, plane, area int                  // of a window over all channels; elements of an input plane, of an output plane
}

// gatherRows is how many outputs of a plane are computed at a time: what is gathered for them stays in the cache.
const gatherRows = 256

func emitConvInteger(c *compiler, in *instruction) func(*Program) error {
	xs, ws, g := in.call.In[0].Shape, in.call.In[1].Shape, in.call.Int("group")
	v := &convInteger{
		batch: xs[0], groups: g, channels: ws[1], outputs: ws[0] / g, window: windowOf(in.call),
		x: newOctets(in, 0, 2), w: newOctets(in, 1, 3), y: in.out[0],
	}
	v.terms, v.plane, v.area = in.call.In[1].Len()/ws[0], 1, 1
	for _, a := range v.window {
		v.plane, v.area = v.plane*a.In, v.area*a.Out
	}
	if v.outputs <= fewOutputs {
		return v.emitDirect(c)
	}
	v.gathered, v.sums = make([]int8, gatherRows*v.terms), make([]int32, gatherRows*v.outputs)
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

// pack lays the weights of each group out as the right factor of its products.
func (v *convInteger) pack(w []int8) []*kernel.PackedInt8 {
	var list []*kernel.PackedInt8
	for g := range v.groups {
		part := w[g*v.outputs*v.terms:][:v.outputs*v.terms]
		v.fix[g].count(part, v.terms, true)
		list = append(list, kernel.PackInt8(part, v.terms, v.outputs, true))
	}
	return list
}

func (v *convInteger) run(p *Program, packed []*kernel.PackedInt8) {
	x, y := v.x.read(p.values[v.x.storage]), tensor.Data[int32](p.values[v.y])
	padding := int8(v.x.zeroPoint(p, 0))
	for g := range v.groups {
		v.fix[g].prepare(p, &v.x, &v.w, v.terms, g*v.outputs)
	}
	for image := range v.batch * v.groups {
		g := image % v.groups
		planes := x[image*v.channels*v.plane:][:v.channels*v.plane]
		out := y[image*v.outputs*v.area:][:v.outputs*v.area]
		for first := 0; first < v.area; first += gatherRows {
			rows := min(gatherRows, v.area-first)
			v.gather(planes, padding, first, rows)
			sums := v.sums[:rows*v.outputs]
			kernel.MatMulInt8Packed(sums, v.gathered[:rows*v.terms], packed[g], rows, v.terms, v.outputs)
			v.scatter(out, sums, first, v.fix[g])
		}
	}
}

// gather copies what the windows of some outputs read, by channel and place, to rows.
func (v *convInteger) gather(planes []int8, padding int8, first, rows int) {
	parallel(rows, max(1, elementGrain/v.terms), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			v.gatherRow(v.gathered[r*v.terms:][:v.terms], planes, padding, first+r)
		}
	})
}

// gatherRow copies what the window of one output reads.
func (v *convInteger) gatherRow(row []int8, planes []int8, padding int8, output int) {
	a, b, c := v.window[0], v.window[1], v.window[2]
	o2 := output % c.Out
	o1 := output / c.Out % b.Out
	o0 := output / c.Out / b.Out
	at := 0
	for from := 0; from < len(planes); from += v.plane {
		for k0 := range a.Kernel {
			i0 := o0*a.Stride + k0*a.Dilation - a.Before
			for k1 := range b.Kernel {
				i1 := o1*b.Stride + k1*b.Dilation - b.Before
				outside := i0 < 0 || i0 >= a.In || i1 < 0 || i1 >= b.In
				line := from + (i0*b.In+i1)*c.In
				for k2 := range c.Kernel {
					i2 := o2*c.Stride + k2*c.Dilation - c.Before
					if outside || i2 < 0 || i2 >= c.In {
						row[at] = padding
					} else {
						row[at] = planes[line+i2]
					}
					at++
				}
			}
		}
	}
}

// scatter corrects the sums and puts them to their planes.
func (v *convInteger) scatter(out, sums []int32, first int, fix *corrected) {
	for r := 0; r*v.outputs < len(sums); r++ {
		row := sums[r*v.outputs:][:v.outputs]
		fix.apply(row, v.gathered[r*v.terms:][:v.terms])
		for j, s := range row {
			out[j*v.area+first+r] = s
		}
	}
}
