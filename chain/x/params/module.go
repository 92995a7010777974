package params

import (
	"context"
	"encoding/json"

	"cosmossdk.io/core/address"
	"cosmossdk.io/core/appmodule"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
	"github.com/grpc-ecosystem/grpc-gateway/runtime"

	"github.com/mutirao/mutirao/chain/x/params/paramspb"
	"github.com/mutirao/mutirao/protocol/params"
)

// Module is the keeper as the app's module manager sees it.
type Module struct {
	keeper    *Keeper
	addresses address.Codec
}

var (
	_ module.AppModule          = Module{}
	_ module.HasServices        = Module{}
	_ appmodule.HasBeginBlocker = Module{}
	_ appmodule.HasGenesis      = Module{}
)

// NewModule wraps a keeper; addresses reads the senders of messages.
func NewModule(k *Keeper, addresses address.Codec) Module { return Module{k, addresses} }

// Name is ModuleName.
func (Module) Name() string { return ModuleName }

// RegisterInterfaces registers the module's message.
func RegisterInterfaces(r codectypes.InterfaceRegistry) {
	r.RegisterImplementations((*sdk.Msg)(nil), &paramspb.MsgExecute{})
	msgservice.RegisterMsgServiceDesc(r, &paramspb.Msg_serviceDesc)
}

// RegisterInterfaces registers the module's message.
func (Module) RegisterInterfaces(r codectypes.InterfaceRegistry) { RegisterInterfaces(r) }

// RegisterServices connects the message and query servers.
func (m Module) RegisterServices(c module.Configurator) {
	paramspb.RegisterMsgServer(c.MsgServer(), msgServer{m.keeper, m.addresses})
	paramspb.RegisterQueryServer(c.QueryServer(), queryServer{m.keeper})
}

// BeginBlock applies the changes that hold from this block on.
func (m Module) BeginBlock(ctx context.Context) error {
	return m.keeper.beginBlock(sdk.UnwrapSDKContext(ctx))
}

// DefaultGenesis is a chain in which nothing was decided, with the rules' pace.
func (m Module) DefaultGenesis(t appmodule.GenesisTarget) error {
	return m.keeper.schema.DefaultGenesis(t)
}

// ValidateGenesis checks the form of every stored value.
func (m Module) ValidateGenesis(s appmodule.GenesisSource) error {
	return m.keeper.schema.ValidateGenesis(s)
}

// InitGenesis imports what was decided.
func (m Module) InitGenesis(ctx context.Context, s appmodule.GenesisSource) error {
	return m.keeper.schema.InitGenesis(ctx, s)
}

// ExportGenesis exports what was decided.
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

// Genesis is the first state of a network whose numbers change at this pace.
func Genesis(t params.Terms) (json.RawMessage, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"terms": []map[string]any{{"key": "item", "value": raw}}, "pending": []any{}, "last": []any{}})
}
