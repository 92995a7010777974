package rewards

import (
	"context"

	"cosmossdk.io/core/appmodule"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"

	"github.com/mutirao/mutirao/chain/hosted"
)

// Module is the keeper as the app's module manager sees it.
type Module struct {
	hosted.Module
	keeper *Keeper
}

var (
	_ module.AppModule          = Module{}
	_ appmodule.HasBeginBlocker = Module{}
	_ appmodule.HasGenesis      = Module{}
)

// NewModule wraps a keeper. Delegations of a new network's genesis enter through the staking module.
func NewModule(k *Keeper) Module { return Module{hosted.NewModule(ModuleName, k.schema, nil), k} }

// BeginBlock counts who signed, divides and pays.
func (m Module) BeginBlock(ctx context.Context) error {
	return m.keeper.beginBlock(sdk.UnwrapSDKContext(ctx))
}
