package quant

import (
	"math"
	"slices"
)

// sketch keeps a thinned list of the finite elements that a value had, and its least and greatest.
type sketch struct {
	kept      []float32
	every     int // of the elements, one is kept
	low, high float32
}

// keptMost bounds the list; it is halved when it is full.
const keptMost = 1 << 17

func (s *sketch) add(x []float32) {
	s.every = max(1, s.every)
	for i, v := range x {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			continue
		}
		s.low, s.high = min(s.low, v), max(s.high, v)
		if i%s.every == 0 {
			s.kept = append(s.kept, v)
		}
		if len(s.kept) == keptMost {
			half := s.kept[:0]
			for j := 0; j < keptMost; j += 2 {
				half = append(half, s.kept[j])
			}
			s.kept, s.every = half, s.every*2
		}
	}
}

// outside is the part of the elements that may lie beyond either end of the bounds: clipping a few outliers gives all others
// finer steps.
const outside = 1e-4

// bounds is the range that holds nearly all elements and 0, which must be exact: padding and ReLU make many zeros.
func (s *sketch) bounds() Range {
	if len(s.kept) == 0 {
		return Range{}
	}
	slices.Sort(s.kept)
	drop := int(outside * float64(len(s.kept)))
	low, high := s.kept[drop], s.kept[len(s.kept)-1-drop]
	if drop == 0 {
		low, high = s.low, s.high
	}
	return Range{min(0, low), max(0, high)}
}
