package auction

import (
	"cmp"
	"slices"
)

// Clear allocates a valid book. It searches prices, lets every bid apply to the class that leaves it most at these prices and,
// where better bids crowd it out, to its next one (deferred acceptance), then settles each class by itself, and in the end
// gives what is left over to bids that got nothing and accept the price. Cost: O(n log n) in the orders for each of a bounded
// number of passes. The book must pass Validate.
func Clear(book Book) Allocation {
	offers := supplies(&book)
	s := &solver{book: &book, offers: offers, prices: search(&book, offers)}
	s.apply()
	s.settle()
	s.leftovers()
	return s.allocation()
}

// solver is the state of Clear.
type solver struct {
	book   *Book
	offers []supply
	prices []Price   // where demand meets supply, roughly
	wishes [][]uint8 // by bid: its alternatives, best first
	held   [][]lot   // by class: bids that applied and are not turned down; in the end also the best that lost everywhere
	terms  []terms
	stalls []stall
	served []bool
	out    []Match
}

// apply lets bids apply to classes until no class turns one down that has another wish.
func (s *solver) apply() {
	bids := s.book.Bids
	s.wishes = make([][]uint8, len(bids))
	s.held = make([][]lot, s.book.Classes)
	order := make([]uint8, 0, len(bids)*MaxAlternatives)
	for i := range bids {
		from := len(order)
		order = appendWishes(order, &bids[i], s.prices)
		s.wishes[i] = order[from:len(order):len(order)]
	}
	at := make([]uint8, len(bids))
	pending := make([]uint32, len(bids))
	for i := range pending {
		pending[i] = uint32(i)
	}
	touched := make([]bool, s.book.Classes)
	var losers []uint32
	least := make([]Price, s.book.Classes) // the marginal bid of each class so far
	for len(pending) > 0 {
		clear(touched)
		for _, i := range pending {
			l, c, ok := s.application(i, &at[i], least)
			if !ok {
				losers = append(losers, i)
				continue
			}
			s.held[c] = append(s.held[c], l)
			touched[c] = true
		}
		pending = pending[:0]
		for c, t := range touched {
			if t {
				pending = s.turnDown(c, pending)
				if n := len(s.held[c]); n > 0 {
					least[c] = s.held[c][n-1].price
				}
			}
		}
	}
	s.competing(losers)
}

// application is a bid's next wish that is not hopeless: a class that trades never turns to bids below the marginal one again,
// since more applications only raise it.
func (s *solver) application(i uint32, at *uint8, least []Price) (l lot, class uint32, ok bool) {
	for int(*at) < len(s.wishes[i]) {
		which := s.wishes[i][*at]
		*at++
		if a := s.book.Bids[i].Alternatives[which]; a.Limit >= least[a.Class] {
			return lot{a.Limit, a.Units, i, which}, a.Class, true
		}
	}
	return lot{}, 0, false
}

// competing puts the best of the bids that nobody took back behind those that a class holds: it is the rejected bid from
// which the price is made. What a bid offers in a class that it lost while another class holds it is no competition any more.
func (s *solver) competing(losers []uint32) {
	best := make([]lot, s.book.Classes)
	for _, i := range losers {
		for w, a := range s.book.Bids[i].Alternatives {
			b := &best[a.Class]
			if b.units == 0 || a.Limit > b.price || a.Limit == b.price && i < b.order {
				*b = lot{a.Limit, a.Units, i, uint8(w)}
			}
		}
	}
	for c, b := range best {
		if b.units > 0 {
			s.held[c] = append(s.held[c], b)
			descending(s.held[c])
		}
	}
}

// appendWishes lists a bid's alternatives, the one that leaves it most first; equals keep the bid's order. Alternatives above
// their limit follow: they may become cheap enough, since the prices are estimates.
func appendWishes(list []uint8, b *Bid, prices []Price) []uint8 {
	from := len(list)
	for i := range b.Alternatives {
		list = append(list, uint8(i))
	}
	surplus := func(i uint8) int64 {
		a := &b.Alternatives[i]
		return int64(a.Units) * (int64(a.Limit) - int64(prices[a.Class]))
	}
	if len(b.Alternatives) > 1 {
		slices.SortStableFunc(list[from:], func(x, y uint8) int { return cmp.Compare(surplus(y), surplus(x)) })
	}
	return list
}

// turnDown keeps the bids of a class that trade at its crossing and appends the others to rejected.
func (s *solver) turnDown(c int, rejected []uint32) []uint32 {
	descending(s.held[c])
	keep := cross(s.held[c], s.offers[c].lots).bid + 1
	for _, l := range s.held[c][keep:] {
		rejected = append(rejected, l.order)
	}
	s.held[c] = s.held[c][:keep]
	return rejected
}

// settle decides prices and hands out units, class by class.
func (s *solver) settle() {
	s.terms = make([]terms, s.book.Classes)
	s.stalls = make([]stall, s.book.Classes)
	s.served = make([]bool, len(s.book.Bids))
	demand, supply := buyers(s.book), sellers(s.book)
	for c := range s.terms {
		bids, asks := s.held[c], s.offers[c].lots
		t := settle(bids, asks, len(demand[c]), len(supply[c]))
		s.terms[c] = t
		bids, asks = bids[:t.bids], asks[:t.asks]
		if t.byLot {
			bids, asks = drawn(bids), drawn(asks)
		}
		s.stalls[c] = open(s.book, asks)
		for _, l := range bids {
			if !s.served[l.order] { // a loser may be the best one of several classes
				s.serve(c, l)
			}
		}
	}
}

// serve gives a bid what it can get in a class.
func (s *solver) serve(c int, l lot) {
	b := &s.book.Bids[l.order]
	units := min(s.stalls[c].left(b.MinReputation), uint64(l.units))
	if units == 0 || b.Whole && units < uint64(l.units) {
		return
	}
	s.served[l.order] = true
	s.out = s.stalls[c].sell(s.out, l, b.MinReputation, uint32(units))
}

// leftovers offers what is unsold to bids that got nothing, at the price that has been settled. A class cleared by trade
// reduction has none: its marginal orders must stay out.
func (s *solver) leftovers() {
	for i := range s.book.Bids {
		for _, which := range s.wishes[i] {
			a := s.book.Bids[i].Alternatives[which]
			t := s.terms[a.Class]
			if !s.served[i] && t.asks > 0 && t.Buyer == t.Seller && a.Limit >= t.Buyer {
				s.serve(int(a.Class), lot{a.Limit, a.Units, uint32(i), which})
			}
		}
	}
}

func (s *solver) allocation() Allocation {
	slices.SortFunc(s.out, func(a, b Match) int {
		return cmp.Or(cmp.Compare(a.Bid, b.Bid), cmp.Compare(a.Ask, b.Ask))
	})
	quotes := make([]Quote, s.book.Classes)
	for c := range quotes {
		quotes[c] = s.terms[c].Quote
	}
	return Allocation{quotes, s.out, s.prices}
}

// buyers counts the owners of bids by class, up to Thin.
func buyers(book *Book) []owners {
	list := make([]owners, book.Classes)
	for i := range book.Bids {
		for _, a := range book.Bids[i].Alternatives {
			list[a.Class].add(book.Bids[i].Owner)
		}
	}
	return list
}

// sellers counts the owners of asks by class, up to Thin.
func sellers(book *Book) []owners {
	list := make([]owners, book.Classes)
	for i := range book.Asks {
		list[book.Asks[i].Class].add(book.Asks[i].Owner)
	}
	return list
}

// owners is a set of at most Thin owners.
type owners []uint32

func (o *owners) add(owner uint32) {
	if len(*o) < Thin && !slices.Contains(*o, owner) {
		*o = append(*o, owner)
	}
}
