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

// blocksPerRound bounds how long a run may take: twice what the slowest of 2,000 seeds needed.
const blocksPerRound = 1500

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
	mu      sync.Mutex
	counts  map[string]int
	slowest int // blocks
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
	t.Logf("slowest run: %d blocks; %v", total.slowest, total.counts)
	if *seeds < 200 {
		return
	}
	for _, what := range []string{"slashed provider", "dispute refuted", "dispute upheld", "dispute refuted by proof", "wrong", "unavailable", "reassigned", "revealed", "rounds repeated"} {
		if total.counts[what] == 0 {
			t.Errorf("no seed has shown: %s", what)
		}
	}
	// A restart must not lose what was sealed. One case remains: a crash while the seal is on its way, after which the
	// verifier looks for payloads again before it learns that its first seal has arrived.
	if n := total.counts["honest refused: "+protocol.ErrSealMismatch.Error()]; n > 1 {
		t.Errorf("honest members could not open %d seals of their own", n)
	}
	if n := total.counts["honest refused: "+protocol.ErrInvalid.Error()]; n > 0 {
		t.Errorf("honest members sent %d invalid messages", n)
	}
}

// network is one simulated network in a test.
type network struct {
	*testing.T
	*sim.Network
	config  sim.Config
	members map[protocol.Account]sim.Member
	total   *tally
}

// simulate runs one network and checks what must hold.
func simulate(t *testing.T, seed uint64, r *recipe.Recipe, set *data.Set, total *tally) {
	n := &network{T: t, config: sim.Scenario(seed, r, set), members: map[protocol.Account]sim.Member{}, total: total}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: go test ./sim -run TestSeeds -v -sim.seed %d", seed)
		}
	})
	honest := map[string]bool{}
	for _, m := range n.config.Members {
		honest[m.Name] = m.Honest()
	}
	n.config.Observe = func(who string, news agent.News) {
		if *oneSeed >= 0 {
			t.Logf("%s: %s round %d unit %d %s", who, news.Name, news.Round, news.Unit, news.Detail)
		}
		if honest[who] && (news.Name == agent.Refused || news.Name == agent.Trouble) {
			total.add("honest "+news.Name+": "+reason(news.Detail), 1)
		}
	}
	var err error
	if n.Network, err = sim.New(t.Context(), n.config); err != nil {
		t.Fatal(err)
	}
	for _, m := range n.config.Members {
		n.members[n.Account(m.Name)] = m
	}
	n.live()
	n.judge()
	n.count()
}

// live lets the run go on to its end. After every block the coins are conserved, and no honest member has lost its bond.
func (n *network) live() {
	for range blocksPerRound * n.config.Recipe.Train.Rounds {
		if err := n.Block(n.Context()); err != nil {
			n.Fatal(err)
		}
		s := n.State()
		for _, m := range s.Members {
			// Who is gone for good cannot defend its claim against a false accuser.
			if who := n.members[m.Account]; m.Status == work.Expelled && who.Honest() && !n.Gone(who.Name) {
				n.Fatalf("block %d: honest %s was slashed", n.Ledger().Height(), who.Name)
			}
		}
		if s.Phase == work.PhaseFinished {
			if claims := s.Claims(); !claims.IsZero() {
				n.Errorf("the finished run still holds %s", claims.Coins())
			}
			return
		}
		if s.Phase.Ended() {
			n.Fatalf("block %d: the run stopped after %d rounds", n.Ledger().Height(), s.Done)
		}
	}
	s := n.State()
	reason, deadline, who := work.Waiting(s, n.Ledger().Height())
	n.Fatalf("block %d: phase %s, %d rounds done, %s %v until %d", n.Ledger().Height(), s.Phase, s.Done, reason, who, deadline)
}

// judge replays the run from its records and compares every verdict with the truth.
func (n *network) judge() {
	units, err := n.Replay(n.Context())
	if err != nil {
		n.Fatal(err)
	}
	for _, u := range units {
		worker, auditor := n.members[u.Worker], n.members[u.Auditor]
		unaudited := u.Auditor.IsZero()
		n.total.add(string(u.Verdict), 1)
		switch {
		case u.Right && u.Verdict == work.Wrong && !n.Gone(worker.Name):
			n.Errorf("round %d: the right unit of %s was condemned", u.Round, worker.Name)
		case u.Right:
		case worker.Honest():
			n.Errorf("round %d: honest %s delivered a wrong unit", u.Round, worker.Name)
		case u.Verdict.Pays() && !unaudited && auditor.Honest():
			n.Errorf("round %d: %s was paid for a wrong unit that honest %s audited", u.Round, worker.Name, auditor.Name)
		case u.Verdict.Pays() && unaudited && n.config.Terms.Audit.NewcomerUnits >= 1000:
			n.Errorf("round %d: %s was paid for a wrong unit although all are audited", u.Round, worker.Name)
		case u.Verdict.Pays() && unaudited:
			n.total.add("wrong but paid: not drawn for an audit", 1)
		case u.Verdict.Pays():
			n.total.add("wrong but paid: audited by a corrupt verifier", 1)
		}
	}
}

// count tells the tally what happened. A provider's slash and the verdict about its unit must agree.
func (n *network) count() {
	for _, s := range n.Ledger().Summaries(n.State().ID) {
		for _, x := range s.Slashes {
			n.total.add("slashed "+string(x.Role), 1)
			n.total.add("slashed for "+string(n.members[x.Account].Lie), 1)
			if x.Role == work.Provider && s.Units[x.Unit].Verdict != work.Wrong {
				n.Errorf("round %d: unit %d is %s, but its worker was slashed", s.Round, x.Unit, s.Units[x.Unit].Verdict)
			}
		}
		n.total.add("reassigned", len(s.Reassigned))
		if s.Admitted == 0 {
			n.total.add("rounds repeated", 1)
		}
	}
	for _, r := range n.Ledger().Rulings(n.State().ID) {
		n.total.add("dispute "+string(r.Verdict), 1)
		if r.Proven {
			n.total.add("dispute "+string(r.Verdict)+" by proof", 1)
		}
	}
	n.total.mu.Lock()
	defer n.total.mu.Unlock()
	n.total.slowest = max(n.total.slowest, int(n.Ledger().Height()))
}

// reason names the kind of an error that has one, and otherwise repeats its text.
func reason(detail string) string {
	for _, err := range []error{
		protocol.ErrSealMismatch, protocol.ErrInvalid, protocol.ErrPhase, protocol.ErrRound, protocol.ErrDuplicate,
		protocol.ErrNotAssigned, protocol.ErrBenched, protocol.ErrNotAway, protocol.ErrExists, protocol.ErrFinished,
	} {
		if strings.Contains(detail, err.Error()) {
			return err.Error()
		}
	}
	return detail
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
