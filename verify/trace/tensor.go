// Package trace owns what a unit of work commits to: the roots of tensors, of states and of a whole execution, and the hash
// of a program. It computes hashes of values that others computed; it executes nothing. It imports engine/tensor and
// engine/graph for what it hashes and verify/merkle for how. The exact bytes are in spec/verify.md, examples for other
// implementations in spec/vectors/verify.
package trace

import (
	"runtime"
	"slices"
	"sync"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
)

// workerBytes is the least work worth a goroutine: about 40 us.
const workerBytes = 128 << 10

// TensorRoot returns TypeRoot over merkle.Root of TileLeaves(t).
func TensorRoot(t *tensor.Tensor) merkle.Hash { return TensorRoots([]*tensor.Tensor{t})[0] }

// TileLeaves returns the leaf hash of each tile of t, in row-major order of the tiles.
func TileLeaves(t *tensor.Tensor) []merkle.Hash { return tileLeaves([]*tensor.Tensor{t})[0] }

// TensorRoots returns TensorRoot of each tensor. Hashes of one kind are computed together, whichever tensor they are of.
func TensorRoots(list []*tensor.Tensor) []merkle.Hash {
	leaves := tileLeaves(list)
	b := merkle.NewBatch()
	defer b.Close()
	tiles := make([]int, len(list))
	for i, l := range leaves {
		tiles[i] = len(l)
	}
	b.Trees(leaves)
	roots := make([]merkle.Hash, len(list))
	for i, l := range leaves {
		b.Bind(&roots[i], tiles[i], l[0])
	}
	b.Flush()
	for i, t := range list {
		typeRoot(b, &roots[i], t.DType(), t.Shape(), roots[i])
	}
	b.Flush()
	return roots
}

// tileLeaves are the leaves of each tensor, hashed by several goroutines if that is worth it.
func tileLeaves(list []*tensor.Tensor) [][]merkle.Hash {
	leaves, bytes := make([][]merkle.Hash, len(list)), 0
	grids, first := make([]grid, len(list)), make([]int, len(list)+1) // tiles before each tensor
	for i, t := range list {
		grids[i] = newGrid(t.Shape())
		first[i+1] = first[i] + grids[i].tiles()
		bytes += t.Len() * t.DType().Size()
	}
	all := make([]merkle.Hash, first[len(list)])
	for i := range list {
		leaves[i] = all[first[i]:first[i+1]:first[i+1]]
	}
	hash := func(from, to int) {
		b := merkle.NewBatch()
		defer b.Close()
		i, _ := slices.BinarySearch(first, from+1)
		for i--; from < to; from++ {
			for from >= first[i+1] {
				i++
			}
			g, t, tile := &grids[i], list[i], from-first[i]
			g.appendTile(b.Leaf(&all[from], g.tileLen(tile)*t.DType().Size())[:0], t, tile)
		}
		b.Flush()
	}
	workers := min(runtime.GOMAXPROCS(0), len(all), bytes/workerBytes)
	if workers < 2 {
		hash(0, len(all))
		return leaves
	}
	var wg sync.WaitGroup
	for w := range workers - 1 {
		wg.Go(func() { hash(w*len(all)/workers, (w+1)*len(all)/workers) })
	}
	hash((workers-1)*len(all)/workers, len(all))
	wg.Wait()
	return leaves
}
