// Package floats has floating point where only integers belong.
package floats

import "math"

type rate float64 // want `floating point in a rule`

type state struct {
	Height uint64
	Share  float32   // want `floating point in a rule`
	Rates  []float64 // want `floating point in a rule`
}

func share(s state, total uint64) uint64 {
	half := 0.5      // want `floating point in a rule`
	if s.Share > 0 { // want `floating point in a rule`
		total = uint64(s.Rates[0]) // want `floating point in a rule`
	}
	_ = half           // want `floating point in a rule`
	_ = math.Pow(2, 3) // want `floating point in a rule` `math.Pow has no fixed bits`
	const million = 1e6
	return total * uint64(million)
}

func whole(a, b uint64) uint64 { return a*1e3 + b }
