package market

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/market/marketpb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/work"
)

const (
	// maxBids bounds the bids of a batch, which the end of its last block reads: about 10 us each.
	maxBids = 20_000
	// maxOffers bounds the asks that one message looks at.
	maxOffers = 256
)

type msgServer struct {
	*Keeper
	addresses address.Codec
}

// Execute hosts the rules of package market: load, apply, store. Gas grows with the message and with what it reads.
func (s msgServer) Execute(ctx context.Context, m *marketpb.MsgExecute) (*marketpb.MsgExecuteResponse, error) {
	return hosted.Execute[marketpb.MsgExecuteResponse](ctx, s.addresses, m, market.DecodeMsg, s.apply)
}

// call is what every message needs.
type call struct {
	ctx    sdk.Context
	from   protocol.Account
	params market.Params
	env    protocol.Env
	charge escrow.Charge
}

func (c call) batch() uint64 { return c.params.Batch(c.env.Height) }

func (s msgServer) apply(metered sdk.Context, msg protocol.Msg, from protocol.Account) error {
	ctx := escrow.Unmetered(metered)
	params, err := s.Params(ctx)
	if err != nil {
		return err
	}
	c := call{ctx, from, params, escrow.Env(ctx), escrow.ChargeState(metered)}
	switch m := msg.(type) {
	case market.PlaceAsk:
		return s.place(c, m)
	case market.Propose:
		return s.propose(c, m)
	case market.WithdrawAsk:
		return s.withdraw(c, m)
	case market.RenewAsk:
		return s.renew(c, m)
	case market.SealBid:
		return s.seal(c, m)
	case market.OpenBid:
		return s.open(c, m)
	case market.TakeNow:
		return s.take(c, m)
	case market.AcceptLease:
		return s.lease(c, m.Lease, func(l market.Lease) (market.Lease, []protocol.Effect, error) {
			return market.Accept(l, from, params, c.env)
		})
	case market.SettleLease:
		return s.lease(c, m.Lease, func(l market.Lease) (market.Lease, []protocol.Effect, error) {
			l, effects := market.Settle(l, params, c.env)
			return l, effects, nil
		})
	case market.EndLease:
		return s.lease(c, m.Lease, func(l market.Lease) (market.Lease, []protocol.Effect, error) {
			ask, err := s.Ask(ctx, l.Ask, c.charge)
			if err != nil && !errors.Is(err, protocol.ErrNotFound) { // the ask of a closed lease may be gone; the rule refuses that
				return l, nil, err
			}
			return market.Cut(l, ask, from, c.env)
		})
	}
	return fmt.Errorf("%w: %s", protocol.ErrInvalid, msg.Kind())
}

func (s msgServer) place(c call, m market.PlaceAsk) error {
	id := market.AskID(c.from, m.Class)
	before, err := s.Ask(c.ctx, id, c.charge)
	var known *market.Ask
	switch {
	case err == nil:
		known = &before
	case !errors.Is(err, protocol.ErrNotFound):
		return err
	}
	after, effects, err := market.Offer(m, known, c.from, c.params, c.env)
	if err != nil {
		return err
	}
	if err := s.putAsk(c.ctx, before, after, c.params); err != nil {
		return err
	}
	return s.execute(c.ctx, effects)
}

func (s msgServer) withdraw(c call, m market.WithdrawAsk) error {
	before, err := s.Ask(c.ctx, m.Ask, c.charge)
	if err != nil {
		return err
	}
	after, effects, err := market.Withdraw(before, c.from)
	if err != nil {
		return err
	}
	if err := s.putAsk(c.ctx, before, after, c.params); err != nil {
		return err
	}
	return s.execute(c.ctx, effects)
}

// renew moves one key: neither the class nor the list of offers changes.
func (s msgServer) renew(c call, m market.RenewAsk) error {
	before, err := s.Ask(c.ctx, m.Ask, c.charge)
	if err != nil {
		return err
	}
	after, err := market.Renew(before, c.from, c.params, c.env)
	if err != nil {
		return err
	}
	if err := replace(c.ctx, s.lapses, lapseKey(before), true, lapseKey(after), true); err != nil {
		return err
	}
	return put(c.ctx, s.asks, after.ID[:], after)
}

func (s msgServer) seal(c call, m market.SealBid) error {
	b, effects, err := market.Seal(m, c.from, c.params, c.env)
	if err != nil {
		return err
	}
	if err := s.addBid(c.ctx, b); err != nil {
		return err
	}
	return s.execute(c.ctx, effects)
}

func (s msgServer) open(c call, m market.OpenBid) error {
	raw, err := s.bids.Get(c.ctx, collections.Join(c.batch(), m.Bid[:]))
	if errors.Is(err, collections.ErrNotFound) {
		return fmt.Errorf("%w: bid %s in batch %d", protocol.ErrNotFound, m.Bid, c.batch())
	}
	if err != nil {
		return err
	}
	c.charge(len(raw))
	var b market.Bid
	if err := decode(raw, &b); err != nil {
		return err
	}
	b, err = market.Reveal(m, b, c.from, c.params, c.env)
	if err == nil && m.Terms.Metered {
		err = s.metered(c, m.Terms.Job, m.Terms.Alternatives)
	}
	if err != nil {
		return err
	}
	return s.putBid(c.ctx, b)
}

// propose reads the whole book, for which its sender pays, whether the proposal is any good or not.
func (s msgServer) propose(c call, m market.Propose) error {
	if m.Batch != c.batch() || !c.params.Revealing(c.env.Height) { // before anything is read
		return fmt.Errorf("%w: proposals for batch %d are taken while it is opened", protocol.ErrPhase, m.Batch)
	}
	best, err := s.proposal(c.ctx, c.charge)
	if err != nil {
		return err
	}
	bids, err := s.batchBids(c.ctx, c.charge)
	if err != nil {
		return err
	}
	asks, err := s.book(c.ctx, bids, c.env, c.charge)
	if err != nil {
		return err
	}
	p, effects, err := market.Judge(m, best, market.Round{Asks: asks, Bids: bids}, c.from, c.params, c.env)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := s.better.Set(c.ctx, raw); err != nil {
		return err
	}
	return s.execute(c.ctx, effects)
}

// metered refuses leases that cost nothing by themselves unless a run pays for what comes of them.
func (s msgServer) metered(c call, job protocol.Hash, wants []market.Alternative) error {
	run, err := s.runs(c.ctx, job, c.charge)
	if err != nil {
		return err
	}
	return work.CheckMetered(run, c.from, wants)
}

func (s msgServer) take(c call, m market.TakeNow) error {
	if m.Metered {
		if err := s.metered(c, m.Job, []market.Alternative{{Class: m.Class, Units: m.Units, Limit: m.Limit}}); err != nil {
			return err
		}
	}
	class, err := s.class(c.ctx, m.Class.ID(), c.params, c.charge)
	if err != nil {
		return err
	}
	offers, err := s.best(c.ctx, m.Class, maxOffers, m.MinReputation, units(m.Class, m.Units, m.MinReputation, c.env), c.env, c.charge)
	if err != nil {
		return err
	}
	leases, changed, effects, err := market.Take(m, class.Base, offers, c.from, c.params, c.env)
	if err != nil {
		return err
	}
	for _, l := range leases {
		switch exists, err := s.leases.Has(c.ctx, l.ID[:]); {
		case err != nil:
			return err
		case exists:
			return fmt.Errorf("%w: lease %s", protocol.ErrExists, l.ID)
		}
		if err := s.putLease(c.ctx, market.Lease{}, l); err != nil {
			return err
		}
	}
	if err := s.putAsks(c.ctx, offers, changed, c.params); err != nil {
		return err
	}
	return s.execute(c.ctx, effects)
}

// lease hosts a rule that changes one lease and no ask.
func (s msgServer) lease(c call, id protocol.Hash, rule func(market.Lease) (market.Lease, []protocol.Effect, error)) error {
	before, err := s.Lease(c.ctx, id, c.charge)
	if err != nil {
		return err
	}
	after, effects, err := rule(before)
	if err != nil {
		return err
	}
	if err := s.putLease(c.ctx, before, after); err != nil {
		return err
	}
	return s.execute(c.ctx, effects)
}
