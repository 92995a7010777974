// Package rewards owns how the fees of transactions reach those who validate: every hundred blocks the fees that were collected are divided in
// proportion to power and signed blocks; each validator's part goes to its operator, as far as it asks a commission, and to the stake behind
// it. Nothing is rounded away: what cannot be divided stays where it is and is divided the next time. It knows no store and no bank, and
// imports protocol/money. Source: spec/rewards.md.
package rewards

import (
	"github.com/holiman/uint256"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

const (
	// Epoch is how many blocks there are from one division to the next, which is in blocks whose height is a multiple of it.
	Epoch = 100
	// PaidPerBlock bounds the delegations that are paid at the beginning of one block.
	PaidPerBlock = 32
	// Whole is a commission of everything.
	Whole = 1_000_000_000_000_000_000

	// fraction is how many bits an amut is divided into in what a share has earned.
	fraction = 128
	// maxPot bounds what one division divides, and maxShares the shares among which a part is divided, so that no product leaves 256 bits.
	maxPot, maxShares = 96, 192
)

// Validator is what the stake behind a validator has earned.
type Validator struct {
	Index      money.Amount `json:"index"`      // of one share since its first stake, in 2^-128 amut
	Rest       money.Amount `json:"rest"`       // 2^-128 amut that were too few for Index
	Holders    uint64       `json:"holders"`    // delegations
	Earned     money.Amount `json:"earned"`     // amut for all stake
	Commission money.Amount `json:"commission"` // amut for its operator alone
}

// Holder is a delegation: whose stake it is, as far as it is paid.
type Holder struct {
	Seen money.Amount `json:"seen"` // Index up to which it is paid
	Rest money.Amount `json:"rest"` // below 2^128: what is not a whole amut yet
	Paid money.Amount `json:"paid"` // amut so far
}

// Signer is who signed blocks of an epoch.
type Signer struct {
	Operator   protocol.Account
	Weight     money.Amount // sum of its power in the blocks that it signed
	Shares     money.Amount // of the stake behind it, in 10^-18; 0 if there is no such validator any more
	Commission uint64       // of Whole
	Validator  Validator
}

// payable reports whether somebody's stake can be paid. The rule leaves what is not payable in the pot.
func (s Signer) payable() bool {
	return s.Validator.Holders > 0 && !s.Shares.IsZero() && s.Shares.BitLen() <= maxShares && s.Commission <= Whole
}

// Divide gives each signer floor(pot·weight/Σweight) of what the collector holds, and of loose: coins in escrow, in 2^-128 amut, that
// nobody's stake is behind. It returns the signers as they are then, what is loose then, and effects: what is taken from the collector, and
// commissions. What is not given stays with the collector. Rule: spec/rewards.md §2.
func Divide(pot, loose money.Amount, signers []Signer, collector protocol.Account) ([]Signer, money.Amount, []protocol.Effect) {
	sum, given := money.Amount{}, money.Amount{}
	for _, s := range signers {
		sum = sum.Plus(s.Weight)
	}
	back := whole(loose)
	pot = least(pot, limit).Plus(least(back, limit))
	if pot.IsZero() || sum.IsZero() {
		return signers, loose, nil
	}
	next := make([]Signer, len(signers))
	var commissions []protocol.Effect
	for i, s := range signers {
		next[i] = s
		part := pot.Share(s.Weight, sum)
		if part.IsZero() || !s.payable() {
			continue
		}
		own := part.Part(s.Commission, Whole)
		next[i].Validator = s.Validator.earn(part.Minus(own), own, s.Shares)
		given = given.Plus(part)
		if !own.IsZero() {
			commissions = append(commissions, protocol.Pay{To: s.Operator, Amount: own})
		}
	}
	used := least(back, given)
	effects := commissions
	if taken := given.Minus(used); !taken.IsZero() {
		effects = append([]protocol.Effect{protocol.Lock{From: collector, Amount: taken}}, commissions...)
	}
	return next, loose.Minus(scaled(used)), append(effects, protocol.Event{Type: "rewards.divided", Attributes: []protocol.Attribute{{Name: "amount", Value: given.String()}}})
}

// earn adds a part for the stake and a commission.
func (v Validator) earn(part, commission, shares money.Amount) Validator {
	v.Earned, v.Commission = v.Earned.Plus(part), v.Commission.Plus(commission)
	sum, by := wide(scaled(part).Plus(v.Rest)), wide(shares)
	var each, rest uint256.Int
	each.DivMod(&sum, &by, &rest)
	v.Index, v.Rest = v.Index.Plus(narrow(&each)), narrow(&rest)
	return v
}

// Enter adds a delegation, which has earned nothing yet.
func Enter(v Validator) (Validator, Holder) {
	v.Holders++
	return v, Holder{Seen: v.Index}
}

// Settle pays a delegation what its shares have earned since it was paid last. Shares must not have changed in between: settle before they
// do. Rule: spec/rewards.md §3.
func Settle(v Validator, h Holder, shares money.Amount, who protocol.Account) (Holder, []protocol.Effect) {
	each, by := wide(v.Index.Minus(h.Seen)), wide(shares)
	each.Mul(&each, &by) // at most what all shares have earned
	sum := narrow(&each).Plus(h.Rest)
	due := whole(sum)
	h.Seen, h.Rest, h.Paid = v.Index, sum.Minus(scaled(due)), h.Paid.Plus(due)
	if due.IsZero() {
		return h, nil
	}
	return h, []protocol.Effect{protocol.Pay{To: who, Amount: due}}
}

// Leave takes a settled delegation away. What is less than an amut of it stays with the validator; with the last delegation it is loose.
func Leave(v Validator, h Holder, loose money.Amount) (Validator, money.Amount) {
	v.Rest = v.Rest.Plus(h.Rest)
	if v.Holders--; v.Holders > 0 {
		return v, loose
	}
	return Validator{}, loose.Plus(v.Rest)
}

// Owed is what the escrow owes for a delegation that is not settled, in 2^-128 amut.
func Owed(v Validator, h Holder, shares money.Amount) money.Amount {
	next, effects := Settle(v, h, shares, protocol.Account{})
	sum := next.Rest
	for _, e := range effects {
		sum = sum.Plus(scaled(e.(protocol.Pay).Amount))
	}
	return sum
}

// Due is that in whole amut.
func Due(v Validator, h Holder, shares money.Amount) money.Amount { return whole(Owed(v, h, shares)) }

// InCoins is an amount of 2^-128 amut in amut, and whether it is a whole number of them.
func InCoins(fine money.Amount) (amount money.Amount, exact bool) {
	amount = whole(fine)
	return amount, scaled(amount) == fine
}

// limit is the most that is divided at once.
var limit = narrow(new(uint256.Int).Sub(new(uint256.Int).Lsh(uint256.NewInt(1), maxPot), uint256.NewInt(1)))

func least(a, b money.Amount) money.Amount {
	if a.Compare(b) <= 0 {
		return a
	}
	return b
}

// whole drops the fraction of an amut, and scaled adds one of zero.
func whole(a money.Amount) money.Amount {
	v := wide(a)
	return narrow(v.Rsh(&v, fraction))
}

func scaled(a money.Amount) money.Amount {
	v := wide(a)
	return narrow(v.Lsh(&v, fraction))
}

func wide(a money.Amount) uint256.Int {
	b := a.Bytes()
	var v uint256.Int
	v.SetBytes32(b[:])
	return v
}

func narrow(v *uint256.Int) money.Amount { return money.FromBytes(v.Bytes32()) }
