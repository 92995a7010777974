package market

import "github.com/mutirao/mutirao/protocol/market/auction"

// The base price seeks this utilisation, and moves by at most one part in baseStep a batch. Rule: spec/market.md §10.
const (
	targetPermille = 650
	baseStep       = 64
)

// BasePrice is the price of a class between batches, for quotes and leases that begin at once, after a batch in which that
// many of the offered units were leased. It rises above the target and falls below it, in proportion to the distance; a rise is
// never rounded away, so that a price of 1 can grow.
func BasePrice(p auction.Price, leased, offered uint64) auction.Price {
	if offered == 0 {
		return p
	}
	used := min(leased, offered) * 1000 / offered
	if used > targetPermille {
		rise := uint64(p) * (used - targetPermille) / ((1000 - targetPermille) * baseStep)
		return min(auction.MaxPrice, p+auction.Price(max(1, rise)))
	}
	fall := uint64(p) * (targetPermille - used) / (targetPermille * baseStep)
	return p - auction.Price(fall)
}
