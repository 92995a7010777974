package registry

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
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

// TestGasAgainstTime measures, on one core, a call of every operator at small, middling and large shapes: gas against the time of a call
// whose model is not compiled yet, which is what gas must cover. It fails for a model that has less than a fifth of the gas a second of
// the one with the most. Run: make infer-gas
func TestGasAgainstTime(t *testing.T) {
	if *gasTurns == 0 {
		t.Skip("a measurement: run with -gas 5")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var list []measured
	var large []string
	for _, s := range shapedModels() {
		raw := s.model(t)
		a, err := openArtifact(raw, nil)
		if errors.Is(err, protocol.ErrTooLarge) {
			large = append(large, s.name)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		list = append(list, measure(t, measured{name: s.name, gas: a.callable.Gas, cold: time.Hour, warm: time.Hour}, raw))
	}
	slices.SortFunc(list, func(a, b measured) int { return cmp.Compare(a.perSecond(), b.perSecond()) })
	text := table(list, large)
	t.Log("\n" + text)
	if *gasWrite != "" {
		if err := os.WriteFile(*gasWrite, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if slow, fast := list[0], list[len(list)-1]; fast.perSecond() > 5*slow.perSecond() {
		t.Errorf("%q has %.0f million gas a second, %q has %.0f", slow.name, slow.perSecond(), fast.name, fast.perSecond())
	}
}

func measure(t *testing.T, m measured, raw []byte) measured {
	in := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 1, wide)}
	for i, x := 0, in["x"].Float32(); i < len(x); i++ {
		x[i] = float32(i%37)/16 - 1
	}
	for range *gasTurns {
		start := cpu()
		g, err := graph.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		p, err := exec.Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Run(in); err != nil {
			t.Fatal(err)
		}
		m.cold = min(m.cold, cpu()-start)
		start = cpu()
		if _, err := p.Run(in); err != nil {
			t.Fatal(err)
		}
		m.warm = min(m.warm, cpu()-start)
	}
	return m
}

// table shows the extremes, the middle, and of each operator its worst shape.
func table(list []measured, large []string) string {
	var b strings.Builder
	slow, mid, fast := list[0], list[len(list)/2], list[len(list)-1]
	fmt.Fprintf(&b, "%d models, one core, kernels %s. Million gas a second: slowest %.0f (%s), median %.0f, fastest %.0f (%s): the fastest has %.2f times the slowest.\n",
		len(list), kernel.Active(), slow.perSecond(), slow.name, mid.perSecond(), fast.perSecond(), fast.name, fast.perSecond()/slow.perSecond())
	fmt.Fprintf(&b, "At the slowest, a block of 100,000,000 gas takes %.0f ms. Refused as too large: %d more models.\n\n", 1e5/slow.perSecond(), len(large))
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
