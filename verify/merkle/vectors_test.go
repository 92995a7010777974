package merkle

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// hexBytes reads bytes as hexadecimal digits.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// TestVectors checks every hash against spec/vectors/verify/merkle.json, which another implementation wrote.
func TestVectors(t *testing.T) {
	b, err := os.ReadFile("../../spec/vectors/verify/merkle.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Leaf []struct {
			Data hexBytes
			Hash Hash
		}
		Node   []struct{ Left, Right, Hash Hash }
		Digest []struct {
			Domain string
			Parts  []hexBytes
			Hash   Hash
		}
		Root []struct {
			Leaves int
			Root   Hash
		}
		Proof []struct {
			Leaves, Index int
			Proof         hexBytes
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Leaf)*len(v.Node)*len(v.Digest)*len(v.Root)*len(v.Proof) == 0 {
		t.Fatal("a list of vectors is empty")
	}
	for _, c := range v.Leaf {
		if got := Leaf(c.Data); got != c.Hash {
			t.Errorf("leaf %x: %s, want %s", c.Data, got, c.Hash)
		}
	}
	for _, c := range v.Node {
		if got := Node(c.Left, c.Right); got != c.Hash {
			t.Errorf("node: %s, want %s", got, c.Hash)
		}
	}
	for _, c := range v.Digest {
		var parts [][]byte
		for _, p := range c.Parts {
			parts = append(parts, p)
		}
		if got := Digest(c.Domain, parts...); got != c.Hash {
			t.Errorf("digest %q %x: %s, want %s", c.Domain, parts, got, c.Hash)
		}
	}
	roots := map[int]Hash{}
	for _, c := range v.Root {
		roots[c.Leaves] = c.Root
		if got := Root(testLeaves(c.Leaves)); got != c.Root {
			t.Errorf("root of %d: %s, want %s", c.Leaves, got, c.Root)
		}
	}
	for _, c := range v.Proof {
		leaves := testLeaves(c.Leaves)
		if b, err := Prove(leaves, c.Index).MarshalBinary(); err != nil || string(b) != string(c.Proof) {
			t.Errorf("proof of %d of %d: %x, %v, want %x", c.Index, c.Leaves, b, err, c.Proof)
		}
		var p Proof
		if err := p.UnmarshalBinary(c.Proof); err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(roots[c.Leaves], Leaf(fmt.Append(nil, "leaf ", c.Index)), c.Index, c.Leaves); err != nil {
			t.Error(err)
		}
	}
}
