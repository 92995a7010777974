package beacon

import "fmt"

// A reveal travels as the last transaction of its block: two bytes that no transaction begins with, and the proof. As a tag of protocol
// buffers they would announce a field of wire type 7, which does not exist, so every decoder of transactions refuses them.
const (
	mark    = 0xff
	version = 0x01
)

// RevealSize is the size of a reveal's transaction.
const RevealSize = 2 + ProofSize

// Encode is the transaction that carries a proof.
func Encode(proof [ProofSize]byte) []byte {
	return append([]byte{mark, version}, proof[:]...)
}

// Decode reads what Encode wrote, and nothing else: its error is ErrReveal.
func Decode(tx []byte) (proof [ProofSize]byte, err error) {
	if len(tx) != RevealSize || tx[0] != mark || tx[1] != version {
		return proof, fmt.Errorf("%w: no reveal of %d bytes", ErrReveal, RevealSize)
	}
	copy(proof[:], tx[2:])
	return proof, nil
}

// Split takes a block's transactions apart: those of people, and the proof of its proposer, nil if the last transaction is none.
// Anything that looks like a reveal elsewhere stays among the others, where it is a transaction that cannot be read.
func Split(txs [][]byte) (others [][]byte, proof *[ProofSize]byte) {
	if len(txs) == 0 {
		return txs, nil
	}
	last := len(txs) - 1
	p, err := Decode(txs[last])
	if err != nil {
		return txs, nil
	}
	return txs[:last], &p
}
