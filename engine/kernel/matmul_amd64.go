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
	first      int       // 1 if c is written, 0 if it is added to
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
	blockRows  = 112     // rows of a that are packed together, if there are so many
	blockCols  = 512     // columns of b that are packed together
	blockDepth = 1024    // multiple of blockK: how much of k is packed together; all of k if b is packed and rows are few
	blockA     = 1 << 17 // elements of a that are packed together: 512 KiB, half of a usual L2 cache
	// inCache is how many float32 a matrix may have to be read where it is, unpacked: they fit the L1 cache.
	inCache = 1 << 13
	// serialMACs is the size below which goroutines cost more than they bring: about 20 µs.
	serialMACs = 1 << 20
)

// matmulScratch is what one goroutine needs; kept between calls.
type matmulScratch struct {
	tile tile
	a, b []float32
}

var matmulScratches = sync.Pool{New: func() any { return new(matmulScratch) }}

func (p *product) run() {
	if current() == portable {
		p.runPortable()
		return
	}
	t := &tilings[current()]
	rows, cols := p.m, blockCols
	if p.m*p.n*p.k < serialMACs || runtime.GOMAXPROCS(0) == 1 {
		p.runBlocks(t, rows, cols, 0, 1<<62)
		return
	}
	// Cut finer until every processor has some blocks to take: columns first, which leaves b packed once.
	const fewCols = 4 * panelCols
	count := func() int { return ((p.m + rows - 1) / rows) * ((p.n + cols - 1) / cols) }
	for count() < 4*runtime.GOMAXPROCS(0) && (rows > 4*t.rows || cols > fewCols) {
		if cols > fewCols {
			cols /= 2
		} else {
			rows = max(4*t.rows, (rows/2+t.rows-1)/t.rows*t.rows)
		}
	}
	// A copy, so that p itself stays on the stack in the serial case.
	q := *p
	parallel(count(), 1, func(lo, hi int) { q.runBlocks(t, rows, cols, lo, hi) })
}

// runBlocks computes the blocks lo to hi of c, counted along columns of blocks.
func (p *product) runBlocks(t *tiling, rows, cols, lo, hi int) {
	s := matmulScratches.Get().(*matmulScratch)
	down := (p.m + rows - 1) / rows
	hi = min(hi, down*((p.n+cols-1)/cols))
	for i := lo; i < hi; i++ {
		row, col := i%down*rows, i/down*cols
		p.runBlock(s, t, row, min(row+rows, p.m), col, min(col+cols, p.n))
	}
	s.tile = tile{}
	matmulScratches.Put(s)
}

// runBlock computes rows i0 to i1 and columns j0 to j1 of c. Where matrices are packed is free: only the place of the
// numbers changes, not what is done with them.
func (p *product) runBlock(s *matmulScratch, t *tiling, i0, i1, j0, j1 int) {
	const size = 4
	if p.packed && p.m == 1 {
		j0 = p.runVector(s, t, j0, j1)
	}
	width := 2 * t.lanes
	packA := p.m*p.k > inCache && p.n >= t.lanes
	packB := p.bCol != 1 || !p.packed && p.k*p.n > inCache && p.m >= 2*t.rows
	s.tile.cRow = size * p.n
	// Equal shares of rows: 64 rows are 13+13+13+13+12, not 14+14+14+14+8.
	chunks := (i1 - i0 + blockRows - 1) / blockRows
	rows := (i1 - i0 + chunks - 1) / chunks
	depth := blockDepth
	if !packB {
		depth = max(depth, blockA/rows/blockK*blockK)
	}
	for d0 := 0; d0 < p.k; d0 += depth {
		d1 := min(d0+depth, p.k)
		if packB {
			p.packColumns(s, width, d0, d1-d0, j0, j1)
		}
		for chunk := range chunks {
			from, to := i0+(i1-i0)*chunk/chunks, i0+(i1-i0)*(chunk+1)/chunks
			a, aRow, aCol := p.a[from*p.aRow+d0*p.aCol:], p.aRow, p.aCol
			if packA {
				a, aRow, aCol = p.packRows(s, from, to, d0, d1-d0)
			}
			s.tile.aRow, s.tile.aCol = size*aRow, size*aCol
			groups := (to - from + t.rows - 1) / t.rows
			for j := j0; j < j1; j += width {
				w := min(width, j1-j)
				vectors := (w + t.lanes - 1) / t.lanes
				masked := s.setMask(t.lanes, w)
				for k0 := d0; k0 < d1; k0 += blockK {
					s.tile.k = min(blockK, d1-k0)
					s.tile.first = 0
					if k0 == 0 {
						s.tile.first = 1
					}
					if packB {
						s.tile.b = unsafe.Pointer(&s.b[(j-j0)*(d1-d0)+(k0-d0)*width])
						s.tile.bRow = size * width
					} else {
						s.tile.b = unsafe.Pointer(&p.columns(k0, j)[0])
						s.tile.bRow = size * p.bRow
					}
					for g := range groups {
						first := from + (to-from)*g/groups
						rows := from + (to-from)*(g+1)/groups - first
						s.tile.a = unsafe.Pointer(&a[(first-from)*aRow+(k0-d0)*aCol])
						s.tile.c = unsafe.Pointer(&p.c[first*p.n+j])
						t.tiles[rows-1][vectors-1][masked](&s.tile)
					}
				}
			}
		}
	}
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
			if k0 == 0 {
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

// packColumns copies b[k0:k0+kc, j0:j1] to panels of width columns: panel (j-j0)/width is [kc, width]. Columns
// beyond n are zero; what is computed from them is masked out.
func (p *product) packColumns(s *matmulScratch, width, k0, kc, j0, j1 int) {
	panels := (j1 - j0 + width - 1) / width
	s.b = grow(s.b, panels*width*kc)
	if p.bCol == 1 {
		for k := range kc {
			row := p.columns(k0+k, j0)
			for j := 0; j < j1-j0; j += width {
				out := s.b[j*kc+k*width:][:width]
				n := copy(out, row[j:min(j+width, j1-j0)])
				clear(out[n:])
			}
		}
		return
	}
	for j := j0; j < j1; j += width {
		p.packTransposed(s.b[(j-j0)*kc:][:width*kc], width, k0, kc, j, min(width, j1-j))
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

// grow returns a slice of n elements, s itself if it is large enough. Fresh ones come in powers of two and start on
// a cache line.
func grow(s []float32, n int) []float32 {
	if n <= cap(s) {
		return s[:n]
	}
	return aligned(1 << bits.Len(uint(n)))[:n]
}
