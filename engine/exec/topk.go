package exec

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

var rankingOps = map[string]operation{"TopK": {emitTopK, nil}}

// rank is a number's place among all by value, as an integer: NaN is above everything, and the zeros are one.
func rank(x float32) uint32 {
	word := math.Float32bits(x)
	switch {
	case x != x:
		return math.MaxUint32
	case x == 0:
		word = 0
	}
	if word>>31 != 0 {
		return ^word
	}
	return word | 1<<31
}

// topK writes the places of the k greatest elements of x to at, or of the least: greatest first, of equal ones the lower place first.
// heap has room for k. Of the elements seen so far the heap holds the best k, as rank·2³² + (2³² - 1 - place), the worst on top.
func topK(at []int64, x []float32, largest bool, heap []uint64) {
	k := len(at)
	heap = heap[:0]
	for i, v := range x {
		r := rank(v)
		if !largest {
			r = ^r
		}
		key := uint64(r)<<32 | uint64(math.MaxUint32-uint32(i))
		switch {
		case len(heap) < k:
			heap = append(heap, key)
			if len(heap) == k {
				for j := k/2 - 1; j >= 0; j-- {
					sink(heap, j)
				}
			}
		case key > heap[0]:
			heap[0] = key
			sink(heap, 0)
		}
	}
	slices.Sort(heap)
	for i := range at {
		at[i] = int64(math.MaxUint32 - uint32(heap[k-1-i]))
	}
}

// sink moves element j of a heap down until those below it are greater.
func sink(heap []uint64, j int) {
	for {
		least := j
		for child := 2*j + 1; child <= 2*j+2 && child < len(heap); child++ {
			if heap[child] < heap[least] {
				least = child
			}
		}
		if least == j {
			return
		}
		heap[j], heap[least] = heap[least], heap[j]
		j = least
	}
}

func emitTopK(_ *compiler, in *instruction) func(*Program) error {
	shape, axis := in.call.In[0].Shape, in.call.Axis()
	length, k, inner := shape[axis], in.call.Out[0].Shape[axis], 1
	for _, d := range shape[axis+1:] {
		inner *= d
	}
	rows := in.call.In[0].Len() / length
	largest := in.call.Int("largest") != 0
	x, values, indices := in.in[0], in.out[0], in.out[1]
	return func(p *Program) error {
		src, dst, places := p.f32[x], p.f32[values], tensor.Data[int64](p.values[indices])
		parallel(rows, max(1, elementGrain/length), func(lo, hi int) {
			heap, at, row := make([]uint64, 0, k), make([]int64, k), make([]float32, length)
			for r := lo; r < hi; r++ {
				from, to := r/inner*length*inner+r%inner, r/inner*k*inner+r%inner
				for i := range row {
					row[i] = src[from+i*inner]
				}
				topK(at, row, largest, heap)
				for i, j := range at {
					dst[to+i*inner], places[to+i*inner] = row[j], j
				}
			}
		})
		return nil
	}
}
