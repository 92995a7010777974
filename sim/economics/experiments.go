package economics

import (
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
)

// Table is a result: one CSV file, and a plot if it has Lines.
type Table struct {
	Name    string // of the file
	Title   string
	Columns []string
	Rows    [][]string
}

func (t *Table) row(cells ...any) {
	var list []string
	for _, c := range cells {
		switch v := c.(type) {
		case float64:
			list = append(list, strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.4f", v), "0"), "."))
		default:
			list = append(list, fmt.Sprint(v))
		}
	}
	t.Rows = append(t.Rows, list)
}

// CSV is the table's file.
func (t *Table) CSV() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", t.Title)
	w := csv.NewWriter(&b)
	_ = w.WriteAll(append([][]string{t.Columns}, t.Rows...)) // a Builder takes everything
	return b.String()
}

// Cost is what an execution costs in the experiments: 70 % of the unit's price, where the worker is paid 85 %.
const Cost = 700_000

// Scale says how many seeds an experiment runs, and is small in tests.
type Scale struct{ Seeds int }

// crowd is a list of n players, of whom the first are others.
func crowd[T any](n, others int, other T) []T {
	list := make([]T, n)
	for i := range others {
		list[i] = other
	}
	return list
}

// Deterrence measures what a lie gains on average at an audit rate that has reached its floor of 3 %, for bonds of so many prices: the bond
// at which lying begins to lose money must be that of LeastBond. Sleepers work honestly until the floor and then lie in every unit.
func Deterrence(s Scale, bonds []int, corrupt int) (*Table, error) {
	const verifiers = 50
	t := &Table{Name: fmt.Sprintf("deterrence-%d", 100*corrupt/verifiers),
		Title:   fmt.Sprintf("What one false unit gains over a true one, in prices, at an audit rate of 3 %% and %d %% of auditors in league with the liar", 100*corrupt/verifiers),
		Columns: []string{"bond in unit prices", "measured", "c - p q (B + r)", "false units", "measured, pay kept back for 4 rounds"}}
	for _, bond := range bonds {
		var gain [2]int64 // pay at once, pay kept back
		var lies [2]uint64
		for run := range 2 * s.Seeds {
			seed, kept := run/2, run%2
			c := Config{Seed: uint64(seed), Terms: Floor(100, 30_000), CostPPM: Cost,
				Providers: crowd(32, 30, Provider{League: true, LiePPM: PPM, Sleep: 33}), Verifiers: crowd(verifiers, corrupt, Verifier{League: true})}
			c.Terms.ProviderBond, c.Terms.Vesting.Rounds = price(bond), uint32(4*kept)
			r, err := Play(c)
			if err != nil {
				return nil, err
			}
			for i := range 30 {
				gain[kept] += r.Gain[i] - int64(r.Opened[i])*(850_000-Cost)
				lies[kept] += r.Lied[i]
			}
		}
		each := func(i int) float64 { return float64(gain[i]) / float64(max(lies[i], 1)) / PPM }
		q := int64(PPM) - PPM*int64(corrupt)/verifiers
		t.row(bond, each(0), float64(Lure(30_000, q, 850_000, Cost, 0, int64(bond)*PPM))/PPM, lies[0], each(1))
	}
	return t, nil
}

// attack is a way in which a third of all members, in league, lies.
type attack struct {
	name   string
	terms  func() work.Spec
	league Provider
}

func attacks() []attack {
	return []attack{
		{"from the first unit on, every unit", func() work.Spec { return Terms(20) }, Provider{League: true, LiePPM: PPM, Awake: PPM}},
		{"one unit in two", func() work.Spec { return Terms(20) }, Provider{League: true, LiePPM: PPM / 2}},
		{"sleepers: honest until the rate is at its floor of 3 %, then every unit", func() work.Spec { return Floor(60, 30_000) }, Provider{League: true, LiePPM: PPM, Sleep: 33}},
		{"sleepers, one unit in twenty", func() work.Spec { return Floor(60, 30_000) }, Provider{League: true, LiePPM: PPM / 20, Sleep: 33}},
	}
}

// Collusion lets 34 % of all providers and 34 % of all verifiers lie together, and counts false units that are paid.
func Collusion(s Scale) (*Table, error) {
	const members, league = 35, 12
	t := &Table{Name: "collusion", Title: "34 % of providers and of verifiers in league: false units paid",
		Columns: []string{"the league lies", "others execute", "seeds", "runs finished", "runs in which a false unit is paid", "false units paid", "false units that entered the model", "false units that did not", "honest members slashed", "true units not paid"}}
	for _, a := range attacks() {
		for _, how := range []struct {
			watch uint32
		}{{0}, {100_000}, {500_000}, {PPM}} {
			var finished, bad, paid, entered, caught, framed, voided int
			for seed := range s.Seeds {
				c := Config{Seed: uint64(seed), Terms: a.terms(), CostPPM: Cost, Watch: how.watch,
					Providers: crowd(members, league, a.league), Verifiers: crowd(members, league, Verifier{League: true})}
				r, err := Play(c)
				if err != nil {
					return nil, err
				}
				if r.Finished {
					finished++
				}
				if r.False > 0 {
					bad++
				}
				paid, entered, caught, framed, voided = paid+r.False, entered+r.Entered, caught+r.Caught, framed+r.Framed, voided+r.Voided
			}
			t.row(a.name, fmt.Sprintf("%d %%", how.watch/10_000), s.Seeds, finished, bad, paid, entered, caught, framed, voided)
		}
	}
	return t, nil
}

// Vesting counts which false units would still be paid if pay were kept back for some rounds and lost with a conviction.
func Vesting(s Scale) (*Table, error) {
	const members, league = 35, 12
	t := &Table{Name: "vesting", Title: "Share of a league's false units that are paid, by the number of rounds for which pay is kept back, percent",
		Columns: []string{"rounds of holding back", "every unit from the first on", "every unit at the floor of 3 %"}}
	var share [2][len(Windows)]float64
	for k, a := range []attack{
		{terms: func() work.Spec { return Terms(80) }, league: Provider{League: true, LiePPM: PPM, Awake: PPM}},
		{terms: func() work.Spec { return Floor(160, 30_000) }, league: Provider{League: true, LiePPM: PPM, Sleep: 33}},
	} {
		lied := uint64(0)
		var paid [len(Windows)]int
		for seed := range s.Seeds {
			r, err := Play(Config{Seed: uint64(seed), Terms: a.terms(), CostPPM: Cost,
				Providers: crowd(members, league, a.league), Verifiers: crowd(members, league, Verifier{League: true})})
			if err != nil {
				return nil, err
			}
			for i, n := range r.Vested {
				paid[i] += n
			}
			for _, n := range r.Lied {
				lied += n
			}
		}
		for i := range paid {
			share[k][i] = 100 * float64(paid[i]) / float64(max(lied, 1))
		}
	}
	for i, w := range Windows {
		t.row(w, share[0][i], share[1][i])
	}
	return t, nil
}

// Verifiers measures what strategies of auditors earn in a round, and what happens to honest ones.
func Verifiers(s Scale) (*Table, error) {
	t := &Table{Name: "verifiers", Title: "What a verifier earns in a round, in prices of a unit, 12 providers and 9 verifiers; 2 of them as told",
		Columns: []string{"strategy of the two", "audit rate", "they earn", "the honest earn", "audits that they are drawn for", "honest members slashed"}}
	fine := work.DefaultSpec().Audit.FinePrices
	for _, v := range []struct {
		name string
		kind Verifier
		fine uint32
	}{
		{"honest", Verifier{}, fine}, {"echo: seals what it has not executed", Verifier{Echo: true}, fine}, {"echo, without fines", Verifier{Echo: true}, 0},
		{"frame: finds another result", Verifier{Frame: true}, fine}, {"absent", Verifier{Slack: true}, fine},
	} {
		for _, rate := range []struct {
			name  string
			terms work.Spec
		}{{"newcomers' (100 % falling)", Terms(20)}, {"3 %", Floor(100, 30_000)}} {
			var they, honest, drawn int64
			framed := 0
			rate.terms.Audit.FinePrices = v.fine
			for seed := range s.Seeds {
				r, err := Play(Config{Seed: uint64(seed), Terms: rate.terms, CostPPM: Cost, Providers: make([]Provider, 12), Verifiers: crowd(9, 2, v.kind)})
				if err != nil {
					return nil, err
				}
				for i, g := range r.Gain[12:] {
					if i < 2 {
						they, drawn = they+g, drawn+int64(r.Drawn[12+i])
					} else {
						honest += g
					}
				}
				framed += r.Framed
			}
			n := int64(s.Seeds) * int64(rate.terms.Rounds)
			t.row(v.name, rate.name, float64(they)/float64(2*n)/PPM, float64(honest)/float64(7*n)/PPM, float64(drawn)/float64(2*n), framed)
		}
	}
	return t, nil
}

// Sybils lets one provider lie under ever new names.
func Sybils(s Scale) (*Table, error) {
	t := &Table{Name: "sybils", Title: "A liar who comes back under a new name with a new bond, 40 rounds, default rates: what it gains, in unit prices",
		Columns: []string{"bond in unit prices", "names used", "false units paid", "it gains", "an honest worker gains"}}
	for _, bond := range []int{1, 5, 20, 50} {
		var gain, honest int64
		names, paid := 0, 0
		for seed := range s.Seeds {
			c := Config{Seed: uint64(seed), Terms: Terms(40), CostPPM: Cost,
				Providers: crowd(8, 1, Provider{LiePPM: PPM, Awake: PPM, Sybil: true}), Verifiers: make([]Verifier, 5)}
			c.Terms.ProviderBond = price(bond)
			r, err := Play(c)
			if err != nil {
				return nil, err
			}
			gain, honest, names, paid = gain+r.Gain[0], honest+r.Gain[1], names+r.Slashed[string(work.Provider)], paid+r.False
		}
		n := float64(s.Seeds)
		t.row(bond, float64(names)/n, float64(paid)/n, float64(gain)/n/PPM, float64(honest)/n/PPM)
	}
	return t, nil
}

// Griefers disputes true units and counts who pays. Each stranger's bond doubles with every dispute that it has lost or has open.
func Griefers(s Scale) (*Table, error) {
	t := &Table{Name: "griefers", Title: "A stranger who disputes true units: what it loses and what it costs others, 8 providers, 30 rounds",
		Columns: []string{"share of units disputed", "disputes", "it loses, unit prices", "a worker gains, unit prices", "true units not paid", "blocks of the run", "runs finished"}}
	for _, ppm := range []uint32{0, 10_000, 30_000, 100_000} {
		var n, blocks, voided, finished int
		var lost, gain int64
		for seed := range s.Seeds {
			c := Config{Seed: uint64(seed), Terms: Floor(30, 30_000), Grief: ppm, CostPPM: Cost, Providers: make([]Provider, 8), Verifiers: make([]Verifier, 5)}
			r, err := Play(c)
			if err != nil {
				return nil, err
			}
			n, blocks, voided, lost = n+r.Grievances, blocks+r.Blocks, voided+r.Voided, lost-r.Griefer
			for _, g := range r.Gain[:8] {
				gain += g
			}
			if r.Finished {
				finished++
			}
		}
		k := float64(s.Seeds)
		t.row(fmt.Sprintf("%d %%", ppm/10_000), float64(n)/k, float64(lost)/k/PPM, float64(gain)/k/8/PPM, float64(voided)/k, float64(blocks)/k, fmt.Sprintf("%d of %d", finished, s.Seeds))
	}
	return t, nil
}

// Grinding tells how often an audit is escaped by who can choose among several draws.
func Grinding() *Table {
	t := &Table{Name: "grinding", Title: "Chance that a false unit escapes its audit if the liar can choose among n draws, percent",
		Columns: []string{"draws to choose from", "rate 3 %", "rate 20 %", "rate 50 %", "rate 87 % (the fourth unit)"}}
	for n := uint64(1); n <= 64; n *= 2 {
		t.row(n, float64(Escapes(30_000, n))/10_000, float64(Escapes(200_000, n))/10_000, float64(Escapes(500_000, n))/10_000, float64(Escapes(869_565, n))/10_000)
	}
	return t
}

// Grinders lets a worker lie at a rate of 50 % and more, with all the salts that it wants to try: alone in its rounds, and beside one honest worker.
func Grinders(s Scale) (*Table, error) {
	t := &Table{Name: "grinders", Title: "A worker that tries salts, audit rate 50 %: false units that are paid, 30 rounds",
		Columns: []string{"workers in a round", "salts tried", "false units", "paid"}}
	for _, workers := range []int{1, 2} {
		for _, salts := range []uint32{0, 2, 8, 64} {
			lied, paid := uint64(0), 0
			for seed := range s.Seeds {
				c := Config{Seed: uint64(seed), Terms: Floor(30, 500_000), CostPPM: Cost,
					Providers: crowd(workers, 1, Provider{LiePPM: PPM, Sleep: 1, Grind: salts, Sybil: true}), Verifiers: make([]Verifier, 4)}
				r, err := Play(c)
				if err != nil {
					return nil, err
				}
				lied, paid = lied+r.Lied[0], paid+r.False
			}
			t.row(workers, salts, lied, fmt.Sprintf("%d %%", 100*uint64(paid)/max(lied, 1)))
		}
	}
	return t, nil
}

// Bonds is what one more dispute of true units costs a stranger, at the rules' rise.
func Bonds() *Table {
	t := &Table{Name: "bonds", Title: "What a stranger has lost after so many disputes of true units, in bonds of the first", Columns: []string{"disputes", "under one name", "each under a new name"}}
	for n := 1; n <= 20; n++ {
		t.row(n, Griefing(n, 1, dispute.MaxRise), n)
	}
	return t
}

// An Experiment makes one table.
type Experiment struct {
	Name string // of its table
	Run  func(Scale) (*Table, error)
}

// Experiments lists all of them.
func Experiments() []Experiment {
	bonds := []int{5, 10, 20, 30, 40, 50, 75, 100}
	alone := func(f func() *Table) func(Scale) (*Table, error) {
		return func(Scale) (*Table, error) { return f(), nil }
	}
	return []Experiment{
		{"deterrence-0", func(s Scale) (*Table, error) { return Deterrence(s, bonds, 0) }},
		{"deterrence-34", func(s Scale) (*Table, error) { return Deterrence(s, bonds, 17) }},
		{"collusion", Collusion}, {"vesting", Vesting}, {"verifiers", Verifiers}, {"sybils", Sybils}, {"griefers", Griefers}, {"grinders", Grinders},
		{"grinding", alone(Grinding)}, {"bonds", alone(Bonds)},
	}
}
