// Package auction allocates machines to jobs: a sealed call auction over several classes of goods at once, with one price a
// class, alternatives of which a bid wants one, and bids that want all or nothing. It owns how a book of orders is cleared,
// and how an allocation that anybody proposes is checked and measured against an upper bound of what is possible; it knows
// nothing of accounts, coins or heights. Everything is integers and a pure function of the book. It imports nothing of this
// module. Source: spec/market.md §3; McAfee, A dominant strategy double auction, J. Econ. Theory 56 (1992).
package auction

// Price is what one unit of a class costs for its tenor, in nanoMUT (10^9 amut).
type Price uint64

// Bounds that keep every product of a price and a number of units below 2^60, so that only sums need 128 bits.
const (
	MaxPrice        Price = 1<<42 - 1
	MaxUnits              = 1<<18 - 1
	MaxAlternatives       = 8
	MaxOrders             = 1 << 20 // bids, and asks, of one book
	MaxClasses            = 1 << 12
)

// Thin is the number of owners below which one of them could move the price: a class with fewer on a side is cleared by
// trade reduction.
const Thin = 10

// Book is what is to be cleared. Among equal prices the order of the slices decides, so the caller sorts them by a draw.
type Book struct {
	Classes int // classes are numbered from 0
	Bids    []Bid
	Asks    []Ask
}

// Bid wants one of its alternatives. It fills partly unless Whole.
type Bid struct {
	Owner         uint32 // equal for orders of one owner
	Whole         bool   // all or nothing
	MinReputation uint32 // of every ask that serves it
	Alternatives  []Alternative
}

// Alternative is a number of units of a class and what the bid pays for one at most.
type Alternative struct {
	Class uint32
	Units uint32
	Limit Price
}

// Ask offers units of a class, each for Reserve or more.
type Ask struct {
	Owner      uint32
	Class      uint32
	Units      uint32
	Reserve    Price
	Reputation uint32
}

// Quote is what a unit of a class costs and brings. Both are the same but after a trade reduction, when the difference
// belongs to nobody and is burned. They mean nothing for a class in which nothing is traded.
type Quote struct{ Buyer, Seller Price }

// Match gives a bid units of an ask. Alternative is an index into the bid's alternatives, the same in all its matches.
type Match struct {
	Bid, Ask    uint32
	Alternative uint8
	Units       uint32
}

// Allocation is an answer to a book.
type Allocation struct {
	Quotes  []Quote // by class
	Matches []Match // by bid, then by ask, ascending
	Dual    []Price // by class: the prices at which Check computes the upper bound
}
