package beacon

import (
	"encoding/json"
	"fmt"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/grpc-ecosystem/grpc-gateway/runtime"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
)

// Module is the keeper as the app's module manager sees it.
type Module struct{ keeper *Keeper }

var (
	_ module.AppModule  = Module{}
	_ module.HasGenesis = Module{}
)

// NewModule wraps a keeper.
func NewModule(k *Keeper) Module { return Module{k} }

// Genesis is the beacon's part of a network's first state. A network without it has no beacon.
type Genesis struct {
	Off    bool           `json:"off,omitempty"` // exported by a network that has none
	Values []beacon.Value `json:"values"`        // of the heights before the first block, the last one last; empty for the beginning
}

// Name is ModuleName.
func (Module) Name() string { return ModuleName }

// RegisterInterfaces does nothing: there are no messages.
func (Module) RegisterInterfaces(codectypes.InterfaceRegistry) {}

// DefaultGenesis is a beacon that begins.
func (Module) DefaultGenesis(codec.JSONCodec) json.RawMessage { return NewGenesis() }

// NewGenesis is the genesis of a beacon that begins.
func NewGenesis() json.RawMessage { return json.RawMessage(`{"values":[]}`) }

// ValidateGenesis checks the form.
func (Module) ValidateGenesis(_ codec.JSONCodec, _ client.TxEncodingConfig, raw json.RawMessage) error {
	_, err := read(raw)
	return err
}

// InitGenesis takes over the values. The state of a network that cannot begin has no way but a panic, as in the SDK's modules.
func (m Module) InitGenesis(ctx sdk.Context, _ codec.JSONCodec, raw json.RawMessage) {
	g, err := read(raw)
	if err == nil && !g.Off {
		err = m.keeper.Begin(ctx, g.Values)
	}
	if err != nil {
		panic(fmt.Errorf("genesis of the beacon: %w", err))
	}
}

// ExportGenesis writes the values that are kept after the last block.
func (m Module) ExportGenesis(ctx sdk.Context, _ codec.JSONCodec) json.RawMessage {
	last := now(ctx)
	g := Genesis{Off: m.keeper.At(ctx, last).IsZero(), Values: []beacon.Value{}}
	first := last
	for first > 0 && last-first < beacon.Slots-1 && !m.keeper.At(ctx, first-1).IsZero() {
		first--
	}
	for h := first; h <= last && !g.Off; h++ {
		g.Values = append(g.Values, m.keeper.At(ctx, h))
	}
	raw, err := json.Marshal(g)
	if err != nil {
		panic(err) // hashes have a form
	}
	return raw
}

// read bounds a genesis: each value takes its digits and a few signs more.
func read(raw json.RawMessage) (Genesis, error) {
	var g Genesis
	err := protocol.DecodeJSON(raw, 4096+beacon.Slots*128, &g)
	if err == nil && len(g.Values) > beacon.Slots {
		err = fmt.Errorf("%w: %d values of the beacon, at most %d are kept", protocol.ErrTooLarge, len(g.Values), beacon.Slots)
	}
	for _, v := range g.Values {
		if err == nil && v.IsZero() {
			err = fmt.Errorf("%w: a value of the beacon is zero", protocol.ErrInvalid)
		}
	}
	return g, err
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
