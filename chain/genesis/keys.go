package genesis

import (
	"encoding/binary"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"

	"github.com/mutirao/mutirao/protocol"
)

// Keys are the secrets of one validator.
type Keys struct {
	Consensus crypto.PrivKey   // signs blocks
	Node      crypto.PrivKey   // identifies the node to its peers
	Operator  protocol.Account // the account that owns the stake
}

// DeriveKeys makes the keys of n validators from a seed: the same seed gives the same network. Whoever knows the seed
// controls all of them, so it suits one person's network and nothing else.
func DeriveKeys(seed [32]byte, n int) []Keys {
	out := make([]Keys, n)
	for i := range out {
		consensus := ed25519.GenPrivKeyFromSecret(secret("consensus", seed, i))
		out[i] = Keys{Consensus: consensus, Node: ed25519.GenPrivKeyFromSecret(secret("node", seed, i))}
		copy(out[i].Operator[:], consensus.PubKey().Address())
	}
	return out
}

func secret(purpose string, seed [32]byte, i int) []byte {
	b := append([]byte("mutirao validator "+purpose+"\x00"), seed[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(i))
}
