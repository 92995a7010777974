package work

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// MaxVesting bounds the rounds for which pay is kept back, and so what a member's record holds.
const MaxVesting = 64

// Vesting keeps a worker's pay back for some rounds. Until it is due it is at stake like the bond: who is convicted loses it, so a false unit
// that passed its audit is not paid if one of the same worker's next units is found out. It costs no computing. Rule: spec/work.md §13.
type Vesting struct {
	Rounds uint32 `json:"rounds"` // 0: pay is due when the round closes
}

// Check validates the form. The error is protocol.ErrInvalid.
func (v Vesting) Check() error {
	if v.Rounds > MaxVesting {
		return fmt.Errorf("%w: vesting of %d rounds, allowed are 0 to %d", protocol.ErrInvalid, v.Rounds, MaxVesting)
	}
	return nil
}

// Kept is what a member has earned in its last rounds and not been paid: one amount for each round, the oldest first. It is part of what the
// run owes, and of what a conviction takes.
type Kept []money.Amount

// Close lets a round pass in which a member has earned something, or nothing. What is due is what it earned so many rounds ago.
// k is not changed.
func (v Vesting) Close(k Kept, earned money.Amount) (next Kept, due money.Amount) {
	next = append(append(next, k...), earned)
	for len(next) > int(v.Rounds) {
		due, next = due.Plus(next[0]), next[1:]
	}
	return next, due
}

// Sum is all that is kept: what is due when the run has ended and its last claims stand, or lost with the bond.
func (k Kept) Sum() money.Amount {
	var sum money.Amount
	for _, a := range k {
		sum = sum.Plus(a)
	}
	return sum
}

// EarnIn divides pay between a bond that has not reached its size and its owner: the first units of a member without coins are its bond.
func EarnIn(bond, size, pay money.Amount) (toBond, toOwner money.Amount) {
	if bond.Compare(size) >= 0 {
		return money.Amount{}, pay
	}
	if missing := size.Minus(bond); missing.Compare(pay) < 0 {
		return missing, pay.Minus(missing)
	}
	return pay, money.Amount{}
}
