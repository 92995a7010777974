package kernel

import "math"

// canonicalNaN is the one encoding of NaN in anything that is hashed, stored, sent or compared.
const canonicalNaN = 0x7fc00000

// Canonicalize replaces every NaN in x by 0x7FC00000 and leaves all other bits alone. Source: spec/numerics.md §1.
func Canonicalize(x []float32) {
	const stretch = 4096
	nan := math.Float32frombits(canonicalNaN)
	for ; len(x) > 0; x = x[min(stretch, len(x)):] {
		part := x[:min(stretch, len(x))]
		if sum := Sum(part); sum == sum { // the usual case, at the speed of vectors: a NaN, or both infinities, make it NaN
			continue
		}
		for i, v := range part {
			if v != v {
				part[i] = nan
			}
		}
	}
}

// Finite reports whether x holds neither NaN nor an infinity.
func Finite(x []float32) bool {
	for _, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}
