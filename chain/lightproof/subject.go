package lightproof

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"cosmossdk.io/collections"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/request"
)

// The kinds of subjects.
const (
	Model   = "model"           // registry.Model in JSON
	Receipt = "receipt"         // work.Receipt in JSON
	Balance = "balance"         // amut, in decimal digits
	Share   = "share"           // registry.Holding in JSON
	Answer  = "answer"          // request.Request in JSON, with what it is worth; the file may hold the numbers, too
	Ended   = "request-receipt" // request.Receipt in JSON, which stays when the request is forgotten
)

// Subject is what a proof is about.
type Subject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`            // of the model, run or request, 64 hexadecimal digits; or the account, 0x and 40
	Key  string `json:"key,omitempty"` // of the receipt within its run, the holder of a share, or the request of a model
}

// maxKey bounds the key of a receipt in bytes.
const maxKey = 256

// denom is the base coin.
const denom = "amut"

// Where the modules keep what is proven: the prefixes of chain/x/registry, chain/x/work and chain/x/request, and of the SDK's bank.
var (
	modelPrefix   = collections.NewPrefix(1)
	holdingPrefix = collections.NewPrefix(5)
	receiptPrefix = collections.NewPrefix(5)
	requestPrefix = collections.NewPrefix(0)
	outputPrefix  = collections.NewPrefix(2)
	endedPrefix   = collections.NewPrefix(6)
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
		key, err = recorded(receiptPrefix, run, "receipt", s.Key)
		return "work", key, err
	case Ended:
		model, err := bytesOf(s.ID, 32)
		if err == nil {
			_, err = bytesOf(s.Key, 32)
		}
		if err != nil {
			return "", nil, err
		}
		key, err = recorded(endedPrefix, model, "request", s.Key)
		return "request", key, err
	case Answer:
		id, err := bytesOf(s.ID, 32)
		if err != nil {
			return "", nil, err
		}
		key, err = collections.EncodeKeyWithPrefix(requestPrefix, collections.BytesKey, id)
		return "request", key, err
	case Share:
		model, err := bytesOf(s.ID, 32)
		if err != nil {
			return "", nil, err
		}
		holder, err := accountOf(s.Key)
		if err != nil {
			return "", nil, err
		}
		key, err = collections.EncodeKeyWithPrefix(holdingPrefix, collections.BytesKey, append(model, holder...))
		return "registry", key, err
	case Balance:
		account, err := accountOf(s.ID)
		if err != nil {
			return "", nil, err
		}
		key, err = collections.EncodeKeyWithPrefix(balancePrefix, collections.PairKeyCodec(collections.BytesKey, collections.StringKey), collections.Join(account, denom))
		return "bank", key, err
	}
	return "", nil, fmt.Errorf("%w: kind %.40q is none of model, receipt, balance, share, answer, request-receipt", ErrForm, s.Kind)
}

// OutputKey returns under which key of the store of requests the numbers of an answer lie. value is that of a subject of kind Answer.
func (s Subject) OutputKey(value []byte) ([]byte, error) {
	r, err := requestOf(value)
	if err != nil {
		return nil, err
	}
	if r.Answer.IsZero() {
		return nil, nil
	}
	key := new(protocol.Preimage).Hash(r.ID).Hash(r.Answer).Digest("mutirao/request/kept")
	return collections.EncodeKeyWithPrefix(outputPrefix, collections.BytesKey, key[:])
}

// requestOf decodes the value of an Answer.
func requestOf(value []byte) (*request.Request, error) {
	r := new(request.Request)
	if err := json.Unmarshal(value, r); err != nil {
		return nil, fmt.Errorf("%w: request: %w", ErrForm, err)
	}
	return r, nil
}

// recorded is the key of a record: chain/record.
func recorded(prefix collections.Prefix, owner []byte, kind, key string) ([]byte, error) {
	codec := collections.TripleKeyCodec(collections.BytesKey, collections.StringKey, collections.StringKey)
	return collections.EncodeKeyWithPrefix(prefix, codec, collections.Join3(owner, kind, key))
}

func accountOf(text string) ([]byte, error) {
	if len(text) < 2 || text[:2] != "0x" {
		return nil, fmt.Errorf("%w: account %.60q does not begin with 0x", ErrForm, text)
	}
	return bytesOf(text[2:], 20)
}

func bytesOf(text string, n int) ([]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != n || strings.ToLower(text) != text {
		return nil, fmt.Errorf("%w: %.80q is not %d lower-case hexadecimal digits", ErrForm, text, 2*n)
	}
	return raw, nil
}
