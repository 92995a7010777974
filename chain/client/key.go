package client

import (
	"fmt"

	"github.com/cosmos/evm/crypto/ethsecp256k1"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/mutirao/mutirao/protocol"
)

// Key signs for one account. It is an Ethereum key: the same account works with wallets.
type Key struct{ secret *ethsecp256k1.PrivKey }

// NewKey takes 32 secret bytes. It fails for the few values that are no key of the curve.
func NewKey(seed [32]byte) (Key, error) {
	if _, err := crypto.ToECDSA(seed[:]); err != nil {
		return Key{}, fmt.Errorf("account key: %w", err)
	}
	return Key{&ethsecp256k1.PrivKey{Key: seed[:]}}, nil
}

// Account is the address that the key signs for. The zero Key signs for nobody.
func (k Key) Account() protocol.Account {
	if k.secret == nil {
		return protocol.Account{}
	}
	return protocol.Account(k.secret.PubKey().Address())
}

// Sign signs a digest outside of a transaction, such as that of a move in a dispute. A signature has 65 bytes: r, s and which of two keys.
func (k Key) Sign(digest protocol.Hash) ([]byte, error) { return k.secret.Sign(digest[:]) }
