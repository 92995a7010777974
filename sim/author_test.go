package sim_test

import (
	"testing"

	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/sim"
)

// TestAuthorLeavesBeforeTheFirstRound has the author's machine go while the run still waits for a verifier. Those that wait
// must hold all that the run needs.
func TestAuthorLeavesBeforeTheFirstRound(t *testing.T) {
	r, set := fruit(t)
	c := sim.Scenario(0, r, set)
	c.Weather, c.AuthorGone = sim.Weather{}, 10
	c.Terms.MinProviders, c.Terms.MinVerifiers, c.Terms.LeastVerifiers = 1, 2, 2
	c.Members = []sim.Member{
		{Name: "provider", Role: work.Provider},
		{Name: "verifier", Role: work.Verifier},
		{Name: "late verifier", Role: work.Verifier, Joins: 20},
	}
	n, err := sim.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(t.Context(), blocksPerRound); err != nil {
		t.Fatal(err)
	}
	if s := n.State(); s.Phase != work.PhaseFinished {
		t.Fatalf("the run %s after %d rounds", s.Phase, s.Done)
	}
	if in, out := n.Traffic("provider"); in == 0 || out == 0 {
		t.Errorf("the provider received %d bytes and sent %d", in, out)
	}
}
