package work

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// Market says where a run hires its providers: they offer units of a class, its author bids for them, and a lease at the cleared
// price makes one of them a member whose units cost that price. Rule: spec/work.md §3.
type Market struct {
	Class market.Class `json:"class"`
}

// Hire is how a provider proves that a run has leased it. The host refuses one that CheckHire refuses.
type Hire struct {
	Lease protocol.Hash `json:"lease"`
	Price auction.Price `json:"price"` // the lease's, for a unit, in nanoMUT
}

// CheckHire compares a hire with the lease that it names. Errors: ErrNotAssigned.
func CheckHire(s *State, h Hire, from protocol.Account, l market.Lease) error {
	if s.Spec.Market == nil || l.ID != h.Lease || l.Provider != from || l.Buyer != s.Author || l.Job != s.ID || !l.Metered ||
		l.Class != s.Spec.Market.Class || l.Quote.Buyer != h.Price || l.Status != market.Running {
		return fmt.Errorf("%w: lease %s does not hire %s for run %s at %d", protocol.ErrNotAssigned, short(h.Lease), from, short(s.ID), h.Price)
	}
	return nil
}

// CheckMetered tells whether an account may lease machines for a run that pays by the piece: it is the author, the run goes on and
// hires in these classes, and it has locked what a unit may cost. Errors: ErrFinished, ErrNotAssigned, ErrInsufficient.
func CheckMetered(s *State, from protocol.Account, wants []market.Alternative) error {
	switch {
	case s.Phase.Ended():
		return fmt.Errorf("%w: run %s is %s", protocol.ErrFinished, short(s.ID), s.Phase)
	case s.Author != from || s.Spec.Market == nil:
		return fmt.Errorf("%w: run %s hires nobody for %s", protocol.ErrNotAssigned, short(s.ID), from)
	}
	for _, a := range wants {
		if a.Class != s.Spec.Market.Class {
			return fmt.Errorf("%w: run %s does not hire in that class", protocol.ErrNotAssigned, short(s.ID))
		}
		if market.Amount(a.Limit).Compare(s.Spec.Price.PerUnit) > 0 {
			return fmt.Errorf("%w: a unit may cost %s, the run has locked %s for it", protocol.ErrInsufficient, market.Amount(a.Limit).Coins(), s.Spec.Price.PerUnit.Coins())
		}
	}
	return nil
}

// Forfeit is a lease whose provider was convicted, and who proved it.
type Forfeit struct {
	Lease protocol.Hash
	To    protocol.Account
}

// Forfeits lists the leases of members that a rule has expelled between two states of a run: the host has the market void them.
// Rule: spec/work.md §8, spec/market.md §9.
func Forfeits(before, after *State) (list []Forfeit) {
	for i := range after.Members {
		m := &after.Members[i]
		if m.Lease.IsZero() || m.Status != Expelled || after.Round == nil {
			continue
		}
		if old := before.member(m.Account); old == nil || old.Status == Expelled {
			continue
		}
		for _, x := range after.Round.Slashes {
			if x.Account == m.Account {
				list = append(list, Forfeit{m.Lease, x.To})
				break
			}
		}
	}
	return list
}

// Absences lists the leases of providers that have missed a duty between two states of a run: the host has the market close their asks, so
// that nobody hires a machine that does not answer. Rule: spec/market.md §8.
func Absences(before, after *State) (list []protocol.Hash) {
	for i := range after.Members {
		m := &after.Members[i]
		if m.Lease.IsZero() || m.Status != Away {
			continue
		}
		if old := before.member(m.Account); old != nil && old.Status == Active {
			list = append(list, m.Lease)
		}
	}
	return list
}

// hirePrice is what the units of who joins will cost. Errors: ErrInvalid if a provider lacks its hire or the run hires nobody,
// ErrInsufficient above what the run has locked for a unit.
func (s Spec) hirePrice(m Join) (money.Amount, error) {
	if m.Newcomer || s.Calibration && m.Role == Provider {
		return s.newcomerPrice(m)
	}
	needed := s.Market != nil && m.Role == Provider
	switch {
	case needed != (m.Hire != nil):
		return money.Amount{}, fmt.Errorf("%w: a provider needs a lease in a run that hires through the market, and nobody else has one", protocol.ErrInvalid)
	case !needed:
		return money.Amount{}, nil
	case m.Hire.Price > auction.MaxPrice || market.Amount(m.Hire.Price).Compare(s.Price.PerUnit) > 0:
		return money.Amount{}, fmt.Errorf("%w: a price of %d nanoMUT, the run has locked %s for a unit", protocol.ErrInsufficient, m.Hire.Price, s.Price.PerUnit.Coins())
	}
	return market.Amount(m.Hire.Price), nil
}

// unitPrice is what a unit of a worker costs.
func (t *turn) unitPrice(worker protocol.Account) money.Amount {
	if m := t.member(worker); t.Spec.Market != nil && m != nil {
		return m.Price
	}
	return t.Spec.Price.PerUnit
}
