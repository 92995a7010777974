package merkle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

func testLeaves(n int) []Hash {
	leaves := make([]Hash, n)
	for i := range leaves {
		leaves[i] = Leaf(fmt.Append(nil, "leaf ", i))
	}
	return leaves
}

// TestTreeHashesRFC6962 checks the tree under the count against the eight inputs and roots that Certificate Transparency
// implementations share (google/certificate-transparency, merkletree tests).
func TestTreeHashesRFC6962(t *testing.T) {
	inputs := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	want := []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var leaves []Hash
	for i, in := range inputs {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, Leaf(b))
		tree := subtree(leaves)
		if tree.String() != want[i] {
			t.Errorf("tree of %d leaves is %s, want %s", i+1, tree, want[i])
		}
		top := binary.LittleEndian.AppendUint64([]byte{0x02}, uint64(i+1))
		if Root(leaves) != sha256.Sum256(append(top, tree[:]...)) {
			t.Errorf("root of %d leaves does not bind the count as documented", i+1)
		}
	}
	if got := subtree(nil).String(); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("tree of no leaves is %s", got)
	}
}

// TestProofBindsPositionAndCount tries every true proof of every small tree against every claim about it.
func TestProofBindsPositionAndCount(t *testing.T) {
	const most = 19
	for n := 1; n <= most; n++ {
		leaves := testLeaves(n)
		root := Root(leaves)
		for i := range leaves {
			p := Prove(leaves, i)
			for claimN := 0; claimN <= most+1; claimN++ {
				for claimI := -1; claimI <= claimN; claimI++ {
					err := p.Verify(root, leaves[i], claimI, claimN)
					if truth := claimI == i && claimN == n; truth != (err == nil) {
						t.Fatalf("leaf %d of %d, claimed %d of %d: %v", i, n, claimI, claimN, err)
					} else if err != nil && !errors.Is(err, ErrProof) {
						t.Fatalf("error %v is not ErrProof", err)
					}
				}
			}
		}
	}
}

func TestProofRejectsChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 40; n++ {
		leaves := testLeaves(n)
		root, i := Root(leaves), rng.IntN(n)
		p := Prove(leaves, i)
		flip := func(h Hash) Hash { h[rng.IntN(Size)] ^= 1 << rng.IntN(8); return h }
		if p.Verify(flip(root), leaves[i], i, n) == nil || p.Verify(root, flip(leaves[i]), i, n) == nil {
			t.Fatalf("n %d: a changed root or leaf passes", n)
		}
		if append(p[:len(p):len(p)], Hash{}).Verify(root, leaves[i], i, n) == nil {
			t.Fatalf("n %d: a longer proof passes", n)
		}
		for j := range p {
			q := append(Proof{}, p...)
			q[j] = flip(q[j])
			if q.Verify(root, leaves[i], i, n) == nil || p[:j].Verify(root, leaves[i], i, n) == nil {
				t.Fatalf("n %d: a changed or shorter proof passes", n)
			}
		}
	}
}

// TestNoSecondPreimage covers the two classic weaknesses: an inner node served as a leaf, and a duplicated odd leaf.
func TestNoSecondPreimage(t *testing.T) {
	l := testLeaves(4)
	if Root(l) == Root([]Hash{Node(l[0], l[1]), Node(l[2], l[3])}) {
		t.Error("inner nodes can be passed off as leaves")
	}
	if Root(l[:3]) == Root([]Hash{l[0], l[1], l[2], l[2]}) {
		t.Error("a duplicated last leaf does not change the root")
	}
	inner := append(append([]byte{}, l[0][:]...), l[1][:]...)
	if Leaf(inner) == Node(l[0], l[1]) {
		t.Error("a leaf can imitate an inner node")
	}
}

func TestProvePanicsOutOfRange(t *testing.T) {
	for _, i := range []int{-1, 3} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Prove(leaf %d of 3) does not panic", i)
				}
			}()
			Prove(testLeaves(3), i)
		}()
	}
}

func FuzzProofBinary(f *testing.F) {
	for _, n := range []int{1, 2, 7} {
		b, err := Prove(testLeaves(n), n/2).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{})
	f.Add([]byte{64})
	f.Add(append([]byte{1}, make([]byte, 33)...))
	leaves := testLeaves(7)
	root := Root(leaves)
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Proof
		if err := p.UnmarshalBinary(b); err != nil {
			if !errors.Is(err, ErrProof) || p != nil {
				t.Fatalf("error %v with proof %v", err, p)
			}
			return
		}
		back, err := p.MarshalBinary()
		if err != nil || string(back) != string(b) {
			t.Fatalf("%x decodes and encodes to %x, %v", b, back, err)
		}
		if p.Verify(root, leaves[3], 3, 7) == nil && len(p) != len(Prove(leaves, 3)) {
			t.Fatal("a proof of the wrong length passes")
		}
	})
}

func TestProofTooLongToEncode(t *testing.T) {
	if _, err := make(Proof, maxPath+1).MarshalBinary(); !errors.Is(err, ErrProof) {
		t.Fatalf("got %v", err)
	}
}
