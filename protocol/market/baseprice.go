package market

import "github.com/mutirao/mutirao/protocol/market/auction"

// The base price seeks this utilisation, and moves by at most one part in baseStep, and at most movesPerTenor times a tenor: what is leased
// answers to a price only when its lease ends, and a price that moves faster runs away. Rule: spec/market.md §10.
const (
	targetPermille = 650
	baseStep       = 64
	movesPerTenor  = 8
)

// BasePrice is the price of a class between batches, for quotes and leases that begin at once, after a time in which that
// many of the offered units were leased. It rises above the target and falls below it, in proportion to the distance; a rise is
// never rounded away, so that a price of 1 can grow.
func BasePrice(p auction.Price, leased, offered uint64) auction.Price {
	return moved(p, utilisation(leased, offered))
}

// utilisation is leased of offered units, in per mille. Where nobody offers anything there is nothing to learn: it is the target.
func utilisation(leased, offered uint64) uint64 {
	if offered == 0 {
		return targetPermille
	}
	return min(leased, offered) * 1000 / offered
}

// moved is a base price after its units were used so much, in per mille.
func moved(p auction.Price, used uint64) auction.Price {
	if used > targetPermille {
		rise := uint64(p) * (used - targetPermille) / ((1000 - targetPermille) * baseStep)
		return min(auction.MaxPrice, p+auction.Price(max(1, rise)))
	}
	fall := uint64(p) * (targetPermille - used) / (targetPermille * baseStep)
	return p - auction.Price(fall)
}

// period is how many batches pass from one move of a class's base price to the next.
func (p Params) period(c Class) uint64 {
	return max(1, p.Tenors[c.Tenor]/(movesPerTenor*p.BatchBlocks))
}
