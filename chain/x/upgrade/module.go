// Package upgrade runs the SDK's upgrade keeper without its module, whose command line links the clouds' storage clients: the chain
// stops before the height that governance set unless the program knows the upgrade, and applies it there. It owns no store and no rule.
package upgrade

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/core/appmodule"
	"cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/upgrade/keeper"
	"github.com/cosmos/cosmos-sdk/x/upgrade/types"
	"github.com/grpc-ecosystem/grpc-gateway/runtime"
)

// ModuleName names the module and its store.
const ModuleName = types.ModuleName

// ErrNeeded reports that the chain goes on with another version of the program only. A block that fails with it stops the node.
var ErrNeeded = errors.New("UPGRADE NEEDED")

// Module is the keeper as the app's module manager sees it.
type Module struct {
	keeper *keeper.Keeper
	store  store.KVStoreService
}

var (
	_ module.AppModule        = Module{}
	_ module.HasServices      = Module{}
	_ module.HasGenesis       = Module{}
	_ appmodule.HasPreBlocker = Module{}
)

// NewModule wraps a keeper over its store.
func NewModule(k *keeper.Keeper, s store.KVStoreService) Module { return Module{k, s} }

// Name is ModuleName.
func (Module) Name() string { return ModuleName }

// RegisterInterfaces registers the module's messages.
func RegisterInterfaces(r codectypes.InterfaceRegistry) { types.RegisterInterfaces(r) }

// RegisterInterfaces registers the module's messages.
func (Module) RegisterInterfaces(r codectypes.InterfaceRegistry) { RegisterInterfaces(r) }

// RegisterServices connects the message and query servers.
func (m Module) RegisterServices(c module.Configurator) {
	types.RegisterMsgServer(c.MsgServer(), keeper.NewMsgServerImpl(m.keeper))
	types.RegisterQueryServer(c.QueryServer(), m.keeper)
}

// PreBlock applies the upgrade that is due, or stops. A program that knows an upgrade before its time stops too: its rules might differ
// already.
func (m Module) PreBlock(ctx context.Context) (appmodule.ResponsePreBlock, error) {
	none := &sdk.ResponsePreBlock{}
	plan, err := m.keeper.GetUpgradePlan(ctx)
	switch {
	case errors.Is(err, types.ErrNoUpgradePlanFound):
		return none, m.known(ctx)
	case err != nil:
		return none, err
	}
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	switch knows := m.keeper.HasHandler(plan.Name); {
	case sdkCtx.BlockHeight() < plan.Height && knows:
		return none, fmt.Errorf("%w: this program has upgrade %q, which is due at block %d: use the one before it until then", ErrNeeded, plan.Name, plan.Height)
	case sdkCtx.BlockHeight() < plan.Height:
		return none, m.known(ctx)
	case m.keeper.IsSkipHeight(sdkCtx.BlockHeight()):
		return none, m.keeper.ClearUpgradePlan(ctx)
	case !knows:
		if err := m.keeper.DumpUpgradeInfoToDisk(sdkCtx.BlockHeight(), plan); err != nil {
			return none, err
		}
		sdkCtx.Logger().Error("upgrade needed", "name", plan.Name, "height", plan.Height, "info", plan.Info)
		return none, fmt.Errorf("%w: block %d is for a program with upgrade %q (%s)", ErrNeeded, plan.Height, plan.Name, plan.Info)
	}
	if err := m.keeper.ApplyUpgrade(sdkCtx.WithBlockGasMeter(storetypes.NewInfiniteGasMeter()), plan); err != nil {
		return none, fmt.Errorf("upgrade %q: %w", plan.Name, err)
	}
	return &sdk.ResponsePreBlock{ConsensusParamsChanged: true}, nil
}

// known refuses a program from before the last upgrade.
func (m Module) known(ctx context.Context) error {
	if m.keeper.DowngradeVerified() {
		return nil
	}
	last, height, err := m.keeper.GetLastCompletedUpgrade(ctx)
	if err != nil {
		return err
	}
	if last != "" && !m.keeper.HasHandler(last) {
		return fmt.Errorf("%w: the chain has had upgrade %q at block %d, this program does not know it", ErrNeeded, last, height)
	}
	m.keeper.SetDowngradeVerified(true)
	return nil
}

// ConsensusVersion is that of the SDK's module.
func (Module) ConsensusVersion() uint64 { return 3 }

// RegisterLegacyAminoCodec does nothing: messages are signed in protobuf.
func (Module) RegisterLegacyAminoCodec(*codec.LegacyAmino) {}

// RegisterGRPCGatewayRoutes does nothing: there is no REST gateway.
func (Module) RegisterGRPCGatewayRoutes(client.Context, *runtime.ServeMux) {}

// IsAppModule marks the type for the SDK.
func (Module) IsAppModule() {}

// IsOnePerModuleType marks the type for the SDK.
func (Module) IsOnePerModuleType() {}
