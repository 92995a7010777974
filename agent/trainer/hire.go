package trainer

import (
	"context"
	"fmt"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/work"
)

// Hire buys providers for a run in the batches of the market until as many as the order wants have joined it, each unit at the price that the
// batch clears at. A machine that lets its lease pass, or accepts and does not join, loses it by the market's rules; in its place another is hired
// at once, at the price of the moment, up to the order's limit. Hire ends with a Shortage at the latest when the run does, which waits for
// its first members for a time that its terms fix.
//
// Everything that it has done is on the ledger, and the salts of its bids derive from its secret, so it may be called again after a crash. tell
// reports what it waits for.
func (t *Trainer) Hire(ctx context.Context, m agent.Market, s *work.State, o *Order, tell func(string)) error {
	p, err := m.MarketParams(ctx)
	if err != nil {
		return err
	}
	h, err := t.Ledger.Height(ctx)
	g := hiring{t: t, m: m, o: o, p: p, tell: tell, passed: map[protocol.Hash]uint32{}, told: h}
	for ; err == nil; h, err = t.Ledger.Next(ctx, h) {
		if g.run, err = t.Ledger.Run(ctx, s.ID); err != nil {
			return err
		}
		crew, err := t.crew(ctx, m, s.ID)
		if err != nil {
			return err
		}
		if crew.joined >= o.Want {
			return nil
		}
		if g.run.Phase.Ended() { // what was on its way is called off by now
			return g.shortage(ctx, g.crew)
		}
		g.crew = crew
		g.news()
		if err := g.fill(ctx, crew, h); err != nil {
			return err
		}
		if err := g.explain(ctx, crew, h); err != nil {
			return err
		}
	}
	return err
}

// HireNow leases one more provider at once, at the price of the moment, unless want have a lease already. It reports whether so many have joined:
// until then it is to be called again.
func (t *Trainer) HireNow(ctx context.Context, m agent.Market, s *work.State, want uint32, limit auction.Price) (bool, error) {
	crew, err := t.crew(ctx, m, s.ID)
	if err != nil || crew.has() >= want {
		return crew.joined >= want, err
	}
	return false, t.take(ctx, s, 1, limit, crew.leases)
}

// take leases units at once. ever is how many leases the run has had, which makes the order another one than those before.
func (t *Trainer) take(ctx context.Context, s *work.State, units uint32, limit auction.Price, ever uint64) error {
	return t.Ledger.Submit(ctx, market.TakeNow{Class: s.Spec.Market.Class, Units: units, Tenors: 1, Limit: limit, Job: s.ID, Metered: true, Nonce: ever})
}

// crew is whom a run has hired.
type crew struct {
	coming, joined uint32 // machines that have a lease, and those that have joined the run, though they may have left it since
	leases         uint64 // ever bought
	lost           []market.Lease
	moved          []market.Lease // offers that their first provider let pass, and another has
}

func (c crew) has() uint32 { return c.coming + c.joined }

// crew reads the leases of a run.
func (t *Trainer) crew(ctx context.Context, m agent.Market, run protocol.Hash) (crew, error) {
	var c crew
	leases, err := m.Leases(ctx, t.Identity.Account)
	for _, l := range leases {
		if l.Job != run || l.Buyer != t.Identity.Account {
			continue
		}
		c.leases++
		switch {
		case l.Taken:
			c.joined += l.Units
		case l.Status == market.Offered || l.Status == market.Running:
			c.coming += l.Units
			if l.Attempt > 0 {
				c.moved = append(c.moved, l)
			}
		default:
			c.lost = append(c.lost, l)
		}
	}
	return c, err
}

// hiring is one call of Hire.
type hiring struct {
	t      *Trainer
	m      agent.Market
	o      *Order
	p      market.Params
	run    *work.State
	crew   crew // of the last block
	tell   func(string)
	passed map[protocol.Hash]uint32 // by lease: how often it has been told that somebody let it pass
	told   protocol.Height          // when it was last told what is missing
}

// news tells of machines that did not come.
func (g *hiring) news() {
	c := g.crew
	for _, l := range c.moved {
		if g.passed[l.ID] < l.Attempt {
			g.passed[l.ID] = l.Attempt
			g.tell(fmt.Sprintf("a hired machine did not join and pays for it; its lease goes to %s at the same price", l.Provider))
		}
	}
	for _, l := range c.lost {
		if g.passed[l.ID] <= l.Attempt {
			g.passed[l.ID] = l.Attempt + 1
			g.tell(fmt.Sprintf("machine %s was hired, did not join and pays for it; hiring another", l.Provider))
		}
	}
}

// fill orders what is missing: in the batch, or at once if machines did not come and no bid is under way.
func (g *hiring) fill(ctx context.Context, c crew, h protocol.Height) error {
	b := bid{t: g.t, run: g.run, batch: g.p.Batch(h + 1), limit: g.o.Limit}
	id, units, open, err := b.find(ctx, g.m, g.o.Want)
	switch {
	case err != nil:
		return err
	case units > 0 && !open && g.p.Revealing(h+1):
		return b.open(ctx, id, units)
	case units > 0 || c.has() >= g.o.Want:
		return nil
	}
	missing, offers := g.o.Want-c.has(), g.o.Offers-int(c.has())
	if len(c.lost) > 0 {
		took, err := g.takeNow(ctx, missing, c.leases)
		if err != nil || took {
			return err
		}
		offers = 1
	}
	if g.p.Revealing(h + 1) {
		return nil
	}
	return b.seal(ctx, g.m, missing, max(1, offers), g.tell)
}

// takeNow leases as many of the missing machines as are free within the limit.
func (g *hiring) takeNow(ctx context.Context, missing uint32, ever uint64) (bool, error) {
	for n := missing; n > 0; n-- {
		price, free, err := g.m.Quote(ctx, g.run.Spec.Market.Class, n, 0)
		if err != nil {
			return false, err
		}
		if free < n || price > g.o.Limit {
			continue
		}
		err = g.t.take(ctx, g.run, n, g.o.Limit, ever)
		if protocol.Code(err) == protocol.Code(protocol.ErrFull) { // somebody was faster
			return false, nil
		}
		return err == nil, late(err)
	}
	return false, nil
}

// explainEvery is after how many blocks Hire says again what it waits for.
const explainEvery = 60

// explain tells now and then what is missing and why.
func (g *hiring) explain(ctx context.Context, c crew, h protocol.Height) error {
	if h < g.told+explainEvery {
		return nil
	}
	g.told = h
	s, err := g.measure(ctx, c)
	if err == nil {
		g.tell(fmt.Sprintf("block %d: %s; the run waits until block %d", h, s.Error(), g.run.Deadline))
	}
	return err
}

// shortage is measure as the error that ends Hire.
func (g *hiring) shortage(ctx context.Context, c crew) error {
	s, err := g.measure(ctx, c)
	if err != nil {
		return err
	}
	return s
}

func (g *hiring) measure(ctx context.Context, c crew) (*Shortage, error) {
	asks, err := g.m.ClassAsks(ctx, g.o.Class)
	if err != nil {
		return nil, err
	}
	s := &Shortage{Want: g.o.Want, Joined: c.joined, Coming: c.coming, Limit: g.o.Limit, Offers: len(asks), Needed: g.o.Offers}
	for _, l := range c.lost {
		s.Lost += int(l.Attempt) + 1
	}
	if len(asks) > 0 {
		s.Cheapest = asks[0].Reserve
	}
	return s, nil
}

// Shortage says why a run has not got its machines.
type Shortage struct {
	Want, Joined, Coming uint32
	Lost                 int           // machines that had a lease and did not join
	Offers, Needed       int           // machines that are on offer, and with how many the run bids first
	Cheapest, Limit      auction.Price // of the offers, if there are any
}

// Error is a sentence.
func (s *Shortage) Error() string {
	text := fmt.Sprintf("%d of %d machines have joined, %d more are hired, %d let their lease pass; ", s.Joined, s.Want, s.Coming, s.Lost)
	limit := market.Amount(s.Limit).Coins()
	switch {
	case s.Offers == 0:
		return text + "no other is offered"
	case s.Cheapest > s.Limit:
		return text + fmt.Sprintf("the cheapest of %d others costs %s, the limit is %s", s.Offers, market.Amount(s.Cheapest).Coins(), limit)
	case s.Lost == 0 && s.Joined+s.Coming == 0 && s.Offers < s.Needed:
		return text + fmt.Sprintf("%d are offered, and the run bids once %d are", s.Offers, s.Needed)
	}
	return text + fmt.Sprintf("%d others are offered from %s on, the limit is %s", s.Offers, market.Amount(s.Cheapest).Coins(), limit)
}
