package app

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"

	"github.com/mutirao/mutirao/chain/network"
)

// treasury receives what governance gives to the community.
type treasury struct{ bank bankkeeper.Keeper }

// FundCommunityPool sends coins to the treasury.
func (t treasury) FundCommunityPool(ctx context.Context, amount sdk.Coins, from sdk.AccAddress) error {
	return t.bank.SendCoinsFromAccountToModule(ctx, from, network.TreasuryAccount, amount)
}
