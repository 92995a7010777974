package dispute

import (
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
)

// The end of a block is paid by nobody: these bound it. What is left over stays first in the queue for the next block, so an overloaded
// chain ends disputes late and never early.
const (
	// maxEnds is how many disputes end at the end of one block. Each may change a run, which takes up to 20 ms.
	maxEnds = 50
	// retryBlocks is for how long a dispute rests whose end failed: a fault of ours, which does not pass by itself.
	retryBlocks = 1000
)

// endBlock ends disputes over claims that others have refuted, and those whose clock has run out.
func (k *Keeper) endBlock(metered sdk.Context) error {
	ctx := escrow.Unmetered(metered)
	env := escrow.Env(ctx)
	ended, err := k.moot(ctx, env)
	if err != nil {
		return err
	}
	ids, err := k.agenda.Until(ctx, env.Height, maxEnds-ended)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := k.end(ctx, id, env, k.tick(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// tick is dispute.Tick, with what it may ask.
func (k *Keeper) tick(ctx sdk.Context) func(*dispute.State, protocol.Env) (*dispute.State, []protocol.Effect) {
	return func(s *dispute.State, env protocol.Env) (*dispute.State, []protocol.Effect) {
		return dispute.Tick(s, k.audits(ctx, s.Claim, escrow.Free), env)
	}
}

// moot ends disputes over refuted claims and returns how many.
func (k *Keeper) moot(ctx sdk.Context, env protocol.Env) (int, error) {
	var claims [][]byte
	if err := k.refuted.Walk(ctx, nil, func(claim []byte) (bool, error) {
		claims = append(claims, claim)
		return len(claims) == maxEnds, nil
	}); err != nil {
		return 0, err
	}
	n := 0
	for _, claim := range claims {
		var ids []protocol.Hash
		left := false
		if err := k.ofClaim.Walk(ctx, collections.NewPrefixedPairRange[[]byte, []byte](claim), func(key pair) (bool, error) {
			if left = n+len(ids) >= maxEnds; !left {
				ids = append(ids, protocol.Hash(key.K2()))
			}
			return left, nil
		}); err != nil {
			return n, err
		}
		for _, id := range ids {
			if err := k.end(ctx, id, env, dispute.Moot); err != nil {
				return n, err
			}
		}
		n += len(ids)
		if left {
			break
		}
		if err := k.refuted.Remove(ctx, claim); err != nil {
			return n, err
		}
	}
	return n, nil
}

// end lets a dispute end by a rule that may end it. A fault must not stop the chain: it leaves no changes but that the dispute rests.
func (k *Keeper) end(ctx sdk.Context, id protocol.Hash, env protocol.Env, rule func(*dispute.State, protocol.Env) (*dispute.State, []protocol.Effect)) error {
	err := k.try(ctx, id, env, rule)
	if err == nil {
		return nil
	}
	until := env.Height + retryBlocks
	ctx.Logger().Error("dispute cannot end", "module", ModuleName, "dispute", id.String(), "until", uint64(until), "err", err)
	ctx.EventManager().EmitEvent(sdk.NewEvent("dispute.postponed", // why is left out: no text of an error is agreed on
		sdk.NewAttribute("dispute", id.String()), sdk.NewAttribute("until", fmt.Sprint(until))))
	return k.agenda.Plan(ctx, id, until)
}

func (k *Keeper) try(ctx sdk.Context, id protocol.Hash, env protocol.Env, rule func(*dispute.State, protocol.Env) (*dispute.State, []protocol.Effect)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	s, err := k.Dispute(ctx, id, escrow.Free)
	if err != nil {
		return err
	}
	branch, write := ctx.CacheContext()
	next, effects := rule(s, env)
	if next == s { // it moved in this block
		err = k.agenda.Plan(branch, id, s.Deadline())
	} else {
		err = k.keep(branch, next, effects, escrow.Free)
	}
	if err != nil {
		return err
	}
	write()
	return nil
}
