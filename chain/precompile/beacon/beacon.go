// Package beacon is the precompiled contract through which Solidity reads the chain's beacon. It owns the gas of such calls. It must not
// import the app. The interface is contracts/src/IBeacon.sol.
package beacon

import (
	"errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/precompile/refusal"
	"github.com/mutirao/mutirao/chain/precompile/view"
	"github.com/mutirao/mutirao/chain/prevrandao"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
)

// Address is where the precompile lives on every chain of the network.
var Address = prevrandao.Address

// gasRead is that of a word of storage that nobody has read before in the transaction.
const gasRead = 2_100

// Values are those that the chain keeps, zero for none.
type Values interface {
	At(ctx sdk.Context, height protocol.Height) beacon.Value
}

// New returns the contract.
func New(values Values) *view.Contract {
	at := func(ctx sdk.Context, height protocol.Height) (beacon.Value, error) {
		if err := beacon.Readable(protocol.Height(ctx.BlockHeight()), height); err != nil {
			return beacon.Value{}, err
		}
		ctx.GasMeter().ConsumeGas(gasRead, "beacon")
		v := values.At(ctx, height)
		if v.IsZero() { // before the chain had a beacon
			return v, beacon.ErrForgotten
		}
		return v, nil
	}
	return view.New("beacon", "IBeacon", Address, map[string]view.Method{
		"beacon": func(ctx sdk.Context, _ []any) ([]any, error) {
			height := protocol.Height(ctx.BlockHeight()) - 1
			v, err := at(ctx, height)
			return []any{uint64(height), [32]byte(v)}, named(err, height)
		},
		"beaconAt": func(ctx sdk.Context, args []any) ([]any, error) {
			height := protocol.Height(args[0].(uint64))
			v, err := at(ctx, height)
			return []any{[32]byte(v)}, named(err, height)
		},
	})
}

// named is the interface's error for one of the rules'.
func named(err error, height protocol.Height) error {
	switch {
	case errors.Is(err, beacon.ErrNotYet):
		return refusal.New("NotYet", uint64(height))
	case errors.Is(err, beacon.ErrForgotten):
		return refusal.New("Forgotten", uint64(height))
	}
	return err
}
