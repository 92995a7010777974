package sim_test

import (
	"fmt"
	"testing"

	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/sim"
	"github.com/mutirao/mutirao/verify/bisect"
)

// contested is a network of three honest providers with some verifiers, of whom one is enough to decide.
func contested(t *testing.T, verifiers ...sim.Lie) *network {
	t.Helper()
	r, set := fruit(t)
	c := sim.Config{Seed: 7, Recipe: r, Data: set, Terms: work.DefaultSpec()}
	c.Terms.MinProviders, c.Terms.MinVerifiers = 3, uint32(len(verifiers))
	c.Terms.Price.PerUnit, c.Terms.ProviderBond, c.Terms.VerifierBond = money.MUT(1), money.MUT(50), money.MUT(50)
	for i := range 3 {
		c.Members = append(c.Members, sim.Member{Name: fmt.Sprint("p", i), Role: work.Provider})
	}
	for i, lie := range verifiers {
		c.Members = append(c.Members, sim.Member{Name: fmt.Sprint("v", i), Role: work.Verifier, Lie: lie})
	}
	n, err := sim.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return &network{T: t, Network: n, config: c}
}

// end lets the run go on to its end, with every machine restarted after each of the first blocks of contests if so asked. The records lead to the
// ledger's model in every round, by another implementation than that of the members.
func (n *network) end(restart bool) {
	n.Helper()
	restarts := 0
	for range 3000 {
		if err := n.Block(n.Context()); err != nil {
			n.Fatal(err)
		}
		if restart && n.State().Phase == work.PhaseContest && restarts < 30 {
			restarts++
			n.Restart()
		}
		if n.State().Phase.Ended() {
			break
		}
	}
	if s := n.State(); s.Phase != work.PhaseFinished {
		n.Fatalf("the run is %s in round %d", s.Phase, s.Opened)
	}
	if _, err := n.Replay(n.Context()); err != nil {
		n.Error(err)
	}
}

// TestOneAgainstAFalseMajority has three of four verifiers name the same false aggregate: the one that does not disputes all three at once, they
// have nothing to show, and the run goes on with the true model. Restarts change nothing. Where all verifiers are in league, a
// provider that follows the aggregate is enough to keep the false one out; then nobody is left to decide, and the run waits in vain.
func TestOneAgainstAFalseMajority(t *testing.T) {
	var digests [2][32]byte
	for i := range digests {
		n := contested(t, sim.Misvote, sim.Misvote, sim.None, sim.Misvote)
		n.end(i == 1)
		for _, m := range n.State().Members {
			liar := m.Account == n.Account("v0") || m.Account == n.Account("v1") || m.Account == n.Account("v3")
			if liar != (m.Status == work.Expelled) || liar && !m.Bond.IsZero() {
				t.Errorf("%s is %s with a bond of %s", m.Account, m.Status, m.Bond.Coins())
			}
		}
		for _, r := range n.Ledger().Rulings(n.State().ID) {
			if _, vote := work.VoteSeat(r.Claim.Unit); !vote || r.Verdict == bisect.Upheld || r.Claim.Round != 1 {
				t.Errorf("round %d, %s: %s, %s", r.Claim.Round, work.Subject(r.Claim.Unit), r.Verdict, r.Reason)
			}
		}
		digests[i] = digest(t, n.Network)
	}
	if digests[0] != digests[1] {
		t.Error("restarts change what the ledger records")
	}

	n := contested(t, sim.Misvote, sim.Misvote)
	initial := n.State().Current
	for range 3000 {
		if err := n.Block(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n.State().Phase.Ended() {
			break
		}
	}
	if s := n.State(); s.Phase != work.PhaseStopped || s.Current != initial || len(n.Ledger().Rulings(s.ID)) < 2 {
		t.Errorf("without an honest verifier the run is %s with model %s, it began with %s", s.Phase, s.Current.Model, initial.Model)
	}
}

// TestSlanderersLose disputes true aggregates in every round: each accusation costs its bond, no vote falls, and the run ends.
func TestSlanderersLose(t *testing.T) {
	n := contested(t, sim.None, sim.Slander, sim.None)
	n.end(false)
	lost := 0
	for _, r := range n.Ledger().Rulings(n.State().ID) {
		if lost++; r.Verdict != bisect.Upheld || r.Challenger != n.Account("v1") {
			t.Errorf("%s against %s: %s, %s", r.Challenger, r.Claim.Defender, r.Verdict, r.Reason)
		}
	}
	if lost == 0 || len(n.Ledger().Summaries(n.State().ID)[0].Slashes) > 0 {
		t.Errorf("%d accusations were lost", lost)
	}
	if has := n.Ledger().Balance(n.Account("v1")); has.Compare(money.MUT(100)) >= 0 {
		t.Errorf("who slanders ends with %s", has.Coins())
	}
}
