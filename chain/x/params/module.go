package params

import (
	"context"
	"encoding/json"

	"cosmossdk.io/core/address"
	"cosmossdk.io/core/appmodule"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"

	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/params/paramspb"
	"github.com/mutirao/mutirao/protocol/params"
)

// Module is the keeper as the app's module manager sees it.
type Module struct {
	hosted.Module
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
func NewModule(k *Keeper, addresses address.Codec) Module {
	return Module{hosted.NewModule(ModuleName, k.schema, RegisterInterfaces), k, addresses}
}

// RegisterInterfaces registers the module's message.
func RegisterInterfaces(r codectypes.InterfaceRegistry) {
	r.RegisterImplementations((*sdk.Msg)(nil), &paramspb.MsgExecute{})
	msgservice.RegisterMsgServiceDesc(r, &paramspb.Msg_serviceDesc)
}

// RegisterServices connects the message and query servers.
func (m Module) RegisterServices(c module.Configurator) {
	paramspb.RegisterMsgServer(c.MsgServer(), msgServer{m.keeper, m.addresses})
	paramspb.RegisterQueryServer(c.QueryServer(), queryServer{m.keeper})
}

// BeginBlock applies the changes that hold from this block on.
func (m Module) BeginBlock(ctx context.Context) error {
	return m.keeper.beginBlock(sdk.UnwrapSDKContext(ctx))
}

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
