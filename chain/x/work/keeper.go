// Package work hosts the rules of protocol/work on the chain: it loads a run, applies a message or lets a block pass,
// stores the new state and carries out the effects. It owns the keys under which runs and their records are stored, and
// no rule. Source: spec/work.md.
package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/record"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// ModuleName names the module, its store and the account that holds the escrow.
const ModuleName = "work"

// Keeper stores runs.
type Keeper struct {
	escrow   escrow.Escrow
	datasets Datasets
	schema   collections.Schema

	count   collections.Sequence                                 // runs created so far
	ids     collections.Map[uint64, []byte]                      // order of creation -> id
	runs    collections.Map[[]byte, []byte]                      // id -> work.State in JSON
	due     collections.Map[[]byte, uint64]                      // id -> height of its next Tick; absent when ended
	queue   collections.KeySet[collections.Pair[uint64, []byte]] // the same, ordered by height
	records record.Book                                          // of each run
}

// NewKeeper returns a keeper over the module's store.
func NewKeeper(service store.KVStoreService, bank escrow.Bank, datasets Datasets) (*Keeper, error) {
	b := collections.NewSchemaBuilder(service)
	k := &Keeper{
		escrow:   escrow.New(bank, ModuleName),
		datasets: datasets,
		count:    collections.NewSequence(b, collections.NewPrefix(0), "count"),
		ids:      collections.NewMap(b, collections.NewPrefix(1), "ids", collections.Uint64Key, collections.BytesValue),
		runs:     collections.NewMap(b, collections.NewPrefix(2), "runs", collections.BytesKey, collections.BytesValue),
		due:      collections.NewMap(b, collections.NewPrefix(3), "due", collections.BytesKey, collections.Uint64Value),
		queue: collections.NewKeySet(b, collections.NewPrefix(4), "queue",
			collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)),
		records: record.NewBook(b, collections.NewPrefix(5)),
	}
	var err error
	k.schema, err = b.Build()
	return k, err
}

// Run returns the state of a run after charging for the size of its stored form. It returns protocol.ErrNotFound.
func (k *Keeper) Run(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*work.State, error) {
	raw, err := k.runs.Get(ctx, id[:])
	if errors.Is(err, collections.ErrNotFound) {
		return nil, fmt.Errorf("%w: run %s", protocol.ErrNotFound, id)
	}
	if err != nil {
		return nil, err
	}
	charge(len(raw))
	s := new(work.State)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("stored run %s: %w", id, err)
	}
	return s, nil
}

// put stores s, plans its next Tick for height due, and carries out the effects.
func (k *Keeper) put(ctx sdk.Context, s *work.State, due protocol.Height, effects []protocol.Effect) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := k.runs.Set(ctx, s.ID[:], raw); err != nil {
		return err
	}
	if err := k.plan(ctx, s, due); err != nil {
		return err
	}
	return k.escrow.Execute(ctx, effects, k.records.Keep(ctx, s.ID))
}

// plan moves the next Tick of s to height due, or cancels it when the run has ended.
func (k *Keeper) plan(ctx context.Context, s *work.State, due protocol.Height) error {
	old, err := k.due.Get(ctx, s.ID[:])
	switch {
	case err == nil:
		if err := k.queue.Remove(ctx, collections.Join(old, s.ID[:])); err != nil {
			return err
		}
	case !errors.Is(err, collections.ErrNotFound):
		return err
	}
	if s.Phase.Ended() {
		return k.due.Remove(ctx, s.ID[:])
	}
	if err := k.due.Set(ctx, s.ID[:], uint64(due)); err != nil {
		return err
	}
	return k.queue.Set(ctx, collections.Join(uint64(due), s.ID[:]))
}
