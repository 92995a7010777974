// Package metric measures a model on held-out records. Counts are exact integers and sums follow the
// kernels' order, so everybody who repeats an evaluation gets the same numbers.
package metric

import (
	"cmp"
	"slices"
)

// AUC is the area under the ROC curve: the probability that a random positive scores above a random
// negative, ties counting one half. It is counted in whole half-pairs, so it is exact before the one
// division at the end. Without a positive or without a negative it is 0. A NaN scores below
// everything. Source: Hanley and McNeil, Radiology 143, 1982 (the Wilcoxon form).
func AUC(scores []float32, positive []bool) float32 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	var halves, below, positives uint64 // below counts negatives with a smaller score
	for i := 0; i < len(order); {
		// One group of equal scores: each of its positives beats all below and draws with its negatives.
		var p, n uint64
		j := i
		for ; j < len(order) && cmp.Compare(scores[order[i]], scores[order[j]]) == 0; j++ {
			if positive[order[j]] {
				p++
			} else {
				n++
			}
		}
		halves += p * (2*below + n)
		below += n
		positives += p
		i = j
	}
	if positives == 0 || below == 0 {
		return 0
	}
	return float32(float64(halves) / float64(2*positives*below))
}

// Share is hits out of total, 0 if there is nothing to hit.
func Share(hits, total int) float32 {
	if total == 0 {
		return 0
	}
	return float32(float64(hits) / float64(total))
}

// BitsPerByte converts a loss in nats per byte.
func BitsPerByte(loss float32) float32 {
	const bitsPerNat = 0x1.715476p+0 // 1 / ln 2, to binary32
	return float32(loss * bitsPerNat)
}

// ArgMax returns the index of the largest element, the lowest of several. A NaN never wins against a
// number. It panics on an empty slice.
func ArgMax(x []float32) int {
	best := 0
	for i, v := range x {
		if cmp.Compare(v, x[best]) > 0 {
			best = i
		}
	}
	return best
}
