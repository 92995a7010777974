package commons

import (
	"context"
	"encoding/json"

	"cosmossdk.io/core/address"
	"cosmossdk.io/core/appmodule"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdkruntime "github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"

	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/commons/commonspb"
	"github.com/mutirao/mutirao/protocol/commons"
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
	r.RegisterImplementations((*sdk.Msg)(nil), &commonspb.MsgExecute{})
	msgservice.RegisterMsgServiceDesc(r, &commonspb.Msg_serviceDesc)
}

// RegisterServices connects the message and query servers.
func (m Module) RegisterServices(c module.Configurator) {
	commonspb.RegisterMsgServer(c.MsgServer(), msgServer{m.keeper, m.addresses})
	commonspb.RegisterQueryServer(c.QueryServer(), queryServer{m.keeper})
}

// EndBlock lets a step of conviction pass and bids for jobs.
func (m Module) EndBlock(ctx context.Context) error {
	return m.keeper.endBlock(sdk.UnwrapSDKContext(ctx))
}

// Genesis is the first state of a network whose commons has these parameters.
func Genesis(p commons.Params) (json.RawMessage, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	k, err := NewKeeper(NewCredits(sdkruntime.NewKVStoreService(storetypes.NewKVStoreKey(ModuleName))), nil, nil, nil, "", p.Treasury) // nothing is read
	if err != nil {
		return nil, err
	}
	return hosted.Genesis(k.schema, "params", p)
}
