package demo

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/protocol/money"
)

func kernelName() string { return kernel.Active() }

// printRow prints a closed round; the first one prints the head of the table.
func (s *show) printRow(r roundRow) {
	if s.JSON {
		fmt.Fprintf(s.Err, "%6.1f s  round %d of %d · held-out loss %.3f, accuracy %.1f %% · %.1f s %s\n", time.Since(s.began).Seconds(), r.Round, s.spec.Rounds, r.Loss, 100*r.Accuracy, r.Seconds, strings.Join(r.Events, " · "))
		return
	}
	if len(s.rows) == 1 {
		fmt.Fprintf(s.Out, "\nmutirao demo · %d validators · %d providers · run %s (%d records) · seed %d · kernels %s\n",
			s.recipe.Network.Validators, len(s.cast.providers), s.recipe.Name, s.set.Count, s.Seed, kernelName())
		fmt.Fprintln(s.Out, "round   loss  held-out  units  audited  moved up/down      time  events")
	}
	fmt.Fprintf(s.Out, "%4d  %6.3f   %5.1f %%  %5d  %7d  %6s /%7s  %5.1f s  %s\n",
		r.Round, r.Loss, 100*r.Accuracy, r.Units, r.Audited, kB(r.Up), kB(r.Down), r.Seconds, strings.Join(r.Events, " · "))
}

func kB(n uint64) string {
	if n >= 10_000_000 {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1e3)
}

// print writes the end of the table, or the whole report as JSON.
func (s *show) print(r *report) error {
	if s.JSON {
		enc := json.NewEncoder(s.Out)
		enc.SetIndent("", " ")
		return enc.Encode(r)
	}
	w := s.Out
	line := func(head, format string, args ...any) {
		fmt.Fprintf(w, "%-9s %s\n", head, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(w)
	line("result", "%s  (one machine with all data: %s)", r.Result.words, r.Result.centralWords)
	line("model", "%s · root %s · lineage %s, %d holders", r.ModelID[:16], r.ModelRoot[:16], r.Lineage.Kind, r.Lineage.Holders)
	for _, c := range r.Claims {
		if c.Name == "hired-by-market" {
			line("market", "%s", c.Detail)
		}
	}
	s.printPayments(line, r.Payments)
	if c := r.Contract; c != nil {
		a := c.Answers[0]
		line("contract", "RiskModel.assess(patient %d) = %.4f  bits %s  gas %d  · %s a use", a.Patient, a.Probability, a.Bits, a.Gas, c.Fee)
		var paid []string
		for _, p := range c.Paid {
			paid = append(paid, p.To+" "+short(p.Amount, 4))
		}
		line("use paid", "%s  (%d uses)", strings.Join(paid, "  "), len(c.Answers))
	}
	if r.Sample != "" {
		line("sample", "%s", strings.ReplaceAll(printable(r.Sample), "\n", "\n          "))
	}
	held := 0
	for _, c := range r.Claims {
		if c.Held {
			held++
			continue
		}
		line("NOT HELD", "%s: %s", c.Name, c.Detail)
	}
	line("claims", "%d of %d held   total %.0f s", held, len(r.Claims), r.Seconds)
	if !s.Keep {
		line("next", "mutirao demo --keep   ·   mutirao demo --json   ·   mutirao demo --run gocode")
	}
	return nil
}

func (s *show) printPayments(line func(head, format string, args ...any), p payments) {
	var providers []string
	for _, e := range p.Providers {
		text := e.Name + " " + short(e.Earned, 2)
		if !e.Slashed.IsZero() {
			text += fmt.Sprintf(" (slashed %s)", short(e.Slashed, 0))
		}
		providers = append(providers, text)
	}
	var duties, bounties money.Amount
	for _, e := range p.Verifiers {
		duties, bounties = duties.Plus(e.Earned), bounties.Plus(e.Bounty)
	}
	exact := "NOT EXACT"
	if p.Exact {
		exact = "sum exact"
	}
	line("paid", "%s", strings.Join(providers, "  "))
	line("", "verifiers %s + bounty %s · burned %s · refunded %s · %d receipts · %s",
		short(duties, 2), short(bounties, 0), short(p.Burned, 2), short(p.Refunded, 2), p.Receipts, exact)
}

// short writes an amount in MUT with so many decimals, cut off.
func short(a money.Amount, decimals int) string {
	whole, fraction, _ := strings.Cut(strings.TrimSuffix(a.Coins(), " MUT"), ".")
	if decimals == 0 {
		return whole
	}
	return whole + "." + (fraction + strings.Repeat("0", decimals))[:decimals]
}

// printable keeps line ends and replaces what a terminal must not see.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || (r >= ' ' && r != 0x7f && r != utf8.RuneError) {
			return r
		}
		return '·'
	}, text)
}

// explainKeep tells how to reach the network that goes on.
func (s *show) explainKeep() {
	fmt.Fprintf(s.Err, "\nThe network goes on until Ctrl-C. In another terminal:\n"+
		"  curl -s %s -X POST -H 'content-type: application/json' -d '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}'\n"+
		"  curl -s %s/status\n", s.ledger.jsonRPC(), s.ledger.endpoints()[0])
	if s.Dir != "" {
		fmt.Fprintf(s.Err, "  mutirao market book --network %s\n", s.dir)
		fmt.Fprintf(s.Err, "It is kept in %s: the same command goes on from its last block, also after kill -9.\n", s.dir)
	}
}
