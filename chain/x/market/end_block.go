package market

import (
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// The end of a block is paid by nobody: these bound it. What is left over stays first in the queue for the next block, with the
// same outcome, because no amount depends on when it is done.
const (
	maxDue = 1000 // leases, and asks, of one block
	// maxBook bounds the asks that a clearing reads, and maxNext those that take over what a provider let pass.
	maxBook = 20_000
	maxNext = 16
	// retryBlocks is for how long a record rests that failed. That is a fault of ours, which does not pass by itself.
	retryBlocks = 1000
)

// endBlock does what is due with leases and asks, and clears the batch that ends with the block.
func (k *Keeper) endBlock(metered sdk.Context) error {
	ctx := escrow.Unmetered(metered)
	env := escrow.Env(ctx)
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	if err := k.sweep(ctx, k.due, "lease", env, func(ctx sdk.Context, id protocol.Hash) error {
		return k.expire(ctx, id, params, env)
	}); err != nil {
		return err
	}
	if err := k.sweep(ctx, k.lapses, "ask", env, func(ctx sdk.Context, id protocol.Hash) error {
		return k.lapse(ctx, id, params, env)
	}); err != nil {
		return err
	}
	if params.Closes(env.Height) {
		if err := k.endBatch(ctx, params, env); err != nil {
			return err
		}
	}
	return k.endJobs(ctx, params, env)
}

// endBatch clears the batch, or gives all deposits back.
func (k *Keeper) endBatch(ctx sdk.Context, params market.Params, env protocol.Env) error {
	bids, err := k.batchBids(ctx, escrow.Free)
	if err != nil || len(bids) == 0 {
		return err
	}
	if err := escrow.Isolated(ctx, func(ctx sdk.Context) error { return k.clear(ctx, bids, params, env) }); err != nil {
		ctx.Logger().Error("batch cannot be cleared", "module", ModuleName, "batch", params.Batch(env.Height), "err", err)
		ctx.EventManager().EmitEvent(sdk.NewEvent("market.returned", sdk.NewAttribute("batch", fmt.Sprint(params.Batch(env.Height)))))
		return k.giveBack(ctx, bids)
	}
	return nil
}

// sweep calls do for the records whose height in a queue has come. One that fails leaves no changes and rests. The event leaves
// out why: no text of an error is part of what validators agree on.
func (k *Keeper) sweep(ctx sdk.Context, queue collections.KeySet[date], what string, env protocol.Env, do func(sdk.Context, protocol.Hash) error) error {
	var keys []date
	until := collections.NewPrefixUntilPairRange[uint64, []byte](uint64(env.Height))
	if err := queue.Walk(ctx, until, func(key date) (bool, error) {
		keys = append(keys, key)
		return len(keys) == maxDue, nil
	}); err != nil {
		return err
	}
	for _, key := range keys {
		id := protocol.Hash(key.K2())
		err := escrow.Isolated(ctx, func(ctx sdk.Context) error { return do(ctx, id) })
		if err == nil {
			continue
		}
		ctx.Logger().Error("record cannot expire", "module", ModuleName, what, id.String(), "err", err)
		ctx.EventManager().EmitEvent(sdk.NewEvent("market.postponed", sdk.NewAttribute(what, id.String())))
		if err := replace(ctx, queue, key, true, collections.Join(uint64(env.Height)+retryBlocks, key.K2()), true); err != nil {
			return err
		}
	}
	return nil
}

// expire hosts market.Expire.
func (k *Keeper) expire(ctx sdk.Context, id protocol.Hash, params market.Params, env protocol.Env) error {
	l, err := k.Lease(ctx, id, escrow.Free)
	if err != nil {
		return err
	}
	ask, err := k.Ask(ctx, l.Ask, escrow.Free)
	if err != nil {
		return err
	}
	var next []market.Candidate
	if l.Status == market.Offered {
		if next, err = k.best(ctx, l.Class, maxNext, l.Grade, all, env, escrow.Free); err != nil {
			return err
		}
	}
	after, changed, effects := market.Expire(l, ask, next, params, env)
	if err := k.putLease(ctx, l, after); err != nil {
		return err
	}
	if err := k.putAsks(ctx, append(next, market.Candidate{Ask: ask}), changed, params); err != nil {
		return err
	}
	return k.execute(ctx, effects)
}

// lapse hosts market.Lapse.
func (k *Keeper) lapse(ctx sdk.Context, id protocol.Hash, params market.Params, env protocol.Env) error {
	before, err := k.Ask(ctx, id, escrow.Free)
	if err != nil {
		return err
	}
	after, effects := market.Lapse(before, env)
	if err := k.putAsk(ctx, before, after, params); err != nil {
		return err
	}
	return k.execute(ctx, effects)
}

// batchBids reads all bids, after charging for the size of the stored form of each.
func (k *Keeper) batchBids(ctx sdk.Context, charge escrow.Charge) ([]market.Bid, error) {
	var list []market.Bid
	err := k.bids.Walk(ctx, nil, func(_ date, raw []byte) (bool, error) {
		charge(len(raw))
		var b market.Bid
		err := decode(raw, &b)
		list = append(list, b)
		return false, err
	})
	return list, err
}

// clear hosts market.Clear.
func (k *Keeper) clear(ctx sdk.Context, bids []market.Bid, params market.Params, env protocol.Env) error {
	batch := params.Batch(env.Height)
	asks, err := k.book(ctx, bids, env, escrow.Free)
	if err != nil {
		return err
	}
	proposal, err := k.proposal(ctx, escrow.Free)
	if err != nil {
		return err
	}
	out, err := market.Clear(market.Round{Asks: asks, Bids: bids, Draw: market.Draw(ctx.HeaderHash(), batch)}, proposal, params, env)
	if err != nil {
		return err
	}
	if err := k.putAsks(ctx, asks, out.Asks, params); err != nil {
		return err
	}
	for _, l := range out.Leases {
		if err := k.putLease(ctx, market.Lease{}, l); err != nil {
			return err
		}
	}
	for _, p := range out.Prices {
		if err := k.prices.Keep(ctx, p.Class.ID())(p); err != nil {
			return err
		}
	}
	if err := k.dropBids(ctx, bids); err != nil {
		return err
	}
	return k.execute(ctx, out.Effects)
}

// book reads the asks of the classes that open bids name, the cheapest first, as many of each class as of any other.
func (k *Keeper) book(ctx sdk.Context, bids []market.Bid, env protocol.Env, charge escrow.Charge) ([]market.Candidate, error) {
	var classes []market.Class
	seen := map[market.Class]bool{} // looked up, never walked over
	grade := uint32(0)
	for _, b := range bids {
		if b.Open == nil {
			continue
		}
		grade = max(grade, b.Open.MinReputation)
		for _, a := range b.Open.Alternatives {
			if seen[a.Class] || len(classes) == auction.MaxClasses {
				continue
			}
			seen[a.Class] = true
			id := a.Class.ID()
			switch s, err := load[market.ClassState](ctx, k.classes, "class", id[:], charge); {
			case err == nil && s.Offered > s.Leased:
				classes = append(classes, a.Class)
			case err != nil && !errors.Is(err, protocol.ErrNotFound):
				return nil, err
			}
		}
	}
	var asks []market.Candidate
	for _, c := range classes {
		list, err := k.best(ctx, c, maxBook/len(classes), grade, all, env, charge)
		if err != nil {
			return nil, err
		}
		asks = append(asks, list...)
	}
	return asks, nil
}

func (k *Keeper) dropBids(ctx sdk.Context, bids []market.Bid) error {
	for _, b := range bids {
		if err := k.bids.Remove(ctx, collections.Join(b.Batch, b.ID[:])); err != nil {
			return err
		}
	}
	if err := k.better.Remove(ctx); err != nil {
		return err
	}
	return k.sealed.Remove(ctx)
}

// proposal is the one that is held for the batch, or nil.
func (k *Keeper) proposal(ctx sdk.Context, charge escrow.Charge) (*market.Proposal, error) {
	raw, err := k.better.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	charge(len(raw))
	p := new(market.Proposal)
	return p, decode(raw, p)
}

// giveBack returns all deposits of a batch that could not be cleared.
func (k *Keeper) giveBack(ctx sdk.Context, bids []market.Bid) error {
	var effects []protocol.Effect
	for _, b := range bids {
		effects = append(effects, protocol.Pay{To: b.Owner, Amount: b.Deposit, Back: true})
	}
	if err := k.dropBids(ctx, bids); err != nil {
		return err
	}
	return k.execute(ctx, effects)
}
