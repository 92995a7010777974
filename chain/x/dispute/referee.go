package dispute

import (
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/bisect"
)

// referee judges moves by a unit's source and by signatures of accounts' keys, which are Ethereum's.
type referee struct{ bisect.Source }

// Signed recovers the key from the signature of the digest.
func (referee) Signed(who protocol.Account, digest protocol.Hash, signature []byte) bool {
	if len(signature) != crypto.SignatureLength {
		return false
	}
	key, err := crypto.SigToPub(digest[:], signature)
	return err == nil && protocol.Account(crypto.PubkeyToAddress(*key)) == who
}
