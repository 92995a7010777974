package trace

import (
	"encoding/binary"

	"github.com/mutirao/mutirao/verify/merkle"
)

// PieceSize is the length of the pieces of a payload that a proof opens, the last one excepted.
const PieceSize = 1024

// PayloadRoot returns merkle.Root over the leaves of a payload's length (uint64 little endian) and of its pieces of 1,024 bytes.
func PayloadRoot(payload []byte) merkle.Hash { return merkle.Root(PayloadLeaves(payload)) }

// PayloadLeaves returns the leaves under a payload's root: its length, then its pieces.
func PayloadLeaves(payload []byte) []merkle.Hash {
	leaves := []merkle.Hash{PayloadSize(len(payload))}
	for ; len(payload) > 0; payload = payload[min(PieceSize, len(payload)):] {
		leaves = append(leaves, merkle.Leaf(payload[:min(PieceSize, len(payload))]))
	}
	return leaves
}

// PayloadSize returns the leaf that stands for the length of a payload.
func PayloadSize(n int) merkle.Hash {
	return merkle.Leaf(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}
