package economics

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

var (
	write = flag.String("write", "", "run experiments at full size and write their tables into this folder")
	only  = flag.String("experiment", "", "with -write: the only experiment to run")
	seeds = flag.Int("seeds", 20, "with -write: seeds of each experiment")
)

// TestExperiments runs the experiments at full size, only with -write.
func TestExperiments(t *testing.T) {
	if *write == "" {
		t.Skip("long: make audit-economics")
	}
	for _, e := range Experiments() {
		if *only != "" && *only != e.Name {
			continue
		}
		table, err := e.Run(Scale{*seeds})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*write, table.Name+".csv"), []byte(table.CSV()), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Log("\n" + table.CSV())
	}
}

// cell is a number of a table.
func cell(t *testing.T, table *Table, row, column int) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(table.Rows[row][column], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestDeterrence plays sleepers at the floor: below the bond of the condition a lie gains, above it loses, and what it gains on average is
// what the condition says.
func TestDeterrence(t *testing.T) {
	bond := LeastBond(30_000, PPM, 850_000, Cost, 0)
	if bond/PPM != 22 {
		t.Fatalf("the least bond is %d", bond)
	}
	table, err := Deterrence(Scale{2}, []int{10, 50}, 0)
	if err != nil {
		t.Fatal(err)
	}
	low, high := cell(t, table, 0, 1), cell(t, table, 1, 1)
	if low < 0 || high > 0 {
		t.Errorf("a lie gains %f below the least bond and %f above", low, high)
	}
	for i, measured := range []float64{low, high} {
		if said := cell(t, table, i, 2); measured < said-0.35 || measured > said+0.35 {
			t.Errorf("a lie gains %f, the condition says %f", measured, said)
		}
	}
}

// TestCollusion lets a third lie. Not every false unit is kept out of the model; with one honest machine that looks at every unit each is, none is
// paid, and training goes on.
func TestCollusion(t *testing.T) {
	const members, league = 35, 12
	for _, a := range attacks()[:2] {
		for _, watch := range []uint32{0, PPM} {
			r, err := Play(Config{Seed: 1, Terms: a.terms(), CostPPM: Cost, Watch: watch,
				Providers: crowd(members, league, a.league), Verifiers: crowd(members, league, Verifier{League: true})})
			if err != nil {
				t.Fatal(err)
			}
			if (r.Entered > 0) != (watch == 0) || r.False > r.Entered || !r.Finished || r.Units < 20*(members-league) {
				t.Errorf("%s, watched %d: %+v", a.name, watch, r)
			}
		}
	}
}

// TestHonestNetwork: nobody is slashed, every unit is paid, and money is conserved, whoever is accused.
func TestHonestNetwork(t *testing.T) {
	for _, grief := range []uint32{0, PPM / 10} {
		r, err := Play(Config{Seed: 3, Terms: Floor(12, 30_000), CostPPM: Cost, Grief: grief, Providers: make([]Provider, 6), Verifiers: make([]Verifier, 3)})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Finished || r.Units != 72 || r.False+r.Caught+r.Voided+r.Refused+r.Framed != 0 || (grief > 0) != (r.Griefer < 0) {
			t.Errorf("grief %d: %+v", grief, r)
		}
	}
}

// TestFramersConvictNobody: an auditor who calls a right unit wrong without disputing it is not paid for that, one who disputes it loses the
// bond of the dispute; the unit is audited by others and paid, and nobody is slashed.
func TestFramersConvictNobody(t *testing.T) {
	for _, v := range []Verifier{{Echo: true}, {Frame: true}} {
		r, err := Play(Config{Seed: 4, Terms: Terms(4), CostPPM: Cost, Providers: make([]Provider, 6), Verifiers: crowd(7, 2, v)})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Slashed) != 0 || r.Framed != 0 || r.Units != 24 || v.Frame && (r.Gain[6] > -PPM || r.Gain[7] > -PPM) {
			t.Errorf("%+v: %+v", v, r)
		}
	}
}

// TestGrinder: who is alone in a round escapes its audits by trying salts; beside one other worker it does not.
func TestGrinder(t *testing.T) {
	for _, workers := range []int{1, 2} {
		c := Config{Seed: 5, Terms: Floor(30, 500_000), CostPPM: Cost,
			Providers: crowd(workers, 1, Provider{LiePPM: PPM, Sleep: 1, Grind: 64}), Verifiers: make([]Verifier, 4)}
		r, err := Play(c)
		if err != nil {
			t.Fatal(err)
		}
		if escaped := r.False >= 28; escaped != (workers == 1) {
			t.Errorf("%d workers: %+v", workers, r)
		}
	}
}

// TestBounds checks the integers of docs/economics-of-audits.md.
func TestBounds(t *testing.T) {
	for _, c := range []struct{ p, q, r, cost, g, want uint64 }{
		{30_000, PPM, 850_000, 700_000, 0, 22_483_334}, {30_000, PPM, 850_000, 850_000, 0, 27_483_334},
		{30_000, 660_000, 850_000, 850_000, 0, 42_079_293}, {30_000, 660_000, 850_000, 850_000, 1_000_000, 92_584_344}, {PPM, PPM, 850_000, 700_000, 0, 0},
	} {
		if got := LeastBond(c.p, c.q, c.r, c.cost, c.g); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
		if b := int64(c.want); Lure(int64(c.p), int64(c.q), int64(c.r), int64(c.cost), int64(c.g), b) > 0 || b > 0 && Lure(int64(c.p), int64(c.q), int64(c.r), int64(c.cost), int64(c.g), b-1000) < 0 {
			t.Errorf("%+v: the condition does not turn at the bond", c)
		}
	}
	if LeastPool(30_000, 700_000, 50_000) != 22_050 || LeastPool(PPM, 700_000, 50_000) != 735_000 {
		t.Error("pool")
	}
	if Escapes(30_000, 1) != 970_000 || Escapes(PPM, 64) != 0 || Griefing(3, 8, 10) != 56 || Griefing(12, 1, 10) != 3071 {
		t.Error("grinding or griefing")
	}
}

// TestTablesAreCurrent compares the tables that are computed and not measured with those in docs.
func TestTablesAreCurrent(t *testing.T) {
	for _, table := range []*Table{Grinding(), Bonds()} {
		b, err := os.ReadFile(filepath.Join("..", "..", "docs", "economics", table.Name+".csv"))
		if err != nil || string(b) != table.CSV() {
			t.Errorf("%s is not that of docs/economics: make audit-economics (%v)", table.Name, err)
		}
	}
}
