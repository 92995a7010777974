package commons

import (
	"context"
	"encoding/json"

	"cosmossdk.io/core/address"
	"cosmossdk.io/core/appmodule"
	"cosmossdk.io/core/genesis"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdkruntime "github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
	"github.com/grpc-ecosystem/grpc-gateway/runtime"

	"github.com/mutirao/mutirao/chain/x/commons/commonspb"
	"github.com/mutirao/mutirao/protocol/commons"
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
	r.RegisterImplementations((*sdk.Msg)(nil), &commonspb.MsgExecute{})
	msgservice.RegisterMsgServiceDesc(r, &commonspb.Msg_serviceDesc)
}

// RegisterInterfaces registers the module's message.
func (Module) RegisterInterfaces(r codectypes.InterfaceRegistry) { RegisterInterfaces(r) }

// RegisterServices connects the message and query servers.
func (m Module) RegisterServices(c module.Configurator) {
	commonspb.RegisterMsgServer(c.MsgServer(), msgServer{m.keeper, m.addresses})
	commonspb.RegisterQueryServer(c.QueryServer(), queryServer{m.keeper})
}

// EndBlock lets a step of conviction pass and bids for jobs.
func (m Module) EndBlock(ctx context.Context) error {
	return m.keeper.endBlock(sdk.UnwrapSDKContext(ctx))
}

// DefaultGenesis is a chain without proposals.
func (m Module) DefaultGenesis(t appmodule.GenesisTarget) error {
	return m.keeper.schema.DefaultGenesis(t)
}

// ValidateGenesis checks the form of every stored value.
func (m Module) ValidateGenesis(s appmodule.GenesisSource) error {
	return m.keeper.schema.ValidateGenesis(s)
}

// InitGenesis imports all records; their money comes with the bank's genesis.
func (m Module) InitGenesis(ctx context.Context, s appmodule.GenesisSource) error {
	return m.keeper.schema.InitGenesis(ctx, s)
}

// ExportGenesis exports all records.
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

// Genesis is the first state of a network whose commons has these parameters.
func Genesis(p commons.Params) (json.RawMessage, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	k, err := NewKeeper(NewCredits(sdkruntime.NewKVStoreService(storetypes.NewKVStoreKey(ModuleName))), nil, nil, nil, "", p.Treasury) // nothing is read
	if err != nil {
		return nil, err
	}
	var state genesis.RawJSONTarget
	if err := k.schema.DefaultGenesis(state.Target()); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	entry, err := json.Marshal([]map[string]any{{"key": "item", "value": raw}})
	if err != nil {
		return nil, err
	}
	w, err := state.Target()("params")
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(entry); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return state.JSON()
}
