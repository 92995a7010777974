//go:build (amd64 || arm64) && !purego

package kernel

import (
	"runtime"
	"sync"
	"unsafe"
)

// tileInt8 is the argument of one assembly call: some of k for a few rows and one panel of columns, or half of it with
// AVX2 and NEON. Strides are in bytes; the sums start from init, whose rows may all be the same one.
type tileInt8 struct {
	quads   int // steps of four k
	a       unsafe.Pointer
	aRow    int
	b       unsafe.Pointer
	init    unsafe.Pointer
	initRow int
	c       unsafe.Pointer
	cRow    int
	// What will be needed next, fetched on the way: 128 bytes each of some rows, at least one.
	next     uintptr
	nextRows int
}

// tilingInt8 is the shape of the tiles of one instruction set. VNNI multiplies bytes without and with sign, so a is
// packed as a+128 and the sums start from -128·Σb; AVX2 has a as words of 16 bits, NEON as it is. None saturates.
type tilingInt8 struct {
	rows, cols int
	wide       int                          // bytes per element of packed a
	offset     bool                         // a is packed as a+128
	pack       func(dst []byte, src []int8) // of a row
	tiles      []func(*tileInt8)
}

const (
	int8CallQuads = 1 << 12 // of one assembly call: at most 40 µs
	int8BlockA    = 1 << 19 // bytes of a that are packed together, half of a usual L2 cache
)

// scratchInt8 is what one goroutine needs; kept between calls.
type scratchInt8 struct {
	tile  tileInt8
	a     []byte
	edge  [14 * panelCols]int32 // a tile that reaches over the edge of c
	zeros [panelCols]int32
}

var scratchesInt8 = sync.Pool{New: func() any { return new(scratchInt8) }}

func (p *productInt8) run() {
	if current() == portable {
		p.runPortable()
		return
	}
	t := currentInt8()
	workers := runtime.GOMAXPROCS(0)
	const perTask = 4 // as many products of int8 are done in the time of one of float32
	rows, cols := cut(p.m, p.b.n, p.m*p.b.k*p.b.n/perTask, workers, 4*t.rows, true)
	if rows == p.m && cols == p.b.n {
		p.runRows(t, 0, p.m, 0, p.b.n)
		return
	}
	q := *p // a copy, so that p itself stays on the stack in the serial case
	down, across := (p.m+rows-1)/rows, (p.b.n+cols-1)/cols
	parallel(down*across, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row, col := i%down*rows, i/down*cols
			q.runRows(t, row, min(row+rows, q.m), col, min(col+cols, q.b.n))
		}
	})
}

// runRows computes rows i0 to i1 and columns j0 to j1 of c, as many rows at a time as lie packed in the L2 cache.
func (p *productInt8) runRows(t *tilingInt8, i0, i1, j0, j1 int) {
	stride := (p.b.k + 3) / 4 * 4 * t.wide
	chunks := (i1-i0)*stride/int8BlockA + 1
	for chunk := range chunks {
		p.runBlock(t, i0+(i1-i0)*chunk/chunks, i0+(i1-i0)*(chunk+1)/chunks, j0, j1)
	}
}

// runBlock computes rows i0 to i1 and columns j0 to j1 of c; j0 is a multiple of 32.
func (p *productInt8) runBlock(t *tilingInt8, i0, i1, j0, j1 int) {
	const size = 4
	s := scratchesInt8.Get().(*scratchInt8)
	quads := (p.b.k + 3) / 4
	stride := 4*quads*t.wide + 64 // rows must not fall on the same cache sets
	s.pack(p, t, i0, i1, stride)
	groups := (i1 - i0 + t.rows - 1) / t.rows
	s.tile.aRow = stride
	for j := j0; j < j1; j += t.cols {
		panel := p.b.panel(j / panelCols)[j%panelCols*4:]
		for g := range groups {
			first := i0 + (i1-i0)*g/groups
			rows := i0 + (i1-i0)*(g+1)/groups - first
			edge := j+t.cols > j1
			if edge {
				s.tile.c, s.tile.cRow = unsafe.Pointer(&s.edge[0]), size*t.cols
			} else {
				s.tile.c, s.tile.cRow = unsafe.Pointer(&p.c[first*p.b.n+j]), size*p.b.n
			}
			s.tile.init, s.tile.initRow = unsafe.Pointer(&s.zeros[0]), 0
			if t.offset {
				s.tile.init = unsafe.Pointer(&p.b.sums[j])
			}
			for q := 0; q < quads; q += int8CallQuads {
				s.tile.quads = min(int8CallQuads, quads-q)
				// The next panel, by each group its share.
				share := (quads + groups - 1) / groups
				s.tile.next, s.tile.nextRows = uintptr(s.tile.b), 1
				if ahead := j + panelCols; t.cols == panelCols && ahead < j1 && g*share < quads && groups > 1 {
					s.tile.next = uintptr(unsafe.Pointer(&p.b.panel(ahead / panelCols)[4*panelCols*g*share]))
					s.tile.nextRows = share
				}
				s.tile.a = unsafe.Pointer(&s.a[(first-i0)*stride+4*q*t.wide])
				s.tile.b = unsafe.Pointer(&panel[4*q*panelCols])
				t.tiles[rows-1](&s.tile)
				s.tile.init, s.tile.initRow = s.tile.c, s.tile.cRow
			}
			if edge {
				for r := range rows {
					copy(p.c[(first+r)*p.b.n+j:][:j1-j], s.edge[r*t.cols:])
				}
			}
		}
	}
	s.tile = tileInt8{}
	scratchesInt8.Put(s)
}

// pack copies rows i0 to i1 of a in the form that the tiles read; what is beyond k meets zeros of b.
func (s *scratchInt8) pack(p *productInt8, t *tilingInt8, i0, i1, stride int) {
	if need := (i1 - i0) * stride; cap(s.a) < need {
		s.a = make([]byte, need)
	} else {
		s.a = s.a[:need]
	}
	k := p.b.k
	for i := i0; i < i1; i++ {
		t.pack(s.a[(i-i0)*stride:][:stride], p.a[i*k:][:k])
	}
}
