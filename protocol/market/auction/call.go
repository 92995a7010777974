package auction

import (
	"cmp"
	"slices"
)

// lot is one order's wish in one class.
type lot struct {
	price Price
	units uint32
	order uint32 // index into the book's bids or asks
	which uint8  // the bid's alternative
}

// descending sorts the lots of bids: the highest limit first, equals by the book's order.
func descending(lots []lot) {
	arrange(lots, func(l lot) uint64 { return uint64(MaxPrice - l.price) })
}

// ascending sorts the lots of asks: the lowest reserve first, equals by the book's order.
func ascending(lots []lot) {
	arrange(lots, func(l lot) uint64 { return uint64(l.price) })
}

// drawn sorts a copy of lots by the book's order, which a draw has made.
func drawn(lots []lot) []lot {
	list := slices.Clone(lots)
	slices.SortFunc(list, func(a, b lot) int { return cmp.Compare(a.order, b.order) })
	return list
}

// arrange sorts by a key below 2^42, then by the order's number, which is below 2^20.
func arrange(lots []lot, key func(lot) uint64) {
	slices.SortFunc(lots, func(a, b lot) int {
		ka, kb := key(a)<<20|uint64(a.order), key(b)<<20|uint64(b.order)
		return cmp.Compare(ka, kb)
	})
}

// crossing is where demand meets supply if every order could be divided.
type crossing struct {
	traded   uint64
	bid, ask int   // the marginal lots; -1 if nothing is traded
	low      Price // max(best rejected bid, marginal ask): below it more would want to buy, or fewer to sell
	high     Price // min(marginal bid, best rejected ask): above it fewer would want to buy, or more to sell
}

// cross walks down the bids and up the asks as long as a bid pays an ask. What is left of a marginal order counts as rejected.
func cross(bids, asks []lot) crossing {
	c := crossing{bid: -1, ask: -1}
	i, j := 0, 0
	var usedBid, usedAsk uint32
	for i < len(bids) && j < len(asks) && bids[i].price >= asks[j].price {
		n := min(bids[i].units-usedBid, asks[j].units-usedAsk)
		c.bid, c.ask = i, j
		c.traded += uint64(n)
		if usedBid += n; usedBid == bids[i].units {
			i, usedBid = i+1, 0
		}
		if usedAsk += n; usedAsk == asks[j].units {
			j, usedAsk = j+1, 0
		}
	}
	if c.bid < 0 {
		return c
	}
	c.low, c.high = asks[c.ask].price, bids[c.bid].price
	if i < len(bids) {
		c.low = max(c.low, bids[i].price)
	}
	if j < len(asks) {
		c.high = min(c.high, asks[j].price)
	}
	return c
}

// terms is how one class is cleared: its prices, and how many of its best lots may trade.
type terms struct {
	Quote
	bids, asks int
	byLot      bool // whoever may trade is served in the book's order, not the best price first
}

// settle decides the terms of one class. With Thin owners or more on both sides everybody trades at the middle of the crossing.
// A lone owner is a price taker: competition on the other side sets the price. Otherwise the marginal orders set the prices
// and do not trade, so that no owner's own order moves what it pays; one side of the others may want more units than there are, and is
// rationed by lot, so that no better price than the truth gains a place either.
func settle(bids, asks []lot, buyers, sellers int) terms {
	c := cross(bids, asks)
	switch {
	case c.bid < 0:
		return terms{}
	case buyers == 1 && sellers > 1:
		return uniform(bids, asks, c.high)
	case sellers == 1 && buyers > 1:
		return uniform(bids, asks, c.low)
	case reduces(buyers, sellers):
		return terms{Quote{bids[c.bid].price, asks[c.ask].price}, c.bid, c.ask, true}
	}
	return uniform(bids, asks, c.low+(c.high-c.low)/2)
}

// uniform lets everybody trade to whom the price is acceptable.
func uniform(bids, asks []lot, p Price) terms {
	t := terms{Quote: Quote{p, p}}
	for t.bids < len(bids) && bids[t.bids].price >= p {
		t.bids++
	}
	for t.asks < len(asks) && asks[t.asks].price <= p {
		t.asks++
	}
	return t
}
