// Package market evaluates the auction of protocol/market/auction beside other ways of giving machines to jobs: first come first
// served, a reverse auction among a few sellers, a posted price, and trade reduction everywhere. All see the same orders, from one
// seed or from a trace; agents may lie, machines come and go. Orders, matches and money are the rules' integers; what is told about
// them, means and ratios, are floats. docs/market-evaluation.md is its report.
package market

import (
	"math/rand/v2"
	"slices"

	rules "github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// Trade is a match with what the buyer pays and the seller gets for each unit.
type Trade struct {
	auction.Match
	Pays, Gets auction.Price
}

// Mechanism gives asks to bids, which are in the order of their arrival. A mechanism may remember prices from book to book.
type Mechanism interface {
	Name() string
	Trade(book auction.Book, r *rand.Rand) []Trade
}

// Mechanisms are all that are compared, fresh.
func Mechanisms() []Mechanism {
	return []Mechanism{call{}, reduction{}, &posted{}, reverse{}, firstCome{}}
}

// call is the auction as it is.
type call struct{}

func (call) Name() string { return "call auction" }

func (call) Trade(book auction.Book, _ *rand.Rand) []Trade { return cleared(book) }

func cleared(book auction.Book) []Trade {
	a := auction.Clear(book)
	list := make([]Trade, len(a.Matches))
	for i, m := range a.Matches {
		q := a.Quotes[book.Asks[m.Ask].Class]
		list[i] = Trade{m, q.Buyer, q.Seller}
	}
	return list
}

// reduction is the auction as it treats classes with few owners: the orders that set the prices do not trade (McAfee).
type reduction struct{}

func (reduction) Name() string { return "McAfee" }

func (reduction) Trade(book auction.Book, _ *rand.Rand) []Trade {
	few := auction.Book{Classes: book.Classes, Bids: slices.Clone(book.Bids), Asks: slices.Clone(book.Asks)}
	for i := range few.Bids {
		few.Bids[i].Owner = uint32(i % (auction.Thin - 1))
	}
	for i := range few.Asks {
		few.Asks[i].Owner = uint32(i % (auction.Thin - 1))
	}
	return cleared(few)
}

// posted has one price for each class, the base price of the rules, which follows utilisation. Jobs take it or wait.
type posted struct{ prices []auction.Price }

func (*posted) Name() string { return "posted price" }

func (p *posted) Trade(book auction.Book, _ *rand.Rand) []Trade {
	s := shelves(book)
	for c := len(p.prices); c < book.Classes; c++ {
		p.prices = append(p.prices, median(book, uint32(c)))
	}
	offered, leased := make([]uint64, book.Classes), make([]uint64, book.Classes)
	for _, a := range book.Asks {
		if a.Reserve <= p.prices[a.Class] {
			offered[a.Class] += uint64(a.Units)
		}
	}
	list := s.serve(book, func(bid int) []offer {
		var offers []offer
		for w, a := range book.Bids[bid].Alternatives {
			if price := p.prices[a.Class]; a.Limit >= price {
				offers = append(offers, offer{w, int64(a.Units) * int64(a.Limit-price), s.class(a.Class, func(i int) (auction.Price, bool) { return price, book.Asks[i].Reserve <= price })})
			}
		}
		return offers
	})
	for _, t := range list {
		leased[book.Asks[t.Ask].Class] += uint64(t.Units)
	}
	for c := range p.prices {
		p.prices[c] = rules.BasePrice(p.prices[c], leased[c], offered[c])
	}
	return list
}

// polled is how many sellers a reverse auction asks, and margin what they add to their costs, in percent.
const (
	polled = 5
	margin = 10
)

func marked(reserve auction.Price) auction.Price { return reserve + reserve*margin/100 }

// reverse lets each job in turn poll a few sellers, who add a margin to their costs, and take the cheapest.
type reverse struct{}

func (reverse) Name() string { return "reverse auction" }

func (reverse) Trade(book auction.Book, r *rand.Rand) []Trade {
	s := shelves(book)
	return s.serve(book, func(bid int) []offer {
		var offers []offer
		for w, a := range book.Bids[bid].Alternatives {
			free := s.class(a.Class, func(i int) (auction.Price, bool) { return marked(book.Asks[i].Reserve), s.left[i] > 0 })
			r.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
			free = free[:min(polled, len(free))]
			slices.SortStableFunc(free, func(x, y seller) int { return int(int64(x.price) - int64(y.price)) })
			if len(free) > 0 && free[0].price <= a.Limit {
				offers = append(offers, offer{w, int64(a.Units) * int64(a.Limit-free[0].price), free})
			}
		}
		return offers
	})
}

// firstCome gives each job in turn the first machines it can pay, in the order in which they are listed, at the sellers' own prices.
type firstCome struct{}

func (firstCome) Name() string { return "first come" }

func (firstCome) Trade(book auction.Book, _ *rand.Rand) []Trade {
	s := shelves(book)
	return s.serve(book, func(bid int) []offer {
		var offers []offer
		for w, a := range book.Bids[bid].Alternatives {
			offers = append(offers, offer{w, 0, s.class(a.Class, func(i int) (auction.Price, bool) {
				price := marked(book.Asks[i].Reserve)
				return price, price <= a.Limit
			})})
		}
		return offers
	})
}

// seller is an ask with the price that it would take.
type seller struct {
	ask   int
	price auction.Price
}

// offer is one alternative of a job, what it would leave it, and who could serve it, in order.
type offer struct {
	alternative int
	surplus     int64
	sellers     []seller
}

// shelf is what the asks have left.
type shelf struct {
	book auction.Book
	left []uint32
	of   [][]int // asks by class, in the book's order
}

func shelves(book auction.Book) *shelf {
	s := &shelf{book: book, left: make([]uint32, len(book.Asks)), of: make([][]int, book.Classes)}
	for i, a := range book.Asks {
		s.left[i] = a.Units
		s.of[a.Class] = append(s.of[a.Class], i)
	}
	return s
}

// class lists the sellers of a class that take part at a price.
func (s *shelf) class(c uint32, price func(ask int) (auction.Price, bool)) []seller {
	var list []seller
	for _, i := range s.of[c] {
		if p, ok := price(i); ok && s.left[i] > 0 {
			list = append(list, seller{i, p})
		}
	}
	return list
}

// serve lets the bids choose one after the other: of the offers that can be filled, the one that leaves most.
func (s *shelf) serve(book auction.Book, offers func(bid int) []offer) []Trade {
	var list []Trade
	for i, b := range book.Bids {
		choice := offers(i)
		slices.SortStableFunc(choice, func(x, y offer) int { return int(max(-1, min(1, y.surplus-x.surplus))) })
		for _, o := range choice {
			a := b.Alternatives[o.alternative]
			if trades := s.fill(uint32(i), uint8(o.alternative), a, b, o.sellers); len(trades) > 0 {
				list = append(list, trades...)
				break
			}
		}
	}
	return list
}

func (s *shelf) fill(bid uint32, which uint8, a auction.Alternative, b auction.Bid, sellers []seller) []Trade {
	var list []Trade
	want := a.Units
	for _, x := range sellers {
		if x.price > a.Limit || s.book.Asks[x.ask].Reputation < b.MinReputation {
			continue
		}
		if n := min(want, s.left[x.ask]); n > 0 {
			list = append(list, Trade{auction.Match{Bid: bid, Ask: uint32(x.ask), Alternative: which, Units: n}, x.price, x.price})
			want -= n
		}
	}
	if want > 0 && b.Whole {
		return nil
	}
	for _, t := range list {
		s.left[t.Ask] -= t.Units
	}
	return list
}

func median(book auction.Book, class uint32) auction.Price {
	var list []auction.Price
	for _, a := range book.Asks {
		if a.Class == class {
			list = append(list, a.Reserve)
		}
	}
	if len(list) == 0 {
		return 1
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// welfare is what bids would pay at most less what asks want at least, over all trades, by the true book.
func welfare(truth auction.Book, trades []Trade) float64 {
	sum := 0.0
	for _, t := range trades {
		limit := truth.Bids[t.Bid].Alternatives[t.Alternative].Limit
		sum += float64(t.Units) * (float64(limit) - float64(truth.Asks[t.Ask].Reserve))
	}
	return sum
}

// bound is the least welfare that the dual proves to be unreachable to exceed, at the prices that the auction finds.
func bound(book auction.Book) float64 {
	w, err := auction.Check(book, auction.Clear(book))
	if err != nil {
		panic("market: " + err.Error()) // the auction breaks its own rules
	}
	return float64(w.Bound.Hi)*(1<<32)*(1<<32) + float64(w.Bound.Lo)
}
