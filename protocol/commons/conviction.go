package commons

import "github.com/mutirao/mutirao/protocol/money"

// A step keeps keep/2^32 of the distance between conviction and stake: 2^(32 - 1/16), rounded, so that 16 steps halve it.
const (
	keep     = 4_112_874_773
	keepUnit = 1 << 32
)

// grow is one step of conviction towards the stake behind it. Source: conviction voting as in Zargham et al., "Conviction Voting"
// (2019), scaled so that its limit is the stake. Rule: spec/commons.md §3.
func grow(conviction, stake money.Amount) money.Amount {
	return conviction.Part(keep, keepUnit).Plus(stake.Part(keepUnit-keep, keepUnit))
}

// Needs is the conviction that passes an ask of a budget: base_ppm of the electorate for the least ask, and more by the square as
// the ask nears ask_ppm of the budget, which nothing passes: then ok is false. Rule: spec/commons.md §3.
func (p Params) Needs(asked, budget, electorate money.Amount) (needed money.Amount, ok bool) {
	most := budget.Part(p.AskPPM, PPM)
	if asked.Compare(most) >= 0 {
		return money.Amount{}, false
	}
	of, _ := parse(money.New(PPM).Share(asked, most)) // below a million
	rest := PPM - 1 - of
	if rest == 0 {
		return money.Amount{}, false
	}
	needed, err := electorate.Part(p.BasePPM, PPM).MulDiv(PPM*PPM, rest*rest)
	return needed, err == nil
}

// parse is a small amount as a number.
func parse(a money.Amount) (n uint64, ok bool) {
	b := a.Bytes()
	for _, c := range b[24:] {
		n = n<<8 | uint64(c)
	}
	return n, a.BitLen() <= 64
}

// Electorate is who could vote: all that is staked on open proposals, and at least a part of the supply, so that few votes do not
// decide because nobody else looks.
func (p Params) Electorate(open []Proposal, supply money.Amount) money.Amount {
	var staked money.Amount
	for i := range open {
		staked = staked.Plus(open[i].Stake)
	}
	if floor := supply.Part(p.ElectoratePPM, PPM); floor.Compare(staked) > 0 {
		return floor
	}
	return staked
}
