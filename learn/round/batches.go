package round

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/mutirao/mutirao/learn/data"
)

// batches walks the training records in an order drawn by a seed, over and over, each time in a new
// order. A unit's shard is the part of that walk which its steps reach.
type batches struct {
	outline *Outline
	seed    [32]byte
	order   data.Order
	epoch   uint64
	at      int // position in the order
}

func (t *Outline) newBatches(seed [32]byte) *batches {
	b := &batches{outline: t, seed: seed}
	b.shuffle()
	return b
}

// shuffle keys the order of the current epoch.
func (b *batches) shuffle() {
	key := append([]byte("mutirao/epoch"), b.seed[:]...)
	b.order = data.NewOrder(sha256.Sum256(binary.LittleEndian.AppendUint64(key, b.epoch)), b.outline.split.Training())
}

// next returns the indices in the set of the next batch.
func (b *batches) next() []int {
	records := make([]int, b.outline.recipe.Train.Batch)
	for i := range records {
		if b.at == b.outline.split.Training() {
			b.at = 0
			b.epoch++
			b.shuffle()
		}
		records[i] = b.outline.split.TrainingAt(b.order.At(b.at))
		b.at++
	}
	return records
}
