package params

import (
	"bytes"
	"context"
	"fmt"

	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/params/paramspb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/params"
)

type msgServer struct {
	*Keeper
	addresses address.Codec
}

// Execute hosts the rules of package params for governance, and refuses everybody else.
func (s msgServer) Execute(ctx context.Context, m *paramspb.MsgExecute) (*paramspb.MsgExecuteResponse, error) {
	return hosted.Execute[paramspb.MsgExecuteResponse](ctx, s.addresses, m, params.DecodeMsg, func(metered sdk.Context, msg protocol.Msg, from protocol.Account) error {
		if !bytes.Equal(from[:], s.governance) {
			return sdkerrors.ErrUnauthorized.Wrapf("%s is not governance", m.From)
		}
		return s.execute(escrow.Unmetered(metered), msg)
	})
}

func (s msgServer) execute(ctx sdk.Context, msg protocol.Msg) error {
	switch m := msg.(type) {
	case params.Set:
		return s.set(ctx, m)
	case params.Cancel:
		return s.cancel(ctx, m)
	}
	return fmt.Errorf("%w: message %s", protocol.ErrInvalid, msg.Kind())
}
