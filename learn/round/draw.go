package round

import (
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/learn/metric"
)

// draw picks a byte by its logits, which it overwrites, and the Philox number of that counter.
func (s Sampler) draw(logits []float32, counter uint64) byte {
	if s.Temperature == 0 {
		return byte(metric.ArgMax(logits))
	}
	kernel.DivScalar(logits, logits, s.Temperature)
	kernel.Softmax(logits, logits, 1, len(logits))
	var u [1]float32
	kernel.Uniform(u[:], [2]uint32{uint32(s.Seed), uint32(s.Seed >> 32)}, counter)
	sum := float32(0)
	for i, p := range logits {
		if sum += p; u[0] < sum {
			return byte(i)
		}
	}
	// Rounding can leave the sum below u; the likeliest byte is as good as any.
	return byte(metric.ArgMax(logits))
}
