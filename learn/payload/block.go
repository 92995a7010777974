package payload

import (
	"errors"
	"fmt"
	"math"
)

// BlockSize is the number of neighbouring elements that share a scale (profile S: 4 bits an element
// and 8 bits a block are 4.06 bits a parameter).
const BlockSize = 128

// Largest magnitudes of a code: Int4 travels from workers, Int8 is the outer step's.
const (
	Int4 = 7
	Int8 = 127
)

// Scales are powers of two with exponents in this range, wide enough for any training that has not
// diverged and narrow enough that code times scale is always a normal binary32 number, or zero.
const (
	MinExponent = -100
	MaxExponent = 100
)

// ErrRange reports a value that is not finite or too large for any scale: the training diverged.
var ErrRange = errors.New("value out of range")

// quantiseBlock writes codes with |code| <= limit to dst, one per element of src, and returns the
// exponent e of the scale 2^e. Round to nearest, ties to even. e is the smallest exponent, not below
// MinExponent, with which no code exceeds the limit; so some code is above limit/2 unless e is
// MinExponent. A block that rounds to zeros has exponent 0. len(dst) must be len(src).
func quantiseBlock(dst []int8, src []float32, limit int) (e int, err error) {
	largest := magnitude(src)
	if !(largest <= math.MaxFloat32) {
		for i, x := range src {
			if !(x >= -math.MaxFloat32 && x <= math.MaxFloat32) {
				return 0, fmt.Errorf("%w: element %d is %v", ErrRange, i, x)
			}
		}
	}
	if largest == 0 {
		clear(dst)
		return 0, nil
	}
	// largest = f·2^k with f in [1/2, 1): the code lies in [limit/2, limit] for one e next to k - bits of limit.
	_, k := math.Frexp(float64(largest))
	e = k
	for e > MinExponent && code(largest, reciprocal(e-1)) <= limit {
		e--
	}
	e = max(e, MinExponent)
	if e > MaxExponent {
		return 0, fmt.Errorf("%w: %v needs a scale of 2^%d", ErrRange, largest, e)
	}
	zero, scale := true, reciprocal(e)
	for i, x := range src {
		c := code(x, scale)
		dst[i] = int8(c)
		zero = zero && c == 0
	}
	if zero {
		e = 0
	}
	return e, nil
}

// magnitude is the greatest magnitude of x; NaN or an infinity if there is one.
func magnitude(x []float32) float32 {
	largest := uint32(0)
	for _, v := range x { // without their sign, bits are ordered as numbers are, NaN above all
		largest = max(largest, math.Float32bits(v)&0x7fffffff)
	}
	return math.Float32frombits(largest)
}

// reciprocal is 2^-e in binary64, for e from -200 to 200.
func reciprocal(e int) float64 { return math.Float64frombits(uint64(1023-e) << 52) }

// code is x·scale to the nearest integer, ties to even, for the scale 2^-e. The product is exact in binary64 for any binary32 x and e within
// int8, so no rounding comes before the one meant.
func code(x float32, scale float64) int { return int(math.RoundToEven(float64(float64(x) * scale))) }

// dequantise is code·2^e, exact.
func dequantise(code int8, e int8) float32 { return float32(float32(code) * Scale(byte(e))) }

// checkBlock tests that a block is the one encoding of its values: codes within limit, some code
// above limit/2 unless the exponent is the smallest (a smaller exponent would hold the same values
// in larger codes), and exponent 0 for zeros.
func checkBlock(e int8, codes []int8, limit int) error {
	largest := 0
	for i, c := range codes {
		m := int(c)
		if m < 0 {
			m = -m
		}
		if m > limit {
			return fmt.Errorf("element %d: code %d is outside -%d to %d", i, c, limit, limit)
		}
		largest = max(largest, m)
	}
	return checkExponent(e, largest, limit)
}

// checkExponent is checkBlock of codes of which the largest in magnitude is within the limit.
func checkExponent(e int8, largest, limit int) error {
	switch {
	case largest == 0 && e != 0:
		return fmt.Errorf("a block of zeros has exponent %d, not 0", e)
	case e < MinExponent || e > MaxExponent:
		return fmt.Errorf("exponent %d is outside %d to %d", e, MinExponent, MaxExponent)
	case largest != 0 && largest <= limit/2 && e != MinExponent:
		return fmt.Errorf("exponent %d is not the smallest that holds codes up to %d", e, largest)
	}
	return nil
}

// halves are the codes in a byte, the low half's first, and the larger of their magnitudes.
var halves = func() (table [256]struct{ low, high, largest int8 }) {
	for b := range table {
		low, high := int8(b<<4)>>4, int8(b)>>4
		table[b].low, table[b].high, table[b].largest = low, high, max(low, -low, high, -high)
	}
	return table
}()

// unpack reads codes from half bytes and returns the largest magnitude, 8 for a code that is none.
func unpack(codes []int8, packed []byte) int {
	largest := int8(0)
	for ; len(codes) >= 2 && len(packed) > 0; codes, packed = codes[2:], packed[1:] {
		h := &halves[packed[0]]
		codes[0], codes[1] = h.low, h.high
		largest = max(largest, h.largest)
	}
	if len(codes) == 1 {
		codes[0] = halves[packed[0]].low
		largest = max(largest, codes[0], -codes[0])
	}
	return int(largest)
}
