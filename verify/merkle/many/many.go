// Package many computes SHA-256 of up to sixteen messages at one time: with AVX-512, one in each lane of a vector. Commitments
// consist of many hashes that do not depend on each other, of tiles, of nodes of one level, so there is always a next one to fill a lane with.
// Elsewhere, and for few messages, it is crypto/sha256, whose results it has in any case. Source: FIPS 180-4.
package many

import (
	"crypto/sha256"
	"encoding/binary"
)

//go:generate go run -C _asm . -out ..

// Size is the length of a hash, Block that of a block of a message, Lanes the number of messages at one time.
const (
	Size  = sha256.Size
	Block = sha256.BlockSize
	Lanes = 16
)

// worthwhile reports whether sum takes less time for n messages, the longest of so many blocks, than crypto/sha256 for all their blocks, by what
// was measured beside SHA instructions, in nanoseconds. About five of a length are.
func worthwhile(n, longest, all int) bool { return 150*longest+100 < 35*all+60*n }

// classes bound the blocks of messages that are hashed together; longer ones are with those of their own length. Above a few blocks they are
// what a tile has: 2 KiB and its tag.
var classes = [...]int{1, 2, 4, 8, 16, 33}

// Batch gathers messages and hashes those of about one length together. Its zero value is empty. One goroutine owns it. No result is there
// before Flush.
type Batch struct {
	classes [len(classes)]lanes
	long    lanes
}

// lanes are messages of a class.
type lanes struct {
	most   int // blocks that a message may have
	n      int
	blocks [Lanes]int
	out    [Lanes]*[Size]byte
	space  []byte // most blocks for each
	active []uint16
	sums   [Lanes][Size]byte
}

// Add begins a message of n bytes: they are the caller's to write before the next call. Its hash goes to out.
func (b *Batch) Add(out *[Size]byte, n int) []byte {
	blocks := (n + 9 + Block - 1) / Block
	l := b.class(blocks)
	if l.n == Lanes {
		l.flush()
	}
	message := l.space[l.n*l.most*Block:][:blocks*Block]
	l.out[l.n], l.blocks[l.n] = out, blocks
	l.n++
	// The padding of FIPS 180-4 §5.1.1.
	clear(message[n:])
	message[n] = 0x80
	binary.BigEndian.PutUint64(message[len(message)-8:], 8*uint64(n))
	return message[:n:n]
}

// class finds the messages that one of so many blocks is hashed with.
func (b *Batch) class(blocks int) *lanes {
	for i, most := range classes {
		if l := &b.classes[i]; blocks <= most {
			if l.space == nil {
				l.resize(most)
			}
			return l
		}
	}
	if b.long.most != blocks {
		b.long.flush()
		b.long.resize(blocks)
	}
	return &b.long
}

func (l *lanes) resize(most int) {
	l.most, l.space, l.active = most, make([]byte, Lanes*most*Block), make([]uint16, most)
}

// Flush writes all results.
func (b *Batch) Flush() {
	for i := range b.classes {
		b.classes[i].flush()
	}
	b.long.flush()
}

func (l *lanes) flush() {
	if l.n == 0 {
		return
	}
	longest, all := 0, 0
	for _, n := range l.blocks[:l.n] {
		longest, all = max(longest, n), all+n
	}
	if !fast || !worthwhile(l.n, longest, all) {
		for i, n := range l.blocks[:l.n] {
			message := l.space[i*l.most*Block:][:n*Block]
			*l.out[i] = sha256.Sum256(message[:binary.BigEndian.Uint64(message[len(message)-8:])/8])
		}
		l.n = 0
		return
	}
	clear(l.active[:longest])
	var messages [Lanes]*byte
	for i := range messages {
		messages[i] = &l.space[i*l.most*Block] // that of a lane without a message is of no meaning
	}
	for i, n := range l.blocks[:l.n] {
		l.active[n-1] |= 1 << i
	}
	for b := longest - 2; b >= 0; b-- {
		l.active[b] |= l.active[b+1]
	}
	sum(&l.sums, &messages, &l.active[0], longest)
	for i := range l.n {
		*l.out[i] = l.sums[i]
	}
	l.n = 0
}
