//go:build (amd64 || arm64) && !purego

package kernel

import (
	"math"
	"runtime"
	"sync"
	"unsafe"
)

// convTile is the argument of one assembly call: one block of k for a few rows and some panels of columns. Strides are in bytes.
// The assembly finds the fields by name (go_asm.h).
type convTile struct {
	k            int
	a            unsafe.Pointer // [k, rows]
	b            unsafe.Pointer
	bRow, bPanel int
	panels       int
	c            unsafe.Pointer
	cRow         int
	first, last  int            // 1 if c is written, not added to; 1 if the steps of an ending follow
	bias         unsafe.Pointer // of the rows
	residual     int            // where it is, from c; 0 for none
	low, high    float32
	mask         [8]uint32 // of the last vector
}

// depthTile is the argument of one assembly call: rows of a convolution of one channel.
type depthTile struct {
	x, y, w    unsafe.Pointer
	rows       int
	xRow, yRow int
	offsets    unsafe.Pointer // of the places
	places     int
	residual   int // where it is, from y; 0 for none
	bias       float32
	low, high  float32
	mask       [8]uint32 // of the last vector of a row
}

// convTiling is the assembly of one implementation.
type convTiling struct {
	rows, vectors, lanes int
	// tiles by rows-1: of whole panels, then of 1 to vectors vectors, the last of which is masked.
	tiles     [][5]func(*convTile)
	pack      func(dst *float32, dstRow int, src *float32, offsets *int, rows, width int)
	panels    func(dst *float32, dstPanel int, src *float32, srcRow, rows, panels int)
	depthwise [4]func(*depthTile)
	// Channels last: tiles by rows-1 and vectors-1, copies of rows, and the maximum of some pixels; none if they never are.
	pixels    [][2]func(*pixelTile)
	copy      func(dst *float32, dstRow int, src *float32, srcRow, rows, n int)
	maxPixels func(dst, src *float32, srcStep int, offsets *int, places, pixels, n int)
}

// width is that of a panel.
func (t *convTiling) width() int { return t.vectors * t.lanes }

// convWay is how a convolution is computed.
type convWay uint8

const (
	byDefinition convWay = iota
	// channelRows: a row of a tile is an output channel and its columns are outputs of a plane, so that tiles write y. Patches
	// are packed for the columns.
	channelRows
	// outputRows: a row of a tile is an output of a plane and its columns are output channels, which suits small planes; tiles
	// write to scratch and y is its transpose. Patches are packed for the rows.
	outputRows
	// byPlane: depthwise, a plane at a time.
	byPlane
	// byPixels: y has its channels last; a row of a tile is an output and its columns are channels, so that tiles write y.
	byPixels
	// byChannels: depthwise, x and y have their channels last; a vector has channels of one output.
	byChannels
)

// convBlock is a part of an output plane that is computed as a whole: n outputs from at on, in rows that are whole or one part of a
// row, at one place of the first axis.
type convBlock struct{ at, n int }

type convPlan struct {
	way     convWay
	tiling  *convTiling
	blocks  []convBlock
	stage   *staging // nil if windows read x where it is, or if patches are gathered
	gather  bool     // patches are gathered element by element: a staging would be too large
	offsets []int    // where k is, in bytes, from where k = 0 is
	pitch   int      // between rows of outputs, in what offsets point into
	rows    int      // byPlane: outputs that are staged together
	cols    int
	near    *nearWindow // byPlane: nil if planes are staged
	pieces  []piece     // byPlane: what is staged of a plane that is staged whole
	// outputRows: parts of the output channels of a group that are computed apart, and images whose outputs are rows together.
	shares, together int
	pixels           pixelPlan
	last             *lastWindow // byChannels
}

func (c *Conv) makePlan() {
	p := &c.plan
	if c.made == portable || c.depth() == 0 {
		return
	}
	p.tiling = &convTilings[c.made]
	if c.to == ChannelsLast {
		p.planPixels(c)
		return
	}
	n, w := c.out(), &c.Window
	width := p.tiling.width()
	threads := runtime.GOMAXPROCS(0)
	if c.serial {
		threads = 1
	}
	most := max(4*width, 98304/min(blockK, c.depth())/width*width) // columns whose patches fill half of a usual L2 cache
	parts := (n + most - 1) / most
	if threads > 1 && c.Batch*c.Groups < 4*threads {
		parts = max(parts, min(4*threads, n/(3*width)))
	}
	if c.Channels == 1 && c.Outputs <= 4 && c.places() <= blockK {
		if p.byPlane(c); p.way == byPlane {
			return
		}
	}
	p.way = channelRows
	if swapped := pad(c.Outputs, p.tiling.lanes) * n; n <= 512 && 32*swapped <= 31*pad(n, p.tiling.lanes)*c.Outputs {
		p.way, p.shares = outputRows, 1
		p.together = max(1, min(c.Batch, 256/n))
		if sets := groupsOf(c.Batch, p.together) * c.Groups; threads > 1 && sets < 4*threads {
			p.shares = min(threads, (c.Outputs+width-1)/width)
		}
		parts = 1
	}
	rows, cols := p.cut(w, parts, width)
	if len(p.blocks) > 1 { // rows of several images would not follow each other
		p.together = 1
	}
	direct := true
	for _, a := range w {
		direct = direct && a.Stride == 1 && a.Before == 0 && a.Out+(a.Kernel-1)*a.Dilation <= a.In
	}
	if direct {
		p.pitch = w[2].In
		for k := range c.depth() {
			at := w.place(k / c.Channels)
			p.offsets = append(p.offsets, 4*(k%c.Channels*c.in()+(at[0]*w[0].Dilation*w[1].In+at[1]*w[1].Dilation)*w[2].In+at[2]*w[2].Dilation))
		}
		return
	}
	p.stage = stagingOf(w, rows, cols)
	if p.stage == nil {
		p.gather = true
		return
	}
	p.pitch = p.stage.cols
	for k := range c.depth() {
		p.offsets = append(p.offsets, 4*(k%c.Channels*p.stage.channel(w)+p.stage.offsets[k/c.Channels]))
	}
}

// cut makes the blocks, about so many parts of a plane, of whole panels if possible, and returns the rows and columns of outputs
// that one touches at most.
func (p *convPlan) cut(w *Window, parts, width int) (rows, cols int) {
	length, lines := w[1].Out*w[2].Out, w[0].Out // what blocks must not go beyond, and how many there are
	perLine := (parts + lines - 1) / lines
	if perLine > 1 && w[2].Out > length/perLine { // blocks shorter than a row stay within one
		length, lines = w[2].Out, w[0].Out*w[1].Out
		perLine = (parts + lines - 1) / lines
	}
	panels := (length + width - 1) / width
	perLine = min(perLine, panels)
	for line := range lines {
		for i := range perLine {
			from, to := panels*i/perLine*width, min(length, panels*(i+1)/perLine*width)
			p.blocks = append(p.blocks, convBlock{line*length + from, to - from})
			first, last := from/w[2].Out, (to-1)/w[2].Out
			rows = max(rows, last-first+1)
			cols = max(cols, min(w[2].Out, to-from))
		}
	}
	if rows > 1 {
		cols = w[2].Out
	}
	return rows, cols
}

func pad(n, to int) int { return (n + to - 1) / to * to }

// groupsOf is how many groups of at most rows make n.
func groupsOf(n, rows int) int { return (n + rows - 1) / rows }

func (c *Conv) packedLen() int {
	switch c.plan.way {
	case outputRows:
		return c.Groups * pad(c.Outputs, c.plan.tiling.width()) * c.depth()
	case byPixels:
		return pad(c.Outputs, c.plan.tiling.lanes) * c.depth()
	case byChannels:
		return pad(c.Groups, c.plan.tiling.lanes) * c.depth()
	}
	return c.Groups * c.Outputs * c.depth()
}

// pack lays weights out. channelRows: [Groups, blocks of k, groups of rows, k of the block, rows of the group]; outputRows:
// [Groups, blocks of k, panels, k of the block, columns of a panel], with zeros for channels that there are not.
func (c *Conv) pack(dst, w []float32) {
	p := &c.plan
	switch p.way {
	case byDefinition:
		c.packGeneric(dst, w)
		return
	case byPlane:
		copy(dst, w)
		return
	case byPixels:
		c.packPixels(dst, w)
		return
	case byChannels:
		c.packLast(dst, w)
		return
	}
	perGroup := len(dst) / c.Groups
	groups := groupsOf(c.Outputs, p.tiling.rows)
	if p.way == outputRows {
		groups = groupsOf(c.Outputs, p.tiling.width())
	}
	grain := max(1, elementGrain/(perGroup/groups))
	if serial(c.Groups*groups, grain) {
		c.packGroups(dst, w, groups, 0, c.Groups*groups)
		return
	}
	parallel(c.Groups*groups, grain, func(lo, hi int) { c.packGroups(dst, w, groups, lo, hi) })
}

// packGroups does pack for some groups of rows, counted over all groups of channels.
func (c *Conv) packGroups(dst, w []float32, groups, lo, hi int) {
	p := &c.plan
	depth, places, perGroup := c.depth(), c.places(), len(dst)/c.Groups
	for i := lo; i < hi; i++ {
		g, r := i/groups, i%groups
		from, to := c.Outputs*r/groups, c.Outputs*(r+1)/groups
		at, rows := from, to-from // of the group of rows in a block of k, in units of its k
		if p.way == outputRows {
			rows = p.tiling.width()
			at = r * rows
			from, to = at, min(at+rows, c.Outputs)
		}
		out, in := dst[g*perGroup:][:perGroup], w[g*c.Outputs*depth:][:c.Outputs*depth]
		for o := from; o < to; o++ {
			for k0 := 0; k0 < depth; k0 += blockK {
				deep := min(blockK, depth-k0)
				part := out[k0*(perGroup/depth)+at*deep:][:rows*deep]
				place, channel := k0/c.Channels, k0%c.Channels
				for k := range deep {
					part[k*rows+o-from] = in[(o*c.Channels+channel)*places+place]
					if channel++; channel == c.Channels {
						place, channel = place+1, 0
					}
				}
			}
		}
	}
}

// convScratch is what one goroutine needs; kept between calls.
type convScratch struct {
	tile     convTile
	depth    depthTile
	planes   planeTile
	pixel    pixelTile
	band     []float32 // staged input
	bordered bool      // band has the padding of the planes that the tasks at hand stage
	patches  []float32
	sums     []float32 // outputRows: [outputs, channels]
	sources  []imageSource
	sweeps   []pixelSweep
}

var convScratches = sync.Pool{New: func() any { return new(convScratch) }}

// convRun is one use of a convolution.
type convRun struct {
	*Conv
	y, x, w []float32
	end     ending
}

func (c *Conv) run(y, x, w []float32, e *ending) {
	if len(y) == 0 {
		return
	}
	if c.plan.way == byDefinition {
		c.runDefined(y, x, w, e)
		return
	}
	r := convRun{c, y, x, w, *e}
	switch {
	case c.plan.near != nil:
		r.near()
		return
	case c.plan.last != nil:
		r.last()
		return
	}
	tasks, grain := c.Batch*c.Groups, 1
	switch c.plan.way {
	case channelRows:
		tasks *= len(c.plan.blocks)
	case outputRows:
		tasks = groupsOf(c.Batch, c.plan.together) * c.Groups * c.plan.shares
	case byPixels:
		tasks = c.plan.pixels.chunks * c.plan.shares
	}
	macs := len(y) * c.depth()
	if c.plan.way == byPlane {
		macs *= 8 // little is done with what is loaded
	}
	if macs < serialMACs || c.serial || runtime.GOMAXPROCS(0) == 1 {
		r.tasks(0, tasks)
		return
	}
	grain = max(1, tasks*(serialMACs/4)/macs)
	shared := r // a copy, so that r itself stays on the stack in the serial case
	parallel(tasks, grain, func(lo, hi int) { shared.tasks(lo, hi) })
}

// tasks does some of the tasks, neighbours of which share weights and input.
func (r *convRun) tasks(lo, hi int) {
	s := convScratches.Get().(*convScratch)
	s.bordered = false
	for task := lo; task < hi; task++ {
		switch r.plan.way {
		case channelRows:
			blocks := len(r.plan.blocks)
			r.columns(s, task/blocks, r.plan.blocks[task%blocks])
		case outputRows:
			set := task / r.plan.shares
			r.outputs(s, set/r.Groups*r.plan.together, set%r.Groups, task%r.plan.shares)
		case byPlane:
			r.planes(s, task)
		case byPixels:
			r.pixels(s, task/r.plan.shares, task%r.plan.shares)
		}
	}
	clear(s.sources)
	s.tile, s.depth, s.pixel = convTile{}, depthTile{}, pixelTile{}
	convScratches.Put(s)
}

// bandLen is how much is staged of one image, with room for reading whole vectors.
func (r *convRun) bandLen() int {
	if r.plan.stage == nil {
		return 0
	}
	return r.Channels*r.plan.stage.channel(&r.Window) + 64
}

// source is what patches of a block are read from: where output (0, 0) of its first row finds k = 0. What must be staged goes to band.
func (r *convRun) source(band, x []float32, b convBlock) (src []float32, row, col int) {
	p, w := &r.plan, &r.Window
	slab := b.at / (w[1].Out * w[2].Out)
	row, col = b.at/w[2].Out%w[1].Out, b.at%w[2].Out
	switch {
	case p.gather:
		return nil, 0, 0
	case p.stage == nil:
		return x[(slab*w[1].In+row)*w[2].In:], row, 0
	}
	if b.n > w[2].Out-col { // several rows are staged whole
		col = 0
	}
	size := p.stage.channel(w)
	for c := range r.Channels {
		p.stage.fill(band[c*size:][:size], x[c*r.in():][:r.in()], w, slab, row, col, 0)
	}
	return band, row, col
}

// packPanel sets dst[k-k0, j] to what output at+j reads at k, for width outputs of a row of dst that has stride elements.
func (r *convRun) packPanel(dst, x, src []float32, row, col, at, k0, deep, width, stride int) {
	p, w := &r.plan, &r.Window
	for j := 0; j < width; {
		line, c := (at+j)/w[2].Out, (at+j)%w[2].Out
		n := min(width-j, w[2].Out-c)
		if p.gather {
			for k := range deep {
				plane := x[(k0+k)%r.Channels*r.in():][:r.in()]
				w.row(dst[k*stride+j:][:n], plane, line, c, w.place((k0+k)/r.Channels), 0)
			}
		} else {
			from := src[(line%w[1].Out-row)*p.pitch+c-col:]
			p.tiling.pack(&dst[j], 4*stride, &from[0], &p.offsets[k0], deep, n)
		}
		j += n
	}
}

// columns computes the channels of a group for one block of outputs.
func (r *convRun) columns(s *convScratch, image int, b convBlock) {
	p := &r.plan
	lanes, depth, n := p.tiling.lanes, r.depth(), r.out()
	width := p.tiling.width()
	g := image % r.Groups
	x := r.x[image*r.Channels*r.in():][:r.Channels*r.in()]
	y := r.y[image*r.Outputs*n:][:r.Outputs*n]
	weights := r.w[g*r.Outputs*depth:][:r.Outputs*depth]
	s.band = grow(s.band, r.bandLen())
	src, row, col := r.source(s.band, x, b)
	panels, whole := (b.n+width-1)/width, b.n/width
	rest := b.n - whole*width
	groups := groupsOf(r.Outputs, p.tiling.rows)
	packed := 0 // the first panel that is packed: all, or if x is read once and lies as it must, the last one that is not whole
	if r.identity() && groups == 1 {
		packed = whole
	}
	t := &s.tile
	t.cRow = 4 * n
	s.ending(r)
	for k0 := 0; k0 < depth; k0 += blockK {
		deep := min(blockK, depth-k0)
		s.patches = grow(s.patches, max(1, panels-packed)*width*deep)
		from := packed
		if r.identity() && packed < whole { // rows of x are long: each is read at once
			p.tiling.panels(&s.patches[0], 4*width*deep, &x[k0*n+b.at], 4*n, deep, whole)
			from = whole
		}
		for i := from; i < panels; i++ {
			out := s.patches[(i-packed)*width*deep:][:width*deep]
			w := min(width, b.n-i*width)
			if w < width {
				clear(out)
			}
			r.packPanel(out, x, src, row, col, b.at+i*width, k0, deep, w, width)
		}
		t.setBlock(k0, deep, depth)
		for i := range groups {
			from, to := r.Outputs*i/groups, r.Outputs*(i+1)/groups
			t.a = unsafe.Pointer(&weights[k0*r.Outputs+from*deep])
			t.bias = r.end.biases(g*r.Outputs + from)
			t.c = unsafe.Pointer(&y[from*n+b.at])
			tiles := &p.tiling.tiles[to-from-1]
			if whole > 0 {
				t.b, t.bRow, t.bPanel = unsafe.Pointer(&s.patches[0]), 4*width, 4*width*deep
				if packed > 0 {
					t.b, t.bRow, t.bPanel = unsafe.Pointer(&x[k0*n+b.at]), 4*n, 4*width
				}
				setLanes(&t.mask, lanes, lanes)
				t.panels = whole
				tiles[0](t)
			}
			if rest > 0 {
				t.c = unsafe.Pointer(&y[from*n+b.at+whole*width])
				t.b, t.bRow = unsafe.Pointer(&s.patches[(whole-packed)*width*deep]), 4*width
				t.panels = 1
				vectors := (rest + lanes - 1) / lanes
				setLanes(&t.mask, lanes, rest-(vectors-1)*lanes)
				tiles[vectors](t)
			}
			if t.last == 1 && !r.end.plain() {
				for o := from; o < to; o++ {
					at := o*n + b.at
					r.end.rest(y[at:at+b.n], g*r.Outputs+o, image*r.Outputs*n+at)
				}
			}
		}
	}
}

// outputs computes a share of the channels of a group for all outputs of some images, from the given one on.
func (r *convRun) outputs(s *convScratch, first, g, share int) {
	p := &r.plan
	lanes, depth, n := p.tiling.lanes, r.depth(), r.out()
	width := p.tiling.width()
	images := min(p.together, r.Batch-first)
	allPanels := (r.Outputs + width - 1) / width
	from, end := allPanels*share/p.shares, allPanels*(share+1)/p.shares
	weights := r.w[g*allPanels*width*depth:][:allPanels*width*depth]
	pitch := (end - from) * width
	s.sums = grow(s.sums, images*n*pitch)
	t := &s.tile
	t.cRow, t.bRow, t.panels = 4*pitch, 4*width, end-from
	setLanes(&t.mask, lanes, lanes)
	for _, b := range p.blocks {
		rows := images * b.n
		groups := groupsOf(rows, p.tiling.rows)
		s.sources = s.sources[:0]
		for i := range images {
			s.sources = append(s.sources, r.imageSource(s, first+i, g, i, images, b))
		}
		for k0 := 0; k0 < depth; k0 += blockK {
			deep := min(blockK, depth-k0)
			s.patches = grow(s.patches, p.tiling.rows*deep)
			t.setBlock(k0, deep, depth)
			t.last = 0 // biases belong to columns here
			t.bPanel = 4 * width * deep
			for i := range groups {
				lo, hi := rows*i/groups, rows*(i+1)/groups
				for at := lo; at < hi; {
					image, j := at/b.n, at%b.n
					m := min(hi-at, b.n-j)
					src := &s.sources[image]
					r.packPanel(s.patches[at-lo:], src.x, src.from, src.row, src.col, b.at+j, k0, deep, m, hi-lo)
					at += m
				}
				t.a = unsafe.Pointer(&s.patches[0])
				t.b = unsafe.Pointer(&weights[k0*allPanels*width+from*width*deep])
				image, j := lo/b.n, lo%b.n
				t.c = unsafe.Pointer(&s.sums[(image*n+b.at+j)*pitch])
				p.tiling.tiles[hi-lo-1][0](t)
			}
		}
	}
	for i := range images {
		r.finish(s.sums[i*n*pitch:][:n*pitch], (first+i)*r.Groups+g, from*width, min(end*width, r.Outputs), pitch)
	}
}

// finish makes y of the sums of an image and does what follows. Without a residual, bias and bounds are done while the channels of an
// output stand together: they are many where the outputs are few.
func (r *convRun) finish(sums []float32, image, from, end, pitch int) {
	n, first := r.out(), image%r.Groups*r.Outputs
	together := r.end.residual == nil
	if together {
		r.end.rows(sums, first+from, end-from, pitch)
	}
	for o := from; o < end; o += 8 {
		channels := min(8, end-o)
		at := (image*r.Outputs + o) * n
		transposeSums(r.y[at:][:channels*n], sums[o-from:], n, pitch, channels)
		if together && r.end.plain() {
			continue
		}
		for i := range channels {
			y := r.y[at+i*n:][:n]
			if together {
				r.end.rest(y, first+o+i, at+i*n)
			} else {
				r.end.all(y, first+o+i, at+i*n)
			}
		}
	}
}

// imageSource is where the patches of one image of several are read from.
type imageSource struct {
	x, from  []float32
	row, col int
}

// imageSource stages image i of several, if need be.
func (r *convRun) imageSource(s *convScratch, image, g, i, images int, b convBlock) imageSource {
	x := r.x[(image*r.Groups+g)*r.Channels*r.in():][:r.Channels*r.in()]
	part := r.bandLen()
	s.band = grow(s.band, images*part)
	from, row, col := r.source(s.band[i*part:][:part], x, b)
	return imageSource{x, from, row, col}
}

// transposeSums sets y[c, i] = sums[i·pitch+c] for up to 8 channels c and n outputs i.
func transposeSums(y, sums []float32, n, pitch, channels int) {
	whole := 0
	if channels == 8 {
		for ; whole+8 <= n; whole += 8 {
			transpose8(&y[whole], 4*n, &sums[whole*pitch], 4*pitch, 1)
		}
	}
	for c := range channels {
		for i := whole; i < n; i++ {
			y[c*n+i] = sums[i*pitch+c]
		}
	}
}

// setBlock says which block of k follows.
func (t *convTile) setBlock(k0, deep, depth int) {
	t.k, t.first, t.last = deep, 0, 0
	if k0 == 0 {
		t.first = 1
	}
	if k0+deep == depth {
		t.last = 1
	}
}

// setLanes makes the mask of the first n lanes: bits for AVX-512, words for AVX2, their number for NEON.
func setLanes(mask *[8]uint32, lanes, n int) {
	switch lanes {
	case 16:
		mask[0] = 1<<n - 1
		return
	case 4:
		mask[0] = uint32(n)
		return
	}
	for i := range mask {
		mask[i] = 0
		if i < n {
			mask[i] = 1<<32 - 1
		}
	}
}

// ending sets what tiles do at the end.
func (s *convScratch) ending(r *convRun) {
	s.tile.low, s.tile.high, s.tile.residual = r.end.low, r.end.high, r.distance()
}

// distance is how far the residual is from y, in bytes; 0 if there is none.
func (r *convRun) distance() int {
	if r.end.residual == nil {
		return 0
	}
	return int(uintptr(unsafe.Pointer(&r.end.residual[0])) - uintptr(unsafe.Pointer(&r.y[0])))
}

// leftOut are biases that change nothing: -0.
var leftOut = func() (zeros [14]float32) {
	for i := range zeros {
		zeros[i] = math.Float32frombits(signBit)
	}
	return zeros
}()

// biases are those of the channels from the given one on.
func (e *ending) biases(channel int) unsafe.Pointer {
	if e.bias == nil {
		return unsafe.Pointer(&leftOut[0])
	}
	return unsafe.Pointer(&e.bias[channel])
}

// stageRows copies rows of n elements that are step apart in src.
func stageRows(dst, src []float32, dstRow, srcRow, rows, n, step int) {
	if step > 2 || current() == portable {
		stageRowsGeneric(dst, src, dstRow, srcRow, rows, n, step)
		return
	}
	copyRows := stageRows1
	if step == 2 {
		copyRows = stageRows2
	}
	_, _ = dst[(rows-1)*dstRow+n-1], src[(rows-1)*srcRow+(n-1)*step]
	copyRows(&dst[0], 4*dstRow, &src[0], 4*srcRow, rows, n)
}
