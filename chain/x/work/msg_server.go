package work

import (
	"context"
	"fmt"

	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/hosted"
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
	return hosted.Execute[workpb.MsgExecuteResponse](ctx, s.addresses, m, work.DecodeMsg, s.apply)
}

func (s msgServer) apply(metered sdk.Context, msg work.Msg, from protocol.Account) error {
	ctx := escrow.Unmetered(metered)
	env := escrow.Env(ctx)
	if create, ok := msg.(work.CreateRun); ok {
		return s.Create(ctx, create, from, env)
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
	if join, ok := msg.(work.Join); ok && join.Newcomer {
		if msg, err = s.welcome(ctx, state, join, from, escrow.ChargeState(metered)); err != nil {
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
	if join, ok := msg.(work.Join); ok && join.Hire != nil && !join.Newcomer {
		if err := s.market.TakenUp(ctx, join.Hire.Lease); err != nil {
			return err
		}
	}
	return s.put(ctx, next, due, effects)
}

// welcome puts the price of a newcomer's units into its message.
func (s msgServer) welcome(ctx sdk.Context, run *work.State, m work.Join, from protocol.Account, charge escrow.Charge) (work.Msg, error) {
	if m.Hire != nil || run.Spec.Market == nil || !run.Spec.Calibration {
		return nil, fmt.Errorf("%w: newcomers join calibration runs, without a lease", protocol.ErrInvalid)
	}
	base, err := s.market.Base(ctx, run.Spec.Market.Class, charge)
	if err != nil {
		return nil, err
	}
	m.Hire = &work.Hire{Price: work.CalibrationPrice(base)}
	return m, s.commons().Welcome(ctx, from, run.ID)
}
