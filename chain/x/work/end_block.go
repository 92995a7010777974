package work

import (
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// The end of a block is paid by nobody, and strangers choose when their runs are due: these bound it. What is left over
// stays first in the queue for the next block.
const (
	// maxTicks is more than the runs that the messages of one block can change: escrow.GasPerMessage alone allows 666.
	maxTicks = 1000
	// maxTickBytes bounds the stored form of all runs that tick in one block. The largest run has less than 1 MiB, and
	// takes about 20 ms to decode, copy and write back.
	maxTickBytes = 8 << 20
	// retryBlocks is for how long a run rests whose Tick failed. That is a fault of ours, which does not pass by itself;
	// a message to the run is another attempt.
	retryBlocks = 1000
)

// endBlock hosts work.Tick for the runs that are due, in the order of their heights: those that a message changed in this
// block, and those whose phase reaches its deadline. Tick leaves every other run as it is, so they cost nothing.
func (k *Keeper) endBlock(metered sdk.Context) error {
	ctx := escrow.Unmetered(metered)
	env := escrow.Env(ctx)
	ids, err := k.agenda.Until(ctx, env.Height, maxTicks)
	if err != nil {
		return err
	}
	size := 0
	for i, id := range ids {
		raw, err := k.raw(ctx, id)
		if size += len(raw); i > 0 && size > maxTickBytes {
			break
		}
		if err == nil {
			err = k.tick(ctx, id, raw, env)
		}
		if err != nil {
			if err := k.postpone(ctx, id, env.Height+retryBlocks, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// tick lets the block pass for one run. A fault in it must not stop the chain: it becomes an error, and leaves no changes.
func (k *Keeper) tick(ctx sdk.Context, id protocol.Hash, raw []byte, env protocol.Env) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	state, err := decode(id, raw)
	if err != nil {
		return err
	}
	branch, write := ctx.CacheContext()
	next, effects := work.Tick(state, env)
	due := max(next.Due(), env.Height+1)
	if next == state { // nothing changed
		err = k.agenda.Plan(branch, id, due)
	} else {
		err = k.put(branch, next, due, effects)
		for _, lease := range work.Absences(state, next) {
			if err == nil {
				err = k.market.Absent(branch, lease)
			}
		}
	}
	if err != nil {
		return err
	}
	write()
	return nil
}

// postpone moves a run that cannot tick to a later height. The event leaves out why: no text of an error is part of what
// validators agree on.
func (k *Keeper) postpone(ctx sdk.Context, id protocol.Hash, until protocol.Height, why error) error {
	ctx.Logger().Error("run cannot tick", "module", ModuleName, "run", id.String(), "until", uint64(until), "err", why)
	ctx.EventManager().EmitEvent(sdk.NewEvent("work.postponed",
		sdk.NewAttribute("run", id.String()), sdk.NewAttribute("until", fmt.Sprint(until))))
	return k.agenda.Plan(ctx, id, until)
}
