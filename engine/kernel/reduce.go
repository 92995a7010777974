package kernel

import "math"

const (
	// lanes is the number of strided partial results of a reduction.
	lanes = 32
	// reduceChunk is the number of elements that one set of lanes sums; longer inputs are cut at its multiples.
	reduceChunk = 65536
)

// Sum returns the sum of x: lane l adds x[i] for i ≡ l (mod 32) in ascending order from +0, then
// lane[i] += lane[i+h] for h = 16, 8, 4, 2, 1. Beyond 65536 elements, chunks of that size are summed so and their
// sums added pairwise: neighbours first, a last odd one carried up. The empty sum is +0. Source: spec/numerics.md §4.
func Sum(x []float32) float32 { return reduceChunks(sumLanes, x, x) }

// SumSquares returns Σ x[i]² in the order of Sum, each step one fma(x, x, lane).
func SumSquares(x []float32) float32 { return reduceChunks(dotLanes, x, x) }

// Dot returns Σ x[i]·y[i] in the order of Sum, each step one fma(x, y, lane). The lengths must be equal.
func Dot(x, y []float32) float32 {
	checkLen("y", len(y), len(x))
	return reduceChunks(dotLanes, x, y)
}

// Max returns the greatest element: NaN wins, -0 < +0, and -Inf for an empty x.
func Max(x []float32) float32 { return extreme(opMaximum, x, float32(math.Inf(-1))) }

// Min returns the least element: NaN wins, -0 < +0, and +Inf for an empty x.
func Min(x []float32) float32 { return extreme(opMinimum, x, float32(math.Inf(1))) }

// reduction selects what a lane adds up.
type reduction uint8

const (
	sumLanes reduction = iota // lane + x
	dotLanes                  // fma(x, y, lane)
)

// reduceChunks sums each chunk, then the sums pairwise.
func reduceChunks(kind reduction, x, y []float32) float32 {
	if len(x) <= reduceChunk {
		return reduceChunk1(kind, x, y)
	}
	chunks := (len(x) + reduceChunk - 1) / reduceChunk
	if serial(chunks, 1) {
		var few [64]float32 // enough for 4 million elements
		sums := few[:0]
		for c := range chunks {
			sums = append(sums, reduceChunkAt(kind, c, x, y))
		}
		return sumPairs(sums)
	}
	sums := make([]float32, chunks)
	parallel(chunks, 1, func(lo, hi int) {
		for c := lo; c < hi; c++ {
			sums[c] = reduceChunkAt(kind, c, x, y)
		}
	})
	return sumPairs(sums)
}

// reduceChunkAt sums chunk c.
func reduceChunkAt(kind reduction, c int, x, y []float32) float32 {
	first, last := c*reduceChunk, min((c+1)*reduceChunk, len(x))
	return reduceChunk1(kind, x[first:last], y[first:last])
}

// sumPairs adds neighbours until one sum is left; sums is overwritten.
func sumPairs(sums []float32) float32 {
	for len(sums) > 1 {
		half := sums[:0]
		for i := 0; i+1 < len(sums); i += 2 {
			half = append(half, sums[i]+sums[i+1])
		}
		if len(sums)%2 != 0 {
			half = append(half, sums[len(sums)-1])
		}
		sums = half
	}
	return sums[0]
}

// reduceChunk1 sums at most reduceChunk elements.
func reduceChunk1(kind reduction, x, y []float32) float32 {
	var lane [lanes]float32
	done := 0
	if len(x) >= lanes {
		done = len(x) &^ (lanes - 1)
		lanesActive(kind, &lane, x[:done], y[:done])
	}
	switch kind {
	case sumLanes:
		for i, v := range x[done:] {
			lane[i] += v
		}
	case dotLanes:
		for i, v := range x[done:] {
			lane[i] = FMA(v, y[done+i], lane[i])
		}
	}
	for h := lanes / 2; h > 0; h /= 2 {
		for i := range h {
			lane[i] += lane[i+h]
		}
	}
	return lane[0]
}

// lanesGeneric adds x (and y) to the lanes; the length is a multiple of 32.
func lanesGeneric(kind reduction, lane *[lanes]float32, x, y []float32) {
	for i := 0; i+lanes <= len(x); i += lanes {
		a, b := x[i:i+lanes], y[i:i+lanes]
		if kind == sumLanes {
			for l, v := range a {
				lane[l] += v
			}
			continue
		}
		for l, v := range a {
			lane[l] = FMA(v, b[l], lane[l])
		}
	}
}

// extreme folds x with a maximum or minimum. Those are associative and commutative, so any order gives these bits
// (a NaN counts as one value).
func extreme(op binaryOp, x []float32, start float32) float32 {
	if len(x) >= 2*lanes {
		var lane [lanes]float32
		copy(lane[:], x)
		done := len(x) &^ (lanes - 1)
		extremeLanesActive(op, &lane, x[lanes:done])
		start = fold(op, lane[:], start)
		x = x[done:]
	}
	return fold(op, x, start)
}

func fold(op binaryOp, x []float32, start float32) float32 {
	if op == opMaximum {
		for _, v := range x {
			start = maximumGeneric(start, v)
		}
		return start
	}
	for _, v := range x {
		start = minimumGeneric(start, v)
	}
	return start
}

// extremeLanesGeneric folds x into the lanes; the length is a multiple of 32.
func extremeLanesGeneric(op binaryOp, lane *[lanes]float32, x []float32) {
	f := binaryGeneric[op]
	for i, v := range x {
		lane[i%lanes] = f(lane[i%lanes], v)
	}
}
