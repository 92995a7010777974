package books

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

const tradersPerTurn = 12 // messages of the market in each block

// sealed is a bid that its owner may open.
type sealed struct {
	owner protocol.Account
	open  market.OpenBid
	batch uint64
}

// class is one of a few; that of runs is the last.
func class(n int) market.Class {
	return market.Class{Resource: fmt.Sprintf("cpu-%d", n/4), Region: "eu", Tier: market.Audited, Tenor: uint8(n % 4)}
}

const classes = 8

var runClass = market.Class{Resource: "cpu", Region: "home", Tier: market.Audited, Tenor: 3}

// trade sends messages about asks, bids and leases. Owners of bids are few in a class at times, so that all ways to a price occur.
func (s *Simulation) trade() {
	for range tradersPerTurn {
		s.deal()
	}
	now := s.Ledger.Height() + 1
	p := ledgertest.MarketParams
	waiting := s.sealed[:0]
	for _, b := range s.sealed {
		switch {
		case b.batch != p.Batch(now):
		case p.Revealing(now) && s.chance(60):
			s.submit(b.owner, b.open)
		default:
			waiting = append(waiting, b) // some stay sealed for good
		}
	}
	s.sealed = waiting
	for _, l := range s.Ledger.Leases() {
		if l.Status == market.Offered && s.chance(50) {
			s.submit(l.Provider, market.AcceptLease{Lease: l.ID})
		}
	}
}

func (s *Simulation) deal() {
	who, c, now := s.person(), class(s.random.IntN(classes)), s.Ledger.Height()+1
	leases := s.Ledger.Leases()
	some := func() market.Lease { return leases[s.random.IntN(len(leases))] }
	price := func() auction.Price { return auction.Price(1 + s.random.Uint64N(1<<30)) }
	switch n := s.random.IntN(100); {
	case n < 25:
		bond := ledgertest.MarketParams.MinUnitBond.Plus(money.New(s.random.Uint64N(1 << 50)))
		s.submit(who, market.PlaceAsk{Class: c, Units: 1 + s.random.Uint32N(6), Reserve: price(), Until: now + protocol.Height(1+s.random.Uint64N(80)), Notice: s.random.Uint64N(6), UnitBond: bond})
	case n < 29:
		s.submit(who, market.WithdrawAsk{Ask: market.AskID(who, c)})
	case n < 32:
		s.submit(who, market.RenewAsk{Ask: market.AskID(who, c)})
	case n < 65:
		s.bid(who, c, price)
	case n < 75:
		s.nonce++
		buyer, job := s.buyer(who)
		s.submit(buyer, market.TakeNow{Class: c, Units: 1 + s.random.Uint32N(3), Tenors: 1 + s.random.Uint32N(2), Limit: price(), Job: job, Nonce: s.nonce})
	case len(leases) == 0:
	case n < 85:
		l := some()
		s.submit([]protocol.Account{l.Buyer, l.Provider, who}[s.random.IntN(3)], market.EndLease{Lease: l.ID})
	default:
		s.submit(who, market.SettleLease{Lease: some().ID})
	}
}

// buyer is somebody with a job: now and then the author of the newest run, for that run, whose leases end with it.
func (s *Simulation) buyer(who protocol.Account) (protocol.Account, protocol.Hash) {
	runs := s.Ledger.Runs()
	if len(runs) == 0 || s.chance(50) {
		return who, protocol.Hash{}
	}
	run, err := s.Ledger.Run(runs[len(runs)-1])
	if err != nil {
		panic("books: " + err.Error())
	}
	return run.Author, run.ID
}

func (s *Simulation) bid(who protocol.Account, c market.Class, price func() auction.Price) {
	who, job := s.buyer(who)
	t := market.Terms{Job: job, Whole: s.chance(30), Tenors: 1 + s.random.Uint32N(3), Alternatives: []market.Alternative{{Class: c, Units: 1 + s.random.Uint32N(4), Limit: price()}}}
	if other := class(s.random.IntN(classes)); other != c {
		t.Alternatives = append(t.Alternatives, market.Alternative{Class: other, Units: 1 + s.random.Uint32N(4), Limit: price()})
	}
	s.nonce++
	batch, salt := ledgertest.MarketParams.Batch(s.Ledger.Height()+1), hash("bid", s.nonce)
	seal := market.TermsSeal(t, who, batch, salt)
	if s.submit(who, market.SealBid{Seal: seal, Deposit: t.Most().Plus(money.New(s.random.Uint64N(1 << 50))), Batch: batch}) == nil {
		s.sealed = append(s.sealed, sealed{who, market.OpenBid{Bid: market.BidID(who, batch, seal), Terms: t, Salt: salt}, batch})
	}
}

// lease hires a provider for a run. Now and then somebody else is hired before, who accepts and does not join.
func (p *performance) lease(author, who protocol.Account, limit money.Amount) (*work.Hire, error) {
	if idle := p.person(); idle != author && p.chance(30) {
		if _, err := p.rent(author, idle, limit); err != nil {
			return nil, err
		}
	}
	return p.rent(author, who, limit)
}

// rent leases a machine at a price below the limit: its owner offers a unit, the author takes it, the provider accepts.
func (p *performance) rent(author, who protocol.Account, limit money.Amount) (*work.Hire, error) {
	reserve := auction.Price(1 + p.random.Uint64N(uint64(market.Floor(limit))))
	now := p.Ledger.Height() + 1
	units := uint32(1)
	for _, a := range p.Ledger.Asks() {
		if a.ID == market.AskID(who, runClass) {
			units = max(a.Leased+1, a.Watched)
		}
	}
	offer := market.PlaceAsk{Class: runClass, Units: units, Reserve: reserve, Until: now + 1, UnitBond: ledgertest.MarketParams.MinUnitBond}
	if err := p.submit(who, offer); err != nil {
		return nil, fmt.Errorf("offer: %w", err)
	}
	p.nonce++
	take := market.TakeNow{Class: runClass, Units: 1, Tenors: 5, Limit: market.Floor(limit), Job: p.id, Metered: true, Nonce: p.nonce}
	if err := p.submit(author, take); err != nil {
		return nil, fmt.Errorf("take: %w", err)
	}
	bid := market.TakeID(take, author)
	for _, l := range p.Ledger.Leases() {
		if l.Bid == bid {
			if err := p.submit(l.Provider, market.AcceptLease{Lease: l.ID}); err != nil {
				return nil, fmt.Errorf("accept: %w", err)
			}
			return &work.Hire{Lease: l.ID, Price: l.Quote.Buyer}, nil
		}
	}
	return nil, fmt.Errorf("%w: the lease of %s", protocol.ErrNotFound, who)
}
