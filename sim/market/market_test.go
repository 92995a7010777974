package market

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"math/rand/v2"

	"github.com/mutirao/mutirao/protocol/market/auction"
)

var (
	write = flag.String("write", "", "folder docs: write the report and its tables there")
	seed  = flag.Uint64("seed", 1, "of everything")
	trace = flag.String("replay", "", "CSV file to replay: arrival,duration,resources,constraint")
)

var (
	full = size{books: 300, batches: 600, jobs: []int{5, 10, 20, 50, 100, 300, 1000}, owners: []int{3, 5, 8, 10, 15, 20, 30, 50}, loads: []int{40, 60, 80, 100, 120, 150}}
)

// TestEvaluation writes the report of `make market-eval`.
func TestEvaluation(t *testing.T) {
	if *write == "" {
		t.Skip("runs with -write DOCS")
	}
	var w *World
	if *trace != "" {
		f, err := os.Open(*trace)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if w, err = readTrace(f, *seed); err != nil {
			t.Fatal(err)
		}
	}
	text, tables := evaluate(*seed, full, w, filepath.Base(*trace))
	dir := filepath.Join(*write, "market")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, x := range tables {
		if err := x.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(*write, "market-evaluation.md"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// One seed tells one story, and another another one.
func TestRepeats(t *testing.T) {
	run := func(seed uint64) string {
		w := synthetic(seed, 40, 100, 50)
		return courses(played(w, seed)) + efficiency(seed, "x", "", shape{classes: 3, alternatives: 2}, []int{12}).markdown("%.6f")
	}
	first := run(3)
	if run(3) != first || run(4) == first {
		t.Error("the evaluation does not follow its seed")
	}
}

// The claims of the design on fewer books than the report has.
func TestClaims(t *testing.T) {
	column := func(x table, mechanism string, n float64) float64 {
		for _, row := range x.rows {
			for i, h := range x.head {
				if h == mechanism && row[0] == n {
					return row[i]
				}
			}
		}
		t.Fatalf("%s has no %s at %v", x.name, mechanism, n)
		return 0
	}
	one := efficiency(1, "", "", shape{classes: 1, alternatives: 1}, []int{100})
	eight := efficiency(1, "", "", shape{classes: 8, alternatives: 4}, []int{300})
	for _, other := range []string{"McAfee", "posted price", "reverse auction", "first come"} {
		if a, b := column(one, "call auction", 100), column(one, other, 100); a < 0.98 || b > a {
			t.Errorf("one class: %s %.3f, call auction %.3f", other, b, a)
		}
		if a, b := column(eight, "call auction", 300), column(eight, other, 300); a < 0.95 || b > a {
			t.Errorf("eight classes: %s %.3f, call auction %.3f", other, b, a)
		}
	}
	_, blind := honesty(1, true, []int{5, 10}, 50)
	t.Log(blind.markdown("%.2f"))
	if five, ten := column(blind, "call auction", 5), column(blind, "call auction", 10); five > 0.01 || ten > 1.5 {
		t.Errorf("the best fixed lie gains %.2f %% at 5 owners, %.2f %% at 10", five, ten)
	}
	exact := exactness(1, []int{6, 10})
	for _, row := range exact.rows {
		for i, v := range row[1:] {
			if last := i == len(row)-2; v > 1+1e-9 && !last || v < 1-1e-9 && last {
				t.Errorf("%s at %v: %v of the optimum", exact.head[i+1], row[0], v)
			}
		}
	}
}

// A higher limit never loses what a lower one got, whoever else is there: monotone, in one class of divisible bids.
func TestMonotone(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		n := 2 + r.IntN(25)
		book := shape{jobs: n, sellers: n, classes: 1, alternatives: 1}.draw(r)
		for i := range book.Bids {
			book.Bids[i].Whole = false
		}
		who := uint32(r.IntN(n))
		units := func(b auction.Book, owner uint32) (sum uint32) {
			for _, x := range (call{}).Trade(b, nil) {
				if b.Bids[x.Bid].Owner == owner || b.Asks[x.Ask].Owner == owner {
					sum += x.Units
				}
			}
			return sum
		}
		if before, after := units(book, who), units(misstated(book, who, 100+r.IntN(60), 100), who); after < before {
			t.Errorf("seed %d: a higher limit gets %d units, a lower one %d", seed, after, before)
		}
		seller := uint32(1_000_000 + r.IntN(n))
		if before, after := units(book, seller), units(misstated(book, seller, 60+r.IntN(40), 100), seller); after < before {
			t.Errorf("seed %d: a lower reserve sells %d units, a higher one %d", seed, after, before)
		}
	}
}

// Nobody trades at a loss by what it said, under any mechanism, and nothing is given twice.
func TestIndividuallyRational(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 11))
		book := shape{jobs: 1 + r.IntN(40), sellers: 1 + r.IntN(20), classes: 1 + r.IntN(4), alternatives: 3}.draw(r)
		for _, m := range Mechanisms() {
			sold := make([]uint32, len(book.Asks))
			for _, x := range m.Trade(book, r) {
				a, b := book.Asks[x.Ask], book.Bids[x.Bid].Alternatives[x.Alternative]
				if sold[x.Ask] += x.Units; x.Pays > b.Limit || x.Gets < a.Reserve || x.Gets > x.Pays || a.Class != b.Class || sold[x.Ask] > a.Units {
					t.Fatalf("%s, seed %d: %+v of %+v to %+v", m.Name(), seed, x, a, b)
				}
			}
		}
	}
}

func TestTrace(t *testing.T) {
	const good = "arrival,duration,resources,constraint\n# a comment\n0,100,2,v100\n50,10,1,\n30,2000,4,p100\n1000,1,1,v100\n"
	w, err := readTrace(strings.NewReader(good), 1)
	if err != nil || len(w.Jobs) != 4 || w.Classes != 2 || w.Jobs[1].Arrival > w.Jobs[2].Arrival {
		t.Fatalf("%+v, %v", w, err)
	}
	for _, c := range played(w, 1) {
		if c.Done < 0 || c.Done > 1 || c.Utilisation > 1 {
			t.Errorf("%s: %+v", c.mechanism, c.Course)
		}
	}
	for _, bad := range []string{"", "a,b\n", "arrival,duration,resources,constraint\n", "arrival,duration,resources,constraint\n1,2\n",
		"arrival,duration,resources,constraint\n-1,2,3,x\n", "arrival,duration,resources,constraint\nNaN,2,3,x\n", "arrival,duration,resources,constraint\n1,2,1e9,x\n"} {
		if _, err := readTrace(strings.NewReader(bad), 1); err == nil {
			t.Errorf("%q is taken for a trace", bad)
		}
	}
}

func FuzzTrace(f *testing.F) {
	f.Add("arrival,duration,resources,constraint\n0,100,2,v100\n50,10,1,\n")
	f.Add("arrival,duration,resources,constraint\n1e12,1e12,4096,a\n0,0,0,b\n")
	f.Fuzz(func(t *testing.T, text string) {
		if w, err := readTrace(strings.NewReader(text), 1); err == nil && len(w.Jobs) < 50 {
			w.Run(call{}, 1)
		}
	})
}

// With fewer than ten owners no price but the true one gains anything, in any book and for any order, also of several units, whole or
// not, and whoever knows all others.
func TestThinClassesAreTruthful(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 150 {
		n := 2 + r.IntN(auction.Thin-2)
		s := shape{jobs: n, sellers: 2 + r.IntN(auction.Thin-2), classes: 1, alternatives: 1}
		book := s.draw(r)
		for _, owner := range []uint32{uint32(r.IntN(s.jobs)), uint32(1_000_000 + r.IntN(s.sellers))} {
			list := outcomes(func() Mechanism { return call{} }, book, owner, 0, []int{100})
			for i, gain := range list[1:] {
				if gain > list[0] {
					t.Fatalf("owner %d gains %v by a factor of %d %%, %v by the truth: %+v", owner, gain, lies[i], list[0], book)
				}
			}
		}
	}
}
