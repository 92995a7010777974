package p2p

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mutirao/mutirao/verify/merkle"
)

// testBytes returns n bytes that repeat neither within a piece nor between pieces.
func testBytes(n int) []byte {
	b := make([]byte, n)
	x := uint32(n)*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func TestAddressIsTheDocumentedRoot(t *testing.T) {
	data := testBytes(PieceSize + 3)
	size := []byte{3, 0, 1, 0, 0, 0, 0, 0}
	want := merkle.Root([]merkle.Hash{merkle.Leaf(size), merkle.Leaf(data[:PieceSize]), merkle.Leaf(data[PieceSize:])})
	if got := Address(data); got != want {
		t.Fatalf("address is %s, want %s", got, want)
	}
}

func TestAddressBindsSizeAndBytes(t *testing.T) {
	seen := map[merkle.Hash]int{}
	for i, data := range [][]byte{nil, {0}, {0, 0}, make([]byte, PieceSize), make([]byte, PieceSize+1), make([]byte, 2*PieceSize), {1}} {
		id := Address(data)
		if j, ok := seen[id]; ok {
			t.Errorf("contents %d and %d have one address", i, j)
		}
		seen[id] = i
	}
}

func TestManifestChecksPieces(t *testing.T) {
	data := testBytes(2*PieceSize + 100)
	m := describe(data)
	if len(m.leaves) != 3 {
		t.Fatalf("%d pieces", len(m.leaves))
	}
	first, last := data[:PieceSize], data[2*PieceSize:]
	if err := errors.Join(m.check(0, first), m.check(2, last)); err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(first)
	flipped[77] ^= 4
	for name, err := range map[string]error{
		"flipped bit":    m.check(0, flipped),
		"wrong position": m.check(1, first),
		"too short":      m.check(2, last[:99]),
		"too long":       m.check(2, append(bytes.Clone(last), 0)),
	} {
		if !errors.Is(err, errPiece) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeManifest(f *testing.F) {
	for _, n := range []int{0, 1, PieceSize, PieceSize + 1} {
		f.Add(describe(testBytes(n)).encode())
	}
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 128})
	const limit = 8 * PieceSize
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeManifest(b, limit)
		if err != nil {
			if !errors.Is(err, ErrManifest) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		if m.size > limit || len(m.leaves) != pieces(m.size) {
			t.Fatalf("accepted %d bytes with %d pieces", m.size, len(m.leaves))
		}
		if !bytes.Equal(m.encode(), b) {
			t.Fatal("an accepted encoding is not the only one")
		}
	})
}
