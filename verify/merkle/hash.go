// Package merkle owns the project's commitments: SHA-256 with domain tags, and binary hash trees over leaves with proofs
// of inclusion. It imports the standard library and golang.org/x/sys/cpu only, so that any layer may use it. The shape of the tree and the tags of
// leaves and inner nodes are those of RFC 6962 §2.1 (no leaf is ever duplicated, no inner node can be passed off as a
// leaf); the root additionally binds the number of leaves. The exact bytes are in spec/verify.md.
package merkle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Size is the length of a Hash in bytes.
const Size = sha256.Size

// Domain tags: the first byte of everything that this package hashes, so that no two kinds of content share a preimage.
const (
	tagLeaf   = 0x00
	tagNode   = 0x01
	tagRoot   = 0x02
	tagDigest = 0x03
)

// ErrHash reports text that is not a hash.
var ErrHash = errors.New("not a hash of 64 hexadecimal digits")

// Hash is a SHA-256 value. The zero value stands for "none": no known content hashes to it.
type Hash [Size]byte

// Parse reads 64 hexadecimal digits, upper or lower case, without prefix. The error is ErrHash.
func Parse(s string) (Hash, error) {
	var h Hash
	if len(s) != hex.EncodedLen(Size) {
		return Hash{}, fmt.Errorf("%w: got %d characters", ErrHash, len(s))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("%w: %w", ErrHash, err)
	}
	return h, nil
}

// String returns 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is the zero value.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText returns the same digits as String, so that JSON holds hashes as strings.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText accepts what Parse accepts and leaves h unchanged on an error.
func (h *Hash) UnmarshalText(text []byte) error {
	v, err := Parse(string(text))
	if err != nil {
		return err
	}
	*h = v
	return nil
}

// Leaf returns SHA-256(0x00 | data).
func Leaf(data []byte) Hash {
	var stack [1 + 2048]byte // tiles, pieces of payloads and most records need no more
	return sha256.Sum256(append(append(stack[:0], tagLeaf), data...))
}

// Node returns SHA-256(0x01 | l | r).
func Node(l, r Hash) Hash {
	var b [1 + 2*Size]byte
	b[0] = tagNode
	copy(b[1:], l[:])
	copy(b[1+Size:], r[:])
	return sha256.Sum256(b[:])
}

// Digest returns SHA-256(0x03 | len(domain) | domain | for each part: len(part) | part), lengths as uint64 little endian.
// Every length is in the preimage, so two different lists of parts, or the same parts in two domains, never collide.
func Digest(domain string, parts ...[]byte) Hash {
	var stack [512]byte // most digests are of a few names and hashes
	b := append(stack[:0], tagDigest)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(domain)))
	b = append(b, domain...)
	for _, p := range parts {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}
