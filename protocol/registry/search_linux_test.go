package registry

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var (
	gasSearch = flag.Int("gas-search", 0, "measure so many random models of each operator")
	gasSeed   = flag.Uint64("gas-seed", 1, "seed of the search")
	gasOnly   = flag.String("gas-only", "", "only models whose name matches")
)

// drawn is a random model of one operator, of up to 128 equal nodes; nil if it is too large to be called.
func drawn(t testing.TB, op string, seed uint64) []byte {
	build := func(copies int) []byte {
		d := &drawing{b: graph.NewBuilder("g"), made: map[string]graph.Ref{}}
		d.x = d.b.Input("x", tensor.Float32, 1, wide)
		var ends []graph.Ref
		for range copies {
			d.Rand = rand.New(rand.NewPCG(*gasSeed, seed))
			y := draws[op](d)[0]
			n := count(d.b.Shape(y))
			y = d.b.Op("Reshape", nil, y, d.b.Ints(1, n))
			if n > 1 {
				y = d.b.Op("Slice", nil, y, d.b.Ints(0), d.b.Ints(1), d.b.Ints(1))
			}
			if d.b.Value(y).DType != tensor.Float32 {
				y = d.b.Op("Cast", graph.Attrs{"to": 1}, y)
			}
			ends = append(ends, y)
		}
		d.b.Output("y", d.b.Op("Concat", graph.Attrs{"axis": 1}, ends...))
		g, err := d.b.Graph()
		if err != nil {
			t.Fatalf("%s %d: %v", op, seed, err)
		}
		return graph.Encode(g)
	}
	for copies := 1 << rand.New(rand.NewPCG(seed, 1)).IntN(8); copies > 0; copies /= 2 {
		raw := build(copies)
		if _, err := openArtifact(raw, nil); err == nil {
			return raw
		}
	}
	return nil
}

// TestGasSearch looks for models that take more time than their gas says, as somebody would who wants to make blocks slow: random shapes and
// attributes of every operator, called with numbers that are slow to compute. It fails if a block full of one of them takes a second.
// Run: go test ./protocol/registry -run '^TestGasSearch$' -v -gas 4 -gas-search 30 -gas-seed 2
func TestGasSearch(t *testing.T) {
	if *gasSearch == 0 {
		t.Skip("a measurement: run with -gas-search 30 -gas 4")
	}
	defer alone()()
	only := regexp.MustCompile(*gasOnly)
	var list []measured
	for _, op := range graph.Operators() {
		for i := range uint64(*gasSearch) {
			name := fmt.Sprintf("%s drawn %d", op, i)
			if !only.MatchString(name) {
				continue
			}
			raw := drawn(t, op, i)
			if raw == nil {
				continue
			}
			a, err := openArtifact(raw, nil)
			if err != nil {
				t.Fatal(err)
			}
			m := measured{name: name, gas: a.callable.Gas}
			for range rounds {
				if next := measure(t, m, raw); m.cold == 0 || next.cold < m.cold {
					m = next
				}
				if m.perSecond() > suspect {
					break
				}
			}
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b measured) int { return cmp.Compare(a.perSecond(), b.perSecond()) })
	t.Logf("%d models, kernels %s", len(list), kernel.Active())
	for _, m := range list[:min(len(list), 20)] {
		t.Logf("%s: gas %d, not compiled yet %v, compiled %v, million gas a second %.0f", m.name, m.gas, m.cold, m.warm, m.perSecond())
	}
	if len(list) > 0 {
		t.Logf("median %.0f, fastest %.0f (%s)", list[len(list)/2].perSecond(), list[len(list)-1].perSecond(), list[len(list)-1].name)
	}
	for _, m := range list {
		if m.perSecond() < 100 {
			t.Errorf("%s: a block of 100 million gas takes %.1f s", m.name, 100/m.perSecond())
		}
	}
}

// suspect is the rate below which the search measures a model again.
const suspect = 350

// TestEveryOperatorIsMeasured: an operator without a draw or a row in the table would have a weight that nobody checked.
func TestEveryOperatorIsMeasured(t *testing.T) {
	rows := map[string]bool{}
	for _, s := range shapedModels() {
		b := graph.NewBuilder(s.name)
		s.build(b, b.Input("x", tensor.Float32, 1, wide))
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range g.Nodes {
			rows[n.Op] = true
		}
	}
	for _, op := range graph.Operators() {
		if draws[op] == nil || !rows[op] {
			t.Errorf("%s: drawn %v, in the table %v", op, draws[op] != nil, rows[op])
		}
		if drawn(t, op, 0) == nil && drawn(t, op, 1) == nil && drawn(t, op, 2) == nil {
			t.Errorf("%s: no draw can be called", op)
		}
	}
}
