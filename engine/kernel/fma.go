package kernel

import "math"

// FMA returns a·b + c rounded once to float32 (IEEE-754 fusedMultiplyAdd, round to nearest even, subnormals kept).
//
// The product of two float32 is exact in float64. The sum is rounded to float64 first, and rounding that again to
// float32 is wrong only where the float64 lies half-way between two float32: fmaOdd repairs those.
// Source: spec/numerics.md §1; Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008.
func FMA(a, b, c float32) float32 {
	p := float64(float64(a) * float64(b))
	s := p + float64(c)
	if roundsTwice(s) {
		return fmaOdd(p, float64(c), s)
	}
	return float32(s)
}

// roundsTwice reports whether rounding s again may be wrong. Half-way for a normal float32 means that of the 29 bits
// which float32 lacks, exactly the top one is set; subnormal results have their half-way points elsewhere, so all of
// them count.
func roundsTwice(s float64) bool {
	u := math.Float64bits(s)
	return u&(1<<29-1) == 1<<28 || u&(1<<63-1) < 0x381<<52
}

// fmaRow sets chain[j] = FMA(a, row[j], chain[j]): FMA with its common case in line. The lengths are equal.
func fmaRow(chain, row []float32, a float32) {
	wide := float64(a)
	row = row[:len(chain)]
	for j, c := range chain {
		p := float64(wide * float64(row[j]))
		s := p + float64(c)
		if roundsTwice(s) {
			chain[j] = fmaOdd(p, float64(c), s)
			continue
		}
		chain[j] = float32(s)
	}
}

// fmaOdd rounds p + c to float32 given s, the same sum rounded to float64: s is moved to round-to-odd (an inexact
// result gets its last bit set), after which the second rounding is correct because 53 >= 24 + 2.
func fmaOdd(p, c, s float64) float32 {
	// Knuth's TwoSum: s + e is p + c exactly.
	t := s - p
	e := (p - (s - t)) + (c - t)
	if e != e || e == 0 {
		return float32(s)
	}
	u := math.Float64bits(s)
	if u&1 == 0 {
		if (e > 0) == (s > 0) {
			u++
		} else {
			u--
		}
	}
	return float32(math.Float64frombits(u))
}
