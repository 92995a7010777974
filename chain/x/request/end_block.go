package request

import (
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/request"
)

// maxDue bounds the requests that change at the end of one block: the others change in the next. retryBlocks is how long one rests that cannot.
const (
	maxDue      = 64
	retryBlocks = 100
)

// endBlock lets the time pass for requests that are due.
func (k *Keeper) endBlock(ctx sdk.Context) error {
	env := escrow.Env(ctx)
	within := new(collections.Range[due]).EndExclusive(collections.Join(uint64(env.Height)+1, []byte{}))
	var list []due
	err := k.queue.Walk(ctx, within, func(key due) (bool, error) {
		list = append(list, key)
		return len(list) == maxDue, nil
	})
	if err != nil {
		return err
	}
	for _, key := range list {
		if err := k.tick(ctx, key, env); err == nil {
			continue
		} else {
			ctx.Logger().Error("request cannot end", "module", ModuleName, "request", fmt.Sprintf("%x", key.K2()), "err", err)
		}
		if err := k.rest(ctx, key, env); err != nil {
			return err
		}
	}
	return nil
}

// tick ends one request or leaves no changes. A fault of ours must not stop the chain.
func (k *Keeper) tick(ctx sdk.Context, key due, env protocol.Env) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	branch, write := ctx.CacheContext()
	if err := k.queue.Remove(branch, key); err != nil {
		return err
	}
	r, err := k.Request(branch, protocol.Hash(key.K2()), escrow.Free)
	if err != nil {
		return err
	}
	switch next, effects := request.Tick(r, env); next {
	case nil:
		err = k.drop(branch, r, effects)
	case r: // it rested, and has changed meanwhile
	default:
		err = k.put(branch, r, next, effects)
	}
	if err == nil {
		write()
	}
	return err
}

// rest lets a request that cannot end wait.
func (k *Keeper) rest(ctx sdk.Context, key due, env protocol.Env) error {
	if err := k.queue.Remove(ctx, key); err != nil {
		return err
	}
	return k.queue.Set(ctx, collections.Join(uint64(env.Height)+retryBlocks, key.K2()))
}
