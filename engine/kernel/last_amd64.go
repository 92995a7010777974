//go:build !purego

package kernel

import (
	"runtime"
	"sync"
	"unsafe"
)

// lastTile is the argument of one assembly call: rows of outputs of one image for some vectors of channels, which are last. Strides are
// in bytes. The assembly keeps its place in fields of its own.
type lastTile struct {
	x, y, w, bias         unsafe.Pointer
	vectors, rows         int
	first, stride, xRows  int            // the row of x at which the window of the first output begins, and between outputs; rows of x
	pixel, step, yPixel   int            // between places of x, windows, outputs
	xRow, xNext, yNext    int            // between rows of x, of windows, of outputs
	biasStep              int            // 64, or 0 to read the same for all vectors
	outputs               int            // of a row: before + within + after
	before, within, after int            // outputs whose window begins before x, lies within, or ends behind it
	masks                 unsafe.Pointer // of the columns of each output's window
	residual              int            // where it is, from y; 0 for none
	tail                  uint32         // mask of the last vector
	low, high             float32

	rowMasks              [5]uint32
	xAt, yAt, wAt, biasAt uintptr
	xLine, yLine          uintptr
	row, left, count      int
}

// lastWindow is a plan for windows of 3×3 or 5×5 over channels apart that are last.
type lastWindow struct {
	run           func(*lastTile)
	tile          lastTile
	masks         []uint32
	lines, shares int // rows of a task; parts of the channels
}

var lastKernels = map[int]func(*lastTile){3: depthwiseLast3AVX512, 5: depthwiseLast5AVX512}

// lastWindow is nil if there is no assembly for it.
func (c *Conv) lastWindow() *lastWindow {
	w := &c.Window
	rows, cols := w[1], w[2]
	if c.made != avx512 || c.from != ChannelsLast || c.Channels != 1 || c.Outputs != 1 || w[0] != (Axis{1, 1, 1, 1, 0, 1}) ||
		rows.Kernel != cols.Kernel || lastKernels[rows.Kernel] == nil || rows.Dilation != 1 || cols.Dilation != 1 {
		return nil
	}
	l := &lastWindow{run: lastKernels[rows.Kernel]}
	t, pixel := &l.tile, 4*c.Groups
	t.first, t.stride, t.xRows = -rows.Before, rows.Stride, rows.In
	t.pixel, t.step, t.yPixel = pixel, cols.Stride*pixel, pixel
	t.xRow, t.xNext, t.yNext = cols.In*pixel, rows.Stride*cols.In*pixel, cols.Out*pixel
	t.outputs, t.tail = cols.Out, 1<<16-1
	if rest := c.Groups % 16; rest != 0 {
		t.tail = 1<<rest - 1
	}
	for o := range cols.Out {
		at := o*cols.Stride - cols.Before
		switch {
		case at < 0:
			t.before++
		case at+cols.Kernel <= cols.In:
			t.within++
		default:
			t.after++
		}
		for k := range cols.Kernel {
			mask := uint32(0)
			if i := at + k; i >= 0 && i < cols.In {
				mask = 1<<16 - 1
			}
			l.masks = append(l.masks, mask)
		}
	}
	l.divide(c)
	return l
}

// divide chooses tasks: rows of planes that do not fit a cache, and parts of the channels for threads.
func (l *lastWindow) divide(c *Conv) {
	const cached = 64 << 10 // elements of x
	w := &c.Window
	l.lines, l.shares = w[1].Out, 1
	if row := w[1].Stride * w[2].In * c.Groups; row*w[1].Out > 2*cached {
		l.lines = max(1, cached/row)
	}
	if threads := runtime.GOMAXPROCS(0); !c.serial && threads > 1 {
		if tasks := c.Batch * groupsOf(w[1].Out, l.lines); tasks < 4*threads {
			l.shares = min(groupsOf(c.Groups, 16), groupsOf(4*threads, tasks))
		}
	}
}

// packLast lays weights out as [vectors of channels, places, channels of a vector], with zeros for channels that there are not.
func (c *Conv) packLast(dst, w []float32) {
	clear(dst)
	places := c.places()
	for channel := range c.Groups {
		for place := range places {
			dst[(channel/16*places+place)*16+channel%16] = w[channel*places+place]
		}
	}
}

var lastTiles = sync.Pool{New: func() any { return new(lastTile) }}

// last computes all outputs.
func (r *convRun) last() {
	l := r.plan.last
	parts := groupsOf(r.Window[1].Out, l.lines)
	tasks := r.Batch * parts * l.shares
	const perVector = 2 // as much time as this many times the products
	macs := perVector * len(r.y) * r.depth()
	if macs < serialMACs || r.serial || runtime.GOMAXPROCS(0) == 1 {
		r.lastTasks(0, tasks)
		return
	}
	shared := *r
	parallel(tasks, max(1, tasks*(serialMACs/4)/macs), func(lo, hi int) { shared.lastTasks(lo, hi) })
}

// lastTasks computes rows of outputs of a part of the channels.
func (r *convRun) lastTasks(lo, hi int) {
	l, w, channels := r.plan.last, &r.Window, r.Groups
	t := lastTiles.Get().(*lastTile)
	vectors := groupsOf(channels, 16)
	parts := groupsOf(w[1].Out, l.lines)
	for task := lo; task < hi; task++ {
		share, part, image := task%l.shares, task/l.shares%parts, task/l.shares/parts
		from, to := vectors*share/l.shares, vectors*(share+1)/l.shares
		row := part * l.lines
		rows := min(l.lines, w[1].Out-row)
		*t = l.tile
		t.masks = unsafe.Pointer(&l.masks[0])
		t.low, t.high, t.residual = r.end.low, r.end.high, r.distance()
		t.vectors, t.rows = to-from, rows
		if to < vectors {
			t.tail = 1<<16 - 1
		}
		t.first += row * w[1].Stride
		x, y := r.x[image*r.in()*channels:], r.y[(image*r.out()+row*w[2].Out)*channels:]
		t.x, t.y, t.w = unsafe.Pointer(&x[from*16]), unsafe.Pointer(&y[from*16]), unsafe.Pointer(&r.w[from*16*r.places()])
		t.bias = unsafe.Pointer(&minusZeros[0])
		if r.end.bias != nil {
			t.bias, t.biasStep = unsafe.Pointer(&r.end.bias[from*16]), 64
		}
		t.xAt, t.yAt = uintptr(t.x)+uintptr(t.first*t.xRow-w[2].Before*t.pixel), uintptr(t.y)
		t.wAt, t.biasAt = uintptr(t.w), uintptr(t.bias)
		l.run(t)
		runtime.KeepAlive(r)
		if r.end.plain() {
			continue
		}
		first, last := from*16, min(to*16, channels)
		for i := range rows * w[2].Out {
			at := ((image*r.out() + row*w[2].Out) + i) * channels
			r.end.restLast(r.y[at+first:at+last], first, at+first, channels)
		}
	}
	*t = lastTile{}
	lastTiles.Put(t)
}
