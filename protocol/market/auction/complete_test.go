package auction

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// packing is a book that the built-in solver clears badly: four units of one seller, the best bid wants three, the next two want two each.
func packing() Book {
	return book([]Bid{bid(100, 3, true), bid(99, 2, true), bid(99, 2, true)}, []Ask{{0, 0, 4, 10, 0}})
}

func TestABetterProposal(t *testing.T) {
	b := packing()
	base := Clear(b)
	if w := worth(t, b, base); w.Welfare != (Wide{Lo: 270}) {
		t.Fatalf("the built-in solver reaches %v", w.Welfare)
	}
	a := Complete(b, base, []Deal{{2, 0, 2}, {1, 0, 2}})
	if w := worth(t, b, a); w.Welfare != (Wide{Lo: 356}) || a.Quotes[0] != base.Quotes[0] {
		t.Errorf("the proposal reaches %v at %+v", w.Welfare, a.Quotes[0])
	}
	// What is not possible falls away with its bid, and nothing else.
	for name, c := range map[string]struct {
		deals []Deal
		want  uint64
	}{
		"nothing":                     {nil, 0},
		"more units than there are":   {[]Deal{{0, 0, 3}, {1, 0, 2}}, 270},
		"a whole bid in part":         {[]Deal{{1, 0, 1}, {2, 0, 2}}, 178},
		"an ask twice":                {[]Deal{{1, 0, 1}, {1, 0, 1}, {2, 0, 2}}, 178},
		"orders that do not exist":    {[]Deal{{7, 0, 1}, {1, 9, 2}, {2, 0, 2}}, 178},
		"units of nothing":            {[]Deal{{1, 0, 0}, {2, 0, 2}}, 178},
		"numbers beyond every bound":  {[]Deal{{1, 0, 1<<32 - 1}, {1<<32 - 1, 1<<32 - 1, 1}, {2, 0, 2}}, 178},
		"more than the bid asked for": {[]Deal{{1, 0, 3}}, 0},
	} {
		if w := worth(t, b, Complete(b, base, c.deals)); w.Welfare != (Wide{Lo: c.want}) {
			t.Errorf("%s: welfare %v, want %d", name, w.Welfare, c.want)
		}
	}
}

// A class with few owners stays as the built-in solver has it, whatever is proposed: its marginal orders must not trade.
func TestProposalsLeaveReducedClassesAlone(t *testing.T) {
	_, _, b := example()
	base := Clear(b)
	all := []Deal{{0, 0, 2}, {1, 1, 1}, {2, 1, 1}, {2, 2, 2}}
	if a := Complete(b, base, all); !reflect.DeepEqual(a.Matches, base.Matches) || !reflect.DeepEqual(a.Quotes, base.Quotes) {
		t.Errorf("the proposal changed %+v to %+v", base, a)
	}
}

// Whatever is proposed for whatever book, what comes of it is valid, at the built-in prices; and the built-in allocation itself, proposed,
// comes out as it is.
func TestProposalsAreValid(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		b := market(seed, 1+r.IntN(60), 1+r.IntN(30), 1+r.IntN(6), 4)
		for i := range b.Bids {
			b.Bids[i].Owner %= uint32(1 + r.IntN(40))
		}
		base := Clear(b)
		var same []Deal
		for _, m := range base.Matches {
			same = append(same, Deal{m.Bid, m.Ask, m.Units})
		}
		r.Shuffle(len(same), func(i, j int) { same[i], same[j] = same[j], same[i] })
		if a := Complete(b, base, same); worth(t, b, a) != worth(t, b, base) {
			t.Fatalf("seed %d: the built-in allocation, proposed, is worth %+v, not %+v", seed, worth(t, b, a), worth(t, b, base))
		}
		deals := same
		for range r.IntN(80) {
			deals = append(deals, Deal{uint32(r.IntN(len(b.Bids) + 1)), uint32(r.IntN(len(b.Asks) + 1)), uint32(r.IntN(10))})
		}
		a := Complete(b, base, deals)
		worth(t, b, a)
		checkBudget(t, b, a)
		for _, m := range base.Matches {
			if c := b.Asks[m.Ask].Class; a.Quotes[c] != base.Quotes[c] {
				t.Fatalf("seed %d: class %d costs %+v, not %+v", seed, c, a.Quotes[c], base.Quotes[c])
			}
		}
	}
}
