package merkle

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Root returns the commitment to the leaf hashes in order: SHA-256(0x02 | n as uint64 little endian | T), where T is the
// tree hash of RFC 6962 §2.1: "Let k be the largest power of two smaller than n … MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k])
// || MTH(D[k:n]))", and SHA-256 of nothing for n = 0. RFC 6962 alone does not bind n: a proof for leaf 0 of 3 is also a
// proof for leaf 0 of 4. Hashing n at the top does.
func Root(leaves []Hash) Hash { return bindCount(len(leaves), subtree(leaves)) }

func bindCount(n int, tree Hash) Hash {
	var b [1 + 8 + Size]byte
	b[0] = tagRoot
	binary.LittleEndian.PutUint64(b[1:], uint64(n))
	copy(b[9:], tree[:])
	return sha256.Sum256(b[:])
}

// together is the number of leaves from which it pays to hash the nodes of a level together.
const together = 16

func subtree(leaves []Hash) Hash {
	switch n := len(leaves); {
	case n == 0:
		return sha256.Sum256(nil)
	case n == 1:
		return leaves[0]
	case n >= together:
		b := NewBatch()
		defer b.Close()
		lists := [1][]Hash{slices.Clone(leaves)}
		b.Trees(lists[:])
		return lists[0][0]
	}
	k := split(len(leaves))
	return Node(subtree(leaves[:k]), subtree(leaves[k:]))
}

// split returns the largest power of two smaller than n, for n >= 2.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }
