package commons

import (
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Budget is what may be minted, and what was. Every coin that is burned may be minted once, for a granted job, if a grant takes it
// within the window. At every moment Burned = Minted + Promised + Expired + the sum of Credit, so that supply and promises together
// never exceed the supply at the beginning. Rule: spec/commons.md §1.
type Budget struct {
	Base     money.Amount   `json:"base"`     // supply when the books were opened
	Burned   money.Amount   `json:"burned"`   // since then, as far as it is noted
	Minted   money.Amount   `json:"minted"`   // since then
	Promised money.Amount   `json:"promised"` // to jobs, not spent yet: minted when it is
	Expired  money.Amount   `json:"expired"`  // burned, and promised to nobody within the window
	Epoch    uint64         `json:"epoch"`    // of the last of Credit
	Credit   []money.Amount `json:"credit"`   // burned in the window's epochs and not promised, the oldest first
}

// OpenBudget begins the books with a supply.
func OpenBudget(supply money.Amount, p Params, env protocol.Env) Budget {
	return Budget{Base: supply, Epoch: p.epoch(env.Height), Credit: make([]money.Amount, 1)}
}

// Free is what a grant may promise beyond the treasury.
func (b Budget) Free() money.Amount {
	var sum money.Amount
	for _, c := range b.Credit {
		sum = sum.Plus(c)
	}
	return sum
}

// Note counts what was burned since it was noted last: what is missing from the supply and was not missing before. Coins that come
// into being in another way than through this budget, which only a development chain has, count against what is burned.
func (b Budget) Note(supply money.Amount, p Params, env protocol.Env) Budget {
	b.Credit = slices.Clone(b.Credit)
	for now := p.epoch(env.Height); b.Epoch < now; b.Epoch++ {
		if len(b.Credit) > 0 && allZero(b.Credit) { // nothing can expire: skip the rest at once
			b.Credit, b.Epoch = make([]money.Amount, 1), now
			break
		}
		b.Credit = append(b.Credit, money.Amount{})
		if len(b.Credit) > int(p.WindowEpochs) {
			b.Expired = b.Expired.Plus(b.Credit[0])
			b.Credit = b.Credit[1:]
		}
	}
	all := b.Base.Plus(b.Minted)
	if supply.Compare(all) >= 0 {
		return b
	}
	if burned := all.Minus(supply); burned.Compare(b.Burned) > 0 {
		b.earn(burned.Minus(b.Burned))
		b.Burned = burned
	}
	return b
}

func allZero(list []money.Amount) bool {
	return !slices.ContainsFunc(list, func(a money.Amount) bool { return !a.IsZero() })
}

// earn adds to the credit of the epoch. Credit is b's own.
func (b *Budget) earn(a money.Amount) {
	last := len(b.Credit) - 1
	b.Credit[last] = b.Credit[last].Plus(a)
}

// promise takes from the oldest credit, at most Free.
func (b Budget) promise(a money.Amount) Budget {
	b.Credit, b.Promised = slices.Clone(b.Credit), b.Promised.Plus(a)
	for i := range b.Credit {
		part := least(a, b.Credit[i])
		b.Credit[i], a = b.Credit[i].Minus(part), a.Minus(part)
	}
	if !a.IsZero() {
		panic("commons: a promise beyond what was burned")
	}
	return b
}

// mint keeps a part of the promises.
func (b Budget) mint(a money.Amount) Budget {
	b.Promised, b.Minted = b.Promised.Minus(a), b.Minted.Plus(a)
	return b
}

// release takes a promise back: the coins were not spent, so they may be promised again.
func (b Budget) release(a money.Amount) Budget {
	b.Credit, b.Promised = slices.Clone(b.Credit), b.Promised.Minus(a)
	b.earn(a)
	return b
}

// Summary is the state of the commons for people.
type Summary struct {
	Height     protocol.Height `json:"height"`
	Supply     money.Amount    `json:"supply"`
	Treasury   money.Amount    `json:"treasury"`   // what it has
	Burned     money.Amount    `json:"burned"`     // since the beginning
	Minted     money.Amount    `json:"minted"`     //
	Promised   money.Amount    `json:"promised"`   // to jobs that go on
	Expired    money.Amount    `json:"expired"`    //
	Free       money.Amount    `json:"free"`       // burned in the window, and promised to nobody
	Budget     money.Amount    `json:"budget"`     // Treasury and Free
	Electorate money.Amount    `json:"electorate"` //
	Open       int             `json:"open"`       // proposals that are voted on
	Jobs       Jobs            `json:"jobs"`       // that began on this network, of whoever
	EarnedPPM  uint64          `json:"earned_ppm"` // of what they cost, the part that was earned credit
}

// View is a proposal with the money of its job, if it was granted.
type View struct {
	Proposal
	Job *Job `json:"job,omitempty"`
}
