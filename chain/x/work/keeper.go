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
	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/record"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// ModuleName names the module, its store and the account that holds the escrow.
const ModuleName = "work"

// Keeper stores runs.
type Keeper struct {
	escrow   escrow.Escrow
	registry Registry
	market   Market
	commons  func() Commons
	schema   collections.Schema

	count   collections.Sequence            // runs created so far
	ids     collections.Map[uint64, []byte] // order of creation -> id
	runs    collections.Map[[]byte, []byte] // id -> work.State in JSON
	agenda  hosted.Agenda                   // the next Tick of each run that has not ended
	records record.Book                     // of each run
}

// NewKeeper returns a keeper over the module's store. commons is called when the app is complete.
func NewKeeper(service store.KVStoreService, bank escrow.Bank, registry Registry, market Market, commons func() Commons) (*Keeper, error) {
	b := collections.NewSchemaBuilder(service)
	k := &Keeper{
		escrow:   escrow.New(bank, ModuleName),
		registry: registry,
		market:   market,
		commons:  commons,
		count:    collections.NewSequence(b, collections.NewPrefix(0), "count"),
		ids:      collections.NewMap(b, collections.NewPrefix(1), "ids", collections.Uint64Key, collections.BytesValue),
		runs:     collections.NewMap(b, collections.NewPrefix(2), "runs", collections.BytesKey, collections.BytesValue),
		agenda:   hosted.NewAgenda(b, collections.NewPrefix(3), collections.NewPrefix(4)),
		records:  record.NewBook(b, collections.NewPrefix(5)),
	}
	var err error
	k.schema, err = b.Build()
	return k, err
}

// Run returns the state of a run after charging for the size of its stored form. It returns protocol.ErrNotFound.
func (k *Keeper) Run(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*work.State, error) {
	raw, err := k.raw(ctx, id)
	if err != nil {
		return nil, err
	}
	charge(len(raw))
	return decode(id, raw)
}

// raw is the stored form of a run, or protocol.ErrNotFound.
func (k *Keeper) raw(ctx context.Context, id protocol.Hash) ([]byte, error) {
	raw, err := k.runs.Get(ctx, id[:])
	if errors.Is(err, collections.ErrNotFound) {
		return nil, fmt.Errorf("%w: run %s", protocol.ErrNotFound, id)
	}
	return raw, err
}

func decode(id protocol.Hash, raw []byte) (*work.State, error) {
	s := new(work.State)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("stored run %s: %w", id, err)
	}
	return s, nil
}

// put stores s, plans its next Tick for height due unless it has ended, and carries out the effects.
func (k *Keeper) put(ctx sdk.Context, s *work.State, due protocol.Height, effects []protocol.Effect) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := k.runs.Set(ctx, s.ID[:], raw); err != nil {
		return err
	}
	if s.Phase.Ended() {
		if err = k.agenda.Cancel(ctx, s.ID); err == nil {
			err = k.market.Ended(ctx, s.ID, s.Author)
		}
	} else {
		err = k.agenda.Plan(ctx, s.ID, due)
	}
	if err != nil {
		return err
	}
	if effects, err = k.commons().Settle(ctx, s, effects); err != nil {
		return err
	}
	keep := k.records.Keep(ctx, s.ID)
	return k.escrow.Execute(ctx, effects, func(r protocol.Recorded) error {
		if err := k.judged(ctx, r); err != nil {
			return err
		}
		return keep(r)
	})
}

// judged tells the market what a recomputation found of a provider's unit.
func (k *Keeper) judged(ctx sdk.Context, r protocol.Recorded) error {
	receipt, ok := r.(work.Receipt)
	if !ok || receipt.Kind != work.ForUnit || receipt.Verdict != work.Verified && receipt.Verdict != work.Wrong {
		return nil
	}
	return k.market.Checked(ctx, receipt.To, receipt.Verdict == work.Verified)
}

// next is the height of the next Tick of a run that a message changes in block now. A message may complete a phase, so
// it is no later than now; a run that waits in the queue keeps its place.
func (k *Keeper) next(ctx context.Context, id protocol.Hash, now protocol.Height) (protocol.Height, error) {
	due, ok, err := k.agenda.Due(ctx, id)
	if err != nil || !ok {
		return now, err
	}
	return min(due, now), nil
}
