//go:build (amd64 || arm64) && !purego

package kernel

import (
	"runtime"
	"sync"
	"unsafe"
)

// tile is the argument of one assembly call: one block of k for a few rows and some vectors of columns.
// Strides are in bytes. The assembly finds the fields by name (go_asm.h).
type tile struct {
	k          int
	a          unsafe.Pointer
	aRow, aCol int
	b          unsafe.Pointer
	bRow       int
	bPanel     int // of a row times panels
	c          unsafe.Pointer
	cRow       int
	first      int       // 1 if c is written, 0 if it is added to
	mask       [8]uint32 // of the last vector: 16 bits for AVX-512, 8 words of all ones or zero for AVX2, nothing for NEON
	// What will be needed next, fetched on the way: 128 bytes each of some rows, at least one.
	next              uintptr
	nextRow, nextRows int
}

// tiling is the shape of the tiles of one implementation.
type tiling struct {
	rows    int
	vectors int // of columns
	lanes   int // of a vector
	masks   bool
	// tiles by rows-1 and vectors-1; then, with masks, whether the last vector is masked, without, whether a is stored by columns.
	tiles  [][4][2]func(*tile)
	vector func(*tile) // a row times vectorPanels packed panels
}

func (t *tiling) width() int { return t.vectors * t.lanes }

const (
	// maxEdge is the size of the largest tile without masks, that of NEON.
	maxEdge = 6 * 16
	// blockA is how many elements of a are packed together: 512 KiB, half of a usual L2 cache.
	blockA = 1 << 17
	// inCache is how many float32 a matrix may have to be read where it is, unpacked: they fit the L1 cache.
	inCache = 1 << 13
	// vectorPanels is the number of panels that a vector is multiplied with at once.
	vectorPanels = 2
	// serialMACs is the size below which goroutines cost more than they bring: about 10 µs.
	serialMACs = 1 << 19
	// taskMACs is the work that is worth handing to a helper: 5 µs, or 15 µs if it waits for memory.
	taskMACs = 1 << 18
	// largeTask is the work from which on a worker gets tasksEach tasks, to end at the same time as the others. More would pack more often.
	largeTask = 1 << 22
	tasksEach = 2
)

// matmulScratch is what one goroutine needs; kept between calls.
type matmulScratch struct {
	tile tile
	then thenTile
	// thenGeneric is set if the assembly cannot do the steps of then.
	thenGeneric bool
	edge        [maxEdge]float32 // a tile that reaches over the edge of c, without masks
	a           []float32        // some rows of a
	b           [2][]float32     // blocks of b: the one in use and the next
	turn        int              // which of them is in use
}

var matmulScratches = sync.Pool{New: func() any {
	const block = blockK * panelCols
	b := aligned(2 * block)
	return &matmulScratch{b: [2][]float32{b[:block], b[block:]}}
}}

func (p *product) run() {
	if current() == portable {
		p.runPortable()
		return
	}
	t := &tilings[current()]
	workers := runtime.GOMAXPROCS(0)
	if p.serial {
		workers = 1
	}
	rows, cols := cut(p.m, p.n, p.m*p.n*p.k, workers, 4*t.rows, p.packed)
	if rows == p.m && cols == p.n {
		p.runBlock(t, 0, p.m, 0, p.n)
		return
	}
	down, across := (p.m+rows-1)/rows, (p.n+cols-1)/cols
	q := *p // a copy, so that p itself stays on the stack in the serial case
	parallel(down*across, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row, col := i%down*rows, i/down*cols
			q.runBlock(t, row, min(row+rows, q.m), col, min(col+cols, q.n))
		}
	})
}

// cut says how a product of m rows and n columns is cut for some workers: the longer side first, as an element of a is
// packed once for each block of columns, one of b for each block of rows, which have at least so many. If b is packed already, rows
// come first.
func cut(m, n, macs, workers, fewRows int, packed bool) (rows, cols int) {
	tasks := min(max(macs/largeTask, min(macs/taskMACs, workers)), tasksEach*workers)
	if workers == 1 {
		tasks = 1
	}
	rows, cols = m, n
	down, across := 1, 1
	for down*across < tasks {
		switch {
		case rows >= cols && rows >= fewRows, packed && rows >= 2*fewRows:
			down *= 2
			rows = (m + down - 1) / down
		case cols >= 4*panelCols:
			across *= 2
			cols = ((n+across-1)/across + panelCols - 1) / panelCols * panelCols
		default:
			return rows, cols // as fine as is sensible
		}
	}
	return rows, cols
}

// runBlock computes rows i0 to i1 and columns j0 to j1 of c; j0 is a multiple of 32.
func (p *product) runBlock(t *tiling, i0, i1, j0, j1 int) {
	s := matmulScratches.Get().(*matmulScratch)
	if p.then != nil && !p.then.plain() {
		s.thenGeneric = !s.then.fill(p.then, p.n)
	}
	if j := p.runVector(s, t, j0, j1); j < j1 {
		p.runPasses(s, t, i0, i1, j, j1)
	}
	p.apply(i0, i1, j0, j1)
	s.tile, s.then = tile{}, thenTile{}
	matmulScratches.Put(s)
}

// pass is a part of a block that is computed while some rows of a, for some of k, lie packed in the L2 cache.
type pass struct {
	a          []float32
	aRow, aCol int
	i0, i1     int
	d0, d1     int
	j1         int // where columns end
	packB      bool
}

// runPasses cuts a block into passes. Where numbers are packed is free: only their place changes, not what is done with
// them.
func (p *product) runPasses(s *matmulScratch, t *tiling, i0, i1, j0, j1 int) {
	x := pass{j1: j1, packB: !p.packed && (p.bCol != 1 || p.k*p.n > inCache && i1-i0 >= 2*t.rows || !t.masks && (j1-j0)%t.lanes != 0)}
	packA := p.m*p.k > inCache && j1-j0 >= t.lanes && (p.aCol != 1 || sameSets(p.aRow, t.rows))
	depth := p.k
	if packA {
		// The deeper, the less often is c added to; the more rows, the less often is b read, or even packed.
		depth = max(blockK, min(blockA/(i1-i0)/blockK*blockK, 4*blockK))
		if !x.packB {
			depth = max(2*blockK, blockA/(i1-i0)/blockK*blockK)
		}
	}
	chunks := max(1, ((i1-i0)*min(depth, p.k)+blockA-1)/blockA)
	for x.d0 = 0; x.d0 < p.k; x.d0 += depth {
		x.d1 = min(x.d0+depth, p.k)
		for chunk := range chunks {
			x.i0, x.i1 = i0+(i1-i0)*chunk/chunks, i0+(i1-i0)*(chunk+1)/chunks
			x.a, x.aRow, x.aCol = p.a[x.i0*p.aRow+x.d0*p.aCol:], p.aRow, p.aCol
			if packA {
				x.a, x.aRow, x.aCol = p.packRows(s, x.i0, x.i1, x.d0, x.d1-x.d0)
			}
			if x.packB {
				p.packPanel(s.b[s.turn], x.d0, min(blockK, x.d1-x.d0), j0, min(panelCols, j1-j0))
			}
			for j := j0; j < j1; j += panelCols {
				for k0 := x.d0; k0 < x.d1; k0 += blockK {
					p.runPanel(s, t, &x, j, k0)
				}
			}
		}
	}
}

// sameSets reports whether too many of some rows fall on the same sets of an L1 cache, whose ways are pages of 4096 bytes.
func sameSets(row, rows int) bool {
	const size, page, ways = 4, 4096, 8
	row *= size
	places := page / min(row&-row, page)
	return rows > places*ways/2
}

// runPanel multiplies the rows of a pass with one block of b: 256 rows of a panel.
func (p *product) runPanel(s *matmulScratch, t *tiling, x *pass, j, k0 int) {
	const size = 4
	f := &s.tile
	f.k = min(blockK, x.d1-k0)
	f.aRow, f.aCol, f.cRow = size*x.aRow, size*x.aCol, size*p.n
	f.first = 0
	if k0 == 0 && !p.continued {
		f.first = 1
	}
	b := s.b[s.turn]
	f.bRow = size * panelCols
	if !x.packB {
		b, f.bRow = p.columns(k0, j), size*p.bRow
	}
	// Equal shares of rows: 64 rows are 13+13+13+13+12, not 14+14+14+14+8.
	rows := x.i1 - x.i0
	groups := (rows + t.rows - 1) / t.rows
	then := k0+f.k == p.k && p.then != nil && !p.then.plain()
	next := p.nextBlock(s, x, j, k0, groups)
	for j0, end := j, min(j+panelCols, x.j1); j < end; j += t.width() {
		w := min(t.width(), end-j)
		vectors := (w + t.lanes - 1) / t.lanes
		edge := w%t.lanes != 0
		variant := 0
		if t.masks {
			s.setMask(t.lanes, w)
			variant = index(edge)
		} else {
			variant = index(x.aCol != 1)
		}
		f.b = unsafe.Pointer(&b[j-j0])
		for g := range groups {
			first, last := x.i0+rows*g/groups, x.i0+rows*(g+1)/groups
			f.a = unsafe.Pointer(&x.a[(first-x.i0)*x.aRow+(k0-x.d0)*x.aCol])
			f.c = unsafe.Pointer(&p.c[first*p.n+j])
			next.fetch(f)
			run := t.tiles[last-first-1][vectors-1][variant]
			if edge && !t.masks {
				s.runEdge(run, p.c[first*p.n+j:], p.n, last-first, w, vectors*t.lanes)
			} else {
				run(f)
			}
			next.pack()
			if then {
				p.runThen(s, t, first, last, j, j+w)
			}
		}
	}
	if x.packB {
		s.turn = 1 - s.turn
	}
}

// index is 1 for true.
func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// runEdge runs a tile of wider rows than c has left, w columns: on a copy. n is the distance of rows of c.
func (s *matmulScratch) runEdge(run func(*tile), c []float32, n, rows, w, wide int) {
	f := &s.tile
	if f.first == 0 {
		for i := range rows {
			copy(s.edge[i*wide:], c[i*n:][:w])
		}
	}
	row := f.cRow
	f.c, f.cRow = unsafe.Pointer(&s.edge[0]), 4*wide
	run(f)
	f.cRow = row
	for i := range rows {
		copy(c[i*n:][:w], s.edge[i*wide:])
	}
}

// nextBlock is the block of b that comes after the one in use. It is brought nearer, a piece with each tile: fetched to
// the cache while the tile is computed and then, if it has yet to be packed, packed.
type nextBlock struct {
	p         *product
	j, w      int
	k0, k1    int // what is left of it
	piece     int // rows of b
	out       []float32
	fetchOnly bool
}

// nextBlock is empty if nothing comes after or it is not worth while.
func (p *product) nextBlock(s *matmulScratch, x *pass, j, k0, groups int) nextBlock {
	if k0 += blockK; k0 >= x.d1 {
		k0, j = x.d0, j+panelCols
	}
	// A single group reads packed numbers so fast that fetching for it is too late.
	if j >= x.j1 || !x.packB && (!p.packed || groups < 2) {
		return nextBlock{}
	}
	kc := min(blockK, x.d1-k0)
	return nextBlock{p: p, j: j, w: min(panelCols, x.j1-j), k0: k0, k1: k0 + kc, piece: ((kc+groups-1)/groups + 7) &^ 7, out: s.b[1-s.turn], fetchOnly: !x.packB}
}

// fetch makes the tile fetch the next piece.
func (b *nextBlock) fetch(f *tile) {
	const size, run = 4, 128
	f.next, f.nextRow, f.nextRows = uintptr(f.b), 0, 1
	if b.k0 >= b.k1 {
		return
	}
	p, rows := b.p, min(b.piece, b.k1-b.k0)
	switch {
	case b.fetchOnly:
		f.next, f.nextRow, f.nextRows = uintptr(unsafe.Pointer(&p.columns(b.k0, b.j)[0])), run, rows
		b.k0 += rows
	case p.bCol == 1:
		f.next, f.nextRow, f.nextRows = uintptr(unsafe.Pointer(&p.b[b.k0*p.bRow+b.j])), size*p.bRow, rows
	default:
		f.next, f.nextRow, f.nextRows = uintptr(unsafe.Pointer(&p.b[b.j*p.bCol+b.k0])), size*p.bCol, b.w
	}
}

// pack packs the piece.
func (b *nextBlock) pack() {
	if b.k0 >= b.k1 || b.fetchOnly {
		return
	}
	rows := min(b.piece, b.k1-b.k0)
	b.p.packPanel(b.out, b.k0, rows, b.j, b.w)
	b.out = b.out[rows*panelCols:]
	b.k0 += rows
}

// runVector computes the columns from j0 on, if there is only one row of c and b is packed, for as many whole groups of
// panels as there are before j1, each read from start to end. It returns the first column that it left out. j0 is a
// multiple of 32.
func (p *product) runVector(s *matmulScratch, t *tiling, j0, j1 int) int {
	if p.m != 1 || !p.packed {
		return j0
	}
	const size = 4
	j, group := j0, vectorPanels*panelCols
	s.tile.bPanel = size * p.bPanel
	for ; j+group <= j1; j += group {
		s.tile.c = unsafe.Pointer(&p.c[j])
		for k0 := 0; k0 < p.k; k0 += blockK {
			s.tile.k = min(blockK, p.k-k0)
			s.tile.first = 0
			if k0 == 0 && !p.continued {
				s.tile.first = 1
			}
			s.tile.a = unsafe.Pointer(&p.a[k0])
			s.tile.b = unsafe.Pointer(&p.columns(k0, j)[0])
			t.vector(&s.tile)
		}
	}
	if j > j0 && p.then != nil && !p.then.plain() {
		p.runThen(s, t, 0, 1, j0, j)
	}
	return j
}

// setMask sets the mask of the last vector of w columns.
func (s *matmulScratch) setMask(lanes, w int) {
	last := (w-1)%lanes + 1
	if lanes == 16 {
		s.tile.mask[0] = 1<<last - 1
		return
	}
	for l := range s.tile.mask {
		s.tile.mask[l] = 0
		if l < last {
			s.tile.mask[l] = 1<<32 - 1
		}
	}
}
