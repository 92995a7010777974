package auction

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// bid and ask make orders of one class; every order has an owner of its own.
func bid(limit Price, units uint32, whole bool) Bid {
	return Bid{Whole: whole, Alternatives: []Alternative{{0, units, limit}}}
}

func book(bids []Bid, asks []Ask) Book {
	b := Book{Classes: 1, Bids: bids, Asks: asks}
	for i := range b.Bids {
		b.Bids[i].Owner = uint32(i)
	}
	for i := range b.Asks {
		b.Asks[i].Owner = uint32(1000 + i)
	}
	return b
}

// example is the published vector: prices and quantities, one bid all or nothing. Prices are in tenths.
func example() ([]lot, []lot, Book) {
	bids := []Bid{bid(100, 2, false), bid(80, 1, false), bid(70, 3, true), bid(50, 2, false)}
	asks := []Ask{{0, 0, 2, 30, 0}, {0, 0, 2, 40, 0}, {0, 0, 2, 60, 0}, {0, 0, 4, 90, 0}}
	b := book(bids, asks)
	var l []lot
	for i := range bids {
		a := bids[i].Alternatives[0]
		l = append(l, lot{a.Limit, a.Units, uint32(i), 0})
	}
	return l, supplies(&b)[0].lots, b
}

func TestUniformPriceVector(t *testing.T) {
	bids, asks, _ := example()
	c := cross(bids, asks)
	got := settle(bids, asks, Thin, Thin)
	if c.traded != 6 || got.Buyer != 65 || got.Seller != 65 || got.bids != 3 || got.asks != 3 {
		t.Errorf("traded %d, terms %+v; want 6 units at 65", c.traded, got)
	}
}

func TestMcAfeeVector(t *testing.T) {
	_, _, b := example()
	a := Clear(b)
	if want := (Quote{70, 60}); a.Quotes[0] != want {
		t.Fatalf("quote %+v, want %+v", a.Quotes[0], want)
	}
	units := 0
	for _, m := range a.Matches {
		units += int(m.Units)
	}
	if units != 3 {
		t.Errorf("%d units, want 3: %+v", units, a.Matches)
	}
	w := worth(t, b, a)
	if w.Bound != (Wide{Lo: 230}) {
		t.Errorf("bound %v, want 230", w.Bound)
	}
}

// Of the side that is longer after a trade reduction the book's order decides who trades: with the asks turned round the dearer of the two
// that are left sells both its units, the cheaper one a unit. Neither price moves anything.
func TestTheLongerSideTradesByLot(t *testing.T) {
	_, _, b := example()
	b.Asks[0].Reserve, b.Asks[1].Reserve = b.Asks[1].Reserve, b.Asks[0].Reserve
	for _, cheaper := range []Price{30, 20, 0} {
		b.Asks[1].Reserve = cheaper
		sold := map[uint32]uint32{}
		for _, m := range Clear(b).Matches {
			sold[m.Ask] += m.Units
		}
		if sold[0] != 2 || sold[1] != 1 {
			t.Errorf("at %d units sold are %v", cheaper, sold)
		}
	}
}

// With ten owners on each side the vector's welfare is reached whole: 20 + 8 + 21 - 6 - 8 - 12 = 23.
func TestUniformWelfareVector(t *testing.T) {
	_, _, b := example()
	for range Thin {
		b.Bids = append(b.Bids, bid(1, 1, false))
		b.Asks = append(b.Asks, Ask{0, 0, 1, 200, 0})
	}
	b = book(b.Bids, b.Asks)
	a := Clear(b)
	if w := worth(t, b, a); a.Quotes[0] != (Quote{65, 65}) || w.Welfare != (Wide{Lo: 230}) || w.Bound != w.Welfare {
		t.Errorf("quote %+v, worth %+v", a.Quotes[0], w)
	}
}

func TestLoneOwnersTakeTheOthersPrice(t *testing.T) {
	asks := []Ask{{1, 0, 1, 30, 0}, {2, 0, 1, 40, 0}, {3, 0, 1, 60, 0}}
	for _, c := range []struct {
		name  string
		bids  []Bid
		asks  []Ask
		price Price
		units int
	}{
		{"one buyer pays the best rejected ask", []Bid{bid(100, 2, false)}, asks, 60, 2},
		{"one buyer, its limit below it", []Bid{bid(50, 2, false)}, asks, 50, 2},
		{"one seller gets the best rejected bid", []Bid{bid(100, 1, false), bid(90, 1, false), bid(70, 1, false)}, []Ask{{1, 0, 2, 30, 0}}, 70, 2},
		{"one of each meets in the middle", []Bid{bid(100, 1, false)}, []Ask{{1, 0, 1, 30, 0}}, 65, 1},
		{"no crossing", []Bid{bid(10, 1, false)}, asks, 0, 0},
	} {
		b := book(c.bids, slices.Clone(c.asks))
		a := Clear(b)
		worth(t, b, a)
		units := 0
		for _, m := range a.Matches {
			units += int(m.Units)
		}
		if a.Quotes[0] != (Quote{c.price, c.price}) || units != c.units {
			t.Errorf("%s: %d units at %+v, want %d at %d", c.name, units, a.Quotes[0], c.units, c.price)
		}
	}
}

func worth(t *testing.T, b Book, a Allocation) Worth {
	t.Helper()
	if err := Validate(b); err != nil {
		t.Fatal(err)
	}
	w, err := Check(b, a)
	if err != nil {
		t.Fatal(err)
	}
	if w.Bound.Less(w.Welfare) {
		t.Fatalf("welfare %v above the bound %v", w.Welfare, w.Bound)
	}
	return w
}

// market is a random book. Jobs have a value of their own and suit some classes; owners are as many as orders.
func market(seed uint64, bids, asks, classes, alternatives int) Book {
	r := rand.New(rand.NewPCG(seed, 7))
	b := Book{Classes: classes}
	for i := range asks {
		b.Asks = append(b.Asks, Ask{uint32(bids + i), uint32(r.IntN(classes)), uint32(1 + r.IntN(16)), Price(200 + r.IntN(1000)), uint32(r.IntN(grades))})
	}
	for i := range bids {
		units, value := 1+r.IntN(8), 300+r.IntN(1500)
		if r.IntN(5) == 0 {
			value *= 2
		}
		bid := Bid{Owner: uint32(i), Whole: r.IntN(4) == 0, MinReputation: uint32(max(0, r.IntN(12)-8))}
		for _, c := range r.Perm(classes)[:1+r.IntN(min(alternatives, classes))] {
			bid.Alternatives = append(bid.Alternatives, Alternative{uint32(c), uint32(units), Price(value * (80 + r.IntN(40)) / 100)})
		}
		b.Bids = append(b.Bids, bid)
	}
	return b
}

func TestRandomMarketsAreValid(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := market(seed, r.IntN(60), r.IntN(30), 1+r.IntN(6), 4)
		for i := range b.Bids {
			b.Bids[i].Owner %= uint32(1 + r.IntN(20))
		}
		a := Clear(b)
		worth(t, b, a)
		checkBudget(t, b, a)
		if again := Clear(b); fmt.Sprint(again) != fmt.Sprint(a) {
			t.Fatalf("seed %d: two clearings of one book differ", seed)
		}
	}
}

// checkBudget adds up that buyers pay what sellers get and no less.
func checkBudget(t *testing.T, b Book, a Allocation) {
	t.Helper()
	var paid, got uint64
	for _, m := range a.Matches {
		q := a.Quotes[b.Asks[m.Ask].Class]
		paid += uint64(m.Units) * uint64(q.Buyer)
		got += uint64(m.Units) * uint64(q.Seller)
	}
	if got > paid {
		t.Fatalf("sellers get %d of %d paid", got, paid)
	}
}

// optimum is the greatest welfare of a book of bids that are whole and asks of one unit each, by trying everything.
func optimum(b Book) uint64 {
	free := map[uint32][]Price{}
	for _, a := range b.Asks {
		free[a.Class] = append(free[a.Class], a.Reserve)
	}
	for _, list := range free {
		slices.Sort(list)
	}
	var try func(i int, used map[uint32]int) int64
	try = func(i int, used map[uint32]int) int64 {
		if i == len(b.Bids) {
			return 0
		}
		best := try(i+1, used)
		for _, a := range b.Bids[i].Alternatives {
			n := used[a.Class]
			if n+int(a.Units) > len(free[a.Class]) {
				continue
			}
			gain := int64(0)
			for _, r := range free[a.Class][n : n+int(a.Units)] {
				gain += int64(a.Limit) - int64(r)
			}
			used[a.Class] += int(a.Units)
			best = max(best, gain+try(i+1, used))
			used[a.Class] -= int(a.Units)
		}
		return best
	}
	return uint64(try(0, map[uint32]int{}))
}

// Small books against everything that is possible: no welfare above the optimum, no bound below it, and little lost on the way.
func TestSmallMarketsAgainstBruteForce(t *testing.T) {
	var reached, possible uint64
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := Book{Classes: 2}
		for i := range 12 {
			b.Asks = append(b.Asks, Ask{uint32(100 + i), uint32(r.IntN(2)), 1, Price(10 + r.IntN(60)), 0})
		}
		for i := range 10 {
			bid := Bid{Owner: uint32(i), Whole: true}
			for c := range 1 + r.IntN(2) {
				bid.Alternatives = append(bid.Alternatives, Alternative{uint32((c + i) % 2), uint32(1 + r.IntN(2)), Price(20 + r.IntN(80))})
			}
			b.Bids = append(b.Bids, bid)
		}
		w, best := worth(t, b, Clear(b)), optimum(b)
		if w.Welfare.Lo > best || w.Bound.Lo < best {
			t.Fatalf("seed %d: welfare %d, optimum %d, bound %d", seed, w.Welfare.Lo, best, w.Bound.Lo)
		}
		reached, possible = reached+w.Welfare.Lo, possible+best
	}
	t.Logf("welfare / optimum over 300 thin markets: %.3f", float64(reached)/float64(possible))
	if reached*100 < possible*55 {
		t.Errorf("only %d of %d", reached, possible)
	}
}

// One class with many owners loses less than one part in a hundred, eight substitutable ones less than five.
func TestWelfareNearTheBound(t *testing.T) {
	for _, c := range []struct {
		name                              string
		bids, asks, classes, alternatives int
		least                             uint64
	}{
		{"one class", 10_000, 2_000, 1, 1, 990},
		{"eight substitutable classes", 10_000, 2_000, 8, 8, 950},
		{"eight classes, three alternatives", 10_000, 2_000, 8, 3, 950},
		{"forty classes", 10_000, 4_000, 40, 3, 950},
	} {
		for seed := range uint64(3) {
			b := market(seed, c.bids, c.asks, c.classes, c.alternatives)
			w := worth(t, b, Clear(b))
			got := w.Welfare.Permille(w.Bound)
			t.Logf("%s, seed %d: welfare %d/1000 of the bound", c.name, seed, got)
			if got < c.least {
				t.Errorf("%s, seed %d: %d/1000 of the bound, want %d", c.name, seed, got, c.least)
			}
		}
	}
}

func BenchmarkClear(b *testing.B) {
	for _, classes := range []int{1, 8, 40} {
		m := market(1, 100_000, 20_000, classes, 3)
		b.Run(fmt.Sprintf("100000_bids_20000_asks_%d_classes", classes), func(b *testing.B) {
			for b.Loop() {
				Clear(m)
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	m := market(1, 100_000, 20_000, 8, 3)
	a := Clear(m)
	for b.Loop() {
		if _, err := Check(m, a); err != nil {
			b.Fatal(err)
		}
	}
}
