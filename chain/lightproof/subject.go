package lightproof

import (
	"encoding/hex"
	"fmt"

	"cosmossdk.io/collections"
)

// The kinds of subjects.
const (
	Model   = "model"   // registry.Model in JSON
	Receipt = "receipt" // work.Receipt in JSON
	Balance = "balance" // amut, in decimal digits
)

// Subject is what a proof is about.
type Subject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`            // of the model or run, 64 hexadecimal digits; or the account, 0x and 40
	Key  string `json:"key,omitempty"` // of the receipt within its run
}

// maxKey bounds the key of a receipt in bytes.
const maxKey = 256

// denom is the base coin.
const denom = "amut"

// Where the modules keep what is proven: the prefixes of chain/x/registry and chain/x/work, and of the SDK's bank.
var (
	modelPrefix   = collections.NewPrefix(1)
	receiptPrefix = collections.NewPrefix(5)
	balancePrefix = collections.NewPrefix(2)
)

// StoreKey returns the name of the store and the key under which the ledger keeps the subject. The error is ErrForm.
func (s Subject) StoreKey() (store string, key []byte, err error) {
	switch s.Kind {
	case Model:
		id, err := bytesOf(s.ID, 32)
		if err != nil {
			return "", nil, err
		}
		key, err = collections.EncodeKeyWithPrefix(modelPrefix, collections.BytesKey, id)
		return "registry", key, err
	case Receipt:
		run, err := bytesOf(s.ID, 32)
		if err == nil && (s.Key == "" || len(s.Key) > maxKey) {
			err = fmt.Errorf("%w: a receipt's key has 1 to %d bytes", ErrForm, maxKey)
		}
		if err != nil {
			return "", nil, err
		}
		codec := collections.TripleKeyCodec(collections.BytesKey, collections.StringKey, collections.StringKey)
		key, err = collections.EncodeKeyWithPrefix(receiptPrefix, codec, collections.Join3(run, "receipt", s.Key))
		return "work", key, err
	case Balance:
		if len(s.ID) < 2 || s.ID[:2] != "0x" {
			return "", nil, fmt.Errorf("%w: account %.60q does not begin with 0x", ErrForm, s.ID)
		}
		account, err := bytesOf(s.ID[2:], 20)
		if err != nil {
			return "", nil, err
		}
		key, err = collections.EncodeKeyWithPrefix(balancePrefix, collections.PairKeyCodec(collections.BytesKey, collections.StringKey), collections.Join(account, denom))
		return "bank", key, err
	}
	return "", nil, fmt.Errorf("%w: kind %.40q is none of model, receipt, balance", ErrForm, s.Kind)
}

func bytesOf(text string, n int) ([]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != n {
		return nil, fmt.Errorf("%w: %.80q is not %d hexadecimal digits", ErrForm, text, 2*n)
	}
	return raw, nil
}
