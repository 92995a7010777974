//go:build (amd64 || arm64) && !purego

package kernel

import (
	"runtime"
	"unsafe"
)

// pixelTile is the argument of one assembly call: one block of k for groups of a few rows and up to two vectors of columns. Strides and
// offsets are in bytes. The assembly finds the fields by name (go_asm.h).
type pixelTile struct {
	runs         unsafe.Pointer // what a row reads: offsets and counts
	runBytes     int
	a            unsafe.Pointer
	aRow, aHalf  int // between rows, and from the first row to the first of the upper half
	aGroup       int
	b            unsafe.Pointer // [k, columns]
	ahead        unsafe.Pointer // what will be read next, as long as b
	c            unsafe.Pointer
	cAt          int // where the group is, from c: a pointer beyond the last one would not be allowed
	cRow, cGroup int
	groups       int
	first, last  int            // 1 if c is written, not added to; 1 if the steps of an ending follow
	bias         unsafe.Pointer // of the columns
	residual     int            // where it is, from c; 0 for none
	low, high    float32
	mask         [8]uint32 // of the last vector
}

// pixelRun is a part of k that a row of a tile reads from consecutive elements.
type pixelRun struct{ at, n int } // in bytes from where the row begins; elements

// pixelSource is where the rows of tiles read from.
type pixelSource uint8

const (
	inPlace  pixelSource = iota // x itself
	banded                      // a copy of some rows of x with the padding written out
	gathered                    // for each block of k a copy of what each row reads
)

// pixelPlan is how a convolution whose results have their channels last is computed: in chunks of lines, a line being a row of outputs;
// or if source says that outputs need not be of one row, in chunks of one line of all outputs.
type pixelPlan struct {
	source pixelSource
	flat   bool
	lines  int // of an image, or outputs of all images if flat
	chunks int // over all images
	most   int // lines of a chunk at most
	runs   []pixelRun
	blocks []int // where runs of a block of k begin, and the end
	pitch  int   // elements between neighbours along a row of what is read
	wide   int   // places of a row of what is read
	row    int   // bytes between what neighbouring outputs of a line read, and between lines
	line   int
}

// gatherPitch keeps rows of gathered elements from falling on the same cache sets.
const gatherPitch = blockK + 16

// ChannelsLastIsFast reports whether a convolution is better computed with its channels last: x has them so, or is a network's input.
func ChannelsLastIsFast(s *ConvShape, from Layout) bool {
	c := &Conv{ConvShape: *s, made: current(), from: from, to: ChannelsLast, serial: true}
	if c.made == portable || c.depth() == 0 {
		return false
	}
	c.makePlan()
	return c.plan.way == byPixels || c.plan.way == byChannels
}

// planPixels makes the plan of a convolution whose results have their channels last.
func (p *convPlan) planPixels(c *Conv) {
	w, q := &c.Window, &p.pixels
	if p.last = c.lastWindow(); p.last != nil {
		p.way = byChannels
		return
	}
	if p.tiling.pixels == nil || c.Groups != 1 || w[0] != (Axis{1, 1, 1, 1, 0, 1}) {
		return
	}
	*q = pixelPlan{pitch: c.Channels, wide: w[2].In}
	if c.from == ChannelsFirst {
		q.pitch = 1
	}
	padded := false
	for _, a := range w {
		padded = padded || a.Before > 0 || (a.Out-1)*a.Stride+(a.Kernel-1)*a.Dilation >= a.In
	}
	step := 4 * w[2].Stride * q.pitch // between neighbours
	switch {
	case !padded && (step%2048 != 0 && (step%1024 != 0 || c.Outputs < 512) || c.from == ChannelsFirst):
		q.flat = w.identity() && c.from == ChannelsLast
	case c.from == ChannelsLast && (!padded || w[2].Out < 7 || c.Batch > 1 && c.out() < 7*14 && c.Outputs*c.depth() > manyWeights):
		q.source, q.flat = gathered, true
	default:
		q.source = banded
		q.wide = (w[2].Out-1)*w[2].Stride + (w[2].Kernel-1)*w[2].Dilation + 1
		if q.pitch%128 == 0 {
			q.pitch += 16
		}
		if line := (w[1].Kernel-1)*w[1].Dilation + 1; line*q.wide > 4*c.in()+stagedPlane {
			if c.from == ChannelsFirst {
				return
			}
			q.source, q.flat = gathered, true
		}
	}
	p.way, p.shares = byPixels, 1
	q.lines = w[1].Out
	perLine := w[2].Out
	if q.flat {
		q.lines, perLine = c.Batch*c.out(), 1
	}
	q.chunk(p, c, perLine)
	q.addRuns(c)
}

// manyWeights do not stay in a cache beside what they are multiplied with.
const manyWeights = 1 << 17

// chunk divides lines, each of so many outputs, among goroutines, or the channels if there are few lines and many weights.
func (q *pixelPlan) chunk(p *convPlan, c *Conv, perLine int) {
	w := &c.Window
	const cached = 1 << 17 // elements of a chunk that are in a cache together
	perOutput := c.Outputs + c.Channels*w[1].Stride*w[2].Stride
	if q.source == gathered {
		perOutput = min(c.Outputs, blockK) + gatherPitch
	}
	threads, images, unit := 1, c.Batch, 1
	if !c.serial {
		threads = runtime.GOMAXPROCS(0)
	}
	if q.flat {
		images, unit = 1, p.tiling.rowsOf()
	}
	units := groupsOf(q.lines, unit) // of an image; chunks have whole units
	least := groupsOf(units, max(1, cached/(perOutput*perLine*unit)))
	parts := least
	many := c.Outputs*c.depth() > manyWeights
	switch {
	case threads == 1 || least*images >= 4*threads:
	case many && groupsOf(c.Outputs, 2*p.tiling.lanes) >= threads && (!q.flat || units < 6*threads):
		p.shares = threads
	default:
		const fewest = 56 // outputs of a chunk
		longest := units * images
		for n := least; n <= max(least, 4*threads); n++ {
			per := groupsOf(units, n)
			if n > least && per*unit*perLine < fewest {
				break
			}
			if time := groupsOf(groupsOf(units, per)*images, threads) * per; time < longest || n == least {
				parts, longest = n, time
			}
		}
	}
	q.most = groupsOf(units, parts) * unit
	q.chunks = groupsOf(q.lines, q.most) * images
}

// rowsOf is how many rows the largest tile has.
func (t *convTiling) rowsOf() int { return len(t.pixels) }

// addRuns lists what a row of a tile reads for each block of k.
func (q *pixelPlan) addRuns(c *Conv) {
	w, depth := &c.Window, c.depth()
	rows := w[1].In
	if q.source == banded {
		rows = q.bandRows(w)
	}
	at := func(k int) int { // where a row reads
		place, channel := w.place(k/c.Channels), k%c.Channels
		pixel := place[1]*w[1].Dilation*q.wide + place[2]*w[2].Dilation
		if c.from == ChannelsFirst {
			return channel*rows*q.wide + pixel
		}
		return pixel*q.pitch + channel
	}
	q.row, q.line = 4*w[2].Stride*q.pitch, 4*w[1].Stride*q.wide*q.pitch
	if q.source == gathered {
		at = func(k int) int { return k % blockK }
		q.row, q.line = 4*gatherPitch, 4*gatherPitch
	}
	for k := 0; k < depth; k++ {
		switch {
		case k%blockK == 0:
			q.blocks = append(q.blocks, len(q.runs))
		case at(k) == at(k-1)+1:
			q.runs[len(q.runs)-1].n++
			continue
		}
		q.runs = append(q.runs, pixelRun{4 * at(k), 1})
	}
	q.blocks = append(q.blocks, len(q.runs))
}

// bandRows is how many rows of x a chunk reads.
func (q *pixelPlan) bandRows(w *Window) int {
	return (q.most-1)*w[1].Stride + (w[1].Kernel-1)*w[1].Dilation + 1
}

// packPixels lays weights out as [k of the block, columns of a panel] for each block of k and panel, with zeros for channels that there are
// not. Panels have two vectors, the last one if need be.
func (c *Conv) packPixels(dst, w []float32) {
	panels, blocks := groupsOf(c.Outputs, 2*c.plan.tiling.lanes), groupsOf(c.depth(), blockK)
	grain := max(1, elementGrain/(blockK*2*c.plan.tiling.lanes))
	if serial(blocks*panels, grain) {
		c.packPixelPanels(dst, w, panels, 0, blocks*panels)
		return
	}
	parallel(blocks*panels, grain, func(lo, hi int) { c.packPixelPanels(dst, w, panels, lo, hi) })
}

// packPixelPanels does some panels, counted over all blocks of k.
func (c *Conv) packPixelPanels(dst, w []float32, panels, lo, hi int) {
	depth, places := c.depth(), c.places()
	for i := lo; i < hi; i++ {
		at, deep, from, width := c.pixelWeights(i/panels, i%panels)
		out := dst[at:][:deep*width]
		clear(out)
		for o := from; o < min(from+width, c.Outputs); o++ {
			in := w[o*depth:][:depth]
			k0 := i / panels * blockK
			place, channel := k0/c.Channels, k0%c.Channels
			for k := range deep {
				out[k*width+o-from] = in[channel*places+place]
				if channel++; channel == c.Channels {
					place, channel = place+1, 0
				}
			}
		}
	}
}

// pixelSweep is some groups of rows that one call computes.
type pixelSweep struct {
	rows, groups   int
	a, c           int // where the first begins, in bytes from those of the chunk
	aGroup, cGroup int
}

// sweeps lists the groups of a chunk of so many lines.
func (q *pixelPlan) sweeps(list []pixelSweep, c *Conv, lines int) []pixelSweep {
	most, channels := c.plan.tiling.rowsOf(), 4*c.Outputs
	if q.flat {
		groups := groupsOf(lines, most)
		rows, more := lines/groups, lines%groups
		if more > 0 {
			list = append(list, pixelSweep{rows + 1, more, 0, 0, (rows + 1) * q.row, (rows + 1) * channels})
		}
		at := more * (rows + 1)
		return append(list, pixelSweep{rows, groups - more, at * q.row, at * channels, rows * q.row, rows * channels})
	}
	n := c.Window[2].Out
	groups := groupsOf(n, most)
	for i := range groups {
		from, to := n*i/groups, n*(i+1)/groups
		list = append(list, pixelSweep{to - from, lines, from * q.row, from * channels, q.line, n * channels})
	}
	return list
}

// pixelChunk is one chunk of outputs.
type pixelChunk struct {
	first, lines int // the first output, over all images
	y            []float32
	a            unsafe.Pointer // what its tiles read
}

// pixels computes a share of the channels for one chunk of outputs.
func (r *convRun) pixels(s *convScratch, chunk, share int) {
	p, q := &r.plan, &r.plan.pixels
	panels, blocks := groupsOf(r.Outputs, 2*p.tiling.lanes), len(q.blocks)-1
	left, right := panels*share/p.shares, panels*(share+1)/p.shares
	c := r.pixelChunk(s, chunk)
	s.sweeps = q.sweeps(s.sweeps[:0], r.Conv, c.lines)
	t := &s.pixel
	t.cRow, t.aRow, t.low, t.high, t.residual = 4*r.Outputs, q.row, r.end.low, r.end.high, r.distance()
	for block := range blocks {
		if q.source == gathered {
			r.gather(s.patches, c.first, c.lines, block)
		}
		for panel := left; panel < right; panel++ {
			r.pixelPanel(s, &c, block, panel)
		}
	}
	if !r.end.plain() {
		r.restOfPixels(&c, left*2*p.tiling.lanes, min(right*2*p.tiling.lanes, r.Outputs))
	}
}

// pixelChunk finds a chunk, and copies what it reads to a band if it has one.
func (r *convRun) pixelChunk(s *convScratch, chunk int) pixelChunk {
	q, w := &r.plan.pixels, &r.Window
	perImage := groupsOf(q.lines, q.most)
	image, from := chunk/perImage, chunk%perImage*q.most
	perLine := w[2].Out
	if q.flat {
		perLine = 1
	}
	c := pixelChunk{first: image*r.out() + from*perLine, lines: min(q.most, q.lines-from)}
	c.y = r.y[c.first*r.Outputs:][:c.lines*perLine*r.Outputs]
	switch q.source {
	case inPlace:
		at := (image*r.in() + from*w[1].Stride*w[2].In) * r.Channels
		if r.from == ChannelsFirst {
			at = image*r.in()*r.Channels + from*w[1].Stride*w[2].In
		} else if q.flat {
			at = from * r.Channels
		}
		c.a = unsafe.Pointer(&r.x[at])
	case banded:
		c.a = r.fillBand(s, image, from)
	case gathered:
		s.patches = grow(s.patches, c.lines*gatherPitch)
		c.a = unsafe.Pointer(&s.patches[0])
	}
	return c
}

// pixelPanel computes one block of k for one panel of channels.
func (r *convRun) pixelPanel(s *convScratch, c *pixelChunk, block, panel int) {
	q, lanes, t := &r.plan.pixels, r.plan.tiling.lanes, &s.pixel
	at, deep, column, width := r.pixelWeights(block, panel)
	t.runs, t.runBytes = unsafe.Pointer(&q.runs[q.blocks[block]]), int(unsafe.Sizeof(pixelRun{}))*(q.blocks[block+1]-q.blocks[block])
	t.first, t.last = 0, 0
	if block == 0 {
		t.first = 1
	}
	if block == len(q.blocks)-2 {
		t.last = 1
	}
	t.b = unsafe.Pointer(&r.w[at])
	t.ahead = t.b
	if next := at + deep*width; next < len(r.w) {
		t.ahead = unsafe.Pointer(&r.w[next])
	}
	setLanes(&t.mask, lanes, min(lanes, r.Outputs-column-(width-lanes)))
	t.bias = unsafe.Pointer(&minusZeros[0])
	if r.end.bias != nil {
		t.bias = unsafe.Pointer(&r.end.bias[column])
	}
	for i := range s.sweeps {
		v := &s.sweeps[i]
		t.a, t.c = unsafe.Add(c.a, v.a), unsafe.Add(unsafe.Pointer(&c.y[column]), v.c)
		t.aHalf, t.aGroup, t.cAt, t.cGroup, t.groups = (v.rows+1)/2*q.row, v.aGroup, 0, v.cGroup, v.groups
		r.plan.tiling.pixels[v.rows-1][width/lanes-1](t)
	}
}

// pixelWeights is where the weights of a block of k and a panel begin, how many k there are, the first channel, and the channels in memory.
// They follow each other in the order in which they are read.
func (c *Conv) pixelWeights(block, panel int) (at, deep, column, width int) {
	lanes, depth := c.plan.tiling.lanes, c.depth()
	wide := pad(c.Outputs, lanes)
	k0 := block * blockK
	deep, column = min(blockK, depth-k0), panel*2*lanes
	width = min(2*lanes, wide-column)
	return k0*wide + column*deep, deep, column, width
}

// restOfPixels does what tiles leave for the channels from lo to hi of a chunk.
func (r *convRun) restOfPixels(c *pixelChunk, lo, hi int) {
	const piece = 2048 // elements that stay in the L1 cache from one step to the next
	channels, at := r.Outputs, c.first*r.Outputs
	step := channels
	if hi-lo == channels {
		step = max(1, piece/channels) * channels
		hi = step
	}
	for part := 0; part < len(c.y); part += step {
		end := min(part+hi, len(c.y))
		r.end.restLast(c.y[part+lo:end], lo, at+part+lo, channels)
	}
}

// fillBand copies what a chunk of lines reads, with padding.
func (r *convRun) fillBand(s *convScratch, image, from int) unsafe.Pointer {
	q, w := &r.plan.pixels, &r.Window
	rows := q.bandRows(w)
	top, left := from*w[1].Stride-w[1].Before, -w[2].Before
	cols := inside(left, 1, q.wide, w[2].In)
	planes, channels := 1, r.Channels
	if r.from == ChannelsFirst {
		planes, channels = r.Channels, 1
	}
	s.band = grow(s.band, planes*rows*q.wide*q.pitch)
	x := r.x[image*r.in()*r.Channels:][:r.in()*r.Channels]
	for i := range planes * rows {
		out := s.band[i*q.wide*q.pitch:][:q.wide*q.pitch]
		at := top + i%rows
		if at < 0 || at >= w[1].In || cols.n == 0 {
			clear(out)
			continue
		}
		in := x[((i/rows*w[1].In+at)*w[2].In+cols.at)*channels:][:cols.n*channels]
		clear(out[:cols.lead*q.pitch])
		clear(out[(cols.lead+cols.n)*q.pitch:])
		copyPixels(out[cols.lead*q.pitch:], in, q.pitch, channels, cols.n, channels)
	}
	return unsafe.Pointer(&s.band[0])
}

// copyPixels copies n elements of some rows: channels of neighbouring pixels.
func copyPixels(dst, src []float32, dstStep, srcStep, pixels, n int) {
	if dstStep == n && srcStep == n {
		copy(dst[:pixels*n], src)
		return
	}
	_, _ = dst[(pixels-1)*dstStep+n-1], src[(pixels-1)*srcStep+n-1]
	switch copyAll := convTilings[current()].copy; {
	case copyAll != nil:
		copyAll(&dst[0], 4*dstStep, &src[0], 4*srcStep, pixels, n)
		return
	case current() != portable:
		copyRows(dst, dstStep, src, srcStep, pixels, n)
		return
	}
	copyPixelsGeneric(dst, src, dstStep, srcStep, pixels, n)
}

// gather sets dst[i·gatherPitch+k-k0] to what output first+i reads at k of a block, for n outputs counted over all images.
func (r *convRun) gather(dst []float32, first, n, block int) {
	w, k0 := &r.Window, block*blockK
	deep := min(blockK, r.depth()-k0)
	for i := 0; i < n; {
		image, at := (first+i)/r.out(), (first+i)%r.out()
		line, col := at/w[2].Out, at%w[2].Out
		m := min(n-i, w[2].Out-col)
		x := r.x[image*r.in()*r.Channels:][:r.in()*r.Channels]
		for k := 0; k < deep; {
			place, channel := w.place((k0+k)/r.Channels), (k0+k)%r.Channels
			span := min(deep-k, r.Channels-channel)
			out := dst[i*gatherPitch+k:]
			y := line*w[1].Stride + place[1]*w[1].Dilation - w[1].Before
			cols := inside(col*w[2].Stride+place[2]*w[2].Dilation-w[2].Before, w[2].Stride, m, w[2].In)
			if y < 0 || y >= w[1].In {
				cols = stretch{}
			}
			for j := range cols.lead {
				clear(out[j*gatherPitch:][:span])
			}
			for j := cols.lead + cols.n; j < m; j++ {
				clear(out[j*gatherPitch:][:span])
			}
			if cols.n > 0 {
				in := x[(y*w[2].In+cols.at)*r.Channels+channel:]
				copyPixels(out[cols.lead*gatherPitch:], in, gatherPitch, w[2].Stride*r.Channels, cols.n, span)
			}
			k += span
		}
		i += m
	}
}

// maxPixels sets pixels of y, each of n channels, to the maximum of what they read at some places. It reports false if there is no assembly.
func maxPixels(y, x []float32, step int, offsets []int, pixels, n int) bool {
	t := &convTilings[current()]
	if current() == portable || t.maxPixels == nil || n%t.lanes != 0 {
		return false
	}
	_, _ = y[pixels*n-1], x[(pixels-1)*step/4+offsets[len(offsets)-1]/4+n-1]
	t.maxPixels(&y[0], &x[0], step, &offsets[0], len(offsets), pixels, n)
	return true
}

// transposeBlock sets y[j·rows+i] = x[i·pitch+j] for i < rows and j < cols.
func transposeBlock(y, x []float32, rows, cols, pitch int) {
	if current() == portable {
		transposeBlockGeneric(y, x, rows, cols, pitch)
		return
	}
	tall, wide := rows&^7, cols&^7
	if wide > 0 {
		for i := 0; i < tall; i += 8 {
			transpose8(&y[i], 4*rows, &x[i*pitch], 4*pitch, wide/8)
		}
	}
	for j := range cols {
		i := tall
		if j >= wide {
			i = 0
		}
		for ; i < rows; i++ {
			y[j*rows+i] = x[i*pitch+j]
		}
	}
}
