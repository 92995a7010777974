package work

import (
	"context"

	"cosmossdk.io/core/address"
	"cosmossdk.io/core/appmodule"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"

	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
)

// Module is the keeper as the app's module manager sees it.
type Module struct {
	hosted.Module
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
func NewModule(k *Keeper, addresses address.Codec) Module {
	return Module{hosted.NewModule(ModuleName, k.schema, RegisterInterfaces), k, addresses}
}

// RegisterInterfaces registers the module's message.
func RegisterInterfaces(r codectypes.InterfaceRegistry) {
	r.RegisterImplementations((*sdk.Msg)(nil), &workpb.MsgExecute{})
	msgservice.RegisterMsgServiceDesc(r, &workpb.Msg_serviceDesc)
}

// RegisterServices connects the message and query servers.
func (m Module) RegisterServices(c module.Configurator) {
	workpb.RegisterMsgServer(c.MsgServer(), msgServer{m.keeper, m.addresses})
	workpb.RegisterQueryServer(c.QueryServer(), queryServer{m.keeper})
}

// EndBlock lets the block pass for all runs that are due.
func (m Module) EndBlock(ctx context.Context) error {
	return m.keeper.endBlock(sdk.UnwrapSDKContext(ctx))
}
