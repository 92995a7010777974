package market

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// TakeNow leases units at the base price without waiting for a batch. Rule: spec/market.md §10.
type TakeNow struct {
	Class         Class         `json:"class"`
	Units         uint32        `json:"units"`
	Tenors        uint32        `json:"tenors"`
	Limit         auction.Price `json:"limit"`
	MinReputation uint32        `json:"min_reputation"`
	Job           protocol.Hash `json:"job"`
	Nonce         uint64        `json:"nonce"` // the sender's choice, so that it can take the same twice
}

// Kind is "market/take-now".
func (TakeNow) Kind() string { return "market/take-now" }

// Check validates ranges.
func (m TakeNow) Check() error { return m.terms().Check() }

// terms are those of a whole bid with one alternative.
func (m TakeNow) terms() Terms {
	return Terms{
		Alternatives: []Alternative{{m.Class, m.Units, m.Limit}}, Whole: true, MinReputation: m.MinReputation, Tenors: m.Tenors, Job: m.Job,
	}
}

// Take applies TakeNow. offers are asks of the class in the order of their reserves, then of their ids; base is the price of
// the class. Effect: the cost is locked. Errors: ErrInvalid, ErrFull if the price is above the limit or too little is free at it.
// The host refuses a bid id that exists. Rule: spec/market.md §10.
func Take(m TakeNow, base auction.Price, offers []Candidate, from protocol.Account, p Params, env protocol.Env) ([]Lease, []Ask, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return nil, nil, nil, err
	}
	if base > m.Limit {
		return nil, nil, nil, fmt.Errorf("%w: the class costs %d, the limit is %d", protocol.ErrFull, base, m.Limit)
	}
	terms := m.terms()
	bid := Bid{ID: TakeID(m, from), Owner: from, Open: &terms}
	var leases []Lease
	var changed []Ask
	effects := []protocol.Effect{protocol.Lock{From: from, Amount: cost(base, m.Units, m.Tenors)}}
	left := m.Units
	for _, c := range offers {
		a := c.Ask
		n := min(left, a.free(env.Height))
		if n == 0 || a.Class != m.Class || a.Reserve > base || c.Grade < m.MinReputation {
			continue
		}
		l := newLease(bid, a, n, auction.Quote{Buyer: base, Seller: base}, p, env)
		a.Leased += n
		left -= n
		leases, changed, effects = append(leases, l), append(changed, a), append(effects, leaseEvent("offered", l))
	}
	if left > 0 {
		return nil, nil, nil, fmt.Errorf("%w: %d of %d units are free at the price of %d", protocol.ErrFull, m.Units-left, m.Units, base)
	}
	return leases, changed, effects, nil
}

// TakeID is the bid id of leases that begin at once.
func TakeID(m TakeNow, from protocol.Account) protocol.Hash {
	p := new(protocol.Preimage).Account(from).Hash(m.Class.ID()).Uint32(m.Units).Uint32(m.Tenors).Uint64(uint64(m.Limit))
	return p.Uint32(m.MinReputation).Hash(m.Job).Uint64(m.Nonce).Digest("mutirao/market/take")
}
