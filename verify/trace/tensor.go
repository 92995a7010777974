// Package trace owns what a unit of work commits to: the roots of tensors, of states and of a whole execution, and the hash
// of a program. It computes hashes of values that others computed; it executes nothing. It imports engine/tensor and
// engine/graph for what it hashes and verify/merkle for how. The exact bytes are in spec/verify.md, examples for other
// implementations in spec/vectors/verify.
package trace

import (
	"runtime"
	"sync"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
)

// A tile is the smallest part of a tensor that a proof opens: 64x64 elements, 16 KiB of float32. One referee step of a
// dispute works on tiles of this size.
const (
	tileSide     = 64
	tileElements = tileSide * tileSide
)

// tilesPerWorker is the least work worth a goroutine: 8 tiles are 128 KiB, about 0.15 ms.
const tilesPerWorker = 8

// Tiles returns the number of tiles of a tensor of the given shape.
func Tiles(shape []int) int { return newGrid(shape).tiles() }

// TensorRoot returns merkle.Root over the leaves of t's tiles in row-major order. A tensor of two or more dimensions is cut
// as a matrix whose rows are all leading dimensions together and whose columns are the last one, into tiles of 64x64; one
// of fewer dimensions into runs of 4,096 elements. A tile's bytes are its elements in row-major order, little endian as
// tensor.Append writes them (one NaN), with zeros where the tile reaches beyond the tensor. Shape and type are not in the
// root: StateRoot binds them.
func TensorRoot(t *tensor.Tensor) merkle.Hash {
	g := newGrid(t.Shape())
	leaves := make([]merkle.Hash, g.tiles())
	hash := func(first, last int) {
		buf := make([]byte, 0, tileElements*t.DType().Size())
		for i := first; i < last; i++ {
			buf = g.appendTile(buf[:0], t, i)
			leaves[i] = merkle.Leaf(buf)
		}
	}
	workers := min(runtime.GOMAXPROCS(0), len(leaves)/tilesPerWorker)
	if workers < 2 {
		hash(0, len(leaves))
		return merkle.Root(leaves)
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { hash(w*len(leaves)/workers, (w+1)*len(leaves)/workers) })
	}
	wg.Wait()
	return merkle.Root(leaves)
}

// grid is the division of a tensor into tiles.
type grid struct {
	rows, cols         int // of the matrix
	tileRows, tileCols int // of one tile
	across             int // tiles side by side
	down               int
}

func newGrid(shape []int) grid {
	g := grid{rows: 1, cols: 1, tileRows: 1, tileCols: tileElements}
	if len(shape) > 0 {
		g.cols = shape[len(shape)-1]
	}
	if len(shape) > 1 {
		g.tileRows, g.tileCols = tileSide, tileSide
		for _, d := range shape[:len(shape)-1] {
			g.rows *= d
		}
	}
	g.across = (g.cols + g.tileCols - 1) / g.tileCols
	g.down = (g.rows + g.tileRows - 1) / g.tileRows
	return g
}

func (g grid) tiles() int { return g.across * g.down }

// tileOf returns the tile that holds element i of the tensor.
func (g grid) tileOf(i int) int {
	return (i/g.cols/g.tileRows)*g.across + i%g.cols/g.tileCols
}

// appendTile appends the bytes of tile i.
func (g grid) appendTile(b []byte, t *tensor.Tensor, i int) []byte {
	size := t.DType().Size()
	row, col := i/g.across*g.tileRows, i%g.across*g.tileCols
	width := min(g.tileCols, g.cols-col)
	for r := row; r < min(row+g.tileRows, g.rows); r++ {
		b = t.Append(b, r*g.cols+col, r*g.cols+col+width)
		b = appendZeros(b, (g.tileCols-width)*size)
	}
	return appendZeros(b, tileElements*size-len(b))
}

func appendZeros(b []byte, n int) []byte {
	end := len(b) + n
	if end > cap(b) {
		return append(b, make([]byte, n)...)
	}
	clear(b[len(b):end])
	return b[:end]
}

// TileOf returns the tile that holds element i (row-major) of a tensor of the given shape: the leaf that a proof for that
// element opens. It panics if the shape has no elements.
func TileOf(shape []int, i int) int { return newGrid(shape).tileOf(i) }
