// Package beacon owns the chain's randomness: a value for each block, made from the value before it and from what the block's proposer
// reveals. A reveal is the output of a verifiable random function under the proposer's consensus key (RFC 9381,
// ECVRF-EDWARDS25519-SHA512-ELL2), so there is one for each proposer, height and value before, nobody else can know it earlier, and
// everybody can check it. The rules are functions of bytes and heights alone; chain/x/beacon hosts them. Source: spec/beacon.md.
package beacon

import (
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"github.com/mutirao/mutirao/protocol"
)

// Domains of the hashes. Rule: spec/beacon.md §2.
const (
	domainBegin = "mutirao/beacon/begin/1"
	domainInput = "mutirao/beacon/input/1"
	domainNext  = "mutirao/beacon/next/1"
)

// Sizes in bytes.
const (
	ProofSize  = ecvrf.ProofSize
	OutputSize = ecvrf.OutputSize
	KeySize    = ed25519.PublicKeySize
)

// Slots is how many values are kept, Window how many of the last heights contracts may ask for. They differ by one because the value of the
// block in execution already stands in the slot of the oldest. EIP-2935 has the same numbers for hashes of blocks.
const (
	Slots  = 8192
	Window = Slots - 1
)

// Reasons why a value cannot be read, and why a reveal is refused.
var (
	ErrNotYet    = errors.New("the beacon of this height is not known yet")
	ErrForgotten = errors.New("the beacon of this height is not kept")
	ErrReveal    = errors.New("no valid reveal of the block's proposer")
)

// Value is the beacon of one height. The zero value is none.
type Value = protocol.Hash

// Begin is the value before the first block that has a beacon. It is public: what follows is unknown from the first reveal on whose key its
// owner has not chosen for it.
func Begin(chainID string, height protocol.Height) Value {
	return new(protocol.Preimage).Text(chainID).Uint64(uint64(height)).Digest(domainBegin)
}

// Input is what the proposer of a height reveals its function of. The value before is in it so that no key can be chosen, and no reveal
// computed, before that value is known.
func Input(chainID string, height protocol.Height, before Value) []byte {
	h := new(protocol.Preimage).Text(chainID).Uint64(uint64(height)).Hash(before).Digest(domainInput)
	return h[:]
}

// Next is the value of a height, from that before it and from the checked output of its reveal; nil for a block without one.
func Next(height protocol.Height, before Value, output *[OutputSize]byte) Value {
	p := new(protocol.Preimage).Uint64(uint64(height)).Hash(before).Bool(output != nil)
	if output != nil {
		p.Bytes(output[:])
	}
	return p.Digest(domainNext)
}

// Prove makes the reveal of input with a consensus key: 64 bytes, the seed and the public key as RFC 8032 names them. It returns ErrReveal
// for a key of another size. The same arguments give the same bytes.
func Prove(key []byte, input []byte) ([ProofSize]byte, error) {
	var out [ProofSize]byte
	if len(key) != ed25519.PrivateKeySize {
		return out, fmt.Errorf("%w: a key of %d bytes, want %d", ErrReveal, len(key), ed25519.PrivateKeySize)
	}
	copy(out[:], ecvrf.Prove(ed25519.PrivateKey(key), input))
	return out, nil
}

// Verify checks a reveal of input by a public key and returns its output, which does not depend on how the proof was made. It returns
// ErrReveal for every other proof, and for a key that is not canonical or of small order.
func Verify(key, input []byte, proof [ProofSize]byte) (*[OutputSize]byte, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("%w: a public key of %d bytes, want %d", ErrReveal, len(key), KeySize)
	}
	ok, output := ecvrf.Verify(ed25519.PublicKey(key), proof[:], input)
	if !ok {
		return nil, fmt.Errorf("%w: the proof does not hold", ErrReveal)
	}
	return (*[OutputSize]byte)(output), nil
}

// Slot is where the value of a height is kept.
func Slot(height protocol.Height) uint64 { return uint64(height) % Slots }

// Readable tells whether the block now may read the value of a height: ErrNotYet for its own and later ones, because a trace of the block
// begins with the state before it, and ErrForgotten for what is older than the window.
func Readable(now, height protocol.Height) error {
	switch {
	case height >= now:
		return ErrNotYet
	case now-height > Window:
		return ErrForgotten
	}
	return nil
}
