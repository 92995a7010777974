//go:build !purego

package kernel

import (
	"runtime"
	"unsafe"
)

// planeTile is the argument of one assembly call: planes of a convolution of one channel each, with as many outputs as channels. Strides are
// in bytes. The assembly keeps its place in fields of its own.
type planeTile struct {
	x, y, w, bias  unsafe.Pointer
	masks          unsafe.Pointer // of the loads and the store of each strip
	planes, strips int
	rows, xRows    int // of y and x
	first          int // the row of x at which the window of the first output begins
	xRow, yRow     int
	xPlane, yPlane int
	biasStep       int // 4, or 0 to read one bias for all planes
	residual       int // where it is, from y; 0 for none
	whole          int // 1 if the last strip is a whole vector
	low, high      float32

	xAt, yAt, wAt, biasAt, masksAt uintptr
	xStrip, yStrip                 uintptr
	left                           int
}

var planeKernels = [implementations][2]func(*planeTile){
	avx2:   {planesStride1AVX2, planesStride2AVX2},
	avx512: {planesStride1AVX512, planesStride2AVX512},
}

// nearWindow is a plan for windows of 3×3 that the assembly of planes takes.
type nearWindow struct {
	run   func(*planeTile)
	masks []uint32
	tile  planeTile // what all calls have in common
}

// nearWindow is nil if the window is another one, or if there is more than one output for a channel.
func (c *Conv) nearWindow() *nearWindow {
	w := &c.Window
	rows, cols := w[1], w[2]
	if c.Channels != 1 || c.Outputs != 1 || w[0] != (Axis{1, 1, 1, 1, 0, 1}) || rows.Kernel != 3 || cols.Kernel != 3 ||
		rows.Dilation != 1 || cols.Dilation != 1 || rows.Stride != cols.Stride || rows.Stride > 2 {
		return nil
	}
	lanes := convTilings[c.made].lanes
	n := &nearWindow{run: planeKernels[c.made][cols.Stride-1]}
	t := &n.tile
	t.strips = groupsOf(cols.Out, lanes)
	t.rows, t.xRows, t.first = rows.Out, rows.In, -rows.Before
	t.xRow, t.yRow = 4*cols.In, 4*cols.Out
	t.xPlane, t.yPlane = 4*c.in(), 4*c.out()
	if cols.Out%lanes == 0 {
		t.whole = 1
	}
	for strip := range t.strips {
		n.masks = append(n.masks, masksOf(c.made, cols, strip*lanes)...)
	}
	return n
}

// masksOf are those of one strip of outputs, which begins at the given one: of each load, the elements that are no padding, then of
// the store, the outputs that there are. The loads are those that _asm/depthwise.go emits.
func masksOf(made implementation, a Axis, from int) []uint32 {
	lanes := convTilings[made].lanes
	starts, most := []int{0, 1, 2}, lanes // of loads, from the first element that the strip reads
	switch {
	case a.Stride == 2 && made == avx512:
		starts = []int{0, lanes, 2 * lanes}
	case a.Stride == 2:
		starts = []int{0, lanes, 2, lanes + 2}
	}
	var list []uint32
	add := func(set func(lane int) bool) {
		bits := make([]uint32, most)
		for l := range bits {
			if set(l) {
				bits[l] = 1<<32 - 1
			}
		}
		if made != avx512 {
			list = append(list, bits...)
			return
		}
		mask := uint32(0)
		for l, b := range bits {
			mask |= b & 1 << l
		}
		list = append(list, mask)
	}
	for _, start := range starts {
		first := from*a.Stride - a.Before + start
		add(func(l int) bool { return first+l >= 0 && first+l < a.In })
	}
	add(func(l int) bool { return from+l < a.Out })
	return list
}

// near computes all planes.
func (r *convRun) near() {
	planes := r.Batch * r.Groups
	const perVector = 8 // as much time as this many times the outputs
	macs := perVector * len(r.y) * r.depth()
	if macs < serialMACs || r.serial || runtime.GOMAXPROCS(0) == 1 {
		r.nearPlanes(0, planes)
		return
	}
	shared := *r
	parallel(planes, max(1, planes*(serialMACs/4)/macs), func(lo, hi int) { shared.nearPlanes(lo, hi) })
}

// nearPlanes computes some planes, those of an image in one call.
func (r *convRun) nearPlanes(lo, hi int) {
	n := r.plan.near
	s := convScratches.Get().(*convScratch)
	t := &s.planes
	*t = n.tile
	t.masks = unsafe.Pointer(&n.masks[0])
	t.low, t.high, t.residual = r.end.low, r.end.high, r.distance()
	if r.end.bias != nil {
		t.biasStep = 4
	}
	in, out := r.in(), r.out()
	for lo < hi {
		channel := lo % r.Groups
		t.planes = min(hi-lo, r.Groups-channel)
		t.x, t.y = unsafe.Pointer(&r.x[lo*in]), unsafe.Pointer(&r.y[lo*out])
		t.w, t.bias = unsafe.Pointer(&r.w[channel*9]), r.end.biases(channel)
		w := &r.Window
		t.xAt, t.yAt = uintptr(t.x)-uintptr(4*(w[1].Before*w[2].In+w[2].Before)), uintptr(t.y)
		t.wAt, t.biasAt = uintptr(t.w), uintptr(t.bias)
		planes := t.planes
		n.run(t)
		runtime.KeepAlive(r)
		if !r.end.plain() {
			for i := range planes {
				at := (lo + i) * out
				r.end.rest(r.y[at:at+out], channel+i, at)
			}
		}
		lo += planes
	}
	*t = planeTile{}
	convScratches.Put(s)
}
