// Package provenance says of a model's files where they come from, in formats that other tools read: in-toto statements with SLSA's
// predicate in signed DSSE envelopes, and model cards; and it checks such statements against the files. The statement's form is
// spec/provenance.md. It reads no ledger.
// Source: in-toto attestation framework v1, SLSA provenance v1, DSSE v1.0.2.
package provenance

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/mutirao/mutirao/protocol"
)

// ErrInvalid is wrapped by errors about files that are no provenance.
var ErrInvalid = errors.New("not a provenance file")

// payloadType is that of in-toto statements.
const payloadType = "application/vnd.in-toto+json"

// Bounds of a file of envelopes, one a line, and of the envelopes in it.
const (
	MaxFile      = 8 << 20
	maxEnvelopes = 64
	maxSigners   = 16
)

// Envelope is a signed statement. Source: DSSE, envelope.md.
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"` // in base64
	Signatures  []Signature `json:"signatures"`
}

// Signature is made with the key of an account of the network: ECDSA over secp256k1 of the SHA-256 of the pre-authentication encoding, 32 bytes of r,
// 32 of s, and one that says which of two keys it recovers to.
type Signature struct {
	KeyID string `json:"keyid"` // the account
	Sig   string `json:"sig"`   // in base64
}

// Sign signs a digest with the key of an account.
type Sign func(digest protocol.Hash) ([]byte, error)

// encoding is what is signed. Source: DSSE, protocol.md, "Signature Definition".
func encoding(kind string, payload []byte) []byte {
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(kind), kind, len(payload)), payload...)
}

// Seal signs a statement.
func Seal(s *Statement, who protocol.Account, sign Sign) (*Envelope, error) {
	payload, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	signature, err := sign(sha256.Sum256(encoding(payloadType, payload)))
	if err != nil {
		return nil, err
	}
	return &Envelope{payloadType, payload, []Signature{{who.String(), base64.StdEncoding.EncodeToString(signature)}}}, nil
}

// Open returns the statement and who signed it: every signature must be that of the account that it names. Errors wrap ErrInvalid.
func (e *Envelope) Open() (*Statement, []protocol.Account, error) {
	fail := func(format string, args ...any) (*Statement, []protocol.Account, error) {
		return nil, nil, fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	if e.PayloadType != payloadType {
		return fail("its payload is %.60q", e.PayloadType)
	}
	if len(e.Signatures) == 0 || len(e.Signatures) > maxSigners {
		return fail("%d signatures", len(e.Signatures))
	}
	digest := sha256.Sum256(encoding(e.PayloadType, e.Payload))
	var signers []protocol.Account
	for _, s := range e.Signatures {
		who, err := s.signer(digest)
		if err != nil {
			return fail("%v", err)
		}
		signers = append(signers, who)
	}
	statement := new(Statement)
	if err := json.Unmarshal(e.Payload, statement); err != nil {
		return fail("%v", err)
	}
	if err := statement.check(); err != nil {
		return fail("%v", err)
	}
	return statement, signers, nil
}

// signer recovers whose key made the signature, which must be the account that it names.
func (s Signature) signer(digest [32]byte) (protocol.Account, error) {
	claimed, err := protocol.ParseAccount(s.KeyID)
	if err != nil {
		return protocol.Account{}, fmt.Errorf("a key called %.60q", s.KeyID)
	}
	raw, err := base64.StdEncoding.DecodeString(s.Sig)
	if err != nil || len(raw) != crypto.SignatureLength {
		return protocol.Account{}, fmt.Errorf("the signature of %s has another length than %d bytes", claimed, crypto.SignatureLength)
	}
	key, err := crypto.Ecrecover(digest[:], raw)
	if err != nil {
		return protocol.Account{}, fmt.Errorf("the signature of %s: %w", claimed, err)
	}
	if who := protocol.Account(crypto.Keccak256(key[1:])[12:]); who != claimed {
		return protocol.Account{}, fmt.Errorf("the signature is not that of %s: the statement was changed, or another key made it", claimed)
	}
	return claimed, nil
}

// Write writes envelopes as in-toto's bundles, one a line.
func Write(list ...*Envelope) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, e := range list {
		if err := enc.Encode(e); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// Parse reads what Write wrote. Errors wrap ErrInvalid.
func Parse(b []byte) ([]*Envelope, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrInvalid, len(b), MaxFile)
	}
	var list []*Envelope
	for dec := json.NewDecoder(bytes.NewReader(b)); ; {
		e := new(Envelope)
		if err := dec.Decode(e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if list = append(list, e); len(list) > maxEnvelopes {
			return nil, fmt.Errorf("%w: more than %d envelopes", ErrInvalid, maxEnvelopes)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: it holds no envelope", ErrInvalid)
	}
	return list, nil
}
