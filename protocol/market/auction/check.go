package auction

import (
	"errors"
	"fmt"
)

// ErrBook is wrapped by errors about a book out of bounds, ErrAllocation about an allocation that breaks a rule.
var (
	ErrBook       = errors.New("invalid book of orders")
	ErrAllocation = errors.New("invalid allocation")
)

// Validate checks the bounds of a book. The error wraps ErrBook.
func Validate(book Book) error {
	if book.Classes < 0 || book.Classes > MaxClasses || len(book.Bids) > MaxOrders || len(book.Asks) > MaxOrders {
		return fmt.Errorf("%w: %d classes, %d bids, %d asks", ErrBook, book.Classes, len(book.Bids), len(book.Asks))
	}
	for i, b := range book.Bids {
		if len(b.Alternatives) == 0 || len(b.Alternatives) > MaxAlternatives || b.MinReputation >= grades {
			return fmt.Errorf("%w: bid %d has %d alternatives and wants reputation %d", ErrBook, i, len(b.Alternatives), b.MinReputation)
		}
		for _, a := range b.Alternatives {
			if int64(a.Class) >= int64(book.Classes) || a.Units == 0 || a.Units > MaxUnits || a.Limit > MaxPrice {
				return fmt.Errorf("%w: bid %d wants %d units of class %d at %d", ErrBook, i, a.Units, a.Class, a.Limit)
			}
		}
	}
	for i, a := range book.Asks {
		if int64(a.Class) >= int64(book.Classes) || a.Units == 0 || a.Units > MaxUnits || a.Reserve > MaxPrice || a.Reputation >= grades {
			return fmt.Errorf("%w: ask %d offers %d units of class %d at %d with reputation %d", ErrBook, i, a.Units, a.Class, a.Reserve, a.Reputation)
		}
	}
	return nil
}

// Worth is how good an allocation is.
type Worth struct {
	Welfare Wide // what the bids would pay at most less what the asks want at least, over all units that change hands
	Bound   Wide // no allocation has a greater welfare
}

// Check verifies an allocation of a valid book in one pass, whoever made it: nothing is given twice, nobody pays more or
// gets less than it said, one price a class, one alternative a bid, whole bids whole, reputation as asked. The error wraps
// ErrAllocation.
func Check(book Book, a Allocation) (Worth, error) {
	bad := func(format string, args ...any) (Worth, error) {
		return Worth{}, fmt.Errorf("%w: %s", ErrAllocation, fmt.Sprintf(format, args...))
	}
	if len(a.Quotes) != book.Classes || len(a.Dual) != book.Classes {
		return bad("%d quotes and %d dual prices for %d classes", len(a.Quotes), len(a.Dual), book.Classes)
	}
	for c := range book.Classes {
		if q := a.Quotes[c]; q.Seller > q.Buyer || q.Buyer > MaxPrice || a.Dual[c] > MaxPrice {
			return bad("class %d: buyers pay %d, sellers get %d, dual price %d", c, q.Buyer, q.Seller, a.Dual[c])
		}
	}
	var w Worth
	sold := make([]uint32, len(book.Asks))
	for i := 0; i < len(a.Matches); {
		n, err := checkBid(&book, &a, i, sold, &w.Welfare)
		if err != nil {
			return Worth{}, err
		}
		i += n
	}
	w.Bound = measure(&book, a.Dual, make([]uint64, book.Classes))
	return w, nil
}

// checkBid checks the matches of one bid, which begin at the index, and returns how many they are.
func checkBid(book *Book, a *Allocation, from int, sold []uint32, welfare *Wide) (int, error) {
	bad := func(m Match, format string, args ...any) (int, error) {
		return 0, fmt.Errorf("%w: bid %d and ask %d: %s", ErrAllocation, m.Bid, m.Ask, fmt.Sprintf(format, args...))
	}
	first := a.Matches[from]
	if int64(first.Bid) >= int64(len(book.Bids)) || int(first.Alternative) >= len(book.Bids[first.Bid].Alternatives) {
		return bad(first, "no such bid or alternative")
	}
	if from > 0 && a.Matches[from-1].Bid >= first.Bid {
		return bad(first, "matches are not sorted by bid")
	}
	b := &book.Bids[first.Bid]
	want := b.Alternatives[first.Alternative]
	q := a.Quotes[want.Class]
	if want.Limit < q.Buyer {
		return bad(first, "the price %d is above the limit %d", q.Buyer, want.Limit)
	}
	var units uint64
	n := from
	for ; n < len(a.Matches) && a.Matches[n].Bid == first.Bid; n++ {
		m := a.Matches[n]
		switch {
		case n > from && m.Ask <= a.Matches[n-1].Ask:
			return bad(m, "matches are not sorted by ask")
		case int64(m.Ask) >= int64(len(book.Asks)):
			return bad(m, "no such ask")
		case m.Alternative != first.Alternative:
			return bad(m, "two alternatives of one bid")
		}
		ask := &book.Asks[m.Ask]
		switch {
		case ask.Class != want.Class:
			return bad(m, "class %d for class %d", ask.Class, want.Class)
		case ask.Reserve > q.Seller:
			return bad(m, "the price %d is below the reserve %d", q.Seller, ask.Reserve)
		case ask.Reputation < b.MinReputation:
			return bad(m, "reputation %d, wanted %d", ask.Reputation, b.MinReputation)
		case m.Units == 0 || m.Units > ask.Units-sold[m.Ask]:
			return bad(m, "%d units of %d left", m.Units, ask.Units-sold[m.Ask])
		}
		sold[m.Ask] += m.Units
		units += uint64(m.Units)
		welfare.add(uint64(m.Units) * uint64(want.Limit-ask.Reserve))
	}
	if units > uint64(want.Units) || b.Whole && units < uint64(want.Units) {
		return bad(first, "%d units of %d", units, want.Units)
	}
	return n - from, nil
}
