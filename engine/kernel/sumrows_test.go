package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestSumRowsSame: rows have the sums of the definition, and nothing around them is written.
func TestSumRowsSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(73, 74))
	each(t, func(t *testing.T) {
		for n := range 140 {
			rows := 1 + rng.IntN(5)
			x := normal(rows * n)
			if n%3 == 0 {
				x = sample(rng, rows*n)
			}
			want := make([]float32, rows)
			for i := range want {
				want[i] = reduceOnce(x[i*n : (i+1)*n])
			}
			y, unharmed := framed(t, rows, n%4)
			SumRows(y, x)
			unharmed()
			sameBits(t, fmt.Sprintf("%d rows of %d", rows, n), y, want)
		}
	})
}

// reduceOnce follows the words of the rule for at most one chunk.
func reduceOnce(x []float32) float32 {
	var lane [32]float32
	for i, v := range x {
		lane[i%32] += v
	}
	for h := 16; h > 0; h /= 2 {
		for i := range h {
			lane[i] += lane[i+h]
		}
	}
	return lane[0]
}
