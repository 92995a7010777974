package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
)

// Holding returns what an account holds of a model, or protocol.ErrNotFound.
func (k *Keeper) Holding(ctx context.Context, model protocol.Hash, holder protocol.Account) (registry.Holding, error) {
	raw, err := k.holdings.Get(ctx, holdingKey(model, holder))
	if errors.Is(err, collections.ErrNotFound) {
		return registry.Holding{}, fmt.Errorf("%w: %s holds nothing of model %s", protocol.ErrNotFound, holder, model)
	}
	if err != nil {
		return registry.Holding{}, err
	}
	var h registry.Holding
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, fmt.Errorf("stored holding of %s: %w", holder, err)
	}
	return h, nil
}

func holdingKey(model protocol.Hash, holder protocol.Account) []byte {
	return append(model[:], holder[:]...)
}

func (k *Keeper) putHolding(ctx context.Context, h registry.Holding) error {
	key := holdingKey(h.Model, h.Holder)
	if h.Gone() {
		return k.holdings.Remove(ctx, key)
	}
	raw, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return k.holdings.Set(ctx, key, raw)
}

// give stores the holdings of a new model's first holders and makes its token. A model that is known has none to give.
func (k *Keeper) give(ctx sdk.Context, model protocol.Hash, held []registry.Holding) error {
	if len(held) == 0 {
		return nil
	}
	for _, h := range held {
		if err := k.putHolding(ctx, h); err != nil {
			return err
		}
	}
	return k.plant(ctx, model)
}

// parents loads the models that a run names.
func (k *Keeper) parents(ctx context.Context, named []work.Parent, charge escrow.Charge) ([]registry.Model, error) {
	var list []registry.Model
	for _, p := range named {
		m, err := k.Model(ctx, p.Model, charge)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// flow hosts registry.Flow and returns the model as it is then.
func (k *Keeper) flow(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Model, error) {
	m, parents, err := k.flowed(ctx, id, charge)
	if err != nil {
		return m, err
	}
	for _, p := range append(parents, m) {
		if err := put(ctx, k.models, p.ID, p); err != nil {
			return m, err
		}
	}
	return m, nil
}

// flowed is what flow would store: the model and its parents.
func (k *Keeper) flowed(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Model, []registry.Model, error) {
	m, err := k.Model(ctx, id, charge)
	if err != nil {
		return m, nil, err
	}
	var parents []registry.Model
	for _, edge := range m.Parents {
		p, err := k.Model(ctx, edge.Model, charge)
		if err != nil {
			return m, nil, err
		}
		parents = append(parents, p)
	}
	return registry.Flow(m, parents)
}

// Due is what a claim would pay a holder now; it changes nothing. It returns protocol.ErrNotFound for an unknown model.
func (k *Keeper) Due(ctx context.Context, model protocol.Hash, holder protocol.Account, charge escrow.Charge) (money.Amount, error) {
	m, _, err := k.flowed(ctx, model, charge)
	if err != nil {
		return money.Amount{}, err
	}
	h, err := k.Holding(ctx, model, holder)
	if errors.Is(err, protocol.ErrNotFound) {
		return money.Amount{}, nil
	}
	return h.Owed(m), err
}

// Claim hosts registry.Claim and returns what was paid. After an error the caller must drop all changes of ctx.
func (k *Keeper) Claim(ctx sdk.Context, m registry.ClaimDividend, charge escrow.Charge) (money.Amount, error) {
	model, err := k.flow(ctx, m.Model, charge)
	if err != nil {
		return money.Amount{}, err
	}
	h, err := k.Holding(ctx, m.Model, m.Holder)
	if err != nil {
		return money.Amount{}, err
	}
	due := h.Owed(model)
	model, h, effects, err := registry.Claim(model, h, escrow.Env(ctx))
	if err != nil {
		return money.Amount{}, err
	}
	if err := k.putHolding(ctx, h); err != nil {
		return money.Amount{}, err
	}
	return due, k.putModel(ctx, model, effects)
}

// Transfer hosts registry.Transfer. After an error the caller must drop all changes of ctx.
func (k *Keeper) Transfer(ctx sdk.Context, m registry.TransferShares, from protocol.Account, charge escrow.Charge) error {
	model, err := k.flow(ctx, m.Model, charge)
	if err != nil {
		return err
	}
	sender, err := k.Holding(ctx, m.Model, from)
	if err != nil {
		return err
	}
	var known *registry.Holding
	switch h, err := k.Holding(ctx, m.Model, m.To); {
	case err == nil:
		known = &h
	case !errors.Is(err, protocol.ErrNotFound):
		return err
	}
	sender, receiver, effects, err := registry.Transfer(m, model, sender, known)
	if err != nil {
		return err
	}
	for _, h := range []registry.Holding{sender, receiver} {
		if err := k.putHolding(ctx, h); err != nil {
			return err
		}
	}
	return k.putModel(ctx, model, effects)
}
