package registry

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
)

var (
	gasTurns = flag.Int("gas", 0, "measure gas against time, each model in so many turns")
	gasWrite = flag.String("gas-write", "", "file for the table")
)

// cpu is the time that this process has computed. Others on the machine do not count.
func cpu() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// measured is a shaped model with what it costs.
type measured struct {
	name       string
	gas        uint64
	cold, warm time.Duration // with decoding and compiling, and without
}

// perSecond is in millions.
func (m measured) perSecond() float64 { return float64(m.gas) / m.cold.Seconds() / 1e6 }

const (
	// drawsInTable is how many random models of each operator are in the table.
	drawsInTable = 3
	// rounds is how often all models are measured, each time in another order: what disturbs one round, the collector for instance, is gone in
	// another.
	rounds = 6
)

// TestGasAgainstTime measures, on one core, a call of every operator at small, middling and large shapes and of some random ones: gas against the
// time of a call whose model is not compiled yet, which is what gas must cover. It fails for a model that has less than a quarter of the gas a
// second of the one with the most. Run: make infer-gas
func TestGasAgainstTime(t *testing.T) {
	if *gasTurns == 0 {
		t.Skip("a measurement: run with -gas 5")
	}
	defer alone()()
	var list []measured
	var models [][]byte
	var large []string
	only := regexp.MustCompile(*gasOnly)
	look := func(name string, raw []byte) {
		if !only.MatchString(name) {
			return
		}
		a, err := openArtifact(raw, nil)
		if errors.Is(err, protocol.ErrTooLarge) {
			large = append(large, name)
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		models = append(models, raw)
		list = append(list, measured{name: name, gas: a.callable.Gas})
	}
	for _, s := range shapedModels() {
		look(s.name, s.model(t))
	}
	for _, op := range graph.Operators() {
		for i := range uint64(drawsInTable) {
			if raw := drawn(t, op, i); raw != nil {
				look(fmt.Sprintf("%s drawn %d", op, i), raw)
			}
		}
	}
	if len(list) == 0 {
		t.Fatalf("no model is called %q", *gasOnly)
	}
	for round := range uint64(rounds) {
		for _, i := range rand.New(rand.NewPCG(round, 1)).Perm(len(models)) {
			m := measure(t, list[i], models[i])
			if list[i].cold == 0 || m.cold < list[i].cold {
				list[i] = m
			}
		}
	}
	slices.SortFunc(list, func(a, b measured) int { return cmp.Compare(a.perSecond(), b.perSecond()) })
	text := table(list, large)
	t.Log("\n" + text)
	if *gasWrite != "" {
		if err := os.WriteFile(*gasWrite, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if slow, fast := list[0], list[len(list)-1]; fast.perSecond() > 4*slow.perSecond() {
		t.Errorf("%q has %.0f million gas a second, %q has %.0f", slow.name, slow.perSecond(), fast.name, fast.perSecond())
	}
}

// alone keeps to one core until its result is called, and gives the process a heap like that of a node that has run for a while: in a small one
// the collector would run in every turn, and in a new one each page would be a fault.
func alone() func() {
	ballast, cores := make([]byte, 64<<20), runtime.GOMAXPROCS(1)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	used := make([]byte, 96<<20)
	for i := 0; i < len(used); i += 4096 {
		used[i] = 1
	}
	runtime.KeepAlive(used)
	runtime.GC()
	return func() {
		runtime.GOMAXPROCS(cores)
		runtime.KeepAlive(ballast)
	}
}

// rows are what a model is called with: ordinary numbers, then numbers that a slow way might be kept for, or that no branch predicts.
func rows() []*tensor.Tensor {
	r := rand.New(rand.NewPCG(3, 4))
	var list []*tensor.Tensor
	for _, f := range []func(i int) float32{
		func(i int) float32 { return float32(i%37)/16 - 1 },
		func(int) float32 { return float32(r.NormFloat64()) },
		func(i int) float32 { return float32(i) },
		func(i int) float32 { return -float32(i) },
		func(int) float32 { return math.Float32frombits(uint32(r.IntN(1 << 23))) }, // subnormal
		func(i int) float32 { return []float32{float32(math.NaN()), 3e38, -3e38, float32(math.Inf(1))}[i%4] },
	} {
		x := tensor.New(tensor.Float32, 1, wide)
		for i := range x.Float32() {
			x.Float32()[i] = f(i)
		}
		list = append(list, x)
	}
	return list
}

// measure takes the shortest of all turns, of which small models have more, and what the worst of the rows takes longer.
func measure(t *testing.T, m measured, raw []byte) measured {
	least := func(d *time.Duration, f func()) {
		start := cpu()
		f()
		if took := cpu() - start; *d == 0 || took < *d {
			*d = took
		}
	}
	m.cold, m.warm = 0, 0
	all := rows()
	warm := make([]time.Duration, len(all))
	began := cpu()
	for turn := 0; turn < *gasTurns || turn < 8**gasTurns && cpu()-began < time.Duration(*gasTurns)*time.Millisecond; turn++ {
		var p *exec.Program
		run := func(x *tensor.Tensor) {
			if _, err := p.Run(map[string]*tensor.Tensor{"x": x}); err != nil {
				t.Fatal(err)
			}
		}
		least(&m.cold, func() {
			g, err := graph.Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			if p, err = exec.Compile(g); err != nil {
				t.Fatal(err)
			}
			run(all[0])
		})
		for i, x := range all {
			least(&warm[i], func() { run(x) })
		}
	}
	m.warm = slices.Max(warm)
	m.cold += m.warm - warm[0]
	return m
}

// table shows the extremes, the middle, and of each operator its worst shape.
func table(list []measured, large []string) string {
	var b strings.Builder
	slow, mid, fast := list[0], list[len(list)/2], list[len(list)-1]
	fmt.Fprintf(&b, "%d models, one core, kernels %s. Million gas a second: slowest %.0f (%s), median %.0f, fastest %.0f (%s): the fastest has %.2f times the slowest.\n",
		len(list), kernel.Active(), slow.perSecond(), slow.name, mid.perSecond(), fast.perSecond(), fast.name, fast.perSecond()/slow.perSecond())
	fmt.Fprintf(&b, "At the slowest, a block of 40,000,000 gas takes %.0f ms. Refused as too large: %d more models.\n\n", 4e4/slow.perSecond(), len(large))
	b.WriteString("| Operator, its slowest shape | gas | ms, not compiled yet | ms, compiled | million gas a second |\n|---|---|---|---|---|\n")
	seen := map[string]bool{}
	for _, m := range list {
		op, _, _ := strings.Cut(m.name, " ")
		if seen[op] {
			continue
		}
		seen[op] = true
		fmt.Fprintf(&b, "| %s | %d | %.3f | %.3f | %.0f |\n", m.name, m.gas, m.cold.Seconds()*1e3, m.warm.Seconds()*1e3, m.perSecond())
	}
	return b.String()
}
