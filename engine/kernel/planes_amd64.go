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
	lanes, loads := convTilings[c.made].lanes, []int{0, 1, 2}
	switch {
	case cols.Stride == 2 && c.made == avx512:
		loads = []int{0, lanes, 2 * lanes}
	case cols.Stride == 2:
		loads = []int{0, lanes, 2, lanes + 2}
	}
	return w.near(c.made, planeKernels[c.made][cols.Stride-1], loads)
}

// near is the plan of a window of two axes for an assembly function whose loads begin at the given elements.
func (w *Window) near(made implementation, run func(*planeTile), loads []int) *nearWindow {
	rows, cols := w[1], w[2]
	lanes := convTilings[made].lanes
	n := &nearWindow{run: run}
	t := &n.tile
	t.strips = groupsOf(cols.Out, lanes)
	t.rows, t.xRows, t.first = rows.Out, rows.In, -rows.Before
	t.xRow, t.yRow = 4*cols.In, 4*cols.Out
	t.xPlane, t.yPlane = 4*rows.In*cols.In, 4*rows.Out*cols.Out
	if cols.Out%lanes == 0 {
		t.whole = 1
	}
	for strip := range t.strips {
		n.masks = append(n.masks, masksOf(made, cols, strip*lanes, loads)...)
	}
	return n
}

// start sets where a call begins.
func (t *planeTile) start(n *nearWindow, w *Window, y, x []float32) {
	t.masks = unsafe.Pointer(&n.masks[0])
	t.x, t.y = unsafe.Pointer(&x[0]), unsafe.Pointer(&y[0])
	t.xAt, t.yAt = uintptr(t.x)-uintptr(4*(w[1].Before*w[2].In+w[2].Before)), uintptr(t.y)
}

// masksOf are those of one strip of outputs, which begins at the given one: of each load, the elements that are no padding, then of
// the store, the outputs that there are. Loads begin at the given elements after the first that the strip reads.
func masksOf(made implementation, a Axis, from int, loads []int) []uint32 {
	lanes := convTilings[made].lanes
	var list []uint32
	add := func(set func(lane int) bool) {
		if made == avx512 {
			mask := uint32(0)
			for l := range lanes {
				if set(l) {
					mask |= 1 << l
				}
			}
			list = append(list, mask)
			return
		}
		for l := range lanes {
			mask := uint32(0)
			if set(l) {
				mask = 1<<32 - 1
			}
			list = append(list, mask)
		}
	}
	for _, start := range loads {
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
	t.low, t.high, t.residual = r.end.low, r.end.high, r.distance()
	if r.end.bias != nil {
		t.biasStep = 4
	}
	in, out := r.in(), r.out()
	for lo < hi {
		channel := lo % r.Groups
		t.planes = min(hi-lo, r.Groups-channel)
		t.start(n, &r.Window, r.y[lo*out:], r.x[lo*in:])
		t.w, t.bias = unsafe.Pointer(&r.w[channel*9]), r.end.biases(channel)
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
