package params

import (
	"bytes"
	"context"
	"fmt"

	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/fault"
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
	metered := sdk.UnwrapSDKContext(ctx)
	escrow.ChargeMessage(metered, len(m.Body))
	from, err := s.addresses.StringToBytes(m.From)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(from, s.governance) {
		return nil, sdkerrors.ErrUnauthorized.Wrapf("%s is not governance", m.From)
	}
	msg, err := params.DecodeMsg(m.Kind, m.Body)
	if err != nil {
		return nil, fault.ABCI(err)
	}
	if err := s.execute(escrow.Unmetered(metered), msg); err != nil {
		return nil, fault.ABCI(err)
	}
	return &paramspb.MsgExecuteResponse{}, nil
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
