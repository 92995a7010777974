package merkle

import (
	"errors"
	"testing"
)

// TestBranches checks that branches cover the leaves, that Join restores the tree from them, and that descending through
// branches leads to every leaf.
func TestBranches(t *testing.T) {
	for n := 1; n <= 300; n++ {
		leaves := make([]Hash, n)
		for i := range leaves {
			leaves[i] = Leaf([]byte{byte(i), byte(i >> 8)})
		}
		sizes, hashes := Branches(n), Split(leaves)
		sum := 0
		for _, s := range sizes {
			sum += s
		}
		if sum != n || len(sizes) != len(hashes) || len(sizes) > Arity {
			t.Fatalf("%d leaves: branches of %v leaves, %d hashes", n, sizes, len(hashes))
		}
		tree, err := Join(n, hashes)
		if err != nil || tree != Tree(leaves) || Bind(n, tree) != Root(leaves) {
			t.Fatalf("%d leaves: the branches do not join to the tree (%v)", n, err)
		}
		for want := range leaves {
			if got := descend(leaves, want); got != leaves[want] {
				t.Fatalf("%d leaves: the way to leaf %d ends elsewhere", n, want)
			}
		}
		hashes[len(hashes)/2][0] ^= 1
		if tree, err = Join(n, hashes); err == nil && tree == Tree(leaves) {
			t.Fatalf("%d leaves: a changed branch joins to the same tree", n)
		}
		if _, err := Join(n, append(hashes, Hash{})); !errors.Is(err, ErrProof) {
			t.Fatalf("%d leaves: a branch too many: %v", n, err)
		}
	}
	if _, err := Join(0, nil); !errors.Is(err, ErrProof) {
		t.Errorf("no leaves: %v", err)
	}
}

// descend follows branches to leaf i as a game does.
func descend(leaves []Hash, i int) Hash {
	for {
		hashes := Split(leaves)
		for b, n := range Branches(len(leaves)) {
			if i >= n {
				i, leaves = i-n, leaves[n:]
				continue
			}
			if n == 1 {
				return hashes[b]
			}
			leaves = leaves[:n]
			break
		}
	}
}
