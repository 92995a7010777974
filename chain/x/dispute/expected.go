package dispute

import (
	"context"
	"errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// Programs is what the referee must know about the units of a run besides what the ledger keeps: in which order they read the data, at
// what rate they learn, how their payload is written. That follows from the run's recipe, which the ledger does not understand, so
// whoever starts a node brings it. It is part of consensus: the same arguments give the same source on every validator, or an error on
// every one. It must be safe for concurrent use.
type Programs interface {
	// Effort is a measure of the work that Source may take for a recipe, at little cost; each costs GasPerEffort.
	Effort(recipe []byte) uint64
	// Source is that of a unit with a shard's seed and so many steps of a run with a recipe, on so many records of a size in bytes.
	Source(recipe []byte, recordSize, records uint64, shard protocol.Hash, steps int) (bisect.Source, error)
	// Aggregate is the hash of the program that aggregates so many units.
	Aggregate(recipe []byte, recordSize, records uint64, units int) (protocol.Hash, error)
	// Fold is the source of an aggregate from a model and dispute.AggregateInputs.
	Fold(recipe []byte, recordSize, records uint64, model protocol.Hash, inputs []protocol.Hash) (bisect.Source, error)
}

// noPrograms is for a chain that offers no disputes.
type noPrograms struct{}

// Effort is none.
func (noPrograms) Effort([]byte) uint64 { return 0 }

var errNoPrograms = errors.New("this chain offers no disputes")

// Source is an error.
func (noPrograms) Source([]byte, uint64, uint64, protocol.Hash, int) (bisect.Source, error) {
	return nil, errNoPrograms
}

// Aggregate is an error.
func (noPrograms) Aggregate([]byte, uint64, uint64, int) (protocol.Hash, error) {
	return protocol.Hash{}, errNoPrograms
}

// Fold is an error.
func (noPrograms) Fold([]byte, uint64, uint64, protocol.Hash, []protocol.Hash) (bisect.Source, error) {
	return nil, errNoPrograms
}

// Works is what this module needs of the runs.
type Works interface {
	// Run returns the state of a run after charging for it, or protocol.ErrNotFound.
	Run(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*work.State, error)
	// OpenGame tells a run that a dispute over one of its units or votes is open.
	OpenGame(ctx sdk.Context, run *work.State, round, unit uint32, opener protocol.Account) error
	// CloseGame tells a run how a dispute over one of its units or votes has ended; c is nil if the claim stands.
	CloseGame(ctx sdk.Context, run protocol.Hash, round, unit uint32, opener protocol.Account, c *work.Conviction, charge escrow.Charge) error
}

// Datasets is what this module needs of the registry.
type Datasets interface {
	// Dataset returns one after charging for it, or protocol.ErrNotFound.
	Dataset(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Dataset, error)
}
