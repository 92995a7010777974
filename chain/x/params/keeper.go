// Package params hosts the rules of protocol/params on the chain: governance decides about numbers of the network, and they change at the
// height that the rule names. It owns what was decided, and no number itself: those live in the modules that use them, where the app tells
// how to read and write them. Source: spec/params.md.
package params

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/baseapp"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/params"
)

// ModuleName names the module, its store, and the account in whose name the SDK's modules take changes of their parameters.
const ModuleName = "params"

// Number reads and writes one number of the app.
type Number struct {
	Get func(ctx sdk.Context) (uint64, error)
	Set func(ctx sdk.Context, value uint64) error
}

// Keeper stores what was decided.
type Keeper struct {
	governance sdk.AccAddress
	types      codectypes.AnyUnpacker
	router     baseapp.MessageRouter
	numbers    map[string]Number // of each name in params.Bounds
	schema     collections.Schema

	terms   collections.Item[[]byte]        // params.Terms in JSON; the default if absent
	pending collections.Map[string, []byte] // name -> params.Change in JSON
	last    collections.Map[string, uint64] // name -> block of the last change
}

// NewKeeper returns a keeper over the module's store. Only governance may decide; router carries out messages that are tried, of the
// types that types knows.
func NewKeeper(service store.KVStoreService, governance sdk.AccAddress, types codectypes.AnyUnpacker, router baseapp.MessageRouter, numbers map[string]Number) (*Keeper, error) {
	for _, b := range params.Bounds {
		if _, ok := numbers[b.Name]; !ok {
			return nil, fmt.Errorf("%w: nothing holds number %s", protocol.ErrInvalid, b.Name)
		}
	}
	b := collections.NewSchemaBuilder(service)
	k := &Keeper{
		governance: governance, types: types, router: router, numbers: numbers,
		terms:   collections.NewItem(b, collections.NewPrefix(0), "terms", collections.BytesValue),
		pending: collections.NewMap(b, collections.NewPrefix(1), "pending", collections.StringKey, collections.BytesValue),
		last:    collections.NewMap(b, collections.NewPrefix(2), "last", collections.StringKey, collections.Uint64Value),
	}
	var err error
	k.schema, err = b.Build()
	return k, err
}

// Terms are the pace of all changes.
func (k *Keeper) Terms(ctx context.Context) (params.Terms, error) {
	raw, err := k.terms.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return params.DefaultTerms(), nil
	}
	var t params.Terms
	if err == nil {
		err = json.Unmarshal(raw, &t)
	}
	return t, err
}

// change is the change of a number that waits.
func (k *Keeper) change(ctx context.Context, name string) (c params.Change, found bool, err error) {
	raw, err := k.pending.Get(ctx, name)
	if errors.Is(err, collections.ErrNotFound) {
		return c, false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	return c, true, err
}

func (k *Keeper) lastChange(ctx context.Context, name string) (protocol.Height, error) {
	h, err := k.last.Get(ctx, name)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return protocol.Height(h), err
}

// set hosts params.Schedule.
func (k *Keeper) set(ctx sdk.Context, m params.Set) error {
	number, ok := k.numbers[m.Name]
	if !ok {
		return fmt.Errorf("%w: number %.40q", protocol.ErrNotFound, m.Name)
	}
	var s params.Situation
	var err error
	if s.Value, err = number.Get(ctx); err != nil {
		return err
	}
	if s.Last, err = k.lastChange(ctx, m.Name); err != nil {
		return err
	}
	if _, s.Pending, err = k.change(ctx, m.Name); err != nil {
		return err
	}
	terms, err := k.Terms(ctx)
	if err != nil {
		return err
	}
	c, effects, err := params.Schedule(m, s, terms, escrow.Env(ctx))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := k.pending.Set(ctx, c.Name, raw); err != nil {
		return err
	}
	return k.announce(ctx, effects)
}

func (k *Keeper) cancel(ctx sdk.Context, m params.Cancel) error {
	c, found, err := k.change(ctx, m.Name)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: no change of %s waits", protocol.ErrNotFound, m.Name)
	}
	if err := k.pending.Remove(ctx, m.Name); err != nil {
		return err
	}
	return k.announce(ctx, c.Cancelled())
}

// announce carries out effects, which are events only.
func (k *Keeper) announce(ctx sdk.Context, effects []protocol.Effect) error {
	return escrow.New(nil, ModuleName).Execute(ctx, effects, func(r protocol.Recorded) error {
		return fmt.Errorf("record of unknown kind %s", r.RecordKind())
	})
}

// beginBlock applies the changes that hold from this block on. A module that refuses a value keeps the old one, and the chain goes on.
func (k *Keeper) beginBlock(metered sdk.Context) error {
	ctx := escrow.Unmetered(metered)
	var due []params.Change
	err := k.pending.Walk(ctx, nil, func(_ string, raw []byte) (bool, error) {
		var c params.Change
		err := json.Unmarshal(raw, &c)
		if err == nil && c.At <= escrow.Env(ctx).Height {
			due = append(due, c)
		}
		return false, err
	})
	if err != nil {
		return err
	}
	for _, c := range due {
		if err := k.pending.Remove(ctx, c.Name); err != nil {
			return err
		}
		branch, write := ctx.CacheContext()
		if err := k.apply(branch, c); err != nil {
			ctx.Logger().Error("change of a number is refused", "module", ModuleName, "name", c.Name, "value", c.Value, "err", err)
			if err := k.announce(ctx, c.Cancelled()); err != nil {
				return err
			}
			continue
		}
		write()
	}
	return nil
}

func (k *Keeper) apply(ctx sdk.Context, c params.Change) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	number, ok := k.numbers[c.Name]
	if !ok {
		return fmt.Errorf("%w: number %.40q", protocol.ErrNotFound, c.Name)
	}
	if err := number.Set(ctx, c.Value); err != nil {
		return err
	}
	if err := k.last.Set(ctx, c.Name, uint64(escrow.Env(ctx).Height)); err != nil {
		return err
	}
	return k.announce(ctx, c.Applied())
}
