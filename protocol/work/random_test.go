package work_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

func encode(t *testing.T, s *work.State) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRandom plays many runs with crashes, delays, cheats, leavers and nonsense from one seed each. Whatever happens: coins
// are conserved and the escrow equals what is owed after every message, honest members are never slashed, cheating workers
// are never paid, and every run ends.
func TestRandom(t *testing.T) {
	runs := 150
	if testing.Short() {
		runs = 30
	}
	defer func(clock uint32) { ledgertest.DisputeParams.Clock = clock }(ledgertest.DisputeParams.Clock)
	ledgertest.DisputeParams.Clock = 60 // longer than anybody is away
	finished := 0
	for seed := range runs {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			if playRandom(t, uint64(seed)) == work.PhaseFinished {
				finished++
			}
		})
	}
	t.Logf("%d of %d runs finished all rounds", finished, runs)
	if finished < runs*8/10 {
		t.Errorf("only %d of %d runs finished all rounds", finished, runs)
	}
}

// playRandom returns the phase in which the run ended.
func playRandom(t *testing.T, seed uint64) work.Phase {
	r := rand.New(rand.NewPCG(seed, 1))
	spec := testSpec()
	spec.Seed = hash("random", fmt.Sprint(seed))
	spec.Rounds = 1 + r.Uint32N(4)
	spec.MaxUnits = 2 + r.Uint32N(8)
	spec.MinProviders, spec.MinVerifiers = 3, 5
	spec.LeastVerifiers = 1 + r.Uint32N(3)
	spec.Price.PerUnit = money.New(1 + r.Uint64N(1_000_000))
	spec.ProviderBond, spec.VerifierBond = money.New(1+r.Uint64N(1000)), money.New(1+r.Uint64N(1000))
	w, err := newWorld(spec)
	if err != nil {
		t.Fatal(err)
	}
	how := map[string]strategy{}
	var members []string
	add := func(name string, role work.Role, h strategy) {
		members = append(members, name)
		how[name] = h
		if err := w.join(name, role); err != nil {
			t.Fatal(err)
		}
	}
	workerCheats := []strategy{liar, copier, mute}
	verifierCheats := []strategy{contrarian, shy, echo, stray, mute}
	for i := range 3 + r.IntN(5) {
		h := honest
		if i >= 2 && r.IntN(3) == 0 {
			h = workerCheats[r.IntN(len(workerCheats))]
		}
		add(fmt.Sprint("p", i), work.Provider, h)
	}
	for i := range 7 + r.IntN(3) { // at most two of them cheat: fewer than a third, as the quorums assume
		h := honest
		if i < 2 && r.IntN(2) == 0 {
			h = verifierCheats[r.IntN(len(verifierCheats))]
		}
		add(fmt.Sprint("v", i), work.Verifier, h)
	}
	lag := r.IntN(4) // of 10: how often an honest member misses a block
	down := map[string]int{}
	for w.ledger.Height() < 3000 && !w.state().Phase.Ended() {
		order := slices.Clone(members)
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, m := range order {
			switch {
			case down[m] > 0:
				down[m]--
				continue
			case r.IntN(200) == 0: // crashes for a while
				down[m] = r.IntN(20)
				continue
			case r.IntN(10) < lag:
				continue
			}
			if err := w.act(m, how[m]); err != nil && how[m] == honest {
				t.Fatalf("seed %d, block %d: honest %s: %v", seed, w.ledger.Height()+1, m, err)
			}
			if r.IntN(300) == 0 && m[0] == 'p' {
				w.ledger.Submit(account(m), work.Leave{Run: w.run}) // may be refused: it has left, or is leaving
			}
		}
		for range r.IntN(3) { // refused as a rule; what matters is that nothing breaks
			from := account(members[r.IntN(len(members))])
			if r.IntN(2) == 0 {
				from = account("x")
			}
			w.ledger.Submit(from, nonsense(r, w.state()))
		}
		if r.IntN(40) == 0 && len(members) < 24 {
			add(fmt.Sprint("pl", len(members)), work.Provider, honest)
		}
		w.ledger.Advance()
		if err := w.check(); err != nil {
			t.Fatalf("seed %d, block %d: %v", seed, w.ledger.Height(), err)
		}
	}
	s := w.state()
	if !s.Phase.Ended() {
		t.Fatalf("seed %d: stalled in phase %s of round %d", seed, s.Phase, s.Opened)
	}
	for _, m := range w.slashed() {
		if h := how[m]; h != liar {
			t.Errorf("seed %d: %s %s was slashed", seed, h, m)
		}
	}
	for m, h := range how {
		if (h == liar || h == copier || h == mute) && m[0] == 'p' && !w.paid(m).IsZero() {
			t.Errorf("seed %d: %s %s was paid %s", seed, h, m, w.paid(m))
		}
	}
	return s.Phase
}

// nonsense is a message that is mostly wrong in a small way.
func nonsense(r *rand.Rand, s *work.State) protocol.Msg {
	run, round, unit, pass := s.ID, s.Opened, r.Uint32N(10), r.Uint32N(4)
	if r.IntN(5) == 0 {
		round += r.Uint32N(3) - 1
	}
	h := hash(fmt.Sprint(r.Uint64()))
	opened := make([]work.Opening, r.IntN(3))
	for i := range opened {
		opened[i] = work.Opening{Unit: unit + uint32(i), Payload: h}
	}
	switch r.IntN(11) {
	case 0:
		return work.CreateRun{Spec: s.Spec, Nonce: r.Uint64N(3)}
	case 1:
		return work.Join{Run: run, Role: work.Role([]string{"provider", "verifier", "king"}[r.IntN(3)])}
	case 2:
		return work.Ready{Run: run, Peer: fmt.Sprint("/moved/", r.IntN(3))}
	case 3:
		return work.Reveal{Run: run, Round: round, Unit: unit, Salt: h, Result: work.Result{Payload: work.PayloadRef{Root: h, Blob: h, Size: 1}, Trace: h}}
	case 4:
		return work.Commit{Run: run, Round: round, Unit: 200 + unit, Seal: h}
	case 5:
		return work.AuditReveal{Run: run, Round: round, Pass: pass, Report: work.Report{Available: make([]bool, r.IntN(9)), Audits: opened}, Salt: h}
	case 6:
		return dispute.Open{Run: run, Round: round, Unit: 200 + unit}
	case 7:
		return work.Aggregate{Run: run, Round: round, Next: s.Current, Trace: h, Rejected: []uint32{unit, unit}}
	case 8:
		return work.Aggregate{Run: h, Round: round, Next: s.Current, Trace: h}
	case 9:
		return work.AuditCommit{Run: run, Round: round, Pass: pass + 10, Seal: h}
	}
	return dispute.Play{Move: dispute.Move{Dispute: h, Side: dispute.Challenger}, Signature: []byte{1}}
}
