package market

import (
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
)

// Ended notes that a run has ended: with the block, the leases that its author bought for it end, and with the batch those that come of it. The
// block in which it ended pays for two keys, whatever the run has leased.
func (k *Keeper) Ended(ctx sdk.Context, run protocol.Hash, author protocol.Account) error {
	p, err := k.Params(ctx)
	if err != nil {
		return err
	}
	at := now(ctx).Height
	for _, h := range []uint64{uint64(at), (p.Batch(at)+1)*p.BatchBlocks - 1} {
		if err := k.ended.Set(ctx, collections.Join(h, jobKey(run, author))); err != nil {
			return err
		}
	}
	return nil
}

// TakenUp hosts market.TakeUp: the provider of a lease has joined the run that hired it.
func (k *Keeper) TakenUp(ctx sdk.Context, id protocol.Hash) error {
	l, err := k.Lease(ctx, id, escrow.Free)
	if err != nil {
		return err
	}
	return k.putLease(ctx, l, market.TakeUp(l))
}

// Absent hosts market.Absent: the provider of a lease missed a duty in the run that hired it.
func (k *Keeper) Absent(ctx sdk.Context, lease protocol.Hash) error {
	l, err := k.Lease(ctx, lease, escrow.Free)
	if err != nil {
		return err
	}
	before, err := k.Ask(ctx, l.Ask, escrow.Free)
	if errors.Is(err, protocol.ErrNotFound) || err == nil && before.Closing {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := k.Params(ctx)
	if err != nil {
		return err
	}
	after, effects := market.Absent(before)
	if err := k.putAsk(ctx, before, after, p); err != nil {
		return err
	}
	return k.execute(ctx, effects)
}

// endJobs ends leases of runs that have ended, at most maxDue in a block. A run some of whose leases cannot end rests, and the others go on.
func (k *Keeper) endJobs(ctx sdk.Context, p market.Params, env protocol.Env) error {
	var runs []date
	until := collections.NewPrefixUntilPairRange[uint64, []byte](uint64(env.Height))
	if err := k.ended.Walk(ctx, until, func(key date) (bool, error) {
		runs = append(runs, key)
		return len(runs) == maxDue, nil
	}); err != nil {
		return err
	}
	left := maxDue
	for _, run := range runs {
		leases, all, err := k.openLeases(ctx, run.K2(), left)
		if err != nil {
			return err
		}
		failed := false
		for _, id := range leases {
			left--
			if err := escrow.Isolated(ctx, func(ctx sdk.Context) error { return k.endOfJob(ctx, id, p, env) }); err != nil {
				failed = true
				ctx.Logger().Error("lease of an ended run cannot end", "module", ModuleName, "lease", id.String(), "err", err)
				ctx.EventManager().EmitEvent(sdk.NewEvent("market.postponed", sdk.NewAttribute("lease", id.String())))
			}
		}
		if !all {
			return nil // the rest in the next block
		}
		if err := replace(ctx, k.ended, run, true, collections.Join(uint64(env.Height)+retryBlocks, run.K2()), failed); err != nil {
			return err
		}
	}
	return nil
}

// openLeases lists at most so many leases of a job that are offered or running, and tells whether these are all.
func (k *Keeper) openLeases(ctx sdk.Context, job []byte, most int) (list []protocol.Hash, all bool, err error) {
	all = true
	err = k.jobs.Walk(ctx, collections.NewPrefixedPairRange[[]byte, []byte](job), func(key link) (bool, error) {
		all = len(list) < most
		if all {
			list = append(list, protocol.Hash(key.K2()))
		}
		return !all, nil
	})
	return list, all, err
}

// endOfJob hosts market.EndOfJob.
func (k *Keeper) endOfJob(ctx sdk.Context, id protocol.Hash, p market.Params, env protocol.Env) error {
	l, err := k.Lease(ctx, id, escrow.Free)
	if err != nil {
		return err
	}
	ask, err := k.Ask(ctx, l.Ask, escrow.Free)
	if err != nil {
		return err
	}
	after, changed, effects := market.EndOfJob(l, ask, env)
	if err := k.putLease(ctx, l, after); err != nil {
		return err
	}
	if err := k.jobs.Remove(ctx, collections.Join(jobKey(l.Job, l.Buyer), id[:])); err != nil { // so that the next block goes on behind it
		return err
	}
	if err := k.putAsks(ctx, []market.Candidate{{Ask: ask}}, changed, p); err != nil {
		return err
	}
	return k.execute(ctx, effects)
}
