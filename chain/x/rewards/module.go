package rewards

import (
	"context"

	"cosmossdk.io/core/appmodule"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/grpc-ecosystem/grpc-gateway/runtime"
)

// Module is the keeper as the app's module manager sees it.
type Module struct{ keeper *Keeper }

var (
	_ module.AppModule          = Module{}
	_ appmodule.HasBeginBlocker = Module{}
	_ appmodule.HasGenesis      = Module{}
)

// NewModule wraps a keeper.
func NewModule(k *Keeper) Module { return Module{k} }

// Name is ModuleName.
func (Module) Name() string { return ModuleName }

// RegisterInterfaces does nothing: there are no messages.
func (Module) RegisterInterfaces(codectypes.InterfaceRegistry) {}

// BeginBlock counts who signed, divides and pays.
func (m Module) BeginBlock(ctx context.Context) error {
	return m.keeper.beginBlock(sdk.UnwrapSDKContext(ctx))
}

// DefaultGenesis is a chain in which nothing was earned. Delegations of a new network's genesis enter through the staking module.
func (m Module) DefaultGenesis(t appmodule.GenesisTarget) error {
	return m.keeper.schema.DefaultGenesis(t)
}

// ValidateGenesis checks the form of every stored value.
func (m Module) ValidateGenesis(s appmodule.GenesisSource) error {
	return m.keeper.schema.ValidateGenesis(s)
}

// InitGenesis imports what was earned; the coins come with the bank's genesis.
func (m Module) InitGenesis(ctx context.Context, s appmodule.GenesisSource) error {
	return m.keeper.schema.InitGenesis(ctx, s)
}

// ExportGenesis exports what was earned.
func (m Module) ExportGenesis(ctx context.Context, t appmodule.GenesisTarget) error {
	return m.keeper.schema.ExportGenesis(ctx, t)
}

// ConsensusVersion counts incompatible changes of the stored form.
func (Module) ConsensusVersion() uint64 { return 1 }

// RegisterLegacyAminoCodec does nothing: there are no messages.
func (Module) RegisterLegacyAminoCodec(*codec.LegacyAmino) {}

// RegisterGRPCGatewayRoutes does nothing: there is no REST gateway.
func (Module) RegisterGRPCGatewayRoutes(client.Context, *runtime.ServeMux) {}

// IsAppModule marks the type for the SDK.
func (Module) IsAppModule() {}

// IsOnePerModuleType marks the type for the SDK.
func (Module) IsOnePerModuleType() {}
