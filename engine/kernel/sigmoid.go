package kernel

import "math"

// sigmoidGeneric defines the logistic function: with e = exp(-|x|), 1/(1+e) for x >= 0 and e/(1+e) below, so that a
// large negative x keeps its small result instead of dividing by infinity.
func sigmoidGeneric(x float32) float32 {
	e := expGeneric(math.Float32frombits(math.Float32bits(x) | signBit))
	numerator := e
	if x >= 0 {
		numerator = 1
	}
	return numerator / (1 + e)
}
