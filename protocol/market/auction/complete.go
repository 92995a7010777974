package auction

import (
	"cmp"
	"slices"
)

// Deal is units of an ask for a bid, as somebody proposes. Which alternative of the bid it serves follows from the ask's class.
type Deal struct{ Bid, Ask, Units uint32 }

// Complete makes an allocation of deals that somebody proposes, at the prices of base, the built-in solver's allocation of the same book:
// who proposes says who trades with whom, and has no say in prices. A class in which base trades nothing has its dual price. Classes that
// are cleared by trade reduction stay as base has them, since their marginal orders must not trade. Bids whose deals break a rule, or
// are not all possible any more, go without; so a proposal loses what others take back, and not everything. The result passes Check.
func Complete(book Book, base Allocation, deals []Deal) Allocation {
	reduced, traded := reducedClasses(&book), make([]bool, book.Classes)
	a := Allocation{Quotes: slices.Clone(base.Quotes), Dual: base.Dual}
	served := make([]bool, len(book.Bids))
	for _, m := range base.Matches {
		c := book.Asks[m.Ask].Class
		traded[c] = true
		if reduced[c] {
			a.Matches, served[m.Bid] = append(a.Matches, m), true
		}
	}
	for c := range a.Quotes {
		if !traded[c] && !reduced[c] {
			a.Quotes[c] = Quote{base.Dual[c], base.Dual[c]}
		}
	}
	deals = slices.Clone(deals)
	slices.SortFunc(deals, func(x, y Deal) int { return cmp.Or(cmp.Compare(x.Bid, y.Bid), cmp.Compare(x.Ask, y.Ask)) })
	sold := make([]uint32, len(book.Asks))
	for len(deals) > 0 {
		n := 1
		for n < len(deals) && deals[n].Bid == deals[0].Bid {
			n++
		}
		if i := deals[0].Bid; int64(i) < int64(len(book.Bids)) && !served[i] {
			a.Matches = append(a.Matches, possible(&book, &a, deals[:n], reduced, sold)...)
		}
		deals = deals[n:]
	}
	slices.SortFunc(a.Matches, func(x, y Match) int { return cmp.Or(cmp.Compare(x.Bid, y.Bid), cmp.Compare(x.Ask, y.Ask)) })
	return a
}

// possible are the matches of one bid's deals, in ascending order of asks, or nothing if a rule forbids one of them. sold counts them.
func possible(book *Book, a *Allocation, deals []Deal, reduced []bool, sold []uint32) []Match {
	b := &book.Bids[deals[0].Bid]
	var list []Match
	var units uint64
	which := -1
	for i, d := range deals {
		if int64(d.Ask) >= int64(len(book.Asks)) || i > 0 && d.Ask == deals[i-1].Ask {
			return nil
		}
		ask := &book.Asks[d.Ask]
		if which < 0 {
			which = slices.IndexFunc(b.Alternatives, func(x Alternative) bool { return x.Class == ask.Class })
		}
		if which < 0 || b.Alternatives[which].Class != ask.Class || reduced[ask.Class] || ask.Reserve > a.Quotes[ask.Class].Seller ||
			ask.Reputation < b.MinReputation || d.Units == 0 || d.Units > ask.Units-sold[d.Ask] {
			return nil
		}
		units += uint64(d.Units)
		list = append(list, Match{d.Bid, d.Ask, uint8(which), d.Units})
	}
	want := &b.Alternatives[which]
	if want.Limit < a.Quotes[want.Class].Buyer || units > uint64(want.Units) || b.Whole && units < uint64(want.Units) {
		return nil
	}
	for _, m := range list {
		sold[m.Ask] += m.Units
	}
	return list
}

// reducedClasses reports which classes of a book are cleared by trade reduction.
func reducedClasses(book *Book) []bool {
	list := make([]bool, book.Classes)
	demand, supply := buyers(book), sellers(book)
	for c := range list {
		list[c] = reduces(len(demand[c]), len(supply[c]))
	}
	return list
}

// reduces reports whether a class with so many owners of bids and of asks is cleared by trade reduction.
func reduces(buyers, sellers int) bool {
	return buyers > 1 && sellers > 1 && (buyers < Thin || sellers < Thin)
}
