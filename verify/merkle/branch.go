package merkle

import (
	"fmt"
	"math/bits"
)

// Arity is the number of branches that a descent reveals at one time at most: six levels of the binary tree.
const Arity = 1 << arityBits

const arityBits = 6

// fan is the number of branches of a full tree as deep as one over n leaves: as few as reach the leaves in as few levels of at most
// Arity branches.
func fan(n int) int {
	depth := bits.Len(uint(n - 1))
	levels := max((depth+arityBits-1)/arityBits, 1)
	return 1 << ((depth + levels - 1) / levels)
}

// Branches returns the numbers of leaves under each branch of a tree over n leaves, in order: the subtrees that stand some levels
// below its top, or higher where a leaf comes first. A tree of depth d is descended in ⌈d/6⌉ times, each ⌈d/⌈d/6⌉⌉ levels or fewer.
// A single leaf is its own only branch. It panics if n < 1.
func Branches(n int) []int {
	if n < 1 {
		panic(fmt.Sprintf("merkle: branches of %d leaves", n))
	}
	return branches(nil, n, fan(n))
}

func branches(list []int, n, width int) []int {
	if n == 1 || width == 1 {
		return append(list, n)
	}
	k := split(n)
	return branches(branches(list, k, width/2), n-k, width/2)
}

// Split returns the hashes of the branches of the tree over leaves.
func Split(leaves []Hash) []Hash {
	var list []Hash
	for _, n := range Branches(len(leaves)) {
		list = append(list, subtree(leaves[:n]))
		leaves = leaves[n:]
	}
	return list
}

// Join returns the hash of the tree over n leaves that has these branches, without the count that Root binds. The error
// wraps ErrProof if a tree of n leaves has another number of branches.
func Join(n int, hashes []Hash) (Hash, error) {
	if n < 1 || len(hashes) != len(Branches(n)) {
		return Hash{}, fmt.Errorf("%w: %d branches for %d leaves", ErrProof, len(hashes), n)
	}
	h, _ := join(n, hashes, fan(n))
	return h, nil
}

// join consumes the branches of a tree over n leaves and returns the rest.
func join(n int, hashes []Hash, width int) (Hash, []Hash) {
	if n == 1 || width == 1 {
		return hashes[0], hashes[1:]
	}
	k := split(n)
	l, rest := join(k, hashes, width/2)
	r, rest := join(n-k, rest, width/2)
	return Node(l, r), rest
}

// Tree returns the tree hash of RFC 6962 over leaves, without the count that Root binds: Bind adds it.
func Tree(leaves []Hash) Hash { return subtree(leaves) }

// Bind returns the root of a tree over n leaves whose tree hash is h: what Root returns for its leaves.
func Bind(n int, h Hash) Hash { return bindCount(n, h) }
