package protocol

import (
	"encoding/binary"

	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/verify/merkle"
)

// Preimage collects the canonical bytes of a list of fields. Numbers are big endian and of fixed width, variable parts
// carry their length, so that two different lists never have the same bytes. Rule: spec/work.md §2.
type Preimage struct{ bytes []byte }

// Uint32 appends 4 bytes.
func (p *Preimage) Uint32(v uint32) *Preimage {
	p.bytes = binary.BigEndian.AppendUint32(p.bytes, v)
	return p
}

// Uint64 appends 8 bytes.
func (p *Preimage) Uint64(v uint64) *Preimage {
	p.bytes = binary.BigEndian.AppendUint64(p.bytes, v)
	return p
}

// Bool appends one byte, 1 or 0.
func (p *Preimage) Bool(v bool) *Preimage {
	var b byte
	if v {
		b = 1
	}
	p.bytes = append(p.bytes, b)
	return p
}

// Hash appends 32 bytes.
func (p *Preimage) Hash(v Hash) *Preimage {
	p.bytes = append(p.bytes, v[:]...)
	return p
}

// Account appends 20 bytes.
func (p *Preimage) Account(v Account) *Preimage {
	p.bytes = append(p.bytes, v[:]...)
	return p
}

// Amount appends 32 bytes.
func (p *Preimage) Amount(v money.Amount) *Preimage {
	b := v.Bytes()
	p.bytes = append(p.bytes, b[:]...)
	return p
}

// Bytes appends the length as 4 bytes and then v. v is at most 2^32-1 bytes long.
func (p *Preimage) Bytes(v []byte) *Preimage {
	p.Uint32(uint32(len(v)))
	p.bytes = append(p.bytes, v...)
	return p
}

// Text is Bytes for a string.
func (p *Preimage) Text(v string) *Preimage { return p.Bytes([]byte(v)) }

// Digest hashes the fields under a domain. Equal fields in two domains have unrelated digests.
func (p *Preimage) Digest(domain string) Hash { return merkle.Digest(domain, p.bytes) }
