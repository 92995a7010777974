package sim_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/sim"
)

var (
	oneSeed = flag.Int("sim.seed", -1, "simulate this seed only, and tell what happens")
	seeds   = flag.Int("sim.seeds", 200, "simulate that many seeds")
)

// blocksPerRound bounds how long a run may take. It is about three times what the slowest of the 200 seeds needs.
const blocksPerRound = 200

func fruit(t testing.TB) (*recipe.Recipe, *data.Set) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", "fruit.toml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.Load(r, "testdata")
	if err != nil {
		t.Fatal(err)
	}
	return r, set
}

// tally counts what happened in all seeds, so that a test of nothing shows.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
	slow   int
}

func (c *tally) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what] += n
}

// TestSeeds runs 200 networks with crashes, delays, lost messages, liars and copiers.
func TestSeeds(t *testing.T) {
	r, set := fruit(t)
	total := &tally{counts: map[string]int{}}
	if *oneSeed >= 0 {
		simulate(t, uint64(*oneSeed), r, set, total)
		return
	}
	t.Run("seeds", func(t *testing.T) {
		for seed := range uint64(*seeds) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				simulate(t, seed, r, set, total)
			})
		}
	})
	t.Logf("slowest run: %d blocks; %v", total.slow, total.counts)
	for _, what := range []string{"slashed provider", "slashed verifier", "wrong", "void", "unavailable", "reassigned", "revealed", "rounds repeated"} {
		if total.counts[what] == 0 {
			t.Errorf("no seed has shown: %s", what)
		}
	}
	for _, never := range []error{protocol.ErrSealMismatch, protocol.ErrInvalid} { // a restart must not lose what was sealed
		if n := total.counts["honest refused: "+never.Error()]; n > 0 {
			t.Errorf("messages of honest members were refused %d times: %v", n, never)
		}
	}
}

// simulate runs one network and checks what must hold: see spec/work.md §1 for the number of liars that the terms allow.
func simulate(t *testing.T, seed uint64, r *recipe.Recipe, set *data.Set, total *tally) {
	ctx := context.Background()
	c := sim.Scenario(seed, r, set)
	again := fmt.Sprintf("seed %d (go test ./sim -run TestSeeds -sim.seed %d -v)", seed, seed)
	honest := map[string]bool{}
	for _, m := range c.Members {
		honest[m.Name] = m.Honest()
	}
	c.Observe = func(who string, n agent.News) {
		if honest[who] && (n.Name == agent.Refused || n.Name == agent.Trouble) {
			total.add("honest "+n.Name+reason(n.Detail), 1)
		}
		if *oneSeed >= 0 {
			t.Logf("%s: %s round %d unit %d %s", who, n.Name, n.Round, n.Unit, n.Detail)
		}
	}
	n, err := sim.New(ctx, c)
	if err != nil {
		t.Fatalf("%s: %v", again, err)
	}
	members := map[protocol.Account]sim.Member{}
	for _, m := range c.Members {
		members[n.Account(m.Name)] = m
		if *oneSeed >= 0 {
			t.Logf("%+v", m)
		}
	}
	for range blocksPerRound * r.Train.Rounds {
		if err := n.Block(ctx); err != nil { // checks that coins are conserved
			t.Fatalf("%s: %v", again, err)
		}
		s := n.State()
		for _, m := range s.Members {
			if m.Status == work.Expelled && members[m.Account].Honest() {
				t.Fatalf("%s: block %d: honest %s was slashed", again, n.Ledger().Height(), members[m.Account].Name)
			}
		}
		if s.Phase.Ended() {
			break
		}
	}
	s := n.State()
	if s.Phase != work.PhaseFinished {
		reason, deadline, _ := work.Waiting(s, n.Ledger().Height())
		t.Fatalf("%s: block %d: phase %s, %d rounds done, %s until %d", again, n.Ledger().Height(), s.Phase, s.Done, reason, deadline)
	}
	if claims := s.Claims(); !claims.IsZero() {
		t.Errorf("%s: the finished run still holds %s", again, claims.Coins())
	}
	units, err := n.Replay(ctx)
	if err != nil {
		t.Fatalf("%s: %v", again, err)
	}
	corrupt := false
	for _, m := range c.Members {
		corrupt = corrupt || (m.Role == work.Verifier && !m.Honest())
	}
	for _, u := range units {
		worker, audited := members[u.Worker], !u.Auditor.IsZero()
		total.add(string(u.Verdict), 1)
		switch {
		case worker.Honest() && !u.Right:
			t.Errorf("%s: round %d: honest %s delivered a wrong unit", again, u.Round, worker.Name)
		case u.Right && u.Verdict == work.Wrong:
			t.Errorf("%s: round %d: the right unit of %s was condemned", again, u.Round, worker.Name)
		case !u.Right && u.Verdict.Pays() && audited && members[u.Auditor].Honest():
			t.Errorf("%s: round %d: %s was paid for a wrong unit that honest %s audited", again, u.Round, worker.Name, members[u.Auditor].Name)
		case !u.Right && u.Verdict.Pays() && !audited && c.Terms.Audit.NewcomerUnits >= 1000:
			t.Errorf("%s: round %d: %s was paid for a wrong unit although all are audited", again, u.Round, worker.Name)
		case !u.Right && u.Verdict.Pays():
			total.add("wrong but paid, audited by nobody or by an accomplice", 1)
		}
	}
	for _, summary := range n.Ledger().Summaries(s.ID) {
		for _, x := range summary.Slashes {
			total.add("slashed "+string(x.Role), 1)
			total.add("slashed for "+string(members[x.Account].Lie), 1)
		}
		total.add("reassigned", len(summary.Reassigned))
		if summary.Admitted == 0 {
			total.add("rounds repeated", 1)
		}
	}
	total.mu.Lock()
	total.slow = max(total.slow, int(n.Ledger().Height()))
	total.mu.Unlock()
}

// reason names the kind of an error that has one, and otherwise repeats its text.
func reason(detail string) string {
	for _, err := range []error{protocol.ErrSealMismatch, protocol.ErrInvalid, protocol.ErrPhase, protocol.ErrRound, protocol.ErrDuplicate, protocol.ErrNotAssigned, protocol.ErrBenched, protocol.ErrNotAway, protocol.ErrExists, protocol.ErrExpelled, protocol.ErrFinished} {
		if strings.Contains(detail, err.Error()) {
			return ": " + err.Error()
		}
	}
	return ": " + detail
}

// digest is the hash of all that a ledger has recorded.
func digest(t *testing.T, n *sim.Network) [32]byte {
	t.Helper()
	l, run := n.Ledger(), n.State().ID
	all, err := json.Marshal([]any{l.Receipts(run), l.Summaries(run), l.Events(0), n.State(), l.Burned()})
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(all)
}

// TestSameSeedSameLedger runs seeds twice. Two seeds must also differ, or the digest shows nothing.
func TestSameSeedSameLedger(t *testing.T) {
	r, set := fruit(t)
	seen := map[[32]byte]uint64{}
	for seed := range uint64(4) {
		var first [32]byte
		for i := range 2 {
			n, err := sim.New(context.Background(), sim.Scenario(seed, r, set))
			if err != nil {
				t.Fatal(err)
			}
			if err := n.Run(context.Background(), blocksPerRound*r.Train.Rounds); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			d := digest(t, n)
			if i == 0 {
				first = d
			} else if d != first {
				t.Errorf("seed %d: two runs left different ledgers", seed)
			}
		}
		if other, twice := seen[first]; twice {
			t.Errorf("seeds %d and %d left the same ledger", other, seed)
		}
		seen[first] = seed
	}
}
