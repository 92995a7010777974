package round

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/mutirao/mutirao/learn/data"
)

// batches walks the training records in an order drawn by a seed, over and over, each time in a new
// order. A unit's shard is the part of that walk which its steps reach.
type batches struct {
	trainer *Trainer
	seed    [32]byte
	order   data.Order
	epoch   uint64
	at      int // position in the order
}

func (t *Trainer) newBatches(seed [32]byte) *batches {
	b := &batches{trainer: t, seed: seed}
	b.shuffle()
	return b
}

// shuffle keys the order of the current epoch.
func (b *batches) shuffle() {
	key := append([]byte("mutirao/epoch"), b.seed[:]...)
	b.order = data.NewOrder(sha256.Sum256(binary.LittleEndian.AppendUint64(key, b.epoch)), b.trainer.split.Training())
}

// next returns the indices in the set of the next batch.
func (b *batches) next() []int {
	records := make([]int, b.trainer.recipe.Train.Batch)
	for i := range records {
		if b.at == b.trainer.split.Training() {
			b.at = 0
			b.epoch++
			b.shuffle()
		}
		records[i] = b.trainer.split.TrainingAt(b.order.At(b.at))
		b.at++
	}
	return records
}
