package request

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
	_ module.AppModule        = Module{}
	_ appmodule.HasEndBlocker = Module{}
	_ appmodule.HasGenesis    = Module{}
)

// NewModule wraps a keeper.
func NewModule(k *Keeper) Module { return Module{hosted.NewModule(ModuleName, k.schema, nil), k} }

// EndBlock lets the time pass for requests that are due.
func (m Module) EndBlock(ctx context.Context) error {
	return m.keeper.endBlock(sdk.UnwrapSDKContext(ctx))
}
