package registry

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

var (
	gasSearch = flag.Int("gas-search", 0, "measure so many random models of each operator")
	gasSeed   = flag.Uint64("gas-seed", 1, "seed of the search")
	gasDump   = flag.String("gas-dump", "", "file for what was measured, a model a line")
	gasOnly   = flag.String("gas-only", "", "only models whose name matches")
)

// drawn is a random model of one operator, of up to so many equal nodes; nil if it is too large to be called.
func drawn(t testing.TB, op string, seed uint64) []byte {
	one := func(copies int) ([]byte, error) {
		d := &drawing{Rand: rand.New(rand.NewPCG(*gasSeed, seed)), b: graph.NewBuilder("g"), made: map[string]graph.Ref{}}
		d.x = d.b.Input("x", tensor.Float32, 1, wide)
		var ends []graph.Ref
		for range copies {
			d.Rand = rand.New(rand.NewPCG(*gasSeed, seed))
			for _, y := range draws[op](d)[:1] {
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
		}
		d.b.Output("y", d.b.Op("Concat", graph.Attrs{"axis": 1}, ends...))
		g, err := d.b.Graph()
		if err != nil {
			return nil, err
		}
		return graph.Encode(g), nil
	}
	raw, err := one(1)
	if err != nil {
		t.Fatalf("%s %d: %v", op, seed, err)
	}
	copies := []int{1, 2, 4, 8, 16, 32, 64, 128}
	copies = copies[:1+rand.New(rand.NewPCG(seed, 1)).IntN(len(copies))]
	for _, n := range slices.Backward(copies) {
		raw, err = one(n)
		if err != nil {
			t.Fatalf("%s %d: %v", op, seed, err)
		}
		if _, err := openArtifact(raw, nil); err == nil {
			return raw
		}
	}
	return nil
}

// TestGasSearch looks for models that take more time than their gas says.
func TestGasSearch(t *testing.T) {
	if *gasSearch == 0 {
		t.Skip("a measurement: run with -gas-search 20 -gas 5")
	}
	defer alone()()
	var dump *json.Encoder
	if *gasDump != "" {
		f, err := os.Create(*gasDump)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		dump = json.NewEncoder(f)
	}
	var list []measured
	only := regexp.MustCompile(*gasOnly)
	look := func(name string, raw []byte) {
		if !only.MatchString(name) {
			return
		}
		a, err := openArtifact(raw, nil)
		if err != nil {
			return
		}
		m := measured{name: name, gas: a.callable.Gas, cold: 1, warm: 1}
		if *gasTurns > 0 {
			m = measure(t, measured{name: name, gas: a.callable.Gas}, raw)
		}
		list = append(list, m)
		if dump != nil {
			if err := dump.Encode(describe(t, m, raw)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, s := range shapedModels() {
		look("= "+s.name, s.model(t))
	}
	for _, op := range graph.Operators() {
		for i := range uint64(*gasSearch) {
			if name := fmt.Sprintf("%s %d", op, i); only.MatchString(name) {
				if raw := drawn(t, op, i); raw != nil {
					look(name, raw)
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b measured) int { return cmp.Compare(a.perSecond(), b.perSecond()) })
	for _, m := range list[:min(len(list), 60)] {
		t.Logf("%s: gas %d, cold %v, warm %v: %.0f", m.name, m.gas, m.cold, m.warm, m.perSecond())
	}
}

// describe is a model for a fit of the weights.
func describe(t *testing.T, m measured, raw []byte) any {
	g, err := graph.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	calls, err := graph.Calls(g)
	if err != nil {
		t.Fatal(err)
	}
	type value struct {
		D tensor.DType
		S []int
		C bool // an initializer
	}
	type node struct {
		Op      string
		In, Out []value
		Attrs   map[string]any   `json:",omitempty"`
		Consts  map[string][]int `json:",omitempty"`
		N       int
		Trees   []int `json:",omitempty"`
	}
	initializers := map[string]*tensor.Tensor{}
	for _, i := range g.Initializers {
		initializers[i.Name] = i.Tensor
	}
	values := func(list []graph.Value) (out []value) {
		for _, v := range list {
			_, c := initializers[v.Name]
			out = append(out, value{v.DType, append([]int{}, v.Shape...), c})
		}
		return out
	}
	var nodes []*node
	seen := map[string]*node{}
	for i := range calls {
		c := &calls[i]
		n := &node{Op: c.Node.Op, In: values(c.In), Out: values(c.Out), Attrs: map[string]any{}, Consts: map[string][]int{}, N: 1}
		for _, a := range c.Node.Attrs {
			switch a.Kind {
			case graph.KindInt:
				n.Attrs[a.Name] = a.Int
			case graph.KindInts:
				n.Attrs[a.Name] = a.Ints
			case graph.KindFloat:
				n.Attrs[a.Name] = a.Float
			default:
				n.Attrs[a.Name] = a.String
			}
		}
		for j, name := range c.Node.Inputs {
			if it := initializers[name]; it != nil && it.DType() == tensor.Int64 && it.Len() <= 32 {
				n.Consts[fmt.Sprint(j)] = c.Const(j)
			}
		}
		if n.Op == "TreeEnsemble" {
			d, w := c.TreeBounds()
			n.Trees = []int{d, w}
		}
		key, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		if known := seen[string(key)]; known != nil {
			known.N++
			continue
		}
		seen[string(key)] = n
		nodes = append(nodes, n)
	}
	return map[string]any{"name": m.name, "gas": m.gas, "cold": m.cold.Nanoseconds(), "warm": m.warm.Nanoseconds(), "bytes": len(raw), "nodes": nodes,
		"initializers": len(g.Initializers), "peak": graph.Peak(calls), "memory": memory(g)}
}

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
	}
}

func memory(g *graph.Graph) int {
	p, err := exec.Compile(g)
	if err != nil {
		return 0
	}
	return p.Memory()
}
