//go:build upgrade_drill

package app

import (
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/network"
)

// The drill of an upgrade builds a second program, which has one that makes gas dearer.
func init() {
	Upgrades = append(Upgrades, Upgrade{Name: "drill", Apply: func(ctx sdk.Context, a *App) error {
		p := a.FeeMarket.GetParams(ctx)
		p.MinGasPrice = math.LegacyNewDec(5 * network.MinGasPrice)
		return a.FeeMarket.SetParams(ctx, p)
	}})
}
