package voucher

import (
	"encoding/binary"

	"golang.org/x/crypto/sha3"

	"github.com/mutirao/mutirao/protocol"
)

// What wallets show and sign: EIP-712 typed data. Rule: spec/voucher.md §3.
const (
	TypedDomain  = "EIP712Domain(string name,string version,uint256 chainId)"
	TypedVoucher = "Voucher(bytes32 channel,uint256 uses,uint256 amount)"
	DomainName   = "Mutirao voucher"
	DomainNumber = "1"
)

// Separator is the domain separator on the chain with an Ethereum chain id.
func Separator(chainID uint64) protocol.Hash {
	return keccak(hashOf(TypedDomain), hashOf(DomainName), hashOf(DomainNumber), word(chainID))
}

// Digest is what the payer signs, on the chain of a Separator.
func (v Voucher) Digest(separator protocol.Hash) protocol.Hash {
	amount := v.Amount.Bytes()
	content := keccak(hashOf(TypedVoucher), v.Channel[:], word(v.Uses), amount[:])
	return keccak([]byte{0x19, 0x01}, separator[:], content[:])
}

func hashOf(text string) []byte {
	h := keccak([]byte(text))
	return h[:]
}

func word(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 24), n) }

func keccak(parts ...[]byte) (h protocol.Hash) {
	k := sha3.NewLegacyKeccak256()
	for _, p := range parts {
		k.Write(p)
	}
	k.Sum(h[:0])
	return h
}
