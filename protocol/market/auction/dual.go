package auction

import "slices"

// supply is the asks of a class by reserve, with running totals.
type supply struct {
	lots  []lot
	units []uint64 // units[i]: offered by the first i lots
}

// at is how many units are offered at a price.
func (s supply) at(p Price) uint64 {
	n, _ := slices.BinarySearchFunc(s.lots, p, func(l lot, p Price) int {
		if l.price <= p {
			return -1
		}
		return 1
	})
	return s.units[n]
}

// supplies sorts the asks of a book by class.
func supplies(book *Book) []supply {
	list := make([]supply, book.Classes)
	for i, a := range book.Asks {
		list[a.Class].lots = append(list[a.Class].lots, lot{a.Reserve, a.Units, uint32(i), 0})
	}
	for c := range list {
		s := &list[c]
		ascending(s.lots)
		s.units = make([]uint64, len(s.lots)+1)
		for i, l := range s.lots {
			s.units[i+1] = s.units[i] + uint64(l.units)
		}
	}
	return list
}

// best is the alternative that leaves a bid most at these prices, and how much. It is -1 if none leaves anything.
func (b *Bid) best(prices []Price) (which int, surplus uint64) {
	which = -1
	for i := range b.Alternatives {
		a := &b.Alternatives[i]
		if p := prices[a.Class]; a.Limit > p {
			if s := uint64(a.Units) * uint64(a.Limit-p); s > surplus {
				which, surplus = i, s
			}
		}
	}
	return which, surplus
}

// measure is what all would gain together if everybody could trade any amount at these prices: an upper bound of the welfare
// of any allocation, by linear-programming duality, whatever the prices are. It adds what bids would take to demand, by class.
func measure(book *Book, prices []Price, demand []uint64) Wide {
	var sum Wide
	for i := range book.Bids {
		b := &book.Bids[i]
		w, surplus := b.best(prices)
		if w >= 0 {
			sum.add(surplus)
			demand[b.Alternatives[w].Class] += uint64(b.Alternatives[w].Units)
		}
	}
	for i := range book.Asks {
		a := &book.Asks[i]
		if p := prices[a.Class]; p > a.Reserve {
			sum.add(uint64(a.Units) * uint64(p-a.Reserve))
		}
	}
	return sum
}

// search moves the prices searchSteps times, at first by a sample of the bids if there are many, and the last fullSteps times
// by all. The bound hardly improves with more, on books of every size that we tried.
const (
	searchSteps = 40
	fullSteps   = 8
	sampleBids  = 1 << 13
)

// search looks for prices at which demand meets supply in every class: it raises the prices of what is short and lowers the
// others, in steps that grow while a price keeps its direction and shrink when it turns. It returns the prices with the least
// bound that it met. Source of the steps: Riedmiller and Braun, RPROP (1993), in integers.
func search(book *Book, offers []supply) []Price {
	moves := make([]mover, book.Classes)
	prices := make([]Price, book.Classes)
	for c, s := range offers {
		if len(s.lots) > 0 {
			prices[c] = s.lots[len(s.lots)/2].price
		}
		moves[c].step = max(1, prices[c]/4)
	}
	least, lowest := slices.Clone(prices), Wide{Hi: 1<<64 - 1}
	demand := make([]uint64, book.Classes)
	few, scale := sample(book)
	for i := range searchSteps {
		from := &few
		if i >= searchSteps-fullSteps {
			from, scale = book, 1
		}
		clear(demand)
		if d := measure(from, prices, demand); from == book && d.Less(lowest) {
			lowest = d
			copy(least, prices)
		}
		for c := range prices {
			prices[c] = moves[c].next(prices[c], demand[c]*scale, offers[c].at(prices[c]))
		}
	}
	return least
}

// sample is a book of every scale-th bid, and no asks: demand is all that is taken from it.
func sample(book *Book) (few Book, scale uint64) {
	step := max(1, len(book.Bids)/sampleBids)
	few = Book{Classes: book.Classes, Bids: make([]Bid, 0, len(book.Bids)/step+1)}
	for i := 0; i < len(book.Bids); i += step {
		few.Bids = append(few.Bids, book.Bids[i])
	}
	return few, uint64(step)
}

// mover is how one price moves.
type mover struct {
	step   Price
	rising bool
	turned bool // it has a direction to keep
}

func (m *mover) next(p Price, demand, supply uint64) Price {
	if demand == supply {
		return p
	}
	rising := demand > supply
	switch {
	case !m.turned:
	case rising == m.rising:
		m.step = min(MaxPrice, m.step+m.step/2)
	default:
		m.step = max(1, m.step/2)
	}
	m.rising, m.turned = rising, true
	if rising {
		return min(MaxPrice, p+m.step)
	}
	return p - min(p, m.step)
}
