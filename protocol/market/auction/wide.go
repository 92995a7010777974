package auction

import (
	"fmt"
	"math/bits"
)

// Wide is a sum of values: an unsigned number of 128 bits, in nanoMUT.
type Wide struct{ Hi, Lo uint64 }

func (w *Wide) add(v uint64) {
	var carry uint64
	w.Lo, carry = bits.Add64(w.Lo, v, 0)
	w.Hi += carry
}

// Less orders sums.
func (w Wide) Less(v Wide) bool { return w.Hi < v.Hi || w.Hi == v.Hi && w.Lo < v.Lo }

// Permille is floor(1000·w/of), 1000 if of is zero. It saturates at 2^64-1.
func (w Wide) Permille(of Wide) uint64 {
	if of == (Wide{}) {
		return 1000
	}
	// Scale both so that the divisor has 64 bits: the quotient of sums this large loses less than one part in 2^53.
	for of.Hi != 0 {
		of.Lo, of.Hi = of.Lo>>1|of.Hi<<63, of.Hi>>1
		w.Lo, w.Hi = w.Lo>>1|w.Hi<<63, w.Hi>>1
	}
	hi, lo := bits.Mul64(w.Lo, 1000)
	hi += w.Hi * 1000
	if w.Hi > 1<<50 || hi >= of.Lo {
		return 1<<64 - 1
	}
	q, _ := bits.Div64(hi, lo, of.Lo)
	return q
}

// String is the number in decimal, or in hexadecimal from 2^64 on.
func (w Wide) String() string {
	if w.Hi == 0 {
		return fmt.Sprint(w.Lo)
	}
	return fmt.Sprintf("0x%x%016x", w.Hi, w.Lo)
}
