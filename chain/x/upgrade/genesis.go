package upgrade

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/mutirao/mutirao/protocol"
)

// carried are the prefixes of what outlives an export: the upgrade that is decided, those that were made, and the version of the protocol.
// The versions of modules are those of the program that imports.
var carried = []byte{types.PlanByte, types.DoneByte, types.ProtocolVersionByte}

// Bounds of a genesis.
const (
	maxEntries = 10_000
	maxEntry   = 64 << 10 // bytes of a key or a value
)

// entry is one stored value.
type entry struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// state is the genesis of the module. The SDK's has none: a network that went on from an export would forget an upgrade that was voted for,
// and take a program from before the last one.
type state struct {
	Entries []entry `json:"entries,omitempty"` // ascending
}

// DefaultGenesis is a chain without upgrades.
func (Module) DefaultGenesis(codec.JSONCodec) json.RawMessage { return []byte("{}") }

// ValidateGenesis checks the form.
func (Module) ValidateGenesis(_ codec.JSONCodec, _ client.TxEncodingConfig, raw json.RawMessage) error {
	_, err := read(raw)
	return err
}

// read checks the form of a genesis. The error is ErrInvalid.
func read(raw json.RawMessage) (s state, err error) {
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("%w: genesis of upgrades: %w", protocol.ErrInvalid, err)
	}
	if len(s.Entries) > maxEntries {
		return s, fmt.Errorf("%w: genesis of upgrades: %d entries", protocol.ErrInvalid, len(s.Entries))
	}
	for i, e := range s.Entries {
		if len(e.Key) == 0 || len(e.Key) > maxEntry || len(e.Value) > maxEntry || !bytes.Contains(carried, e.Key[:1]) || i > 0 && bytes.Compare(s.Entries[i-1].Key, e.Key) >= 0 {
			return s, fmt.Errorf("%w: genesis of upgrades: entry %d", protocol.ErrInvalid, i)
		}
		if e.Key[0] == types.PlanByte {
			var plan types.Plan
			if err := plan.Unmarshal(e.Value); err != nil {
				return s, fmt.Errorf("%w: genesis of upgrades: plan: %w", protocol.ErrInvalid, err)
			}
			if err := plan.ValidateBasic(); err != nil {
				return s, fmt.Errorf("%w: genesis of upgrades: plan: %w", protocol.ErrInvalid, err)
			}
		}
	}
	return s, nil
}

// InitGenesis imports what was exported. It panics for what ValidateGenesis refuses, as the SDK's modules do.
func (m Module) InitGenesis(ctx sdk.Context, _ codec.JSONCodec, raw json.RawMessage) {
	s, err := read(raw)
	if err != nil {
		panic(err)
	}
	to := m.store.OpenKVStore(ctx)
	for _, e := range s.Entries {
		if err := to.Set(e.Key, e.Value); err != nil {
			panic(err)
		}
	}
}

// ExportGenesis exports what outlives an export.
func (m Module) ExportGenesis(ctx sdk.Context, _ codec.JSONCodec) json.RawMessage {
	var s state
	all, err := m.store.OpenKVStore(ctx).Iterator(nil, nil)
	if err != nil {
		panic(err)
	}
	defer all.Close()
	for ; all.Valid(); all.Next() {
		if bytes.Contains(carried, all.Key()[:1]) {
			s.Entries = append(s.Entries, entry{slices.Clone(all.Key()), slices.Clone(all.Value())})
		}
	}
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return raw
}
