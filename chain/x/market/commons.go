package market

import (
	"context"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// Enter hosts market.Enter for the treasury.
func (k *Keeper) Enter(ctx sdk.Context, terms market.Terms) error {
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	b, effects, err := market.Enter(terms, k.treasury, params, escrow.Env(ctx))
	if err != nil {
		return err
	}
	if err := k.addBid(ctx, b); err != nil {
		return err
	}
	return k.execute(ctx, effects)
}

// Base is the base price of a class now, after charging for the size of its stored form, or protocol.ErrNotFound.
func (k *Keeper) Base(ctx context.Context, class market.Class, charge escrow.Charge) (auction.Price, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return 0, err
	}
	state, err := k.class(ctx, class.ID(), params, charge)
	return state.Base, err
}

// JobLeases lists the leases of a run of the commons that are offered or running.
func (k *Keeper) JobLeases(ctx context.Context, run protocol.Hash) ([]market.Lease, error) {
	var list []market.Lease
	err := k.jobs.Walk(ctx, collections.NewPrefixedPairRange[[]byte, []byte](jobKey(run, k.treasury)), func(key link) (bool, error) {
		l, err := k.Lease(ctx, protocol.Hash(key.K2()), escrow.Free)
		list = append(list, l)
		return false, err
	})
	return list, err
}
