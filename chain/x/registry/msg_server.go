package registry

import (
	"context"
	"fmt"
	"strings"

	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/registry/registrypb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
)

type msgServer struct {
	*Keeper
	addresses address.Codec
}

// Execute hosts the rules of packages registry and voucher: load, apply, store. Gas grows with the message and with what it reads.
func (s msgServer) Execute(ctx context.Context, m *registrypb.MsgExecute) (*registrypb.MsgExecuteResponse, error) {
	decode := registry.DecodeMsg
	if strings.HasPrefix(m.Kind, "voucher/") {
		decode = voucher.DecodeMsg
	}
	return hosted.Execute[registrypb.MsgExecuteResponse](ctx, s.addresses, m, decode, s.apply)
}

func (s msgServer) apply(metered sdk.Context, msg protocol.Msg, from protocol.Account) error {
	ctx, charge := escrow.Unmetered(metered), escrow.ChargeState(metered)
	switch m := msg.(type) {
	case registry.RegisterDataset:
		return s.register(ctx, m, from)
	case registry.PublishModel:
		return s.publish(metered, m, from, charge)
	case registry.Use:
		model, err := s.Model(ctx, m.Model, charge)
		if err != nil {
			return err
		}
		return s.Use(ctx, m, model, from)
	case registry.DivideIncome:
		_, err := s.flow(ctx, m.Model, charge)
		return err
	case registry.ClaimDividend:
		_, err := s.Claim(ctx, m, charge)
		return err
	case registry.TransferShares:
		return s.Transfer(ctx, m, from, charge)
	case registry.DepositModel:
		escrow.ChargeShares(metered, 1)
		_, err := s.Deposit(ctx, m, from, charge)
		return err
	case registry.WithdrawModel:
		return s.withdraw(ctx, m, from, charge)
	case registry.OpenUpload:
		return s.openUpload(ctx, m, from)
	case registry.AddChunk:
		return s.addChunk(metered, m, from)
	case registry.AbortUpload:
		return s.abortUpload(ctx, m, from, charge)
	case voucher.Open:
		return s.openChannel(ctx, m, from)
	case voucher.Fund:
		return s.changeChannel(ctx, m.Channel, charge, func(c voucher.Channel) (voucher.Channel, []protocol.Effect, error) {
			return voucher.AddFunds(c, m, from, escrow.Env(ctx))
		})
	case voucher.Close:
		return s.changeChannel(ctx, m.Channel, charge, func(c voucher.Channel) (voucher.Channel, []protocol.Effect, error) {
			return voucher.GiveNotice(c, from, escrow.Env(ctx))
		})
	case voucher.Redeem:
		return s.redeem(metered, m, from)
	}
	return fmt.Errorf("%w: %s", protocol.ErrInvalid, msg.Kind())
}

func (s msgServer) register(ctx sdk.Context, m registry.RegisterDataset, from protocol.Account) error {
	d, effects, err := registry.Register(m, from, escrow.Env(ctx))
	if err != nil {
		return err
	}
	switch exists, err := s.HasDataset(ctx, d.ID); {
	case err != nil:
		return err
	case exists:
		return fmt.Errorf("%w: dataset %s", protocol.ErrExists, d.ID)
	}
	if err := put(ctx, s.datasets, d.ID, d); err != nil {
		return err
	}
	return s.escrow.Execute(ctx, effects, s.records.Keep(ctx, d.ID))
}

func (s msgServer) publish(metered sdk.Context, m registry.PublishModel, from protocol.Account, charge escrow.Charge) error {
	ctx := escrow.Unmetered(metered)
	run, err := s.runs(ctx, m.Run, charge)
	if err != nil {
		return err
	}
	data, err := s.Dataset(ctx, run.Spec.Dataset, charge)
	if err != nil {
		return err
	}
	known, err := s.find(ctx, registry.ModelID(run.Spec.InferenceProgram, run.Current.Model, run.ID), charge)
	if err != nil {
		return err
	}
	parents, err := s.parents(ctx, run.Spec.Parents, charge)
	if err != nil {
		return err
	}
	model, held, effects, err := registry.Publish(m, run, data, parents, known, from, escrow.Env(ctx))
	if err != nil {
		return err
	}
	escrow.ChargeShares(metered, len(held))
	if err := s.give(ctx, model.ID, held); err != nil {
		return err
	}
	if len(m.Artifact) > 0 {
		if err := s.putArtifact(ctx, model.ID, m.Artifact); err != nil {
			return err
		}
	}
	return s.putModel(ctx, model, effects)
}
