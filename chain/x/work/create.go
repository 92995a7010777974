package work

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// Create hosts work.Apply for a new run of an author. Errors besides the rule's: ErrExists, and those of Known.
func (k *Keeper) Create(ctx sdk.Context, msg work.CreateRun, from protocol.Account, env protocol.Env) error {
	id := work.RunID(from, msg)
	switch exists, err := k.runs.Has(ctx, id[:]); {
	case err != nil:
		return err
	case exists:
		return fmt.Errorf("%w: run %s", protocol.ErrExists, id)
	}
	if err := k.Known(ctx, msg.Spec); err != nil {
		return err
	}
	next, effects, err := work.Apply(nil, msg, from, env)
	if err != nil {
		return err
	}
	n, err := k.count.Next(ctx)
	if err != nil {
		return err
	}
	if err := k.ids.Set(ctx, n, next.ID[:]); err != nil {
		return err
	}
	return k.put(ctx, next, env.Height, effects)
}

// Known refuses what names a dataset or parents that the registry does not have, with ErrNotFound.
func (k *Keeper) Known(ctx context.Context, spec work.Spec) error {
	switch known, err := k.registry.HasDataset(ctx, spec.Dataset); {
	case err != nil:
		return err
	case !known:
		return fmt.Errorf("%w: dataset %s", protocol.ErrNotFound, spec.Dataset)
	}
	for _, p := range spec.Parents {
		switch known, err := k.registry.HasModel(ctx, p.Model); {
		case err != nil:
			return err
		case !known:
			return fmt.Errorf("%w: model %s", protocol.ErrNotFound, p.Model)
		}
	}
	return nil
}
