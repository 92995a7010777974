package dispute

import (
	"context"
	"fmt"

	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/dispute/disputepb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/verify/bisect"
)

// Gas beyond that of a message and of the state that it reads, charged before the work.
const (
	GasPerMove           = 300_000   // signatures, proofs
	GasPerEffort         = 30_000    // making the unit's source anew, up to 0.3 ms, when a move asks it: nobody can count on another dispute having made it
	GasPerFold           = 2_000     // making the program of an aggregate, for each unit and measure of effort: up to 20 µs
	GasPerMicroOperation = 1_000_000 // what the referee computes at the end of a game: up to 10 ms
)

type msgServer struct {
	*Keeper
	addresses address.Codec
}

// Execute hosts dispute.Create and dispute.Apply: load, apply, store.
func (s msgServer) Execute(ctx context.Context, m *disputepb.MsgExecute) (*disputepb.MsgExecuteResponse, error) {
	return hosted.Execute[disputepb.MsgExecuteResponse](ctx, s.addresses, m, dispute.DecodeMsg, func(metered sdk.Context, msg dispute.Msg, from protocol.Account) error {
		metered.GasMeter().ConsumeGas(GasPerMove, "move")
		if open, ok := msg.(dispute.Open); ok {
			return s.open(metered, open, from)
		}
		return s.apply(metered, msg, from)
	})
}

func (s msgServer) open(metered sdk.Context, m dispute.Open, from protocol.Account) error {
	ctx, charge := escrow.Unmetered(metered), escrow.ChargeState(metered)
	run, err := s.works.Run(ctx, m.Run, charge)
	if err != nil {
		return err
	}
	data, err := s.datasets.Dataset(ctx, run.Spec.Dataset, charge)
	if err != nil {
		return err
	}
	t := terms{run.Spec.Recipe, data.RecordSize, data.Records}
	claim, inputs, err := dispute.Accused(run, m, data, func(units int) (protocol.Hash, error) {
		metered.GasMeter().ConsumeGas((GasPerEffort+GasPerFold*uint64(units))*s.programs.Effort(t.Recipe), "program of the aggregate")
		h, err := s.programs.Aggregate(t.Recipe, t.RecordSize, t.Records, units)
		if err != nil {
			return h, undisputable(run.ID, err)
		}
		return h, nil
	})
	if err != nil {
		return err
	}
	id := dispute.ID(claim, from, m.Nonce)
	switch known, err := s.known.Has(ctx, id[:]); {
	case err != nil:
		return err
	case known:
		return fmt.Errorf("%w: dispute %s", protocol.ErrExists, id)
	}
	if err := s.keepTerms(ctx, run.ID, t); err != nil {
		return err
	}
	s.chargeSource(metered, t)
	if _, err := s.source(t, claim, inputs); err != nil {
		return err
	}
	params, err := s.Params(ctx)
	if err != nil {
		return err
	}
	history, err := s.history(ctx, from)
	if err != nil {
		return err
	}
	next, effects, err := dispute.Create(m, claim, inputs, params.For(run.Spec.Price.PerUnit), history, from, escrow.Env(ctx))
	if err != nil {
		return err
	}
	if err := s.works.OpenGame(ctx, run, m.Round, m.Unit, from); err != nil {
		return err
	}
	return s.add(ctx, next, effects)
}

// chargeSource takes the gas of making a unit's source, whether or not it is at hand.
func (s msgServer) chargeSource(metered sdk.Context, t terms) {
	metered.GasMeter().ConsumeGas(GasPerEffort*s.programs.Effort(t.Recipe), "source of the unit")
}

func (s msgServer) apply(metered sdk.Context, msg dispute.Msg, from protocol.Account) error {
	ctx, charge := escrow.Unmetered(metered), escrow.ChargeState(metered)
	state, err := s.Dispute(ctx, msg.Target(), charge)
	if err != nil {
		return err
	}
	claim := state.Claim.Digest()
	switch settled, err := s.refuted.Has(ctx, claim[:]); {
	case err != nil:
		return err
	case settled: // the end of the block returns the bonds
		return fmt.Errorf("%w: the claim was refuted in another dispute", protocol.ErrFinished)
	}
	if state.Game.Stage.Judged() {
		metered.GasMeter().ConsumeGas(GasPerMicroOperation, "micro-operation")
	}
	next, effects, err := s.judge(metered, state, msg, from)
	if err != nil {
		return err
	}
	return s.keep(ctx, next, effects, charge)
}

// judge is dispute.Apply with a referee that reads the terms of the run and makes the unit's source only if it is asked.
func (s msgServer) judge(metered sdk.Context, state *dispute.State, msg dispute.Msg, from protocol.Account) (next *dispute.State, effects []protocol.Effect, err error) {
	defer catch(&err)
	ctx := escrow.Unmetered(metered)
	source := &lazy{make: func() (bisect.Source, error) {
		var t terms
		if _, err := load(ctx, s.runs, state.Claim.Run[:], &t, escrow.ChargeState(metered)); err != nil {
			return nil, err
		}
		s.chargeSource(metered, t)
		return s.source(t, state.Claim, state.Inputs)
	}}
	return dispute.Apply(state, msg, from, referee{source}, s.audits(ctx, state.Claim, escrow.ChargeState(metered)), escrow.Env(ctx))
}
