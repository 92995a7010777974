package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/verify/merkle"
)

// PieceSize is the unit of transfer and of verification in bytes. The last piece of a blob may be shorter.
// 64 KiB is 0.05 % of overhead for the hashes, and one second of a 0.5 Mbit/s link.
const PieceSize = 64 << 10

// ErrManifest reports bytes that are not the manifest of any blob, or not the manifest of the blob that was asked for.
var ErrManifest = errors.New("wrong manifest")

// errPiece reports a piece that its manifest does not contain at that position.
var errPiece = errors.New("wrong piece")

// manifest names the pieces of one blob. Its address commits to the size and to every piece.
type manifest struct {
	size   int64         // bytes of the blob
	leaves []merkle.Hash // one leaf hash per piece
}

// Address returns the content address of data: merkle.Root over the leaf of the size (uint64 little endian) followed by
// the leaves of the pieces of PieceSize bytes.
func Address(data []byte) merkle.Hash { return describe(data).address() }

func describe(data []byte) manifest {
	m := manifest{size: int64(len(data)), leaves: make([]merkle.Hash, pieces(int64(len(data))))}
	for i := range m.leaves {
		off, n := m.span(i)
		m.leaves[i] = merkle.Leaf(data[off : off+int64(n)])
	}
	return m
}

func pieces(size int64) int { return int((size + PieceSize - 1) / PieceSize) }

// span returns the offset and the length of piece i in the blob.
func (m manifest) span(i int) (offset int64, length int) {
	offset = int64(i) * PieceSize
	return offset, int(min(PieceSize, m.size-offset))
}

func (m manifest) address() merkle.Hash {
	size := binary.LittleEndian.AppendUint64(nil, uint64(m.size))
	return merkle.Root(append([]merkle.Hash{merkle.Leaf(size)}, m.leaves...))
}

// check returns an error that wraps errPiece unless data is piece i.
func (m manifest) check(i int, data []byte) error {
	if _, n := m.span(i); len(data) != n {
		return fmt.Errorf("%w: piece %d has %d bytes, want %d", errPiece, i, len(data), n)
	}
	if merkle.Leaf(data) != m.leaves[i] {
		return fmt.Errorf("%w: the bytes of piece %d do not have its hash", errPiece, i)
	}
	return nil
}

// manifestSize is the length in bytes of the encoded manifest of a blob of size bytes.
func manifestSize(size int64) int64 { return 8 + int64(pieces(size))*merkle.Size }

// encode returns the one encoding of m: the size as uint64 little endian, then the leaf hashes.
func (m manifest) encode() []byte {
	b := make([]byte, 0, manifestSize(m.size))
	b = binary.LittleEndian.AppendUint64(b, uint64(m.size))
	for _, h := range m.leaves {
		b = append(b, h[:]...)
	}
	return b
}

// decodeManifest reads what encode wrote, for a blob of at most limit bytes. It copies from b, allocates no more than b is
// long, and returns ErrTooLarge or an error that wraps ErrManifest.
func decodeManifest(b []byte, limit int64) (manifest, error) {
	if len(b) < 8 {
		return manifest{}, fmt.Errorf("%w: %d bytes", ErrManifest, len(b))
	}
	size := binary.LittleEndian.Uint64(b)
	if size > uint64(limit) {
		return manifest{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, limit)
	}
	if want := manifestSize(int64(size)); int64(len(b)) != want {
		return manifest{}, fmt.Errorf("%w: %d bytes for a blob of %d, want %d", ErrManifest, len(b), size, want)
	}
	m := manifest{size: int64(size), leaves: make([]merkle.Hash, pieces(int64(size)))}
	for i := range m.leaves {
		copy(m.leaves[i][:], b[8+i*merkle.Size:])
	}
	return m, nil
}
