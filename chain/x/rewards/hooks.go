package rewards

import (
	"context"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mutirao/mutirao/protocol/rewards"
)

// Hooks is what the staking module tells.
func (k *Keeper) Hooks() stakingtypes.StakingHooks { return hooks{k} }

type hooks struct{ *Keeper }

// BeforeDelegationCreated adds a delegation.
func (h hooks) BeforeDelegationCreated(ctx context.Context, who sdk.AccAddress, at sdk.ValAddress) error {
	v, err := h.validator(ctx, at)
	if err != nil {
		return err
	}
	v, holder := rewards.Enter(v)
	if err := h.setValidator(ctx, at, v); err != nil {
		return err
	}
	if err := put(ctx, h.holders, HolderKey(at, who), holder); err != nil {
		return err
	}
	b, err := h.Book(ctx)
	if err != nil {
		return err
	}
	b.Holders++
	return h.setBook(ctx, b)
}

// BeforeDelegationSharesModified pays what the shares have earned.
func (h hooks) BeforeDelegationSharesModified(ctx context.Context, who sdk.AccAddress, at sdk.ValAddress) error {
	return h.settle(sdk.UnwrapSDKContext(ctx), at, who)
}

// BeforeDelegationRemoved takes a delegation away, which was paid just before.
func (h hooks) BeforeDelegationRemoved(ctx context.Context, who sdk.AccAddress, at sdk.ValAddress) error {
	key := HolderKey(at, who)
	v, err := h.validator(ctx, at)
	if err != nil {
		return err
	}
	holder, err := h.holder(ctx, key)
	if err != nil {
		return err
	}
	b, err := h.Book(ctx)
	if err != nil {
		return err
	}
	v, b.Loose = rewards.Leave(v, holder, b.Loose)
	b.Holders--
	if err := h.setValidator(ctx, at, v); err != nil {
		return err
	}
	if err := h.holders.Remove(ctx, key); err != nil {
		return err
	}
	return h.setBook(ctx, b)
}

// The rest of what the staking module tells changes no shares.

// AfterDelegationModified does nothing.
func (hooks) AfterDelegationModified(context.Context, sdk.AccAddress, sdk.ValAddress) error {
	return nil
}

// AfterValidatorCreated does nothing.
func (hooks) AfterValidatorCreated(context.Context, sdk.ValAddress) error { return nil }

// BeforeValidatorModified does nothing.
func (hooks) BeforeValidatorModified(context.Context, sdk.ValAddress) error { return nil }

// AfterValidatorRemoved does nothing: its last delegation went before.
func (hooks) AfterValidatorRemoved(context.Context, sdk.ConsAddress, sdk.ValAddress) error {
	return nil
}

// AfterValidatorBonded does nothing.
func (hooks) AfterValidatorBonded(context.Context, sdk.ConsAddress, sdk.ValAddress) error { return nil }

// AfterValidatorBeginUnbonding does nothing.
func (hooks) AfterValidatorBeginUnbonding(context.Context, sdk.ConsAddress, sdk.ValAddress) error {
	return nil
}

// BeforeValidatorSlashed does nothing: all shares of a validator lose the same.
func (hooks) BeforeValidatorSlashed(context.Context, sdk.ValAddress, math.LegacyDec) error {
	return nil
}

// AfterUnbondingInitiated does nothing.
func (hooks) AfterUnbondingInitiated(context.Context, uint64) error { return nil }
