package registry

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/voucher"
)

// maxEnds is how many channels end at the end of one block, which nobody pays for. The others end in the blocks after it.
const maxEnds = 200

// retryBlocks is for how long a channel rests whose end failed.
const retryBlocks = 1000

// Channel returns an open channel after charging for the size of its stored form, or protocol.ErrNotFound.
func (k *Keeper) Channel(ctx context.Context, id protocol.Hash, charge escrow.Charge) (voucher.Channel, error) {
	return load[voucher.Channel](ctx, k.channels, "channel", id, charge)
}

// openChannel hosts voucher.OpenChannel.
func (s msgServer) openChannel(ctx sdk.Context, m voucher.Open, from protocol.Account) error {
	switch known, err := s.HasModel(ctx, m.Model); {
	case err != nil:
		return err
	case !known:
		return fmt.Errorf("%w: model %s", protocol.ErrNotFound, m.Model)
	}
	c, effects, err := voucher.OpenChannel(m, from, escrow.Env(ctx))
	if err != nil {
		return err
	}
	switch exists, err := s.channels.Has(ctx, c.ID[:]); {
	case err != nil:
		return err
	case exists:
		return fmt.Errorf("%w: channel %s", protocol.ErrExists, c.ID)
	}
	if err := s.ofPayer.Set(ctx, collections.Join(c.Payer[:], c.ID[:])); err != nil {
		return err
	}
	return s.putChannel(ctx, c, c.Until, effects)
}

// changeChannel hosts a rule that changes a channel.
func (s msgServer) changeChannel(ctx sdk.Context, id protocol.Hash, charge escrow.Charge,
	rule func(voucher.Channel) (voucher.Channel, []protocol.Effect, error)) error {
	c, err := s.Channel(ctx, id, charge)
	if err != nil {
		return err
	}
	next, effects, err := rule(c)
	if err != nil {
		return err
	}
	return s.putChannel(ctx, next, c.Until, effects)
}

// putChannel stores a channel that was to end after block until.
func (k *Keeper) putChannel(ctx sdk.Context, c voucher.Channel, until protocol.Height, effects []protocol.Effect) error {
	if until != c.Until {
		if err := k.ends.Remove(ctx, collections.Join(uint64(until), c.ID[:])); err != nil {
			return err
		}
	}
	if err := k.ends.Set(ctx, collections.Join(uint64(c.Until), c.ID[:])); err != nil {
		return err
	}
	if err := put(ctx, k.channels, c.ID, c); err != nil {
		return err
	}
	return k.escrow.Execute(ctx, effects, k.records.Keep(ctx, c.Model))
}

// endBlock hosts voucher.End for the channels whose last block this is. A fault must not stop the chain: it leaves the channel as it
// is, to be tried again.
func (k *Keeper) endBlock(metered sdk.Context) error {
	ctx := escrow.Unmetered(metered)
	env := escrow.Env(ctx)
	var keys []due
	until := collections.NewPrefixUntilPairRange[uint64, []byte](uint64(env.Height))
	if err := k.ends.Walk(ctx, until, func(key due) (bool, error) {
		keys = append(keys, key)
		return len(keys) == maxEnds, nil
	}); err != nil {
		return err
	}
	for _, key := range keys {
		if err := k.ends.Remove(ctx, key); err != nil {
			return err
		}
		id := protocol.Hash(key.K2())
		err := k.end(ctx, id, env)
		if err == nil {
			continue
		}
		ctx.Logger().Error("channel cannot end", "module", ModuleName, "channel", id.String(), "err", err)
		if err := k.ends.Set(ctx, collections.Join(uint64(env.Height)+retryBlocks, id[:])); err != nil {
			return err
		}
	}
	return k.expireUploads(ctx)
}

// end closes one channel: all of it or nothing.
func (k *Keeper) end(ctx sdk.Context, id protocol.Hash, env protocol.Env) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	c, err := k.Channel(ctx, id, escrow.Free)
	if errors.Is(err, protocol.ErrNotFound) {
		return nil // it has ended already
	}
	if err != nil {
		return err
	}
	effects, over := voucher.End(c, env)
	if !over {
		return nil // a later entry stands for it
	}
	branch, write := ctx.CacheContext()
	if err := k.escrow.Execute(branch, effects, k.records.Keep(branch, c.Model)); err != nil {
		return err
	}
	if err := k.ofPayer.Remove(branch, collections.Join(c.Payer[:], c.ID[:])); err != nil {
		return err
	}
	if err := k.channels.Remove(branch, c.ID[:]); err != nil {
		return err
	}
	write()
	return nil
}

// LockedBy sums what lies in escrow in an account's channels, of which it counts at most max. It reports whether these are all.
func (k *Keeper) LockedBy(ctx context.Context, payer protocol.Account, max int, charge escrow.Charge) (sum money.Amount, complete bool, err error) {
	n, within := 0, collections.NewPrefixedPairRange[[]byte, []byte](payer[:])
	err = k.ofPayer.Walk(ctx, within, func(key pair) (bool, error) {
		c, err := k.Channel(ctx, protocol.Hash(key.K2()), charge)
		if err != nil {
			return true, err
		}
		sum = sum.Plus(c.Left())
		n++
		return n == max, nil
	})
	return sum, n < max, err
}

// listChannels calls each with the stored form of the open channels of a payer, or of all, that come after an id.
func (k *Keeper) listChannels(ctx context.Context, payer, after []byte, each func(raw []byte) (stop bool)) error {
	if len(payer) == 0 {
		within := new(collections.Range[[]byte])
		if len(after) > 0 {
			within = within.StartExclusive(after)
		}
		return k.channels.Walk(ctx, within, func(_, raw []byte) (bool, error) { return each(raw), nil })
	}
	within := collections.NewPrefixedPairRange[[]byte, []byte](payer)
	if len(after) > 0 {
		within = within.StartExclusive(after)
	}
	return k.ofPayer.Walk(ctx, within, func(key pair) (bool, error) {
		raw, err := k.channels.Get(ctx, key.K2())
		if err != nil {
			return true, err
		}
		return each(raw), nil
	})
}
