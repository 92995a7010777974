//go:build !purego

package kernel

import (
	"math/bits"
	"runtime"
	"sync"
	"unsafe"
)

// tile is the argument of one assembly call: one block of k for a few rows and up to two vectors of columns.
// Strides are in bytes. The assembly finds the fields by name (go_asm.h).
type tile struct {
	k          int
	a          unsafe.Pointer
	aRow, aCol int
	b          unsafe.Pointer
	bRow       int
	bPanel     int // of a row times several panels
	c          unsafe.Pointer
	cRow       int
	first      int     // 1 if c is written, 0 if it is added to
	next       uintptr // address of what is read after this tile, fetched at ahead bytes per k
	ahead      int
	mask       [8]uint32 // of the last vector: 16 bits for AVX-512, 8 words of all ones or zero for AVX2
}

// tiling is the shape of the tiles of one implementation.
type tiling struct {
	rows, lanes int
	tiles       [][2][2]func(*tile)
	panels      int         // of packed columns that vector takes
	vector      func(*tile) // a row times panels
}

var tilings = [implementations]tiling{
	avx2:   {rows: 6, lanes: 8, tiles: tilesAVX2[:], panels: 2, vector: vectorAVX2},
	avx512: {rows: 14, lanes: 16, tiles: tilesAVX512[:], panels: 4, vector: vectorAVX512},
}

const (
	blockRows = 224     // rows of a that are packed together, at most
	blockA    = 1 << 17 // elements of a that are packed together: 512 KiB, half of a usual L2 cache
	slab      = 1 << 22 // elements of b that are packed together: 16 MiB
	// inCache is how many float32 a matrix may have to be read where it is, unpacked: they fit the L1 cache.
	inCache = 1 << 13
	// serialMACs is the size below which goroutines cost more than they bring: about 10 µs.
	serialMACs = 1 << 19
)

// matmulScratch is what one goroutine needs; kept between calls.
type matmulScratch struct {
	tile tile
	then thenTile
	// thenGeneric is set if the assembly cannot do the steps of then.
	thenGeneric bool
	a           []float32
	b           []float32 // a right factor, packed for one product
}

var matmulScratches = sync.Pool{New: func() any { return new(matmulScratch) }}

func (p *product) run() {
	if current() == portable {
		p.runPortable()
		return
	}
	t := &tilings[current()]
	workers := runtime.GOMAXPROCS(0)
	if p.m*p.n*p.k < serialMACs || p.serial {
		workers = 1
	}
	if p.packed || p.bCol == 1 && (p.k*p.n <= inCache || p.m < 2*t.rows) {
		p.runColumns(t, workers, 0, p.n)
		return
	}
	s := matmulScratches.Get().(*matmulScratch)
	q := *p
	q.bRow, q.bCol, q.bPanel, q.packed = panelCols, 1, panelCols*p.k, true
	cols := max(slab/p.k/panelCols, 4) * panelCols
	for j0 := 0; j0 < p.n; j0 += cols {
		j1 := min(j0+cols, p.n)
		s.b = grow(s.b, (j1-j0+panelCols-1)/panelCols*q.bPanel)
		p.packColumns(s.b, workers, j0, j1)
		q.b, q.first = s.b, j0
		q.runColumns(t, workers, j0, j1)
	}
	matmulScratches.Put(s)
}

// runColumns computes the columns j0 to j1 of c.
func (p *product) runColumns(t *tiling, workers, j0, j1 int) {
	if workers == 1 {
		p.runBlock(t, 0, p.m, j0, j1)
		return
	}
	// Some blocks for every worker. Cutting rows leaves each row of a packed once.
	const fewCols = 4 * panelCols
	rows, cols := p.m, j1-j0
	down, across := 1, 1
	for down*across < 4*workers {
		switch {
		case rows >= 2*blockRows || rows >= 8*t.rows && cols < 8*rows:
			down *= 2
			rows = (p.m + down - 1) / down
		case cols >= 2*fewCols:
			across *= 2
			cols = ((j1-j0+across-1)/across + panelCols - 1) / panelCols * panelCols
		default:
			across, down = down*across, 4*workers // no more
		}
	}
	down, across = (p.m+rows-1)/rows, (j1-j0+cols-1)/cols
	q := *p // a copy, so that p itself stays on the stack in the serial case
	parallel(down*across, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row, col := i%down*rows, j0+i/down*cols
			q.runBlock(t, row, min(row+rows, q.m), col, min(col+cols, j1))
		}
	})
}

// runBlock computes rows i0 to i1 and columns j0 to j1 of c. Where numbers are packed is free: only their place changes,
// not what is done with them.
func (p *product) runBlock(t *tiling, i0, i1, j0, j1 int) {
	const size = 4
	s := matmulScratches.Get().(*matmulScratch)
	then := p.then != nil && !p.then.plain()
	if then {
		s.thenGeneric = !s.then.fill(p.then, p.n)
	}
	left := j0
	if p.packed && p.m == 1 {
		j := p.runVector(s, t, j0, j1)
		if then {
			p.runThen(s, t.lanes, 0, 1, j0, j)
		}
		j0 = j
	}
	width := 2 * t.lanes
	packA := p.m*p.k > inCache && p.n >= t.lanes
	s.tile.cRow = size * p.n
	// Equal shares of rows: 64 rows are 13+13+13+13+12, not 14+14+14+14+8.
	chunks := (i1 - i0 + blockRows - 1) / blockRows
	depth := max(1, blockA*chunks/(i1-i0)/blockK) * blockK
	if !packA {
		depth = p.k
	}
	for d0 := 0; d0 < p.k; d0 += depth {
		d1 := min(d0+depth, p.k)
		for chunk := range chunks {
			from, to := i0+(i1-i0)*chunk/chunks, i0+(i1-i0)*(chunk+1)/chunks
			a, aRow, aCol := p.a[from*p.aRow+d0*p.aCol:], p.aRow, p.aCol
			if packA {
				a, aRow, aCol = p.packRows(s, from, to, d0, d1-d0)
			}
			s.tile.aRow, s.tile.aCol = size*aRow, size*aCol
			groups := (to - from + t.rows - 1) / t.rows
			s.tile.bRow = size * p.bRow
			ahead := 0
			if p.packed {
				ahead = (size*panelCols + groups - 1) / groups
			}
			for j := j0; j < j1; j += width {
				w := min(width, j1-j)
				vectors := (w + t.lanes - 1) / t.lanes
				masked := s.setMask(t.lanes, w)
				for k0 := d0; k0 < d1; k0 += blockK {
					s.tile.k = min(blockK, d1-k0)
					s.tile.first = 0
					if k0 == 0 && !p.continued {
						s.tile.first = 1
					}
					s.tile.b = unsafe.Pointer(&p.columns(k0, j)[0])
					// What is read after this block is fetched now, by each group its share.
					next := s.tile.b
					s.tile.ahead = ahead
					switch {
					case k0+blockK < d1:
						next = unsafe.Pointer(&p.columns(k0+blockK, j)[0])
					case j+width < j1:
						next = unsafe.Pointer(&p.columns(d0, j+width)[0])
					default:
						s.tile.ahead = 0
					}
					for g := range groups {
						first := from + (to-from)*g/groups
						rows := from + (to-from)*(g+1)/groups - first
						s.tile.a = unsafe.Pointer(&a[(first-from)*aRow+(k0-d0)*aCol])
						s.tile.c = unsafe.Pointer(&p.c[first*p.n+j])
						s.tile.next = uintptr(next) + uintptr(g*s.tile.k*s.tile.ahead)
						t.tiles[rows-1][vectors-1][masked](&s.tile)
						if then && d1 == p.k && k0+blockK >= d1 {
							p.runThen(s, t.lanes, first, first+rows, j, j+w)
						}
					}
				}
			}
		}
	}
	p.apply(i0, i1, left, j1)
	s.tile, s.then = tile{}, thenTile{}
	matmulScratches.Put(s)
}

// runVector computes the only row of c from column j0 on, for as many whole groups of panels as there are before j1,
// each read from start to end. It returns the first column that it left out. j0 is a multiple of 32.
func (p *product) runVector(s *matmulScratch, t *tiling, j0, j1 int) int {
	const size = 4
	group := t.panels * panelCols
	s.tile.bPanel = size * p.bPanel
	for ; j0+group <= j1; j0 += group {
		s.tile.c = unsafe.Pointer(&p.c[j0])
		for k0 := 0; k0 < p.k; k0 += blockK {
			s.tile.k = min(blockK, p.k-k0)
			s.tile.first = 0
			if k0 == 0 && !p.continued {
				s.tile.first = 1
			}
			s.tile.a = unsafe.Pointer(&p.a[k0])
			s.tile.b = unsafe.Pointer(&p.columns(k0, j0)[0])
			t.vector(&s.tile)
		}
	}
	return j0
}

// setMask sets the mask of the last vector of w columns and returns 1 if it leaves lanes out.
func (s *matmulScratch) setMask(lanes, w int) int {
	last := (w-1)%lanes + 1
	if lanes == 16 {
		s.tile.mask[0] = 1<<last - 1
	} else {
		for l := range s.tile.mask {
			s.tile.mask[l] = 0
			if l < last {
				s.tile.mask[l] = 1<<32 - 1
			}
		}
	}
	if last < lanes {
		return 1
	}
	return 0
}

// packPad keeps packed rows from falling on the same cache sets.
const packPad = 16

// packRows copies a[i0:i1, k0:k0+kc] next to each other, rows or (if a is transposed) columns kept whole.
func (p *product) packRows(s *matmulScratch, i0, i1, k0, kc int) (a []float32, aRow, aCol int) {
	if p.aCol == 1 {
		stride := kc + packPad
		s.a = grow(s.a, (i1-i0)*stride)
		for i := i0; i < i1; i++ {
			copy(s.a[(i-i0)*stride:][:kc], p.a[i*p.aRow+k0:])
		}
		return s.a, stride, 1
	}
	stride := (i1 - i0) + packPad
	s.a = grow(s.a, kc*stride)
	for k := range kc {
		copy(s.a[k*stride:][:i1-i0], p.a[(k0+k)*p.aCol+i0:])
	}
	return s.a, 1, stride
}

// packColumns copies the columns j0 to j1 of b to panels of 32 columns, each [k, 32]. Columns beyond n are zero; what is
// computed from them is masked out.
func (p *product) packColumns(panels []float32, workers, j0, j1 int) {
	const few = 4 // panels at once, so that reading a row takes whole runs of cache lines
	count := (j1 - j0 + few*panelCols - 1) / (few * panelCols)
	if workers == 1 {
		p.packPanels(panels, j0, j0, j1)
		return
	}
	q := *p
	parallel(count, max(1, 1<<16/(few*panelCols*p.k)), func(lo, hi int) {
		q.packPanels(panels, j0, j0+lo*few*panelCols, min(j0+hi*few*panelCols, j1))
	})
}

// packPanels does packColumns from column j on; the first panel is that of column base.
func (p *product) packPanels(panels []float32, base, j, j1 int) {
	const few, deep = 4 * panelCols, 64
	for ; j < j1; j += few {
		for k0 := 0; k0 < p.k; k0 += deep {
			kc := min(deep, p.k-k0)
			for i := j; i < min(j+few, j1); i += panelCols {
				p.packPanel(panels[((i-base)*p.k + k0*panelCols):][:kc*panelCols], k0, kc, i, min(panelCols, j1-i))
			}
		}
	}
}

// packPanel copies w columns from j on of the rows k0 to k0+kc.
func (p *product) packPanel(panel []float32, k0, kc, j, w int) {
	const size = 4
	switch {
	case p.bCol != 1:
		p.packTransposed(panel, panelCols, k0, kc, j, w)
	case w == panelCols:
		copyPanelAVX2(&panel[0], &p.b[k0*p.bRow+j], size*p.bRow, kc)
	default:
		for k := range kc {
			out := panel[k*panelCols:][:panelCols]
			clear(out[copy(out, p.b[(k0+k)*p.bRow+j:][:w]):])
		}
	}
}

// packTransposed sets panel[k,c] = b[k0+k, j+c] from columns that are contiguous in k.
func (p *product) packTransposed(panel []float32, width, k0, kc, j, w int) {
	if w < width {
		clear(panel)
	}
	whole, deep := w&^7, kc&^7
	for c := 0; c < whole && deep > 0; c += 8 {
		src := p.b[(j+c)*p.bCol+k0:]
		transpose8AVX2(&panel[c], 4*width, &src[0], 4*p.bCol, deep/8)
	}
	for c := range w {
		from := deep
		if c >= whole {
			from = 0
		}
		src := p.b[(j+c)*p.bCol+k0:][:kc]
		for k := from; k < kc; k++ {
			panel[k*width+c] = src[k]
		}
	}
}

// packTransposed sets panel[i,c] = b[c,i] for width rows of k elements; false if this implementation has no way of its own.
func packTransposed(panel, b []float32, k, width int) bool {
	if current() == portable {
		return false
	}
	p := product{b: b, bCol: k}
	p.packTransposed(panel, panelCols, 0, k, 0, width)
	return true
}

// grow returns a slice of n elements, s itself if it is large enough. Fresh ones come in powers of two and start on
// a cache line.
func grow(s []float32, n int) []float32 {
	if n <= cap(s) {
		return s[:n]
	}
	return aligned(1 << bits.Len(uint(n)))[:n]
}
