// Package trace owns what a unit of work commits to: the roots of tensors, of states and of a whole execution, and the hash
// of a program. It computes hashes of values that others computed; it executes nothing. It imports engine/tensor and
// engine/graph for what it hashes and verify/merkle for how. The exact bytes are in spec/verify.md, examples for other
// implementations in spec/vectors/verify.
package trace

import (
	"crypto/sha256"
	"runtime"
	"sync"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
)

// tilesPerWorker is the least work worth a goroutine: 64 tiles are 128 KiB, about 0.1 ms.
const tilesPerWorker = 64

// TensorRoot returns TypeRoot over merkle.Root of TileLeaves(t).
func TensorRoot(t *tensor.Tensor) merkle.Hash {
	return TypeRoot(t.DType(), t.Shape(), merkle.Root(TileLeaves(t)))
}

// TileLeaves returns the leaf hash of each tile of t, in row-major order of the tiles.
func TileLeaves(t *tensor.Tensor) []merkle.Hash {
	g := newGrid(t.Shape())
	leaves := make([]merkle.Hash, g.tiles())
	hash := func(first, last int) {
		var space [1 + MaxTileBytes]byte // merkle.Leaf's tag is zero
		buf := space[:1]
		for i := first; i < last; i++ {
			buf = g.appendTile(buf[:1], t, i)
			leaves[i] = sha256.Sum256(buf)
		}
	}
	workers := min(runtime.GOMAXPROCS(0), len(leaves)/tilesPerWorker)
	if workers < 2 {
		hash(0, len(leaves))
		return leaves
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { hash(w*len(leaves)/workers, (w+1)*len(leaves)/workers) })
	}
	wg.Wait()
	return leaves
}
