package work

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol/money"
)

// MaxVesting bounds the rounds for which pay is kept back, and so what a member's record holds.
const MaxVesting = 64

// Vesting keeps a worker's pay back for some rounds. Until it is due it is at stake like the bond: who is convicted loses it, so a false unit
// that passed its audit is not paid if one of the same worker's next units is found out. It costs no computing. Rule: spec/work.md §10.
type Vesting struct {
	Rounds uint32 `json:"rounds"` // 0: pay is due when the round closes
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

// vest closes the round for all that is kept back: what members have earned joins it, what is due is paid.
func (t *turn) vest(earned []money.Amount) {
	for i := range t.Members {
		m := &t.Members[i]
		if len(m.Kept) == 0 && earned[i].IsZero() {
			continue
		}
		next, due := t.Spec.Vesting.Close(m.Kept, earned[i])
		t.payKept(fmt.Sprintf("r%d-kept-%d", t.Round.Number, i), m, next, due)
	}
}

// payKept pays what is due of a member's kept pay; next stays kept.
func (t *turn) payKept(id string, m *Member, next Kept, due money.Amount) {
	if m.Kept = next; next.Sum().IsZero() {
		m.Kept = nil
	}
	if due.IsZero() {
		return
	}
	r := Receipt{ID: id, Kind: ForKept, To: m.Account, Gross: due}
	r.Amount, r.Bonded = t.earnIn(m.Account, due)
	if t.Round != nil {
		r.Round = t.Round.Number
	}
	t.record(r)
	t.pay(m.Account, r.Amount)
}

// forfeit burns what is kept of a convicted member's pay. Nobody gains by it: not the author, who could else save pay by silencing a worker that
// it owes, nor who convicts, so that a liar who disputes itself gets no more than half of its bond back.
func (t *turn) forfeit(m *Member) money.Amount {
	lost := m.Kept.Sum()
	m.Kept = nil
	t.burn(lost)
	if !lost.IsZero() {
		t.event("forfeited", "account", m.Account.String(), "amount", lost.String())
	}
	return lost
}
