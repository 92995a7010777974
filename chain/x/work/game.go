package work

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// OpenGame hosts work.OpenGame: a dispute over a unit or a vote of a run that has been read in this state is open.
func (k *Keeper) OpenGame(ctx sdk.Context, run *work.State, round, unit uint32, opener protocol.Account) error {
	next, err := work.OpenGame(run, round, unit, opener)
	if err != nil {
		return err
	}
	due, err := k.next(ctx, run.ID, escrow.Env(ctx).Height)
	if err != nil {
		return err
	}
	return k.put(ctx, next, due, nil)
}

// CloseGame hosts work.CloseGame: a dispute over a unit or a vote has ended. The run ticks at the end of this block.
func (k *Keeper) CloseGame(ctx sdk.Context, id protocol.Hash, round, unit uint32, opener protocol.Account, c *work.Conviction, charge escrow.Charge) error {
	state, err := k.Run(ctx, id, charge)
	if err != nil {
		return err
	}
	env := escrow.Env(ctx)
	next, effects := work.CloseGame(state, round, unit, opener, c, env)
	if next == state {
		return nil
	}
	due, err := k.next(ctx, id, env.Height)
	if err != nil {
		return err
	}
	if err := k.put(ctx, next, due, effects); err != nil {
		return err
	}
	for _, f := range work.Forfeits(state, next) {
		if err := k.market.Forfeit(ctx, f.Lease, f.To, charge); err != nil {
			return err
		}
	}
	return nil
}
