package market

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
)

// best lists open asks of a class, by reserve and then by id: most of them, or as many as enough wants. Their reputations are read, each from
// elsewhere in the store, only if somebody wants more than none; otherwise all have grade 0, which then makes no difference.
func (k *Keeper) best(ctx context.Context, class market.Class, most int, grade uint32, enough func(market.Candidate) bool, env protocol.Env, charge escrow.Charge) ([]market.Candidate, error) {
	id := class.ID()
	var list []market.Candidate
	err := k.offers.Walk(ctx, collections.NewPrefixedTripleRange[[]byte, uint64, []byte](id[:]), func(key offer) (bool, error) {
		a, err := k.Ask(ctx, protocol.Hash(key.K3()), charge)
		if err != nil {
			return true, err
		}
		c := market.Candidate{Ask: a}
		if grade > 0 {
			r, err := k.Reputation(ctx, a.Owner, charge)
			if err != nil {
				return true, err
			}
			c.Grade = r.Grade(env.Height)
		}
		list = append(list, c)
		return len(list) == most || enough(c), nil
	})
	return list, err
}

// all is for best: it is never enough.
func all(market.Candidate) bool { return false }

// units is for best: enough free ones of a reputation.
func units(class market.Class, n, minReputation uint32, env protocol.Env) func(market.Candidate) bool {
	return func(c market.Candidate) bool {
		_, found := market.Instant(class, n, minReputation, 0, []market.Candidate{c}, env)
		n -= found
		return n == 0
	}
}

// putAsks stores the asks of a list that changed.
func (k *Keeper) putAsks(ctx context.Context, list []market.Candidate, changed []market.Ask, p market.Params) error {
	before := make(map[protocol.Hash]market.Ask, len(list)) // looked up, never walked over
	for _, c := range list {
		before[c.Ask.ID] = c.Ask
	}
	for _, a := range changed {
		if err := k.putAsk(ctx, before[a.ID], a, p); err != nil {
			return err
		}
	}
	return nil
}

// addBid stores a new bid, unless the batch is full.
func (k *Keeper) addBid(ctx context.Context, b market.Bid) error {
	switch exists, err := k.bids.Has(ctx, collections.Join(b.Batch, b.ID[:])); {
	case err != nil:
		return err
	case exists:
		return fmt.Errorf("%w: bid %s", protocol.ErrExists, b.ID)
	}
	n, err := k.sealed.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	if n >= maxBids {
		return fmt.Errorf("%w: batch %d has %d bids", protocol.ErrFull, b.Batch, n)
	}
	if err := k.sealed.Set(ctx, n+1); err != nil {
		return err
	}
	return k.putBid(ctx, b)
}

func (k *Keeper) putBid(ctx context.Context, b market.Bid) error {
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return k.bids.Set(ctx, collections.Join(b.Batch, b.ID[:]), raw)
}
