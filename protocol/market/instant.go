package market

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// TakeNow leases units at the price of Instant without waiting for a batch. Rule: spec/market.md §10.
type TakeNow struct {
	Class         Class         `json:"class"`
	Units         uint32        `json:"units"`
	Tenors        uint32        `json:"tenors"`
	Limit         auction.Price `json:"limit"`
	MinReputation uint32        `json:"min_reputation"`
	Job           protocol.Hash `json:"job"`
	Metered       bool          `json:"metered,omitempty"`
	Nonce         uint64        `json:"nonce"` // the sender's choice, so that it can take the same twice
}

// Kind is "market/take-now".
func (TakeNow) Kind() string { return "market/take-now" }

// Check validates ranges.
func (m TakeNow) Check() error { return m.terms().Check() }

// terms are those of a whole bid with one alternative.
func (m TakeNow) terms() Terms {
	return Terms{
		Alternatives: []Alternative{{m.Class, m.Units, m.Limit}}, Whole: true, MinReputation: m.MinReputation, Tenors: m.Tenors, Job: m.Job, Metered: m.Metered,
	}
}

// Take applies TakeNow. offers are asks of the class in the order of their reserves, then of their ids; base is the price of
// the class. Effect: the cost is locked. Errors: ErrInvalid, ErrFull if the price is above the limit or too little is free.
// The host refuses a bid id that exists. Rule: spec/market.md §10.
func Take(m TakeNow, base auction.Price, offers []Candidate, from protocol.Account, p Params, env protocol.Env) ([]Lease, []Ask, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return nil, nil, nil, err
	}
	price, found := Instant(m.Class, m.Units, m.MinReputation, base, offers, env)
	switch {
	case found < m.Units:
		return nil, nil, nil, fmt.Errorf("%w: %d of %d units are free", protocol.ErrFull, found, m.Units)
	case price > m.Limit:
		return nil, nil, nil, fmt.Errorf("%w: the units cost %d each, the limit is %d", protocol.ErrFull, price, m.Limit)
	}
	terms := m.terms()
	bid := Bid{ID: TakeID(m, from), Owner: from, Open: &terms}
	var leases []Lease
	var changed []Ask
	var effects []protocol.Effect
	if !m.Metered {
		effects = append(effects, protocol.Lock{From: from, Amount: cost(price, m.Units, m.Tenors), Job: true})
	}
	left := m.Units
	for _, c := range offers {
		a := c.Ask
		n := min(left, a.free(env.Height))
		if n == 0 || a.Class != m.Class || c.Grade < m.MinReputation {
			continue
		}
		l := newLease(bid, a, n, auction.Quote{Buyer: price, Seller: price}, p, env)
		a.Leased += n
		left -= n
		leases, changed, effects = append(leases, l), append(changed, a), append(effects, leaseEvent("offered", l))
	}
	return leases, changed, effects, nil
}

// Instant is what a unit costs when so many are leased at once: the base price of the class, or the reserve of the dearest ask
// that is needed if that is more. It also returns how many of the units are free. Rule: spec/market.md §10.
func Instant(class Class, units, minReputation uint32, base auction.Price, offers []Candidate, env protocol.Env) (price auction.Price, found uint32) {
	price = base
	for _, c := range offers {
		n := min(units-found, c.Ask.free(env.Height))
		if n == 0 || c.Ask.Class != class || c.Grade < minReputation {
			continue
		}
		found += n
		price = max(price, c.Ask.Reserve)
	}
	return price, found
}

// TakeID is the bid id of leases that begin at once.
func TakeID(m TakeNow, from protocol.Account) protocol.Hash {
	p := new(protocol.Preimage).Account(from).Hash(m.Class.ID()).Uint32(m.Units).Uint32(m.Tenors).Uint64(uint64(m.Limit))
	return p.Uint32(m.MinReputation).Hash(m.Job).Bool(m.Metered).Uint64(m.Nonce).Digest("mutirao/market/take")
}
