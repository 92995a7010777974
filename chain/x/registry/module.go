package registry

import (
	"context"

	"cosmossdk.io/core/address"
	"cosmossdk.io/core/appmodule"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
	"github.com/grpc-ecosystem/grpc-gateway/runtime"

	"github.com/mutirao/mutirao/chain/x/registry/registrypb"
)

// Module is the keeper as the app's module manager sees it.
type Module struct {
	keeper    *Keeper
	addresses address.Codec
}

var (
	_ module.AppModule        = Module{}
	_ module.HasServices      = Module{}
	_ appmodule.HasEndBlocker = Module{}
	_ appmodule.HasGenesis    = Module{}
)

// NewModule wraps a keeper; addresses reads the senders of messages.
func NewModule(k *Keeper, addresses address.Codec) Module { return Module{k, addresses} }

// Name is ModuleName.
func (Module) Name() string { return ModuleName }

// RegisterInterfaces registers the module's message.
func RegisterInterfaces(r codectypes.InterfaceRegistry) {
	r.RegisterImplementations((*sdk.Msg)(nil), &registrypb.MsgExecute{})
	msgservice.RegisterMsgServiceDesc(r, &registrypb.Msg_serviceDesc)
}

// RegisterInterfaces registers the module's message.
func (Module) RegisterInterfaces(r codectypes.InterfaceRegistry) { RegisterInterfaces(r) }

// RegisterServices connects the message and query servers.
func (m Module) RegisterServices(c module.Configurator) {
	registrypb.RegisterMsgServer(c.MsgServer(), msgServer{m.keeper, m.addresses})
	registrypb.RegisterQueryServer(c.QueryServer(), queryServer{m.keeper})
}

// EndBlock ends the channels and drops the uploads whose last block this is.
func (m Module) EndBlock(ctx context.Context) error {
	return m.keeper.endBlock(sdk.UnwrapSDKContext(ctx))
}

// DefaultGenesis is a chain without datasets and models.
func (m Module) DefaultGenesis(t appmodule.GenesisTarget) error {
	return m.keeper.schema.DefaultGenesis(t)
}

// ValidateGenesis checks the form of every stored value.
func (m Module) ValidateGenesis(s appmodule.GenesisSource) error {
	return m.keeper.schema.ValidateGenesis(s)
}

// InitGenesis imports all datasets, models, channels, uploads and records.
func (m Module) InitGenesis(ctx context.Context, s appmodule.GenesisSource) error {
	return m.keeper.schema.InitGenesis(ctx, s)
}

// ExportGenesis exports all datasets, models, channels, uploads and records.
func (m Module) ExportGenesis(ctx context.Context, t appmodule.GenesisTarget) error {
	return m.keeper.schema.ExportGenesis(ctx, t)
}

// ConsensusVersion counts incompatible changes of the stored form.
func (Module) ConsensusVersion() uint64 { return 1 }

// RegisterLegacyAminoCodec does nothing: messages are signed in protobuf.
func (Module) RegisterLegacyAminoCodec(*codec.LegacyAmino) {}

// RegisterGRPCGatewayRoutes does nothing: there is no REST gateway.
func (Module) RegisterGRPCGatewayRoutes(client.Context, *runtime.ServeMux) {}

// IsAppModule marks the type for the SDK.
func (Module) IsAppModule() {}

// IsOnePerModuleType marks the type for the SDK.
func (Module) IsOnePerModuleType() {}
