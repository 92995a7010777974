package merkle

import (
	"errors"
	"fmt"
	"slices"
)

// maxPath bounds a proof: the depth of a tree with the largest int number of leaves.
const maxPath = 63

// ErrProof reports a proof that does not show what it claims, or bytes that are not a proof.
var ErrProof = errors.New("wrong merkle proof")

// Proof shows that one leaf stands at one position under a root: the siblings on the way up, the leaf's own first
// (the audit path of RFC 6962 §2.1.1). Position and number of leaves are not part of it: the verifier must know them.
type Proof []Hash

// Prove returns the proof for leaves[i]. It panics if i is out of range.
func Prove(leaves []Hash, i int) Proof {
	if i < 0 || i >= len(leaves) {
		panic(fmt.Sprintf("merkle: leaf %d of %d", i, len(leaves)))
	}
	var p Proof
	for len(leaves) > 1 {
		k := split(len(leaves))
		if i < k {
			p = append(p, subtree(leaves[k:]))
			leaves = leaves[:k]
		} else {
			p = append(p, subtree(leaves[:k]))
			leaves, i = leaves[k:], i-k
		}
	}
	slices.Reverse(p)
	return p
}

// Verify returns nil if p shows that leaf is number i of the n leaves under root, and an error that wraps ErrProof
// otherwise. Algorithm: RFC 9162 §2.1.3.2, then the count is bound as in Root.
func (p Proof) Verify(root, leaf Hash, i, n int) error {
	if n < 1 || i < 0 || i >= n {
		return fmt.Errorf("%w: leaf %d of %d", ErrProof, i, n)
	}
	node, last, h := i, n-1, leaf
	for _, sibling := range p {
		if last == 0 {
			return fmt.Errorf("%w: %d hashes are too many for leaf %d of %d", ErrProof, len(p), i, n)
		}
		if node&1 == 1 || node == last {
			h = Node(sibling, h)
			// A node without a right neighbour rises through the levels on which it stands alone.
			for node&1 == 0 && node != 0 {
				node, last = node>>1, last>>1
			}
		} else {
			h = Node(h, sibling)
		}
		node, last = node>>1, last>>1
	}
	if last != 0 {
		return fmt.Errorf("%w: %d hashes are too few for leaf %d of %d", ErrProof, len(p), i, n)
	}
	if bindCount(n, h) != root {
		return fmt.Errorf("%w: leaf %d of %d does not lead to root %s", ErrProof, i, n, root)
	}
	return nil
}

// MarshalBinary returns the one encoding of p: its length in one byte, then the hashes. It fails on a path longer than any
// tree is deep, which Prove never returns.
func (p Proof) MarshalBinary() ([]byte, error) {
	if len(p) > maxPath {
		return nil, fmt.Errorf("%w: %d hashes, at most %d", ErrProof, len(p), maxPath)
	}
	b := make([]byte, 1, 1+len(p)*Size)
	b[0] = byte(len(p))
	for _, h := range p {
		b = append(b, h[:]...)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote and nothing else: no missing and no further bytes. It copies from b.
func (p *Proof) UnmarshalBinary(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("%w: no bytes", ErrProof)
	}
	n := int(b[0])
	if n > maxPath {
		return fmt.Errorf("%w: %d hashes, at most %d", ErrProof, n, maxPath)
	}
	if len(b) != 1+n*Size {
		return fmt.Errorf("%w: %d bytes for %d hashes", ErrProof, len(b), n)
	}
	path := make(Proof, n)
	for i := range path {
		copy(path[i][:], b[1+i*Size:])
	}
	*p = path
	return nil
}
