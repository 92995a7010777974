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

// Class returns what a class offers and costs in the batch that is open, or protocol.ErrNotFound.
func (k *Keeper) Class(ctx sdk.Context, id protocol.Hash, charge escrow.Charge) (market.ClassState, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return market.ClassState{}, err
	}
	return k.class(ctx, id, params, charge)
}

// Quote says what each of so many units costs that are taken at once by somebody who asks for a reputation, and how many of them are free.
func (k *Keeper) Quote(ctx sdk.Context, c market.Class, n, minReputation uint32, charge escrow.Charge) (auction.Price, uint32, error) {
	state, err := k.Class(ctx, c.ID(), charge)
	if err != nil {
		return 0, 0, err
	}
	env := escrow.Env(ctx)
	offers, err := k.best(ctx, c, maxOffers, minReputation, units(c, n, minReputation, env), env, charge)
	if err != nil {
		return 0, 0, err
	}
	price, free := market.Instant(c, n, minReputation, state.Base, offers, env)
	return price, free, nil
}

// LeasesOf lists the leases that an account buys or provides, by id, after a given one, at most max.
func (k *Keeper) LeasesOf(ctx context.Context, who protocol.Account, after protocol.Hash, max int, charge escrow.Charge) ([]market.Lease, error) {
	within := collections.NewPrefixedPairRange[[]byte, []byte](who[:])
	if !after.IsZero() {
		within = within.StartExclusive(after[:])
	}
	var list []market.Lease
	if max < 1 {
		return list, nil
	}
	err := k.parties.Walk(ctx, within, func(key link) (bool, error) {
		l, err := k.Lease(ctx, protocol.Hash(key.K2()), charge)
		list = append(list, l)
		return len(list) == max, err
	})
	return list, err
}
