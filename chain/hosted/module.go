// Package hosted is what the modules that host rules of package protocol have in common: how the SDK sees such a module, how a message
// reaches its rules, and when the rules are next due. It must not import a module.
package hosted

import (
	"context"
	"encoding/json"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/appmodule"
	"cosmossdk.io/core/genesis"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/grpc-ecosystem/grpc-gateway/runtime"
)

// Module is a module whose state is one schema: its genesis is every stored value, whose money comes with the bank's. A module of the
// app embeds it, and adds its servers and what it does at the ends of a block.
type Module struct {
	name       string
	schema     collections.Schema
	interfaces func(codectypes.InterfaceRegistry)
}

var (
	_ module.AppModule     = Module{}
	_ appmodule.HasGenesis = Module{}
)

// NewModule returns the module of that name. interfaces registers its messages; a module without messages has nil.
func NewModule(name string, s collections.Schema, interfaces func(codectypes.InterfaceRegistry)) Module {
	return Module{name, s, interfaces}
}

// Name is the module's name and that of its store.
func (m Module) Name() string { return m.name }

// RegisterInterfaces registers the module's messages.
func (m Module) RegisterInterfaces(r codectypes.InterfaceRegistry) {
	if m.interfaces != nil {
		m.interfaces(r)
	}
}

// DefaultGenesis is a chain in which nothing has happened.
func (m Module) DefaultGenesis(t appmodule.GenesisTarget) error { return m.schema.DefaultGenesis(t) }

// ValidateGenesis checks the form of every stored value.
func (m Module) ValidateGenesis(s appmodule.GenesisSource) error { return m.schema.ValidateGenesis(s) }

// InitGenesis imports every stored value.
func (m Module) InitGenesis(ctx context.Context, s appmodule.GenesisSource) error {
	return m.schema.InitGenesis(ctx, s)
}

// ExportGenesis exports every stored value.
func (m Module) ExportGenesis(ctx context.Context, t appmodule.GenesisTarget) error {
	return m.schema.ExportGenesis(ctx, t)
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

// Genesis is the JSON of a module's default genesis in which one item of bytes holds the JSON of this value.
func Genesis(s collections.Schema, item string, value any) (json.RawMessage, error) {
	var state genesis.RawJSONTarget
	if err := s.DefaultGenesis(state.Target()); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	entry, err := json.Marshal([]map[string]any{{"key": "item", "value": raw}})
	if err != nil {
		return nil, err
	}
	w, err := state.Target()(item)
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
