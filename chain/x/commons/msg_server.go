package commons

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/commons/commonspb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
)

type msgServer struct {
	*Keeper
	addresses address.Codec
}

// Execute hosts the rules of package commons: load, apply, store. Gas grows with the message and with what it reads.
func (s msgServer) Execute(ctx context.Context, m *commonspb.MsgExecute) (*commonspb.MsgExecuteResponse, error) {
	return hosted.Execute[commonspb.MsgExecuteResponse](ctx, s.addresses, m, commons.DecodeMsg, s.apply)
}

func (s msgServer) apply(metered sdk.Context, msg protocol.Msg, from protocol.Account) error {
	ctx, charge := escrow.Unmetered(metered), escrow.ChargeState(metered)
	switch m := msg.(type) {
	case commons.Propose:
		return s.propose(ctx, m, from)
	case commons.Vote:
		return s.vote(ctx, m, from, charge)
	}
	return fmt.Errorf("%w: %s", protocol.ErrInvalid, msg.Kind())
}

func (s msgServer) propose(ctx sdk.Context, m commons.Propose, from protocol.Account) error {
	p, err := s.Params(ctx)
	if err != nil {
		return err
	}
	o, effects, err := commons.Put(m, from, p, escrow.Env(ctx))
	if err != nil {
		return err
	}
	switch exists, err := s.proposals.Has(ctx, o.ID[:]); {
	case err != nil:
		return err
	case exists:
		return fmt.Errorf("%w: proposal %s", protocol.ErrExists, o.ID)
	}
	open, err := ids(ctx, s.open, nil, commons.MaxOpen)
	if err != nil {
		return err
	}
	if len(open) >= commons.MaxOpen {
		return fmt.Errorf("%w: %d proposals are voted on", protocol.ErrFull, len(open))
	}
	if err := s.runs().Known(ctx, m.Spec); err != nil {
		return err
	}
	if err := put(ctx, s.specs, o.ID, m); err != nil {
		return err
	}
	if err := s.putProposal(ctx, o); err != nil {
		return err
	}
	return s.execute(ctx, effects)
}

func (s msgServer) vote(ctx sdk.Context, m commons.Vote, from protocol.Account, charge escrow.Charge) error {
	o, err := s.Proposal(ctx, m.Proposal, charge)
	if err != nil {
		return err
	}
	stake, err := s.stake(ctx, m.Proposal, from)
	if err != nil {
		return err
	}
	o, stake, effects, err := commons.Cast(m, o, stake, from)
	if err != nil {
		return err
	}
	if err := s.putStake(ctx, stake); err != nil {
		return err
	}
	if err := s.putProposal(ctx, o); err != nil {
		return err
	}
	return s.execute(ctx, effects)
}

// stake is what an account has locked behind a proposal; of a stranger nothing.
func (k *Keeper) stake(ctx context.Context, proposal protocol.Hash, who protocol.Account) (s commons.Stake, err error) {
	raw, err := k.stakes.Get(ctx, collections.Join(proposal[:], who[:]))
	if errors.Is(err, collections.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(raw, &s)
}
