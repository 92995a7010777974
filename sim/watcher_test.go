package sim_test

import (
	"fmt"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/sim"
)

// league is a network in which 12 of 35 providers and 12 of 35 verifiers lie together, 34 % of each: the providers in every unit that they get,
// some of them from each round on, the verifiers by calling right whatever a worker claims, and some by another aggregate besides.
func league(t *testing.T, watched bool) sim.Config {
	r, set := fruit(t)
	c := sim.Config{Seed: 34, Recipe: r, Data: set, Terms: work.DefaultSpec()}
	s := &c.Terms
	s.MinProviders, s.MinVerifiers, s.LeastVerifiers, s.MaxUnits = 24, 35, 24, 64
	s.Price.PerUnit, s.ProviderBond, s.VerifierBond = money.MUT(1), money.MUT(50), money.MUT(50)
	s.Windows = work.Windows{Compute: 8, Reveal: 6, AuditCommit: 8, AuditReveal: 6, Dispute: 10, Aggregate: 8, Wait: 100, Challenge: 6}
	for i := range 35 {
		p, v := sim.Member{Name: fmt.Sprintf("p%d", i), Role: work.Provider}, sim.Member{Name: fmt.Sprintf("v%d", i), Role: work.Verifier}
		if i < 12 {
			p.Lie, v.Lie = sim.Nudge, sim.Accomplice
			p.Joins = protocol.Height(i * 5) // several in every round
			if i%3 == 0 {
				v.Lie = sim.Misvote
			}
		}
		c.Members = append(c.Members, p, v)
	}
	if watched {
		c.Members = append(c.Members, sim.Member{Name: "watcher", Role: sim.Watcher})
	}
	return c
}

// TestWatcherAgainstALeague: a third of all lies, auditors included, in every round. With one honest machine that looks at every unit, and has
// no seat, not one wrong payload is paid or enters the model, and the run finishes; without it some are.
func TestWatcherAgainstALeague(t *testing.T) {
	for _, watched := range []bool{true, false} {
		n, err := sim.New(t.Context(), league(t, watched))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Run(t.Context(), 2000); err != nil {
			t.Fatal(err)
		}
		units, err := n.Replay(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wrong, paid, voided, in := 0, 0, 0, map[uint32]bool{}
		for _, u := range units {
			switch {
			case !u.Right:
				wrong++
				in[u.Round] = true
				if u.Verdict.Pays() {
					paid++
				}
			case !u.Verdict.Pays():
				voided++
			}
		}
		s := n.State()
		if s.Phase != work.PhaseFinished || voided > 0 || len(in) < int(s.Spec.Rounds) {
			t.Errorf("watched %v: the run is %s, %d right units were not paid, wrong ones came in %d rounds", watched, s.Phase, voided, len(in))
		}
		if (paid > 0) == watched {
			t.Errorf("watched %v: %d of %d wrong units were paid", watched, paid, wrong)
		}
		fallen := 0 // verifiers that confirmed what they could not defend
		for _, m := range s.Members {
			if m.Role == work.Verifier && m.Status == work.Expelled {
				fallen++
			}
			for _, who := range league(t, watched).Members {
				if n.Account(who.Name) == m.Account && m.Status == work.Expelled && who.Honest() {
					t.Errorf("watched %v: honest %s was slashed", watched, who.Name)
				}
			}
		}
		if watched && fallen == 0 {
			t.Error("no accomplice has fallen with its worker")
		}
		if watched {
			// It has no seat and no bond in the run; what it has gained are bounties.
			account := n.Account("watcher")
			if _, member := s.Member(account); member || n.Ledger().Balance(account).Compare(money.MUT(10_000)) <= 0 {
				t.Errorf("the watcher is a member: %v, and has %s", member, n.Ledger().Balance(account).Coins())
			}
		}
		t.Logf("watched %v: %d units, %d wrong in %d rounds, %d of these paid, %d accomplices slashed; %d blocks", watched, len(units), wrong, len(in), paid, fallen, n.Ledger().Height())
	}
}
