package market

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// Ask is a provider's standing offer of units of a class. A provider has one ask a class.
type Ask struct {
	ID       protocol.Hash    `json:"id"`
	Owner    protocol.Account `json:"owner"`
	Class    Class            `json:"class"`
	Units    uint32           `json:"units"`   // on offer, leased ones included
	Leased   uint32           `json:"leased"`  // of Units
	Watched  uint32           `json:"watched"` // units whose lease is over and can still be challenged
	Reserve  auction.Price    `json:"reserve"`
	Until    protocol.Height  `json:"until"`     // the last block in which it takes a lease
	Lapses   protocol.Height  `json:"lapses"`    // the same if its machine is not heard of before: at most Until
	Notice   uint64           `json:"notice"`    // blocks before the provider may take a unit back
	Placed   protocol.Height  `json:"placed"`    // the block in which its terms were set
	UnitBond money.Amount     `json:"unit_bond"` // to be locked for each unit
	Bond     money.Amount     `json:"bond"`      // locked: UnitBond for each unit, less what was forfeited
	Closing  bool             `json:"closing"`   // it takes no more leases until it is placed again, and goes when the last one closes
}

// PlaceAsk offers units, or changes the offer that the sender has in the class. Rule: spec/market.md §6.
type PlaceAsk struct {
	Class    Class           `json:"class"`
	Units    uint32          `json:"units"`
	Reserve  auction.Price   `json:"reserve"`
	Until    protocol.Height `json:"until"`
	Notice   uint64          `json:"notice"`
	UnitBond money.Amount    `json:"unit_bond"`
}

// WithdrawAsk takes an offer back. Leases go on. Rule: spec/market.md §6.
type WithdrawAsk struct {
	Ask protocol.Hash `json:"ask"`
}

// RenewAsk says that the machine behind an offer is there: the offer stands for as long again. Rule: spec/market.md §6.
type RenewAsk struct {
	Ask protocol.Hash `json:"ask"`
}

// Kind is "market/place-ask".
func (PlaceAsk) Kind() string { return "market/place-ask" }

// Kind is "market/withdraw-ask".
func (WithdrawAsk) Kind() string { return "market/withdraw-ask" }

// Kind is "market/renew-ask".
func (RenewAsk) Kind() string { return "market/renew-ask" }

// Check validates ranges.
func (m PlaceAsk) Check() error {
	if err := m.Class.Check(); err != nil {
		return err
	}
	if m.Units == 0 || m.Units > auction.MaxUnits || m.Reserve > auction.MaxPrice || m.Notice > 1<<32 || m.UnitBond.BitLen() > 128 {
		return fmt.Errorf("%w: ask of %d units at %d with a notice of %d blocks and a bond of %s", protocol.ErrInvalid, m.Units, m.Reserve, m.Notice, m.UnitBond)
	}
	return nil
}

// Check has nothing to validate: the id is looked up.
func (WithdrawAsk) Check() error { return nil }

// Check has nothing to validate: the id is looked up.
func (RenewAsk) Check() error { return nil }

// AskID names the ask of a provider in a class.
func AskID(owner protocol.Account, c Class) protocol.Hash {
	return new(protocol.Preimage).Account(owner).Hash(c.ID()).Digest("mutirao/market/ask")
}

// Offer applies PlaceAsk. known is the ask with that AskID, if there is one; leases keep the terms that they began with.
// Effect: the difference of the bonds is locked or paid back. Errors: ErrInvalid. Rule: spec/market.md §6.
func Offer(m PlaceAsk, known *Ask, from protocol.Account, p Params, env protocol.Env) (Ask, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return Ask{}, nil, err
	}
	switch {
	case m.Until <= env.Height:
		return Ask{}, nil, fmt.Errorf("%w: the ask ends in block %d, which is past", protocol.ErrInvalid, m.Until)
	case m.UnitBond.Compare(p.MinUnitBond) < 0:
		return Ask{}, nil, fmt.Errorf("%w: a bond of %s for a unit, at least %s", protocol.ErrInvalid, m.UnitBond, p.MinUnitBond)
	}
	ask := Ask{
		ID: AskID(from, m.Class), Owner: from, Class: m.Class, Units: m.Units, Reserve: m.Reserve, Until: m.Until,
		Notice: m.Notice, UnitBond: m.UnitBond, Placed: env.Height,
	}
	ask.Lapses = ask.lapse(p, env)
	ask.Bond = m.UnitBond.Times(uint64(m.Units))
	placed := protocol.Event{Type: "market.ask-placed", Attributes: []protocol.Attribute{{Name: "ask", Value: ask.ID.String()}, {Name: "owner", Value: from.String()}}}
	if known == nil {
		return ask, append(move(from, money.Amount{}, ask.Bond), placed), nil
	}
	bound := max(known.Leased, known.Watched)
	if m.Units < bound || bound > 0 && m.UnitBond.Compare(known.UnitBond) != 0 {
		return Ask{}, nil, fmt.Errorf("%w: %d units are bound by leases with a bond of %s each: offer as many, with the same bond", protocol.ErrInvalid, bound, known.UnitBond)
	}
	ask.Leased, ask.Watched = known.Leased, known.Watched
	return ask, append(move(from, known.Bond, ask.Bond), placed), nil
}

// lapse is the last block of an ask whose machine is heard of now.
func (a *Ask) lapse(p Params, env protocol.Env) protocol.Height {
	return min(a.Until, env.Height+protocol.Height(p.AskBlocks))
}

// free is how many units can be leased in a block.
func (a *Ask) free(now protocol.Height) uint32 {
	if a.Closing || now > a.Lapses {
		return 0
	}
	return a.Units - a.Leased
}

// Withdraw applies WithdrawAsk. The ask is gone if it has no units left. Effect: the bonds of free units are paid back.
// Errors: ErrNotAssigned. Rule: spec/market.md §6.
func Withdraw(ask Ask, from protocol.Account) (Ask, []protocol.Effect, error) {
	if ask.Owner != from {
		return ask, nil, fmt.Errorf("%w: ask %s", protocol.ErrNotAssigned, ask.ID)
	}
	ask.Closing = true
	return ask, ask.shrink(), nil
}

// joins reports whether the ask takes part in the batch that is open in a block: it does not if its terms were set when bids
// of that batch were being opened, so that nobody answers to a bid that was sealed. Rule: spec/market.md §7.
func (a *Ask) joins(p Params, now protocol.Height) bool {
	return p.Batch(a.Placed) != p.Batch(now) || !p.Revealing(a.Placed)
}

// Renew applies RenewAsk. It changes no terms, so the ask takes part in the batch that is open. Errors: ErrNotAssigned, ErrPhase if the ask is
// closed. Rule: spec/market.md §6.
func Renew(ask Ask, from protocol.Account, p Params, env protocol.Env) (Ask, error) {
	switch {
	case ask.Owner != from:
		return ask, fmt.Errorf("%w: ask %s", protocol.ErrNotAssigned, ask.ID)
	case ask.Closing:
		return ask, fmt.Errorf("%w: ask %s is closed until it is placed again", protocol.ErrPhase, ask.ID)
	}
	ask.Lapses = ask.lapse(p, env)
	return ask, nil
}

// Lapse closes an ask whose last block has passed, or whose machine was not heard of, as if its owner had withdrawn it. The ask is gone if it
// has no units left. Effect: the bonds of free units are paid back. Rule: spec/market.md §6.
func Lapse(ask Ask, env protocol.Env) (Ask, []protocol.Effect) {
	if env.Height < ask.Lapses {
		return ask, nil
	}
	return Absent(ask)
}

// Absent closes the ask of a machine that missed a duty in the run that hired it: nobody else shall hire it before it offers itself again.
// Effect: the bonds of free units are paid back. Rule: spec/market.md §8.
func Absent(ask Ask) (Ask, []protocol.Effect) {
	if ask.Closing {
		return ask, nil
	}
	ask.Closing = true
	lapsed := protocol.Event{Type: "market.ask-lapsed", Attributes: []protocol.Attribute{{Name: "ask", Value: ask.ID.String()}}}
	return ask, append(ask.shrink(), lapsed)
}

// Stale reports whether half of the time has passed for which the ask stands without being renewed, so that its machine should say that it is there.
func (a Ask) Stale(p Params, now protocol.Height) bool {
	return a.Lapses < a.Until && now+protocol.Height(p.AskBlocks/2) >= a.Lapses
}

// Open reports whether units of the ask can be leased, so that the host lists it among the offers of its class.
func (a Ask) Open() bool { return !a.Closing && a.Units > a.Leased }

// release ends the use of leased units. They are watched until the window closes.
func (a *Ask) release(units uint32) {
	a.Leased -= units
	a.Watched += units
}

// shrink takes free units off a closing ask. Effect: their bonds are paid back, those of watched units not yet.
func (a *Ask) shrink() []protocol.Effect {
	if !a.Closing {
		return nil
	}
	before := a.Bond
	a.Units = max(a.Leased, a.Watched)
	if keep := a.UnitBond.Times(uint64(a.Units)); a.Bond.Compare(keep) > 0 {
		a.Bond = keep
	}
	return move(a.Owner, before, a.Bond)
}

// forfeit takes the bond of units for good and closes the ask. It returns what there was.
func (a *Ask) forfeit(units uint32) money.Amount {
	bond := a.UnitBond.Times(uint64(units))
	if bond.Compare(a.Bond) > 0 {
		bond = a.Bond
	}
	a.Bond, a.Closing = a.Bond.Minus(bond), true
	return bond
}

// Gone reports whether nothing is left of the ask, so that the host drops it.
func (a Ask) Gone() bool { return a.Units == 0 && a.Bond.IsZero() }

// move locks what is missing from before to after, or pays back what is too much.
func move(who protocol.Account, before, after money.Amount) []protocol.Effect {
	switch before.Compare(after) {
	case -1:
		return []protocol.Effect{protocol.Lock{From: who, Amount: after.Minus(before)}}
	case 1:
		return []protocol.Effect{protocol.Pay{To: who, Amount: before.Minus(after), Back: true}}
	}
	return nil
}
