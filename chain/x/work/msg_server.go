package work

import (
	"context"
	"fmt"

	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

type msgServer struct {
	*Keeper
	addresses address.Codec
}

// Execute hosts work.Apply: load, apply, store. Gas grows with the message and with the state of the run.
func (s msgServer) Execute(ctx context.Context, m *workpb.MsgExecute) (*workpb.MsgExecuteResponse, error) {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	escrow.ChargeMessage(sdkCtx, len(m.Body))
	from, err := s.addresses.StringToBytes(m.From)
	if err != nil {
		return nil, err
	}
	if len(from) != len(protocol.Account{}) {
		return nil, fault.ABCI(fmt.Errorf("%w: sender of %d bytes", protocol.ErrInvalid, len(from)))
	}
	msg, err := work.DecodeMsg(m.Kind, m.Body)
	if err != nil {
		return nil, fault.ABCI(err)
	}
	if err := s.apply(sdkCtx, msg, protocol.Account(from)); err != nil {
		return nil, fault.ABCI(err)
	}
	return &workpb.MsgExecuteResponse{}, nil
}

func (s msgServer) apply(metered sdk.Context, msg work.Msg, from protocol.Account) error {
	ctx := escrow.Unmetered(metered)
	env := escrow.Env(ctx)
	if create, ok := msg.(work.CreateRun); ok {
		return s.create(ctx, create, from, env)
	}
	state, err := s.Run(ctx, msg.Target(), escrow.ChargeState(metered))
	if err != nil {
		return err
	}
	if join, ok := msg.(work.Join); ok && join.Hire != nil {
		lease, err := s.market.Lease(ctx, join.Hire.Lease, escrow.ChargeState(metered))
		if err != nil {
			return err
		}
		if err := work.CheckHire(state, *join.Hire, from, lease); err != nil {
			return err
		}
	}
	next, effects, err := work.Apply(state, msg, from, env)
	if err != nil {
		return err
	}
	due, err := s.next(ctx, next.ID, env.Height)
	if err != nil {
		return err
	}
	return s.put(ctx, next, due, effects)
}

func (s msgServer) create(ctx sdk.Context, msg work.CreateRun, from protocol.Account, env protocol.Env) error {
	id := work.RunID(from, msg)
	switch exists, err := s.runs.Has(ctx, id[:]); {
	case err != nil:
		return err
	case exists:
		return fmt.Errorf("%w: run %s", protocol.ErrExists, id)
	}
	switch known, err := s.registry.HasDataset(ctx, msg.Spec.Dataset); {
	case err != nil:
		return err
	case !known:
		return fmt.Errorf("%w: dataset %s", protocol.ErrNotFound, msg.Spec.Dataset)
	}
	for _, p := range msg.Spec.Parents {
		switch known, err := s.registry.HasModel(ctx, p.Model); {
		case err != nil:
			return err
		case !known:
			return fmt.Errorf("%w: model %s", protocol.ErrNotFound, p.Model)
		}
	}
	next, effects, err := work.Apply(nil, msg, from, env)
	if err != nil {
		return err
	}
	n, err := s.count.Next(ctx)
	if err != nil {
		return err
	}
	if err := s.ids.Set(ctx, n, next.ID[:]); err != nil {
		return err
	}
	return s.put(ctx, next, env.Height, effects)
}
