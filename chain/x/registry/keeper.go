// Package registry hosts the rules of protocol/registry and protocol/voucher on the chain: datasets, models with their artifacts, and
// the payment of uses, one by one or by vouchers. It owns the keys under which they are stored, and no rule. Source: spec/registry.md and
// spec/voucher.md.
package registry

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
	"github.com/mutirao/mutirao/protocol/registry"
)

// ModuleName names the module, its store and the account that fees pass through.
const ModuleName = "registry"

// Keeper stores datasets and models.
type Keeper struct {
	escrow escrow.Escrow
	runs   Runs
	plant  Plant
	schema collections.Schema

	datasets  collections.Map[[]byte, []byte] // id -> registry.Dataset in JSON
	models    collections.Map[[]byte, []byte] // id -> registry.Model in JSON
	artifacts collections.Map[[]byte, []byte] // id of a model -> its graph
	sizes     collections.Map[[]byte, uint64] // id of a model -> bytes of its graph
	records   record.Book                     // of each model
	holdings  collections.Map[[]byte, []byte] // id of a model and holder -> registry.Holding in JSON
	channels  collections.Map[[]byte, []byte] // id -> voucher.Channel in JSON, while it is open
	ofPayer   collections.KeySet[pair]        // payer, id of an open channel
	ends      collections.KeySet[due]         // last block, id of an open channel

	uploads    collections.Map[[]byte, []byte] // id -> registry.Upload in JSON, while it is open
	chunks     collections.Map[place, []byte]  // of an open upload
	uploadEnds collections.KeySet[due]         // last block, id of an open upload
}

type (
	pair = collections.Pair[[]byte, []byte]
	due  = collections.Pair[uint64, []byte]
)

// NewKeeper returns a keeper over the module's store.
func NewKeeper(service store.KVStoreService, bank escrow.Bank, runs Runs, plant Plant) (*Keeper, error) {
	b := collections.NewSchemaBuilder(service)
	k := &Keeper{
		escrow:    escrow.New(bank, ModuleName),
		runs:      runs,
		plant:     plant,
		datasets:  collections.NewMap(b, collections.NewPrefix(0), "datasets", collections.BytesKey, collections.BytesValue),
		models:    collections.NewMap(b, collections.NewPrefix(1), "models", collections.BytesKey, collections.BytesValue),
		artifacts: collections.NewMap(b, collections.NewPrefix(2), "artifacts", collections.BytesKey, collections.BytesValue),
		sizes:     collections.NewMap(b, collections.NewPrefix(3), "sizes", collections.BytesKey, collections.Uint64Value),
		records:   record.NewBook(b, collections.NewPrefix(4)),
		holdings:  collections.NewMap(b, collections.NewPrefix(5), "holdings", collections.BytesKey, collections.BytesValue),
		channels:  collections.NewMap(b, collections.NewPrefix(6), "channels", collections.BytesKey, collections.BytesValue),
		ofPayer: collections.NewKeySet(b, collections.NewPrefix(7), "channels_of_payer",
			collections.PairKeyCodec(collections.BytesKey, collections.BytesKey)),
		ends: collections.NewKeySet(b, collections.NewPrefix(8), "channel_ends",
			collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)),
		uploads: collections.NewMap(b, collections.NewPrefix(9), "uploads", collections.BytesKey, collections.BytesValue),
		chunks: collections.NewMap(b, collections.NewPrefix(10), "chunks",
			collections.PairKeyCodec(collections.BytesKey, collections.Uint64Key), collections.BytesValue),
		uploadEnds: collections.NewKeySet(b, collections.NewPrefix(11), "upload_ends",
			collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)),
	}
	var err error
	k.schema, err = b.Build()
	return k, err
}

// HasDataset reports whether id is registered.
func (k *Keeper) HasDataset(ctx context.Context, id protocol.Hash) (bool, error) {
	return k.datasets.Has(ctx, id[:])
}

// Dataset returns one dataset after charging for the size of its stored form, or protocol.ErrNotFound.
func (k *Keeper) Dataset(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Dataset, error) {
	return load[registry.Dataset](ctx, k.datasets, "dataset", id, charge)
}

// Model returns one model after charging for the size of its stored form, or protocol.ErrNotFound.
func (k *Keeper) Model(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Model, error) {
	return load[registry.Model](ctx, k.models, "model", id, charge)
}

// Artifact returns the graph of a model in its encoded form, or protocol.ErrNotFound if the ledger does not hold it.
func (k *Keeper) Artifact(ctx context.Context, id protocol.Hash) ([]byte, error) {
	raw, err := k.artifacts.Get(ctx, id[:])
	if errors.Is(err, collections.ErrNotFound) {
		return nil, fmt.Errorf("%w: artifact of model %s", protocol.ErrNotFound, id)
	}
	return raw, err
}

// ArtifactSize is the length of Artifact in bytes, without reading it.
func (k *Keeper) ArtifactSize(ctx context.Context, id protocol.Hash) (int, error) {
	n, err := k.sizes.Get(ctx, id[:])
	if errors.Is(err, collections.ErrNotFound) {
		return 0, fmt.Errorf("%w: artifact of model %s", protocol.ErrNotFound, id)
	}
	return int(n), err
}

// find is Model, nil if there is none.
func (k *Keeper) find(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*registry.Model, error) {
	model, err := k.Model(ctx, id, charge)
	if errors.Is(err, protocol.ErrNotFound) {
		return nil, nil
	}
	return &model, err
}

// HasModel reports whether id is registered.
func (k *Keeper) HasModel(ctx context.Context, id protocol.Hash) (bool, error) {
	return k.models.Has(ctx, id[:])
}

// Use hosts registry.Charge: from pays a fee to model. The caller has read model in this state and charged its gas. After an
// error the caller must drop all changes of ctx.
func (k *Keeper) Use(ctx sdk.Context, m registry.Use, model registry.Model, from protocol.Account) error {
	next, effects, err := registry.Charge(m, model, from, escrow.Env(ctx))
	if err != nil {
		return err
	}
	return k.putModel(ctx, next, effects)
}

func (k *Keeper) putModel(ctx sdk.Context, m registry.Model, effects []protocol.Effect) error {
	if err := put(ctx, k.models, m.ID, m); err != nil {
		return err
	}
	return k.escrow.Execute(ctx, effects, k.records.Keep(ctx, m.ID))
}

// load reads a value, charging for the size of its stored form before it is decoded.
func load[T any](ctx context.Context, from collections.Map[[]byte, []byte], what string, id protocol.Hash, charge escrow.Charge) (value T, err error) {
	raw, err := from.Get(ctx, id[:])
	if errors.Is(err, collections.ErrNotFound) {
		return value, fmt.Errorf("%w: %s %s", protocol.ErrNotFound, what, id)
	}
	if err != nil {
		return value, err
	}
	charge(len(raw))
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, fmt.Errorf("stored %s %s: %w", what, id, err)
	}
	return value, nil
}

func put(ctx context.Context, to collections.Map[[]byte, []byte], id protocol.Hash, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return to.Set(ctx, id[:], raw)
}
