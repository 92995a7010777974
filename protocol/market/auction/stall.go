package auction

// grades is how many levels of reputation there are: 0 to grades-1.
const grades = 8

// stall is what the asks that trade in one class have left, in the order in which they sell.
type stall struct {
	book *Book
	lots []lot
	next [grades]int    // by least reputation: no lot before it can serve
	rest [grades]uint64 // units left, by reputation
}

func open(book *Book, lots []lot) stall {
	s := stall{book: book, lots: append([]lot(nil), lots...)}
	for _, l := range lots {
		s.rest[book.Asks[l.order].Reputation] += uint64(l.units)
	}
	return s
}

// left is how many units of at least that reputation remain.
func (s *stall) left(reputation uint32) uint64 {
	var sum uint64
	for _, n := range s.rest[reputation:] {
		sum += n
	}
	return sum
}

// sell takes units, of which that many must be left, from the first asks of that reputation and appends the matches.
func (s *stall) sell(out []Match, to lot, reputation uint32, units uint32) []Match {
	at := &s.next[reputation]
	for units > 0 {
		l := &s.lots[*at]
		have := s.book.Asks[l.order].Reputation
		if l.units == 0 || have < reputation {
			*at++
			continue
		}
		n := min(units, l.units)
		l.units -= n
		units -= n
		s.rest[have] -= uint64(n)
		out = append(out, Match{to.order, l.order, to.which, n})
	}
	return out
}
