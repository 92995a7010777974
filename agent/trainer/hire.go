package trainer

import (
	"context"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/work"
)

// Hire buys providers for a run in the batches of the market until as many as the order wants have a lease, each unit at the price that
// the batch clears at. Everything that it has done is on the ledger, and the
// salts of its bids derive from its secret, so it may be called again after a crash. tell reports what it waits for.
func (t *Trainer) Hire(ctx context.Context, m agent.Market, s *work.State, o *Order, tell func(string)) error {
	p, err := m.MarketParams(ctx)
	if err != nil {
		return err
	}
	h, err := t.Ledger.Height(ctx)
	for ; err == nil; h, err = t.Ledger.Next(ctx, h) {
		has, err := t.hired(ctx, m, s.ID)
		if err != nil {
			return err
		}
		if has >= o.Want {
			return nil
		}
		b := bid{t: t, run: s, batch: p.Batch(h + 1), limit: o.Limit}
		if p.Revealing(h + 1) {
			err = b.open(ctx, m, o.Want-has)
		} else {
			err = b.seal(ctx, m, o.Want-has, o.Offers-int(has), tell)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// HireNow leases one more provider at once, at the price of the moment, unless want have a lease already.
func (t *Trainer) HireNow(ctx context.Context, m agent.Market, s *work.State, want uint32, limit auction.Price) error {
	has, err := t.hired(ctx, m, s.ID)
	if err != nil || has >= want {
		return err
	}
	return t.Ledger.Submit(ctx, market.TakeNow{Class: s.Spec.Market.Class, Units: 1, Tenors: 1, Limit: limit, Job: s.ID, Metered: true, Nonce: uint64(has)})
}

// Release ends the leases of a run that has ended: they cost nothing, and bind units and bonds of who worked until their time is up.
func (t *Trainer) Release(ctx context.Context, m agent.Market, run protocol.Hash) error {
	leases, err := m.Leases(ctx, t.Identity.Account)
	if err != nil {
		return err
	}
	var list []protocol.Msg
	for _, l := range leases {
		if l.Job == run && l.Buyer == t.Identity.Account && l.Status == market.Running {
			list = append(list, market.EndLease{Lease: l.ID})
		}
	}
	return late(t.Ledger.Submit(ctx, list...)) // in one block: the account may have other things to do
}

// hired counts the providers whose lease for a run has not been let pass.
func (t *Trainer) hired(ctx context.Context, m agent.Market, run protocol.Hash) (uint32, error) {
	leases, err := m.Leases(ctx, t.Identity.Account)
	if err != nil {
		return 0, err
	}
	n := uint32(0)
	for _, l := range leases {
		if l.Job == run && l.Buyer == t.Identity.Account && (l.Status != market.Closed || l.Start > 0) {
			n += l.Units
		}
	}
	return n, nil
}

// bid is the order of a run in one batch.
type bid struct {
	t     *Trainer
	run   *work.State
	batch uint64
	limit auction.Price
}

func (b bid) terms(units uint32) market.Terms {
	return market.Terms{
		Alternatives: []market.Alternative{{Class: b.run.Spec.Market.Class, Units: units, Limit: b.limit}}, Tenors: 1, Job: b.run.ID, Metered: true,
	}
}

func (b bid) salt() protocol.Hash {
	return b.t.Identity.Salt("market-bid", b.run.ID, uint32(b.batch), 0)
}

// find tells whether a bid for so many units is in the batch, and whether it is open.
func (b bid) find(ctx context.Context, m agent.Market, units uint32) (id protocol.Hash, there, open bool, err error) {
	who := b.t.Identity.Account
	id = market.BidID(who, b.batch, market.TermsSeal(b.terms(units), who, b.batch, b.salt()))
	list, err := m.Bids(ctx)
	for _, o := range list {
		if o.ID == id {
			return id, true, o.Open != nil, err
		}
	}
	return id, false, false, err
}

// seal seals the bid once enough asks stand.
func (b bid) seal(ctx context.Context, m agent.Market, units uint32, offers int, tell func(string)) error {
	asks, err := m.ClassAsks(ctx, b.run.Spec.Market.Class)
	if err != nil || len(asks) < offers {
		return err
	}
	_, there, _, err := b.find(ctx, m, units)
	if err != nil || there {
		return err
	}
	terms, who := b.terms(units), b.t.Identity.Account
	err = b.t.Ledger.Submit(ctx, market.SealBid{Seal: market.TermsSeal(terms, who, b.batch, b.salt()), Deposit: terms.Most(), Batch: b.batch})
	if err == nil {
		tell("bid sealed")
	}
	return late(err)
}

// open opens the bid.
func (b bid) open(ctx context.Context, m agent.Market, units uint32) error {
	id, there, open, err := b.find(ctx, m, units)
	if err != nil || !there || open {
		return err
	}
	return late(b.t.Ledger.Submit(ctx, market.OpenBid{Bid: id, Terms: b.terms(units), Salt: b.salt()}))
}

// late forgives a message that reached a block after its time: the next batch is another chance.
func late(err error) error {
	if c := protocol.Code(err); c == protocol.Code(protocol.ErrPhase) || c == protocol.Code(protocol.ErrDuplicate) || c == protocol.Code(protocol.ErrExists) ||
		c == protocol.Code(protocol.ErrNotFound) { // the batch is over, and the bid with it
		return nil
	}
	return err
}
