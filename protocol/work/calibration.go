package work

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// MaxCalibration bounds the rounds of a calibration run, and so the units of which a newcomer is paid there.
const MaxCalibration = 20

// CalibrationPrice is what a newcomer's unit costs where the class has a base price: four fifths of it, rounded down.
// Rule: spec/work.md §14.
func CalibrationPrice(base auction.Price) auction.Price { return base * 4 / 5 }

// checkCalibration validates what a run for newcomers needs: every unit is audited, there are few rounds, and a class has their price.
func (s Spec) checkCalibration() error {
	if s.Calibration && (s.Market == nil || s.Audit.FloorPPM != PPM || s.Rounds > MaxCalibration) {
		return fmt.Errorf("%w: a calibration run names a class, audits every unit (floor_ppm %d) and has at most %d rounds", protocol.ErrInvalid, PPM, MaxCalibration)
	}
	return nil
}

// newcomerPrice is what the units of a newcomer cost: the price that the host has put into the message, at most what the run has locked
// for a unit. Errors: ErrInvalid where newcomers do not work.
func (s Spec) newcomerPrice(m Join) (money.Amount, error) {
	if !s.Calibration || m.Role != Provider || m.Hire == nil || !m.Hire.Lease.IsZero() {
		return money.Amount{}, fmt.Errorf("%w: newcomers join calibration runs, as providers, without a lease", protocol.ErrInvalid)
	}
	price := market.Amount(min(m.Hire.Price, auction.MaxPrice))
	if price.IsZero() {
		return money.Amount{}, fmt.Errorf("%w: nothing in the class has a price", protocol.ErrInvalid)
	}
	if price.Compare(s.Price.PerUnit) > 0 {
		return s.Price.PerUnit, nil
	}
	return price, nil
}

// bondPart is the part of a newcomer's pay that builds its bond.
const bondPart = 5

// EarnIn divides pay between a bond that has not reached its size and its owner: a fifth of it builds the bond of a member without coins.
// Rule: spec/work.md §14.
func EarnIn(bond, size, pay money.Amount) (toBond, toOwner money.Amount) {
	if bond.Compare(size) >= 0 {
		return money.Amount{}, pay
	}
	toBond = pay.Part(1, bondPart)
	if missing := size.Minus(bond); missing.Compare(toBond) < 0 {
		toBond = missing
	}
	return toBond, pay.Minus(toBond)
}

// earnIn adds a part of a newcomer's pay to its bond and returns the rest, which is to be paid. Who has left, and who is paid when the run
// has ended, needs no bond any more.
func (t *turn) earnIn(worker protocol.Account, pay money.Amount) (toOwner, toBond money.Amount) {
	m := t.member(worker)
	if m == nil || !m.Newcomer || t.Phase.Ended() || m.Status != Active && m.Status != Away {
		return pay, money.Amount{}
	}
	toBond, toOwner = EarnIn(m.Bond, t.Spec.ProviderBond, pay)
	m.Bond = m.Bond.Plus(toBond)
	return toOwner, toBond
}
