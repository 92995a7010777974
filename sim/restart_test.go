package sim_test

import (
	"testing"

	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/sim"
	"github.com/mutirao/mutirao/verify/bisect"
)

// TestPlayersRestartInTheMiddle plays a lie to its end twice, the second time with every machine restarted before each block of the game:
// the ledgers must be the same to the last record.
func TestPlayersRestartInTheMiddle(t *testing.T) {
	r, set := fruit(t)
	var digests [2][32]byte
	for i := range digests {
		c := sim.Config{Seed: 5, Recipe: r, Data: set, Terms: work.DefaultSpec()}
		c.Terms.MinProviders, c.Terms.MinVerifiers, c.Terms.Audit.NewcomerUnits = 3, 3, 1000
		c.Terms.Price.PerUnit, c.Terms.ProviderBond, c.Terms.VerifierBond = money.MUT(1), money.MUT(50), money.MUT(50)
		c.Members = []sim.Member{
			{Name: "a", Role: work.Provider}, {Name: "b", Role: work.Provider}, {Name: "liar", Role: work.Provider, Lie: sim.Nudge},
			{Name: "v", Role: work.Verifier}, {Name: "w", Role: work.Verifier}, {Name: "x", Role: work.Verifier},
		}
		n, err := sim.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		played := 0
		for range 500 {
			if err := n.Block(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r := n.State().Round; r != nil && r.Games() > 0 {
				played++
				if i == 1 {
					n.Restart()
				}
			}
			if n.State().Phase.Ended() {
				break
			}
		}
		rulings := n.Ledger().Rulings(n.State().ID)
		if n.State().Phase != work.PhaseFinished || len(rulings) == 0 || played < 3 {
			t.Fatalf("the run is %s after %d blocks of games and %d rulings", n.State().Phase, played, len(rulings))
		}
		for _, d := range rulings {
			if d.Verdict != bisect.Refuted || !d.Proven || d.Claim.Defender != n.Account("liar") || d.Version != dispute.Version {
				t.Errorf("%s: %s", d.Verdict, d.Reason)
			}
		}
		digests[i] = digest(t, n)
	}
	if digests[0] != digests[1] {
		t.Error("restarts change what the ledger records")
	}
}
