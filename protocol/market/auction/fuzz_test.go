package auction

import (
	"testing"
)

// FuzzCheck gives Check allocations that nobody computed. Whatever it accepts must obey the rules that matter: no ask is sold
// twice, and the welfare is below the bound.
func FuzzCheck(f *testing.F) {
	b := market(5, 8, 6, 2, 2)
	good := Clear(b)
	var seed []byte
	for _, m := range good.Matches {
		seed = append(seed, byte(m.Bid), byte(m.Ask), m.Alternative, byte(m.Units))
	}
	f.Add(uint16(good.Quotes[0].Buyer), uint16(good.Quotes[1].Buyer), seed)
	f.Add(uint16(700), uint16(700), []byte{0, 0, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, p0, p1 uint16, raw []byte) {
		a := Allocation{
			Quotes: []Quote{{Price(p0), Price(p0)}, {Price(p1), Price(p1)}},
			Dual:   []Price{Price(p0), Price(p1)},
		}
		for ; len(raw) >= 4; raw = raw[4:] {
			a.Matches = append(a.Matches, Match{uint32(raw[0]), uint32(raw[1]), raw[2], uint32(raw[3])})
		}
		w, err := Check(b, a)
		if err != nil {
			return
		}
		sold := make([]uint64, len(b.Asks))
		for _, m := range a.Matches {
			sold[m.Ask] += uint64(m.Units)
		}
		for i, n := range sold {
			if n > uint64(b.Asks[i].Units) {
				t.Fatalf("ask %d sells %d of %d", i, n, b.Asks[i].Units)
			}
		}
		if w.Bound.Less(w.Welfare) {
			t.Fatalf("welfare %v above the bound %v", w.Welfare, w.Bound)
		}
	})
}
