package hosted

import (
	"context"
	"fmt"

	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/protocol"
)

// Envelope is the one protobuf message of a module: docs/adr/006.
type Envelope interface {
	GetFrom() string
	GetKind() string
	GetBody() []byte
}

// Execute opens an envelope and applies what is in it: its gas is charged before anything else, and errors get the codes of the wire.
// R is the module's empty response; M is the message type of the rules, which decode reads from kind and body.
func Execute[R, M any](ctx context.Context, addresses address.Codec, e Envelope, decode func(kind string, body []byte) (M, error),
	apply func(sdk.Context, M, protocol.Account) error) (*R, error) {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	escrow.ChargeMessage(sdkCtx, len(e.GetBody()))
	from, err := addresses.StringToBytes(e.GetFrom())
	if err != nil {
		return nil, err
	}
	if len(from) != len(protocol.Account{}) {
		return nil, fault.ABCI(fmt.Errorf("%w: sender of %d bytes", protocol.ErrInvalid, len(from)))
	}
	msg, err := decode(e.GetKind(), e.GetBody())
	if err != nil {
		return nil, fault.ABCI(err)
	}
	if err := apply(sdkCtx, msg, protocol.Account(from)); err != nil {
		return nil, fault.ABCI(err)
	}
	return new(R), nil
}

// Hash is the hash that a query names.
func Hash(b []byte) (protocol.Hash, error) {
	if len(b) != len(protocol.Hash{}) {
		return protocol.Hash{}, fmt.Errorf("%w: id of %d bytes", protocol.ErrInvalid, len(b))
	}
	return protocol.Hash(b), nil
}
