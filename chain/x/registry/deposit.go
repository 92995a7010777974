package registry

import (
	"context"
	"errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// Deposit hosts registry.Deposit and returns the model. After an error the caller must drop all changes of ctx.
func (k *Keeper) Deposit(ctx sdk.Context, m registry.DepositModel, from protocol.Account, charge escrow.Charge) (registry.Model, error) {
	id, err := registry.DepositID(m.Artifact, from)
	if err != nil {
		return registry.Model{}, err
	}
	known, err := k.find(ctx, id, charge)
	if err != nil {
		return registry.Model{}, err
	}
	model, held, effects, err := registry.Deposit(m, known, from, escrow.Env(ctx))
	if err != nil {
		return registry.Model{}, err
	}
	if err := k.give(ctx, model.ID, held); err != nil {
		return registry.Model{}, err
	}
	if err := k.putArtifact(ctx, model.ID, m.Artifact); err != nil {
		return registry.Model{}, err
	}
	return model, k.putModel(ctx, model, effects)
}

// withdraw hosts registry.Withdraw.
func (s msgServer) withdraw(ctx sdk.Context, m registry.WithdrawModel, from protocol.Account, charge escrow.Charge) error {
	model, err := s.Model(ctx, m.Model, charge)
	if err != nil {
		return err
	}
	model, effects, err := registry.Withdraw(model, from)
	if err != nil {
		return err
	}
	if err := errors.Join(s.artifacts.Remove(ctx, m.Model[:]), s.sizes.Remove(ctx, m.Model[:])); err != nil {
		return err
	}
	return s.putModel(ctx, model, effects)
}

func (k *Keeper) putArtifact(ctx context.Context, id protocol.Hash, artifact []byte) error {
	return errors.Join(k.artifacts.Set(ctx, id[:], artifact), k.sizes.Set(ctx, id[:], uint64(len(artifact))))
}
