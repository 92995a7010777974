package params

import (
	"errors"
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/protocol"
)

const gas = "feemarket.min_gas_price" // 1 to 10^9

func TestSchedule(t *testing.T) {
	terms := Terms{Delay: 10, Rest: 100, Factor: 2}
	for name, c := range map[string]struct {
		set  Set
		now  Situation
		want error
	}{
		"doubled":          {Set{gas, 2000}, Situation{Value: 1000}, nil},
		"halved":           {Set{gas, 500}, Situation{Value: 1000}, nil},
		"half of odd":      {Set{gas, 501}, Situation{Value: 1001}, nil},
		"more than double": {Set{gas, 2001}, Situation{Value: 1000}, protocol.ErrInvalid},
		"less than half":   {Set{gas, 500}, Situation{Value: 1001}, protocol.ErrInvalid},
		"the same":         {Set{gas, 1000}, Situation{Value: 1000}, protocol.ErrInvalid},
		"below":            {Set{gas, 0}, Situation{Value: 1}, protocol.ErrInvalid},
		"above":            {Set{gas, 1_000_000_001}, Situation{Value: 1_000_000_000}, protocol.ErrInvalid},
		"from zero":        {Set{"slashing.downtime_ppm", 2}, Situation{}, nil},
		"to zero":          {Set{"slashing.downtime_ppm", 0}, Situation{Value: 1}, nil},
		"unknown":          {Set{"speed", 1}, Situation{}, protocol.ErrNotFound},
		"waits":            {Set{gas, 900}, Situation{Value: 1000, Pending: true}, protocol.ErrDuplicate},
		"rests":            {Set{gas, 900}, Situation{Value: 1000, Last: 911}, protocol.ErrPhase}, // decided at 1000, would hold at 1010, rests until 1011
		"has rested":       {Set{gas, 900}, Situation{Value: 1000, Last: 910}, nil},
	} {
		change, effects, err := Schedule(c.set, c.now, terms, protocol.Env{Height: 1000})
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err == nil && (change != Change{c.set.Name, c.now.Value, c.set.Value, 1010} || len(effects) != 1) {
			t.Errorf("%s: %+v", name, change)
		}
	}
}

// Whatever is decided in whatever order, no value leaves its bounds, jumps, or changes before it has rested and was announced.
func TestRandomDecisions(t *testing.T) {
	seed := rand.Int63()
	r := rand.New(rand.NewSource(seed))
	terms := Terms{Delay: 3, Rest: 7, Factor: 2}
	for _, b := range Bounds {
		s := Situation{Value: b.Min + uint64(r.Int63n(int64(b.Max-b.Min)))}
		var waiting *Change
		for h := protocol.Height(1); h < 3000; h++ {
			if waiting != nil && waiting.At == h {
				if s.Last > 0 && h < s.Last+terms.Rest {
					t.Fatalf("seed %d: %s changed at %d and %d", seed, b.Name, s.Last, h)
				}
				s, waiting = Situation{Value: waiting.Value, Last: h}, nil
			}
			wish := []uint64{s.Value * 2, s.Value / 2, s.Value + 1, s.Value - 1, r.Uint64(), uint64(r.Int63n(int64(b.Max) + 2)), math.MaxUint64}[r.Intn(7)]
			c, _, err := Schedule(Set{b.Name, wish}, s, terms, protocol.Env{Height: h})
			if err != nil {
				continue
			}
			if c.Value < b.Min || c.Value > b.Max || c.Value > 2*max(s.Value, 1) || 2*c.Value < s.Value && s.Value > 1 || c.At != h+terms.Delay || waiting != nil {
				t.Fatalf("seed %d: %s from %d to %d at %d", seed, b.Name, s.Value, c.Value, h)
			}
			waiting, s.Pending = &c, true
		}
	}
}

func TestBoundsAreOrdered(t *testing.T) {
	if !slices.IsSortedFunc(Bounds, func(a, b Bound) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("by name")
	}
	for _, b := range Bounds {
		if b.Min >= b.Max || b.Max > math.MaxInt64 {
			t.Errorf("%+v", b)
		}
	}
}

func FuzzDecodeMsg(f *testing.F) {
	f.Add("params/set", []byte(`{"name":"feemarket.min_gas_price","value":7}`))
	f.Add("params/cancel", []byte(`{"name":"gov.deposit_mut"}`))
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		m, err := DecodeMsg(kind, data)
		if err != nil {
			return
		}
		if m.Kind() != kind || m.(interface{ Check() error }).Check() != nil {
			t.Errorf("%s %s: %+v", kind, data, m)
		}
	})
}
