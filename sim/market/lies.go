package market

import (
	"math/rand/v2"
	"slices"

	"github.com/mutirao/mutirao/protocol/market/auction"
)

// lies are the factors, in percent, by which an owner may misstate its price.
var lies = []int{40, 50, 60, 70, 75, 80, 84, 88, 90, 92, 94, 96, 98, 99, 101, 102, 104, 106, 108, 110, 112, 116, 120, 125, 130, 140, 150, 170, 200}

// utility is what an owner of bids or asks gains by trades, at its true prices.
func utility(truth auction.Book, owner uint32, trades []Trade) float64 {
	sum := 0.0
	for _, t := range trades {
		if b := truth.Bids[t.Bid]; b.Owner == owner {
			sum += float64(t.Units) * (float64(b.Alternatives[t.Alternative].Limit) - float64(t.Pays))
		}
		if a := truth.Asks[t.Ask]; a.Owner == owner {
			sum += float64(t.Units) * (float64(t.Gets) - float64(a.Reserve))
		}
	}
	return sum
}

// misstated is the book with an owner's prices times percent, and its asks with keep percent of their units.
func misstated(book auction.Book, owner uint32, percent, keep int) auction.Book {
	b := auction.Book{Classes: book.Classes, Bids: slices.Clone(book.Bids), Asks: slices.Clone(book.Asks)}
	for i := range b.Bids {
		if b.Bids[i].Owner != owner {
			continue
		}
		b.Bids[i].Alternatives = slices.Clone(b.Bids[i].Alternatives)
		for j := range b.Bids[i].Alternatives {
			a := &b.Bids[i].Alternatives[j]
			a.Limit = min(auction.MaxPrice, a.Limit*auction.Price(percent)/100)
		}
	}
	for i := range b.Asks {
		if b.Asks[i].Owner == owner {
			b.Asks[i].Reserve = min(auction.MaxPrice, b.Asks[i].Reserve*auction.Price(percent)/100)
			b.Asks[i].Units = max(1, b.Asks[i].Units*uint32(keep)/100)
		}
	}
	return b
}

// outcomes are what an owner gains by the truth, first, and by each of its lies.
func outcomes(fresh func() Mechanism, book auction.Book, owner uint32, seed uint64, keeps []int) []float64 {
	play := func(b auction.Book) float64 {
		return utility(book, owner, fresh().Trade(b, rand.New(rand.NewPCG(seed, 7))))
	}
	list := []float64{play(book)}
	for _, keep := range keeps {
		for _, percent := range append([]int{100}, lies...) {
			if percent != 100 || keep != 100 {
				list = append(list, play(misstated(book, owner, percent, keep)))
			}
		}
	}
	return list
}

// tally sums outcomes over many books and owners.
type tally struct {
	informed float64   // of the best in each book
	each     []float64 // of the truth and of each lie, told every time
}

func (t *tally) add(list []float64) {
	if t.each == nil {
		t.each = make([]float64, len(list))
	}
	for i, v := range list {
		t.each[i] += v
	}
	t.informed += slices.Max(list)
}

// gains are in percent of what the truth gives: of the best lie in each book, known in advance, and of the best rule to lie always by.
func (t *tally) gains() (informed, blind float64) {
	truth := t.each[0]
	return 100 * (t.informed - truth) / truth, 100 * (slices.Max(t.each) - truth) / truth
}

// honesty measures lies in one class with as many owners of bids as of asks, over buyers and sellers. The first table is of who knows all
// other orders, the second of who knows only how they are drawn and scales its prices by the best fixed factor for its side.
func honesty(seed uint64, single bool, counts []int, books int) (informed, blind table) {
	units, suffix := "several units", ""
	if single {
		units, suffix = "one unit", "-single"
	}
	informed = table{name: "lies" + suffix, about: "Mean gain of the best unilateral lie, all other orders known, in percent of what the truth gives; one class, orders of " + units}
	blind = table{name: "lies-blind" + suffix, about: "Mean gain of the best fixed factor, other orders unknown, in percent of what the truth gives; one class, orders of " + units}
	informed.head, blind.head = []string{"owners"}, []string{"owners"}
	for _, m := range Mechanisms() {
		informed.head, blind.head = append(informed.head, m.Name()), append(blind.head, m.Name())
	}
	for _, n := range counts {
		a, b := []float64{float64(n)}, []float64{float64(n)}
		for k := range Mechanisms() {
			known, unknown := lieGains(seed, k, shape{jobs: n, sellers: n, classes: 1, alternatives: 1, single: single}, books)
			a, b = append(a, known), append(b, unknown)
		}
		informed.rows, blind.rows = append(informed.rows, a), append(blind.rows, b)
	}
	return informed, blind
}

// lieGains are the means of buyers' and sellers' gains.
func lieGains(seed uint64, mechanism int, s shape, books int) (informed, blind float64) {
	r := rand.New(rand.NewPCG(seed, uint64(2000+s.jobs)))
	fresh := settled(mechanism, s, seed)
	var sides [2]tally
	for i := range books {
		book := s.draw(r)
		for range 2 {
			sides[0].add(outcomes(fresh, book, uint32(r.IntN(s.jobs)), uint64(i), []int{100}))
			sides[1].add(outcomes(fresh, book, uint32(1_000_000+r.IntN(s.sellers)), uint64(i), []int{100}))
		}
	}
	for i := range sides {
		known, unknown := sides[i].gains()
		informed, blind = informed+known/2, blind+unknown/2
	}
	return informed, blind
}

// manipulation is what an owner of a tenth of all units gains by the best of misstating its reserve and holding units back.
func manipulation(seed uint64, sellers []int, books int) table {
	t := table{name: "manipulator", about: "Gain of an owner of a tenth of all units by the best of misstated reserves and units held back, all other orders known, in percent of what the truth gives; one class",
		head: []string{"sellers"}}
	for _, m := range Mechanisms() {
		t.head = append(t.head, m.Name())
	}
	for _, n := range sellers {
		row := []float64{float64(n)}
		for k := range Mechanisms() {
			r := rand.New(rand.NewPCG(seed, uint64(3000+n)))
			fresh := settled(k, shape{jobs: 2 * n, sellers: n, classes: 1, alternatives: 1}, seed)
			var sum tally
			for i := range books {
				book := shape{jobs: 2 * n, sellers: n, classes: 1, alternatives: 1}.draw(r)
				all, mine := uint32(0), uint32(0)
				for _, a := range book.Asks {
					all += a.Units
				}
				for j := range book.Asks {
					if mine < all/10 {
						mine += book.Asks[j].Units
						book.Asks[j].Owner = 1_000_000
					}
				}
				sum.add(outcomes(fresh, book, 1_000_000, uint64(i), []int{100, 80, 60, 40, 20}))
			}
			gain, _ := sum.gains()
			row = append(row, gain)
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// settled returns fresh copies of a mechanism whose prices have found their level.
func settled(k int, s shape, seed uint64) func() Mechanism {
	m := Mechanisms()[k]
	p, ok := m.(*posted)
	if !ok {
		return func() Mechanism { return m }
	}
	r := rand.New(rand.NewPCG(seed, 4000))
	for range warm {
		p.Trade(s.draw(r), r)
	}
	return func() Mechanism { return &posted{slices.Clone(p.prices)} }
}
