package dryrun

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mutirao/mutirao/learn/recipe"
)

// Print writes the report for people.
func (p *Report) Print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	t, r := p.Time, p.Traffic
	fmt.Fprintf(&b, "dry run of %s · %d cores, %s kernels\n", p.Name, p.Machine.Cores, p.Machine.Kernel)
	line("data", "%d records of %s, %d for testing · %s in all", p.Data.Records, size(uint64(p.Data.RecordBytes)), p.Data.HeldOut, size(uint64(p.Data.Bytes)))
	line("model", "%s, %d weights", p.Model.Kind, p.Model.Weights)
	line("unit", "%d steps in %s · loss %.4f · payload %s · memory %s",
		p.Unit.Steps, seconds(p.Unit.Seconds), p.Unit.Loss, size(uint64(p.Unit.PayloadBytes)), size(p.Unit.MemoryBytes))
	line("price", "%s for %d units at %s · locked: %s, enough for %d units; the rest comes back", p.Price.Expected, p.Price.Units, p.Price.PerUnit, p.Price.Locked, p.Price.MaxUnits)
	line("time", "about %s a round, %s in all, on machines like this one", seconds(t.RoundSeconds), seconds(t.RunSeconds))
	line("", "a round: compute %s, audits %s, links %s (10 Mbit/s), ledger %s (%.0f s a block)",
		seconds(t.ComputeSeconds), seconds(t.AuditSeconds), seconds(t.LinkSeconds), seconds(t.LedgerSeconds), t.BlockSeconds)
	line("traffic", "a provider, each round: up at most %s, down %s · once, to join: down %s", size(r.UpBytes), size(r.DownBytes), size(r.JoinBytes))
	metric := "AUC"
	if p.Data.Kind == recipe.Text {
		metric = "bits/byte"
	}
	fmt.Fprintf(&b, "\n%-9s %8s  %8s  %9s  %8s\n", "held-out", "loss", "accuracy", metric, "time")
	for i, x := range p.Rounds {
		name, took := "before", ""
		if i > 0 {
			name, took = fmt.Sprintf("round %d", x.Round), seconds(x.Seconds)
		}
		fmt.Fprintf(&b, "%-9s %8.4f  %6.1f %%  %9.4f  %8s\n", name, x.Loss, 100*x.Accuracy, x.AUC+x.BitsPerByte, took)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// seconds writes a duration with as many digits as a person cares for.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", s)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// size writes a number of bytes in powers of ten.
func size(n uint64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
