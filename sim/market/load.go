package market

import (
	"math/rand/v2"
	"slices"

	"github.com/mutirao/mutirao/protocol/market/auction"
)

// unit scales prices: a hundredth of a MUT, in nanoMUT, so that whole numbers are fine enough.
const unit = 10_000_000

// shape is the kind of a random book.
type shape struct {
	jobs, sellers int
	classes       int
	alternatives  int  // of a job, at most
	whole         bool // every job is all or nothing, and every ask one unit: small enough to try everything
	single        bool // every order is one unit
}

// draw makes a book: values between 20 and 100, costs between 10 and 60, classes that differ in speed. Owners have one order each.
func (s shape) draw(r *rand.Rand) auction.Book {
	b := auction.Book{Classes: s.classes}
	for i := range s.sellers {
		c := uint32(r.IntN(s.classes))
		a := auction.Ask{Owner: uint32(1_000_000 + i), Class: c, Units: uint32(1 + r.IntN(8)), Reserve: price(10+r.IntN(50), r) * speed(c) / 4, Reputation: 0}
		if s.whole || s.single {
			a.Units = 1
		}
		b.Asks = append(b.Asks, a)
	}
	for i := range s.jobs {
		b.Bids = append(b.Bids, job(s, uint32(i), r))
	}
	return b
}

func job(s shape, owner uint32, r *rand.Rand) auction.Bid {
	bid := auction.Bid{Owner: owner, Whole: s.whole || r.IntN(10) < 3}
	work := uint32(1 + r.IntN(4)) // units of the slowest class
	if s.whole {
		work = uint32(1 + r.IntN(2))
	}
	if s.single {
		work = 1
	}
	value := price(20+r.IntN(80), r)
	first := r.IntN(s.classes)
	for k := range 1 + r.IntN(s.alternatives) {
		c := uint32((first + k) % s.classes)
		units := (work*4 + uint32(speed(c)) - 1) / uint32(speed(c))
		bid.Alternatives = append(bid.Alternatives, auction.Alternative{Class: c, Units: max(1, units), Limit: value * auction.Price(work) / auction.Price(max(1, units))})
	}
	return bid
}

// speed is how fast a class is, in quarters of the slowest.
func speed(class uint32) auction.Price { return auction.Price(4 + class%3) }

// price spreads a whole number over the hundred prices above it, so that few orders are equal.
func price(n int, r *rand.Rand) auction.Price {
	return auction.Price(n)*unit + auction.Price(r.IntN(100))*unit/100
}

// optimum is the greatest welfare of a book of whole bids and asks of one unit, by trying everything that can still be better than what
// is found. Books of a dozen bids take milliseconds.
func optimum(b auction.Book) float64 {
	free := make([][]auction.Price, b.Classes)
	for _, a := range b.Asks {
		free[a.Class] = append(free[a.Class], a.Reserve)
	}
	for c := range free {
		slices.Sort(free[c])
	}
	used := make([]int, b.Classes)
	most := make([]float64, len(b.Bids)+1) // that the bids from here on could add, if all machines cost the least
	for i := len(b.Bids) - 1; i >= 0; i-- {
		top := 0.0
		for _, a := range b.Bids[i].Alternatives {
			if len(free[a.Class]) > 0 {
				top = max(top, float64(a.Units)*(float64(a.Limit)-float64(free[a.Class][0])))
			}
		}
		most[i] = most[i+1] + top
	}
	best := 0.0
	var try func(i int, sum float64)
	try = func(i int, sum float64) {
		best = max(best, sum)
		if i == len(b.Bids) || sum+most[i] <= best {
			return
		}
		for _, a := range b.Bids[i].Alternatives {
			n := used[a.Class]
			if n+int(a.Units) > len(free[a.Class]) {
				continue
			}
			gain := 0.0
			for _, reserve := range free[a.Class][n : n+int(a.Units)] {
				gain += float64(a.Limit) - float64(reserve)
			}
			used[a.Class] += int(a.Units)
			try(i+1, sum+gain)
			used[a.Class] -= int(a.Units)
		}
		try(i+1, sum)
	}
	try(0, 0)
	return best
}
