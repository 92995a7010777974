package registry

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// DepositPerByte is locked for each byte of a deposited model: 2.1 MUT for the largest. The bytes lie in every node's
// state, so whoever wants them there lends money for as long as they do. Rule: spec/registry.md §7.
var DepositPerByte = money.New(1_000_000_000_000)

// DepositModel registers a callable model without a run, on its author's word, for a deposit that WithdrawModel returns.
// Rule: spec/registry.md §7.
type DepositModel struct {
	Name     string `json:"name"`
	Artifact []byte `json:"artifact"` // graph.Encode of the inference graph with all its constants
}

// WithdrawModel takes the bytes of a deposited model out of the state and returns the deposit to its author.
// Rule: spec/registry.md §7.
type WithdrawModel struct {
	Model protocol.Hash `json:"model"`
}

// Kind is "registry/deposit-model".
func (DepositModel) Kind() string { return "registry/deposit-model" }

// Kind is "registry/withdraw-model".
func (WithdrawModel) Kind() string { return "registry/withdraw-model" }

// Check validates the name and the size of the artifact.
func (m DepositModel) Check() error {
	if len(m.Artifact) == 0 {
		return fmt.Errorf("%w: the artifact is missing", protocol.ErrArtifact)
	}
	if len(m.Artifact) > MaxArtifact {
		return fmt.Errorf("%w: artifact of %d bytes, allowed are %d", protocol.ErrTooLarge, len(m.Artifact), MaxArtifact)
	}
	return protocol.CheckText("name", m.Name, 1, MaxName)
}

// Check has nothing to validate: the model is looked up.
func (WithdrawModel) Check() error { return nil }

// DepositID names the model that an author deposits: its content and the author, so that nobody can take the place of
// another by being first with the same bytes. Errors: those of an artifact.
func DepositID(artifact []byte, author protocol.Account) (protocol.Hash, error) {
	a, err := openArtifact(artifact, nil)
	if err != nil {
		return protocol.Hash{}, err
	}
	return depositID(a, author), nil
}

// depositID is a ModelID in which the author stands for the run.
func depositID(a artifact, author protocol.Account) protocol.Hash {
	return ModelID(a.program, a.weights, new(protocol.Preimage).Account(author).Digest(domainAuthor))
}

// Deposit registers a model on its author's word. known is the model with that DepositID if it exists: then its bytes come
// back after they were withdrawn, and nothing else of it changes. The author holds all of a new model. Effects: the deposit
// is locked. The host keeps m.Artifact for calls. Errors: ErrExists, ErrArtifact, ErrTooLarge, ErrShape, ErrInvalid.
// Rule: spec/registry.md §7.
func Deposit(m DepositModel, known *Model, from protocol.Account, env protocol.Env) (Model, []Holding, []protocol.Effect, error) {
	fail := func(err error) (Model, []Holding, []protocol.Effect, error) { return Model{}, nil, nil, err }
	if err := m.Check(); err != nil {
		return fail(err)
	}
	if from.IsZero() {
		return fail(fmt.Errorf("%w: the sender is missing", protocol.ErrInvalid))
	}
	a, err := openArtifact(m.Artifact, nil)
	if err != nil {
		return fail(err)
	}
	deposit := DepositPerByte.Times(uint64(len(m.Artifact)))
	model, held, err := accept(a, m.Name, deposit, known, from, env)
	if err != nil {
		return fail(err)
	}
	return model, held, []protocol.Effect{
		protocol.Lock{From: from, Amount: deposit},
		event("model-deposited", "model", model.ID.String(), "author", from.String(), "deposit", deposit.String()),
	}, nil
}

// accept makes the model of an artifact, or makes known callable again.
func accept(a artifact, name string, deposit money.Amount, known *Model, from protocol.Account, env protocol.Env) (Model, []Holding, error) {
	id := depositID(a, from)
	if known != nil {
		if known.ID != id || known.Callable != nil {
			return Model{}, nil, fmt.Errorf("%w: model %s", protocol.ErrExists, known.ID)
		}
		model := *known
		model.Callable, model.Deposit = &a.callable, deposit
		return model, nil, nil
	}
	model := Model{
		Version: Version, ID: id, Name: name, Program: a.program, Weights: a.weights, Lineage: Claimed, Author: from, Publisher: from,
		Height: env.Height, Callable: &a.callable, Shares: []Share{{from, ForAuthor, whole}}, Deposit: deposit,
	}
	return model, holdings(&model), nil
}

// Withdraw makes a deposited model uncallable and returns its deposit. The host drops the bytes; shares and what they earned
// stay. Errors: ErrNotFound for a model without a deposit, ErrInvalid for a sender who is not its author.
// Rule: spec/registry.md §7.
func Withdraw(model Model, from protocol.Account) (Model, []protocol.Effect, error) {
	if model.Deposit.IsZero() {
		return Model{}, nil, fmt.Errorf("%w: model %s has no deposit", protocol.ErrNotFound, model.ID)
	}
	if from != model.Author {
		return Model{}, nil, fmt.Errorf("%w: model %s is %s's", protocol.ErrInvalid, model.ID, model.Author)
	}
	effects := []protocol.Effect{
		protocol.Pay{To: from, Amount: model.Deposit},
		event("model-withdrawn", "model", model.ID.String(), "author", from.String(), "deposit", model.Deposit.String()),
	}
	model.Callable, model.Deposit = nil, money.Amount{}
	return model, effects, nil
}
