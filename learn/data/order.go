package data

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Order is a pseudo-random permutation of 0..n-1 that needs no memory: a Feistel network over the
// smallest even number of bits that holds n, walked until the value is below n again. It is the same
// on every machine and knows its i-th element without the others, so that an auditor can look up one
// batch. A beacon that nobody could steer chooses the key; the rounds only have to mix.
// Source: J. Black and P. Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002 (cycle walking).
type Order struct {
	n    uint64
	half uint // bits in each half
	keys [feistelRounds]uint64
}

// feistelRounds is twice the four rounds after which a Feistel network with ideal rounds is a strong
// pseudo-random permutation (Luby and Rackoff, 1988); ours are not ideal.
const feistelRounds = 8

// NewOrder keys a permutation of n elements. It panics if n is not positive.
func NewOrder(seed [32]byte, n int) Order {
	if n <= 0 {
		panic(fmt.Sprintf("data: order of %d elements", n))
	}
	o := Order{n: uint64(n), half: uint(max(1, (bits.Len64(uint64(n-1))+1)/2))}
	for r := range o.keys {
		h := sha256.Sum256(append(append([]byte("mutirao/order"), byte(r)), seed[:]...))
		o.keys[r] = binary.LittleEndian.Uint64(h[:])
	}
	return o
}

// At returns element i of the permutation. It panics unless 0 <= i < n.
func (o Order) At(i int) int {
	if i < 0 || uint64(i) >= o.n {
		panic(fmt.Sprintf("data: element %d of an order of %d", i, o.n))
	}
	x := uint64(i)
	// The domain has fewer than 4n elements (8 when n < 3), so the walk takes under four steps on average.
	for {
		if x = o.permute(x); x < o.n {
			return int(x)
		}
	}
}

func (o Order) permute(x uint64) uint64 {
	mask := uint64(1)<<o.half - 1
	left, right := x>>o.half, x&mask
	for _, key := range o.keys {
		left, right = right, left^mix(right^key)&mask
	}
	return left<<o.half | right
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
// Generators", OOPSLA 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Split divides the records of a set: a fixed part is held out and never trained on.
type Split struct {
	order Order
	count int
	held  int
}

// NewSplit holds out percent of count records, rounded down, at least one, drawn by seed. It panics
// if count is below two or percent is not within 1 to 99.
func NewSplit(count, percent int, seed int64) Split {
	if count < 2 || percent < 1 || percent > 99 {
		panic(fmt.Sprintf("data: split of %d records at %d percent", count, percent))
	}
	key := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("mutirao/holdout"), uint64(seed)))
	return Split{order: NewOrder(key, count), count: count, held: max(1, count*percent/100)}
}

// Held returns the number of held-out records, Training that of the others.
func (s Split) Held() int     { return s.held }
func (s Split) Training() int { return s.count - s.held }

// HeldAt returns the index in the set of held-out record i, TrainingAt that of training record i.
func (s Split) HeldAt(i int) int     { return s.order.At(i) }
func (s Split) TrainingAt(i int) int { return s.order.At(s.held + i) }
