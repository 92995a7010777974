package work_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata print now")

// TestScripts plays testdata/*.txt. A line that starts with "> " is a command, "#" starts a comment, everything else is what
// the commands before it printed. Run with -rewrite after a change of the rules, and read the difference in review.
//
//	run FIELD=N …           create the run; fields as in set
//	join NAME …             p… are providers, v… verifiers
//	act STRATEGY NAME …     do all that each has to do now
//	ready|leave NAME …      send that message
//	block [N]               close N blocks
//	show                    phase, what the run waits for, units
//	receipts, rounds, disputes, balances
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s prints something else now:\n%s", file, difference(string(want), got))
			}
		})
	}
}

// difference shows the first line that differs.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		x, y := "(end)", "(end)"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, x, y)
		}
	}
	return ""
}

type script struct {
	t      *testing.T
	out    strings.Builder
	w      *world
	events int // printed so far
}

func play(t *testing.T, text string) string {
	s := &script{t: t}
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "#") || line == "":
			s.out.WriteString(line + "\n")
		case strings.HasPrefix(line, "> "):
			s.out.WriteString(line + "\n")
			words := strings.Fields(line[2:])
			s.command(words[0], words[1:])
			if err := s.w.check(); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			s.news()
		}
	}
	return strings.TrimRight(s.out.String(), "\n") + "\n"
}

func (s *script) printf(format string, args ...any) {
	s.out.WriteString(strings.TrimRight("  "+fmt.Sprintf(format, args...), " ") + "\n")
}

func (s *script) failed(who string, err error) {
	if err != nil {
		s.printf("%s is refused: code %d, %v", who, protocol.Code(err), protocol.FromCode(protocol.Code(err)))
	}
}

func (s *script) command(verb string, args []string) {
	switch verb {
	case "run":
		spec := testSpec()
		for _, a := range args {
			s.set(&spec, a)
		}
		w, err := newWorld(spec)
		if err != nil {
			s.t.Fatal(err)
		}
		s.w = w
	case "join":
		for _, a := range args {
			role := work.Provider
			if a[0] == 'v' {
				role = work.Verifier
			}
			s.failed(a, s.w.join(a, role))
		}
	case "act":
		for _, a := range args[1:] {
			s.failed(a, s.w.act(a, strategy(args[0])))
		}
	case "ready":
		for _, a := range args {
			s.failed(a, s.w.ledger.Submit(account(a), work.Ready{Run: s.w.run}))
		}
	case "leave":
		for _, a := range args {
			s.failed(a, s.w.ledger.Submit(account(a), work.Leave{Run: s.w.run}))
		}
	case "block":
		n := 1
		if len(args) > 0 {
			n = s.number(args[0])
		}
		for range n {
			s.w.ledger.Advance()
			s.news()
		}
	case "show":
		s.show()
	case "disputes":
		for _, d := range s.w.ledger.Rulings(s.w.run) {
			s.printf("unit %d of %s, disputed by %s: %s, %s", d.Claim.Unit, name(d.Claim.Defender), name(d.Challenger), d.Verdict, d.Reason)
		}
	case "receipts":
		for _, r := range s.w.ledger.Receipts(s.w.run) {
			s.printf("%-12s %-8s %-7s %-12s %s", r.ID, name(r.To), r.Kind, r.Verdict, r.Amount.Coins())
		}
	case "rounds":
		for _, r := range s.w.ledger.Summaries(s.w.run) {
			s.printf("round %d, blocks %d to %d: %d units, %d audited, %d admitted, %d missed, %d reassigned, paid %s, burned %s",
				r.Round, r.Opened, r.Closed, len(r.Units), r.Audited, r.Admitted, r.Missed, len(r.Reassigned), r.Paid.Coins(), r.Burned.Coins())
		}
	case "balances":
		s.printf("%-8s %s", "author", s.w.ledger.Balance(s.w.author).Coins())
		for _, a := range args {
			s.printf("%-8s %s", a, s.balance(a))
		}
		s.printf("%-8s %s", "burned", s.w.ledger.Burned().Coins())
	default:
		s.t.Fatalf("unknown command %s", verb)
	}
}

// balance is what an account has, without what a verifier was given for disputes.
func (s *script) balance(of string) string {
	has := s.w.ledger.Balance(account(of))
	switch {
	case of[0] != 'v':
		return has.Coins()
	case has.Compare(disputeFund) < 0:
		return "-" + disputeFund.Minus(has).Coins()
	}
	return has.Minus(disputeFund).Coins()
}

func (s *script) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *script) set(spec *work.Spec, assignment string) {
	field, text, _ := strings.Cut(assignment, "=")
	n := uint32(s.number(text))
	switch field {
	case "rounds":
		spec.Rounds = n
	case "max_units":
		spec.MaxUnits = n
	case "min_providers":
		spec.MinProviders = n
	case "min_verifiers":
		spec.MinVerifiers = n
	case "least_verifiers":
		spec.LeastVerifiers = n
	case "newcomer_units":
		spec.Audit.NewcomerUnits = n
	default:
		s.t.Fatalf("unknown field %s", field)
	}
}

func (s *script) show() {
	st := s.w.state()
	reason, deadline, who := work.Waiting(st, s.w.ledger.Height())
	var names []string
	for _, a := range who {
		names = append(names, name(a))
	}
	s.printf("block %d, %s, %s until %d: %s", s.w.ledger.Height(), st.Phase, reason, deadline, strings.Join(names, " "))
	if st.Round == nil {
		return
	}
	for _, u := range st.Round.Units {
		line := fmt.Sprintf("unit %d.%d of %s: %s", u.Index, u.Attempt, name(u.Worker), u.Status)
		if u.Audited {
			line += ", auditor " + name(u.Auditor)
		}
		if u.Games > 0 {
			line += fmt.Sprintf(", %d disputes", u.Games)
		}
		s.printf("%s", line)
	}
}

// news prints the events since the last time.
func (s *script) news() {
	all := s.w.ledger.Events(0)
	for _, e := range all[s.events:] {
		var b strings.Builder
		for _, a := range e.Attributes {
			v := a.Value
			if account, err := protocol.ParseAccount(v); err == nil {
				v = name(account)
			}
			if a.Name != "run" && a.Name != "dataset" && a.Name != "model" {
				fmt.Fprintf(&b, " %s=%s", a.Name, v)
			}
		}
		s.printf("[%d] %s%s", e.Height, e.Type, b.String())
	}
	s.events = len(all)
}
