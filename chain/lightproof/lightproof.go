// Package lightproof checks that the ledger holds something, with nothing but a file and a header that one trusts: no node, no network and no
// cgo. A file holds the value, its ICS-23 proof in the state after a block, and signed headers that lead from the trusted one to the header
// that commits to that state. CometBFT's light client verifies the headers. It must import neither the app nor a keeper.
package lightproof

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cometbft/cometbft/crypto/merkle"
	"github.com/cometbft/cometbft/light"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/mutirao/mutirao/protocol/request"
)

// Schema names the form of the file.
const Schema = "mutirao.proof/v1"

// Bounds on a file.
const (
	MaxFile    = 16 << 20 // bytes
	maxHeaders = 64
	maxOps     = 2
)

// DefaultPeriod is for how long a trusted header vouches for later ones: less than the time in which stake that has left can still be
// punished, three days at least.
const DefaultPeriod = 48 * time.Hour

// maxClockDrift is how far a header may be ahead of the reader's clock.
const maxClockDrift = 10 * time.Second

var (
	// ErrForm reports a file that is no proof.
	ErrForm = errors.New("not a proof")
	// ErrTrust reports headers that do not follow from the trusted one.
	ErrTrust = errors.New("headers do not follow from the trusted one")
	// ErrExpired reports a trusted header that is too old to vouch for later ones.
	ErrExpired = errors.New("the trusted header is too old")
	// ErrProof reports a value that the state of the header does not hold.
	ErrProof = errors.New("the state does not hold this value")
)

// Proof is the content of a file.
type Proof struct {
	Schema  string   `json:"schema"` // Schema
	Chain   string   `json:"chain"`
	Subject Subject  `json:"subject"`
	Height  int64    `json:"height"`           // of the block after which the state was so
	Value   []byte   `json:"value,omitempty"`  // as stored; absent if there is none
	Output  []byte   `json:"output,omitempty"` // of a subject Answer: float32, little-endian, of which Value has the digest
	Ops     []byte   `json:"ops"`              // tendermint.crypto.ProofOps
	Headers [][]byte `json:"headers"`          // tendermint.types.LightBlock by rising height; the last is of Height+1
	Sum     string   `json:"sum"`              // SHA-256 of the file without it: a file that was damaged on its way says so
}

// Trust is what the reader believes before. Height and hash of one header are enough: the hash covers the header, which has the hash of the
// validators that signed it and of those of the next block, so a file cannot bring others.
type Trust struct {
	Height int64         // of a header
	Hash   []byte        // of that header
	Period time.Duration // 0 for DefaultPeriod
	Now    time.Time
}

// Fact is what a proof proves.
type Fact struct {
	Schema  string    `json:"schema"` // "mutirao.proven/v1"
	Chain   string    `json:"chain"`
	Subject Subject   `json:"subject"`
	Height  int64     `json:"height"` // of the block after which it was so
	Time    time.Time `json:"time"`   // of the header that commits to it
	Exists  bool      `json:"exists"`
	Value   []byte    `json:"-"`
	Output  []uint32  `json:"-"` // of an answer, the bits of float32; nil if the file has none
}

// Encode writes the file: one line of JSON, of which every byte counts.
func (p *Proof) Encode() ([]byte, error) {
	c := *p
	c.Sum = ""
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	c.Sum = hex.EncodeToString(sum[:])
	raw, err = json.Marshal(c)
	return append(raw, '\n'), err
}

// Parse reads a file as Encode writes it, and no other: what was changed on its way is ErrForm, like all else that is no proof.
func Parse(file []byte) (*Proof, error) {
	if len(file) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are possible", ErrForm, len(file), MaxFile)
	}
	var p Proof
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	switch {
	case d.More():
		return nil, fmt.Errorf("%w: something follows it", ErrForm)
	case p.Schema != Schema:
		return nil, fmt.Errorf("%w: schema %.40q, not %s", ErrForm, p.Schema, Schema)
	case p.Height < 1 || p.Height == 1<<63-1:
		return nil, fmt.Errorf("%w: of the state after block %d", ErrForm, p.Height)
	case len(p.Headers) == 0 || len(p.Headers) > maxHeaders:
		return nil, fmt.Errorf("%w: %d headers, allowed are 1 to %d", ErrForm, len(p.Headers), maxHeaders)
	}
	if again, err := p.Encode(); err != nil || !bytes.Equal(again, file) {
		return nil, fmt.Errorf("%w: it was damaged or changed since it was written", ErrForm)
	}
	return &p, nil
}

// Verify checks p with what the reader trusts. The errors are ErrForm, ErrTrust, ErrExpired and ErrProof.
func (p *Proof) Verify(trust Trust) (f Fact, err error) {
	defer func() { // of the libraries: what is verified comes from strangers
		if r := recover(); r != nil {
			f, err = Fact{}, fmt.Errorf("%w: %v", ErrForm, r)
		}
	}()
	blocks, err := p.blocks()
	if err != nil {
		return Fact{}, err
	}
	if err := follow(blocks, trust); err != nil {
		return Fact{}, err
	}
	last := blocks[len(blocks)-1]
	if err := p.holds(last.AppHash); err != nil {
		return Fact{}, err
	}
	output, err := p.output()
	if err != nil {
		return Fact{}, err
	}
	return Fact{
		Schema: "mutirao.proven/v1", Chain: p.Chain, Subject: p.Subject, Height: p.Height, Time: last.Time, Exists: len(p.Value) > 0, Value: p.Value, Output: output,
	}, nil
}

// output checks the numbers of an answer against the digest in the value, which is proven.
func (p *Proof) output() ([]uint32, error) {
	if len(p.Output) == 0 {
		return nil, nil
	}
	if p.Subject.Kind != Answer || len(p.Value) == 0 || len(p.Output)%4 != 0 || len(p.Output) > 4*request.MaxOutput {
		return nil, fmt.Errorf("%w: numbers without an answer", ErrForm)
	}
	r, err := requestOf(p.Value)
	if err != nil {
		return nil, err
	}
	numbers := request.Numbers(p.Output)
	if request.Digest(numbers) != r.Answer {
		return nil, fmt.Errorf("%w: the numbers are not the answer", ErrProof)
	}
	return numbers, nil
}

// blocks decodes the headers, each consistent with its own validators and signatures, by rising height up to Height+1.
func (p *Proof) blocks() ([]*cmttypes.LightBlock, error) {
	var list []*cmttypes.LightBlock
	for i, raw := range p.Headers {
		var pb cmtproto.LightBlock
		if err := pb.Unmarshal(raw); err != nil {
			return nil, fmt.Errorf("%w: header %d: %w", ErrForm, i, err)
		}
		b, err := cmttypes.LightBlockFromProto(&pb)
		if err == nil {
			err = b.ValidateBasic(p.Chain)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: header %d: %w", ErrForm, i, err)
		}
		if i > 0 && b.Height <= list[i-1].Height {
			return nil, fmt.Errorf("%w: header %d is of block %d, after one of %d", ErrForm, i, b.Height, list[i-1].Height)
		}
		list = append(list, b)
	}
	if last := list[len(list)-1]; last.Height != p.Height+1 {
		return nil, fmt.Errorf("%w: the last header is of block %d, block %d commits to the state after block %d", ErrForm, last.Height, p.Height+1, p.Height)
	}
	return list, nil
}

// follow checks that the first header is the trusted one, and that each vouches for the next.
func follow(blocks []*cmttypes.LightBlock, trust Trust) error {
	first := blocks[0]
	if first.Height != trust.Height {
		return fmt.Errorf("%w: the file begins at block %d, trusted is block %d", ErrTrust, first.Height, trust.Height)
	}
	if !bytes.Equal(first.Hash(), trust.Hash) {
		return fmt.Errorf("%w: block %d has hash %s, trusted is %X", ErrTrust, first.Height, first.Hash(), trust.Hash)
	}
	period := trust.Period
	if period == 0 {
		period = DefaultPeriod
	}
	for i, b := range blocks[1:] {
		err := Step(blocks[i], b, period, trust.Now)
		var old light.ErrOldHeaderExpired
		if errors.As(err, &old) {
			return fmt.Errorf("%w: %w", ErrExpired, err)
		}
		if err != nil {
			return fmt.Errorf("%w: block %d: %w", ErrTrust, b.Height, err)
		}
	}
	return nil
}

// Step checks that a header that is trusted vouches for a later one: more than a third of the votes that it knows signed the later one, and more than two
// thirds of the later one's own.
func Step(from, to *cmttypes.LightBlock, period time.Duration, now time.Time) error {
	return light.Verify(from.SignedHeader, from.ValidatorSet, to.SignedHeader, to.ValidatorSet, period, now, maxClockDrift, light.DefaultTrustLevel)
}

// holds checks the value against the hash of the state.
func (p *Proof) holds(root []byte) error {
	store, key, err := p.Subject.StoreKey()
	if err != nil {
		return err
	}
	var ops cmtcrypto.ProofOps
	if err := ops.Unmarshal(p.Ops); err != nil || len(ops.Ops) != maxOps {
		return fmt.Errorf("%w: %d steps of a proof, not %d: %w", ErrForm, len(ops.Ops), maxOps, err)
	}
	runtime := merkle.NewProofRuntime()
	runtime.RegisterOpDecoder(storetypes.ProofOpIAVLCommitment, storetypes.CommitmentOpDecoder)
	runtime.RegisterOpDecoder(storetypes.ProofOpSimpleMerkleCommitment, storetypes.CommitmentOpDecoder)
	path := merkle.KeyPath{}.AppendKey([]byte(store), merkle.KeyEncodingURL).AppendKey(key, merkle.KeyEncodingHex).String()
	if len(p.Value) == 0 {
		err = runtime.VerifyAbsence(&ops, root, path)
	} else {
		err = runtime.VerifyValue(&ops, root, path, p.Value)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return nil
}

// ParseHash reads the hash of a header: 64 hexadecimal digits of either case.
func ParseHash(text string) ([]byte, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("%w: %.80q is no hash of 64 hexadecimal digits", ErrForm, text)
	}
	return raw, nil
}
