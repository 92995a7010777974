// Package market hosts the rules of protocol/market on the chain: it loads the records that a message names, applies the rule,
// stores what changed and carries out the effects; at the end of a block it does what is due and clears the batch. Every record
// has a key of its own, and no message reads more of the book than a bounded number of the best asks of one class. It owns the
// keys, and no rule. Source: spec/market.md.
package market

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/record"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
)

// ModuleName names the module, its store and the account that holds the escrow.
const ModuleName = "market"

type (
	offer = collections.Triple[[]byte, uint64, []byte] // class, reserve, ask
	link  = collections.Pair[[]byte, []byte]           // account, ask or lease
	date  = collections.Pair[uint64, []byte]           // height or batch, id
)

// Keeper stores the market.
type Keeper struct {
	escrow         escrow.Escrow
	runs           Runs
	pool, treasury protocol.Account
	schema         collections.Schema

	params  collections.Item[[]byte]        // market.Params in JSON; the default until it is set
	classes collections.Map[[]byte, []byte] // id -> market.ClassState in JSON
	asks    collections.Map[[]byte, []byte] // id -> market.Ask in JSON
	offers  collections.KeySet[offer]       // asks with free units, the cheapest of a class first
	owned   collections.KeySet[link]        // owner, ask
	lapses  collections.KeySet[date]        // last block, ask
	bids    collections.Map[date, []byte]   // batch and id -> market.Bid in JSON; gone with their batch
	sealed  collections.Item[uint64]        // number of bids
	leases  collections.Map[[]byte, []byte] // id -> market.Lease in JSON; closed ones stay, as their own receipts
	parties collections.KeySet[link]        // buyer or provider, lease
	due     collections.KeySet[date]        // height at which something happens to a lease, lease
	results collections.Map[[]byte, []byte] // provider -> market.Reputation in JSON
	prices  record.Book                     // market.ClassPrice of each class
	jobs    collections.KeySet[link]        // job and buyer, lease that is offered or running and does not end with its job
	ended   collections.KeySet[date]        // a block, a run that had ended, and its author: the leases that it has then end
	better  collections.Item[[]byte]        // market.Proposal in JSON: the best one for the batch; gone with it
}

// NewKeeper returns a keeper over the module's store. Of what buyers pay, pool receives the part of validators and verifiers and
// treasury its own; the bank must let both receive coins.
func NewKeeper(service store.KVStoreService, bank escrow.Bank, runs Runs, pool, treasury protocol.Account) (*Keeper, error) {
	b := collections.NewSchemaBuilder(service)
	byID := func(prefix int, name string) collections.Map[[]byte, []byte] {
		return collections.NewMap(b, collections.NewPrefix(prefix), name, collections.BytesKey, collections.BytesValue)
	}
	links := collections.PairKeyCodec(collections.BytesKey, collections.BytesKey)
	dates := collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)
	k := &Keeper{
		escrow: escrow.New(bank, ModuleName), runs: runs, pool: pool, treasury: treasury,
		params:  collections.NewItem(b, collections.NewPrefix(0), "params", collections.BytesValue),
		classes: byID(1, "classes"),
		asks:    byID(2, "asks"),
		offers: collections.NewKeySet(b, collections.NewPrefix(3), "offers",
			collections.TripleKeyCodec(collections.BytesKey, collections.Uint64Key, collections.BytesKey)),
		owned:   collections.NewKeySet(b, collections.NewPrefix(4), "owned", links),
		lapses:  collections.NewKeySet(b, collections.NewPrefix(5), "lapses", dates),
		bids:    collections.NewMap(b, collections.NewPrefix(6), "bids", dates, collections.BytesValue),
		sealed:  collections.NewItem(b, collections.NewPrefix(7), "sealed", collections.Uint64Value),
		leases:  byID(8, "leases"),
		parties: collections.NewKeySet(b, collections.NewPrefix(9), "parties", links),
		due:     collections.NewKeySet(b, collections.NewPrefix(10), "due", dates),
		results: byID(11, "results"),
		prices:  record.NewBook(b, collections.NewPrefix(12)),
		jobs:    collections.NewKeySet(b, collections.NewPrefix(13), "jobs", links),
		ended:   collections.NewKeySet(b, collections.NewPrefix(15), "ended", dates),
		better:  collections.NewItem(b, collections.NewPrefix(14), "better", collections.BytesValue),
	}
	var err error
	k.schema, err = b.Build()
	return k, err
}

// Params are the rules' parameters.
func (k *Keeper) Params(ctx context.Context) (market.Params, error) {
	p := market.DefaultParams(k.pool, k.treasury)
	raw, err := k.params.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	return p, err
}

// Lease returns one lease after charging for the size of its stored form, or protocol.ErrNotFound.
func (k *Keeper) Lease(ctx context.Context, id protocol.Hash, charge escrow.Charge) (market.Lease, error) {
	return load[market.Lease](ctx, k.leases, "lease", id[:], charge)
}

// Ask returns one ask in the same way.
func (k *Keeper) Ask(ctx context.Context, id protocol.Hash, charge escrow.Charge) (market.Ask, error) {
	return load[market.Ask](ctx, k.asks, "ask", id[:], charge)
}

// Reputation counts the results of a provider; of a stranger it is zero.
func (k *Keeper) Reputation(ctx context.Context, who protocol.Account, charge escrow.Charge) (market.Reputation, error) {
	r, err := load[market.Reputation](ctx, k.results, "reputation", who[:], charge)
	if errors.Is(err, protocol.ErrNotFound) {
		err = nil
	}
	return r, err
}

// Checked notes a result of a provider that the protocol itself has checked.
func (k *Keeper) Checked(ctx sdk.Context, who protocol.Account, good bool) error {
	r, err := k.Reputation(ctx, who, escrow.Free)
	if err != nil {
		return err
	}
	return put(ctx, k.results, who[:], r.Checked(good, escrow.Env(ctx).Height))
}

// Forfeit hosts market.Void: the provider of a lease was proven wrong, by whom. A lease that is gone or closed is final and stays as it is.
func (k *Keeper) Forfeit(ctx sdk.Context, id protocol.Hash, to protocol.Account, charge escrow.Charge) error {
	l, err := k.Lease(ctx, id, charge)
	if errors.Is(err, protocol.ErrNotFound) || err == nil && l.Status == market.Closed {
		return nil
	}
	if err != nil {
		return err
	}
	ask, err := k.Ask(ctx, l.Ask, charge)
	if err != nil {
		return err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	after, changed, effects := market.Void(l, ask, to)
	if err := k.putLease(ctx, l, after); err != nil {
		return err
	}
	if err := k.putAsk(ctx, ask, changed, params); err != nil {
		return err
	}
	return k.execute(ctx, effects)
}

// class returns the state of a class in the batch that is open, or protocol.ErrNotFound.
func (k *Keeper) class(ctx context.Context, id protocol.Hash, p market.Params, charge escrow.Charge) (market.ClassState, error) {
	s, err := load[market.ClassState](ctx, k.classes, "class", id[:], charge)
	if err != nil {
		return s, err
	}
	return s.At(p, p.Batch(now(ctx).Height)), nil
}

// putAsk replaces an ask and what is derived from it. before is the stored one, the zero Ask if there is none.
func (k *Keeper) putAsk(ctx context.Context, before, after market.Ask, p market.Params) error {
	if err := k.putClass(ctx, before, after, p); err != nil {
		return err
	}
	if err := replace(ctx, k.offers, offerKey(before), before.Open(), offerKey(after), after.Open()); err != nil {
		return err
	}
	if err := replace(ctx, k.lapses, lapseKey(before), lapses(before), lapseKey(after), lapses(after)); err != nil {
		return err
	}
	known, gone := !before.ID.IsZero(), after.Gone()
	owner := collections.Join(after.Owner[:], after.ID[:])
	if err := replace(ctx, k.owned, owner, known, owner, !gone); err != nil {
		return err
	}
	if gone {
		return k.asks.Remove(ctx, after.ID[:])
	}
	return put(ctx, k.asks, after.ID[:], after)
}

func (k *Keeper) putClass(ctx context.Context, before, after market.Ask, p market.Params) error {
	id := after.Class.ID()
	s, err := k.class(ctx, id, p, escrow.Free)
	switch {
	case errors.Is(err, protocol.ErrNotFound):
		s = market.NewClass(after, p, p.Batch(now(ctx).Height))
	case err != nil:
		return err
	}
	return put(ctx, k.classes, id[:], s.Changed(before, after))
}

func offerKey(a market.Ask) offer {
	id := a.Class.ID()
	return collections.Join3(id[:], uint64(a.Reserve), a.ID[:])
}

func lapseKey(a market.Ask) date { return collections.Join(uint64(a.Lapses), a.ID[:]) }

// lapses reports whether a stored ask waits for its last block.
func lapses(a market.Ask) bool { return !a.ID.IsZero() && !a.Closing }

// putLease replaces a lease and what is derived from it. before is the stored one, the zero Lease if there is none.
func (k *Keeper) putLease(ctx context.Context, before, after market.Lease) error {
	known := !before.ID.IsZero()
	if err := replace(ctx, k.due, dueKey(before), known && before.Status != market.Closed, dueKey(after), after.Status != market.Closed); err != nil {
		return err
	}
	if !after.Job.IsZero() {
		job := collections.Join(jobKey(after.Job, after.Buyer), after.ID[:])
		if err := replace(ctx, k.jobs, job, known && working(before), job, working(after)); err != nil {
			return err
		}
	}
	if before.Provider != after.Provider {
		if err := replace(ctx, k.parties, partyKey(before.Provider, before), known && before.Provider != before.Buyer, partyKey(after.Provider, after), true); err != nil {
			return err
		}
	}
	if !known {
		if err := k.parties.Set(ctx, partyKey(after.Buyer, after)); err != nil {
			return err
		}
	}
	return put(ctx, k.leases, after.ID[:], after)
}

// working reports whether a lease is offered or running.
func working(l market.Lease) bool { return l.Status == market.Offered || l.Status == market.Running }

func dueKey(l market.Lease) date { return collections.Join(uint64(l.Due), l.ID[:]) }

// jobKey has the buyer in it, so that nobody else's leases stand among those of a run.
func jobKey(job protocol.Hash, buyer protocol.Account) []byte { return append(job[:], buyer[:]...) }

func partyKey(who protocol.Account, l market.Lease) link { return collections.Join(who[:], l.ID[:]) }

// execute carries out the effects of a rule. The rules of the market record nothing apart from their states.
func (k *Keeper) execute(ctx sdk.Context, effects []protocol.Effect) error {
	return k.escrow.Execute(ctx, effects, func(r protocol.Recorded) error {
		return fmt.Errorf("record of unknown kind %s", r.RecordKind())
	})
}
