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
	m, err := k.Model(ctx, id, charge)
	if err != nil {
		return m, err
	}
	var parents []registry.Model
	for _, edge := range m.Parents {
		p, err := k.Model(ctx, edge.Model, charge)
		if err != nil {
			return m, err
		}
		parents = append(parents, p)
	}
	m, parents, err = registry.Flow(m, parents)
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

// claim hosts registry.Claim.
func (s msgServer) claim(ctx sdk.Context, m registry.ClaimDividend, charge escrow.Charge) error {
	model, err := s.flow(ctx, m.Model, charge)
	if err != nil {
		return err
	}
	h, err := s.Holding(ctx, m.Model, m.Holder)
	if err != nil {
		return err
	}
	model, h, effects, err := registry.Claim(model, h, escrow.Env(ctx))
	if err != nil {
		return err
	}
	if err := s.putHolding(ctx, h); err != nil {
		return err
	}
	return s.putModel(ctx, model, effects)
}

// transfer hosts registry.Transfer.
func (s msgServer) transfer(ctx sdk.Context, m registry.TransferShares, from protocol.Account, charge escrow.Charge) error {
	model, err := s.flow(ctx, m.Model, charge)
	if err != nil {
		return err
	}
	sender, err := s.Holding(ctx, m.Model, from)
	if err != nil {
		return err
	}
	var known *registry.Holding
	switch h, err := s.Holding(ctx, m.Model, m.To); {
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
		if err := s.putHolding(ctx, h); err != nil {
			return err
		}
	}
	return s.putModel(ctx, model, effects)
}
