// Package registry owns what outlives a training run: datasets, the models that runs produced with the lineage that proves
// it, the shares of those who contributed, and the division of each use's fee among them. Like package work it is pure: a
// rule takes records, a message and the environment, and returns a new record and effects. It decodes and compiles the
// artifact of a model that contracts shall call, and never runs one: that is for the host.
// It imports protocol, protocol/money, protocol/work, verify/trace, engine/graph, engine/exec and engine/tensor.
// Source: spec/registry.md, which the comments cite by section.
package registry

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Version numbers the rules in this package. It is in every receipt and model.
const Version = 1

// Bounds. Rule: spec/registry.md §1 and §3.
const (
	MaxName       = 64         // bytes
	MaxLicence    = 64         // bytes; an SPDX expression as a rule
	MaxRecords    = 1 << 40    //
	MaxRecordSize = 1 << 20    // bytes
	MaxArtifact   = 256 << 10  // bytes of a callable model in one message
	MaxMACs       = 50_000_000 // multiply-accumulates of one call
	MaxGas        = 32_000_000 // of one call, beside what its transaction and its contract take: a block has 40 million
	MaxElements   = 4 << 20    // elements of all values of a callable model: 16 MiB
	MaxInputs     = 4096       // numbers of one call's input
	MaxOutputs    = 256        // numbers of one call's output
	MaxMessage    = 512 << 10  // bytes of one message in JSON, in which an artifact takes a third more
	feeBits       = 128        // of the fee of a use
)

// domains of this package's hashes.
const (
	domainDataset = "mutirao/registry/dataset"
	domainModel   = "mutirao/registry/model"
	domainAuthor  = "mutirao/registry/author"
)

// Dataset is registered data: a Merkle root over records of one size, and who stands for it.
type Dataset struct {
	ID         protocol.Hash    `json:"id"`
	Root       protocol.Hash    `json:"root"`   // Merkle root over the records
	Blob       protocol.Hash    `json:"blob"`   // content address of the whole set
	Schema     protocol.Hash    `json:"schema"` // hash of the schema
	Records    uint64           `json:"records"`
	RecordSize uint64           `json:"record_size"` // bytes
	Name       string           `json:"name"`
	Licence    string           `json:"licence"`
	Steward    protocol.Account `json:"steward"` // receives the data's share of models trained on it
	Height     protocol.Height  `json:"height"`
}

// RegisterDataset makes the sender the steward of a dataset. Rule: spec/registry.md §1.
type RegisterDataset struct {
	Root       protocol.Hash `json:"root"`
	Blob       protocol.Hash `json:"blob"`
	Schema     protocol.Hash `json:"schema"`
	Records    uint64        `json:"records"`
	RecordSize uint64        `json:"record_size"`
	Name       string        `json:"name"`
	Licence    string        `json:"licence"`
}

// PublishModel registers the model of a run that has ended. Anybody may send it: the rule checks that artifact and run
// belong together. Rule: spec/registry.md §3.
type PublishModel struct {
	Run      protocol.Hash `json:"run"`
	Artifact []byte        `json:"artifact"` // graph.Encode of the inference graph with its weights; empty registers a model that contracts cannot call
}

// Use pays a fee to a model, for its holders and its parents. Rule: spec/registry.md §4.
type Use struct {
	Model protocol.Hash `json:"model"`
	Fee   money.Amount  `json:"fee"`
}

// Kind is "registry/register-dataset".
func (RegisterDataset) Kind() string { return "registry/register-dataset" }

// Kind is "registry/publish-model".
func (PublishModel) Kind() string { return "registry/publish-model" }

// Kind is "registry/use".
func (Use) Kind() string { return "registry/use" }

// Check validates sizes and texts.
func (m RegisterDataset) Check() error {
	if m.Root.IsZero() || m.Blob.IsZero() || m.Schema.IsZero() {
		return fmt.Errorf("%w: dataset lacks a root, a blob or a schema", protocol.ErrInvalid)
	}
	if m.Records == 0 || m.Records > MaxRecords {
		return fmt.Errorf("%w: %d records, allowed are 1 to %d", protocol.ErrInvalid, m.Records, uint64(MaxRecords))
	}
	if m.RecordSize == 0 || m.RecordSize > MaxRecordSize {
		return fmt.Errorf("%w: records of %d bytes, allowed are 1 to %d", protocol.ErrInvalid, m.RecordSize, MaxRecordSize)
	}
	if err := protocol.CheckText("name", m.Name, 1, MaxName); err != nil {
		return err
	}
	return protocol.CheckText("licence", m.Licence, 1, MaxLicence)
}

// Check validates the size of the artifact; its contents are checked against the run by Publish.
func (m PublishModel) Check() error {
	if len(m.Artifact) > MaxArtifact {
		return fmt.Errorf("%w: artifact of %d bytes, allowed are %d", protocol.ErrTooLarge, len(m.Artifact), MaxArtifact)
	}
	return nil
}

// Check validates the fee.
func (m Use) Check() error {
	if m.Fee.IsZero() || m.Fee.BitLen() > feeBits {
		return fmt.Errorf("%w: fee is %s, allowed are 1 to 2^%d-1", protocol.ErrInvalid, m.Fee, feeBits)
	}
	return nil
}

// DecodeMsg reads a message of a kind from its JSON form, which has at most MaxMessage bytes and no unknown fields, and
// checks it. The error wraps protocol.ErrInvalid or ErrTooLarge.
func DecodeMsg(kind string, data []byte) (protocol.Msg, error) {
	switch kind {
	case RegisterDataset{}.Kind():
		return protocol.DecodeMsg[RegisterDataset](data, MaxMessage)
	case PublishModel{}.Kind():
		return protocol.DecodeMsg[PublishModel](data, MaxMessage)
	case Use{}.Kind():
		return protocol.DecodeMsg[Use](data, MaxMessage)
	case DivideIncome{}.Kind():
		return protocol.DecodeMsg[DivideIncome](data, MaxMessage)
	case ClaimDividend{}.Kind():
		return protocol.DecodeMsg[ClaimDividend](data, MaxMessage)
	case TransferShares{}.Kind():
		return protocol.DecodeMsg[TransferShares](data, MaxMessage)
	case DepositModel{}.Kind():
		return protocol.DecodeMsg[DepositModel](data, MaxMessage)
	case WithdrawModel{}.Kind():
		return protocol.DecodeMsg[WithdrawModel](data, MaxMessage)
	case OpenUpload{}.Kind():
		return protocol.DecodeMsg[OpenUpload](data, MaxMessage)
	case AddChunk{}.Kind():
		return protocol.DecodeMsg[AddChunk](data, MaxMessage)
	case AbortUpload{}.Kind():
		return protocol.DecodeMsg[AbortUpload](data, MaxMessage)
	}
	return nil, protocol.UnknownKind(kind)
}

// DatasetID names the dataset that a steward registers: its contents and the steward.
func DatasetID(steward protocol.Account, m RegisterDataset) protocol.Hash {
	p := new(protocol.Preimage).Account(steward).Hash(m.Root).Hash(m.Blob).Hash(m.Schema)
	return p.Uint64(m.Records).Uint64(m.RecordSize).Digest(domainDataset)
}

// Register makes a dataset. The host refuses an id that exists. Errors: those of Check. Rule: spec/registry.md §1.
func Register(m RegisterDataset, from protocol.Account, env protocol.Env) (Dataset, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return Dataset{}, nil, err
	}
	if from.IsZero() {
		return Dataset{}, nil, fmt.Errorf("%w: the sender is missing", protocol.ErrInvalid)
	}
	d := Dataset{
		ID: DatasetID(from, m), Root: m.Root, Blob: m.Blob, Schema: m.Schema, Records: m.Records, RecordSize: m.RecordSize,
		Name: m.Name, Licence: m.Licence, Steward: from, Height: env.Height,
	}
	return d, []protocol.Effect{event("dataset-registered", "dataset", d.ID.String(), "steward", from.String())}, nil
}

// event builds an event of this package; pairs are attribute names and values in turn.
func event(kind string, pairs ...string) protocol.Event {
	e := protocol.Event{Type: "registry." + kind}
	for i := 0; i+1 < len(pairs); i += 2 {
		e.Attributes = append(e.Attributes, protocol.Attribute{Name: pairs[i], Value: pairs[i+1]})
	}
	return e
}
