package work_test

import (
	"errors"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// unitOf is the unit of a worker in the open round.
func (w *world) unitOf(t *testing.T, who string) work.Unit {
	t.Helper()
	for _, u := range w.state().Round.Units {
		if u.Worker == account(who) {
			return u
		}
	}
	t.Fatalf("%s has no unit", who)
	return work.Unit{}
}

// everybody lets all members act in one block.
func (w *world) everybody(t *testing.T, members []string, how func(string) strategy) {
	t.Helper()
	for _, m := range members {
		if err := w.act(m, how(m)); err != nil {
			t.Fatalf("block %d: %s: %v", w.ledger.Height()+1, m, err)
		}
	}
	w.ledger.Advance()
	if err := w.check(); err != nil {
		t.Fatal(err)
	}
}

// league has one worker lie whose auditors call everything right.
func league(m string) strategy {
	switch {
	case m == "p2":
		return liar
	case m[0] == 'v':
		return accomplice
	}
	return honest
}

// TestChallengeWindow: however fast everybody is, and whatever the audits found, claims are open to dispute for the Spec's window, to the
// block, and nothing is paid before; a stranger who looks in its last block keeps a wrong unit from being paid and from the model.
func TestChallengeWindow(t *testing.T) {
	const window = 9
	for _, late := range []protocol.Height{1, window - 1, window, window + 1} { // blocks after the reveals in which the stranger disputes
		spec := testSpec()
		spec.Rounds, spec.Windows.Challenge = 1, window
		w, all := start(t, spec, four, verifiers)
		stranger := account("stranger")
		w.ledger.Mint(stranger, disputeFund)
		var revealed protocol.Height
		for !w.state().Phase.Ended() {
			if s := w.state(); s.Round != nil && s.Round.Until > 0 {
				if revealed == 0 {
					revealed = w.ledger.Height()
				}
				if now := w.ledger.Height() + 1; now == revealed+late {
					err := w.ledger.Submit(stranger, dispute.Open{Run: w.run, Round: 1, Unit: w.unitOf(t, "p2").Index})
					if (err == nil) != (late <= window) || err != nil && !errors.Is(err, protocol.ErrPhase) {
						t.Fatalf("dispute %d blocks after the reveals: %v", late, err)
					}
				}
			}
			if !w.paid("p1").IsZero() && w.ledger.Height() < revealed+window {
				t.Fatalf("paid in block %d, reveals in %d", w.ledger.Height(), revealed)
			}
			w.everybody(t, all, league)
		}
		sum := w.ledger.Summaries(w.run)[0]
		if sum.Closed < revealed+window+1 {
			t.Errorf("reveals in block %d, the round closed in %d", revealed, sum.Closed)
		}
		if paid := !w.paid("p2").IsZero(); paid != (late > window) {
			t.Errorf("disputed %d blocks after the reveals: paid is %v", late, paid)
		}
	}
}

// TestWindowGoesOnInAPause: claims are open to dispute also while too few verifiers are there to audit them.
func TestWindowGoesOnInAPause(t *testing.T) {
	spec := testSpec()
	spec.MinVerifiers, spec.LeastVerifiers, spec.Windows.Challenge = 2, 2, 10
	w, all := start(t, spec, four, verifiers[:4])
	stranger := account("stranger")
	w.ledger.Mint(stranger, disputeFund)
	for w.state().Phase != work.PhasePaused {
		w.everybody(t, four, league)
	}
	if err := w.ledger.Submit(stranger, dispute.Open{Run: w.run, Round: 1, Unit: w.unitOf(t, "p2").Index}); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		w.everybody(t, all, league)
		if w.state().Phase.Ended() {
			break
		}
	}
	if s := w.state(); s.Phase != work.PhaseFinished || !w.paid("p2").IsZero() {
		t.Errorf("the run is %s, the liar was paid %s", s.Phase, w.paid("p2").Coins())
	}
}

// due sums what a run paid an account of pay that was kept back.
func (w *world) due(who string) money.Amount {
	var sum money.Amount
	for _, r := range w.ledger.Receipts(w.run) {
		if r.To == account(who) && r.Kind == work.ForKept {
			sum = sum.Plus(r.Amount)
		}
	}
	return sum
}

// TestPayIsKeptBack: pay arrives so many rounds later, the rest at the end; who is convicted meanwhile loses all of it, and nobody gains.
func TestPayIsKeptBack(t *testing.T) {
	spec := testSpec()
	spec.Rounds, spec.Vesting.Rounds = 5, 2
	w, all := start(t, spec, four, verifiers)
	part := money.New(85).Times(100_000_000_000_000_000) // of a price of 10 MUT
	if part != money.MUT(17).Part(1, 2) {
		t.Fatal(part)
	}
	for !w.state().Phase.Ended() {
		done := w.state().Done
		m, _ := w.state().Member(account("p1"))
		if want := uint64(min(done, 2)); m.Kept.Sum() != part.Times(want) || w.due("p1") != part.Times(uint64(done)-want) {
			t.Fatalf("after %d rounds %s is kept, %s paid", done, m.Kept.Sum().Coins(), w.due("p1").Coins())
		}
		w.everybody(t, all, func(who string) strategy {
			if who == "p2" && w.state().Opened >= 4 {
				return liar
			}
			return honest
		})
	}
	if w.due("p1") != part.Times(5) || !w.paid("p1").IsZero() {
		t.Errorf("p1 got %s, and %s at once", w.due("p1").Coins(), w.paid("p1").Coins())
	}
	// The liar's first unit was due when round 3 closed, those of rounds 2 and 3 were not.
	slash := w.ledger.Summaries(w.run)[3].Slashes[0]
	if w.due("p2") != part || slash.Kept != part.Times(2) || slash.Account != account("p2") {
		t.Errorf("the liar got %s and lost %s with its bond", w.due("p2").Coins(), slash.Kept.Coins())
	}
	m, _ := w.state().Member(account("p2"))
	if m.Status != work.Expelled || len(m.Kept) != 0 || !w.state().Claims().IsZero() {
		t.Errorf("%+v, the run owes %s", m, w.state().Claims())
	}
}

// TestLeavingWaitsForKeptPay: who leaves is not free of its claims before they are paid, so leaving and joining again saves nothing from a conviction.
func TestLeavingWaitsForKeptPay(t *testing.T) {
	spec := testSpec()
	spec.Rounds, spec.Vesting.Rounds = 5, 2
	w, all := start(t, spec, four, verifiers)
	round := func(n uint32) {
		for w.state().Done < n {
			w.everybody(t, all, func(string) strategy { return honest })
		}
	}
	p1 := account("p1")
	round(1)
	if err := w.ledger.Submit(p1, work.Leave{Run: w.run}); err != nil {
		t.Fatal(err)
	}
	for n, kept := range []uint64{1, 2, 1, 0} { // it has a unit in the round that is open when it leaves
		round(uint32(n) + 1)
		m, _ := w.state().Member(p1)
		if (m.Status == work.Left) != (kept == 0) || m.Kept.Sum() != money.MUT(17).Part(kept, 2) {
			t.Errorf("after round %d: %s, %s kept", n+1, m.Status, m.Kept.Sum().Coins())
		}
		if n >= 1 && !w.state().Phase.Ended() {
			for _, u := range w.state().Round.Units {
				if u.Worker == p1 {
					t.Error("who leaves has got another unit")
				}
			}
		}
	}
	if got, want := w.ledger.Balance(p1), money.MUT(50+17); got != want {
		t.Errorf("p1 has %s, not %s", got.Coins(), want.Coins())
	}
}

// TestVestingEndsWithTheRun: a run that stops pays what it has kept.
func TestVestingEndsWithTheRun(t *testing.T) {
	spec := testSpec()
	spec.Rounds, spec.Vesting.Rounds = 5, 4
	w, all := start(t, spec, four, verifiers)
	for w.state().Done < 2 {
		w.everybody(t, all, func(string) strategy { return honest })
	}
	for range 200 { // and then nobody comes any more
		w.ledger.Advance()
		if err := w.check(); err != nil {
			t.Fatal(err)
		}
		if w.state().Phase.Ended() {
			break
		}
	}
	if s := w.state(); s.Phase != work.PhaseStopped || w.due("p1") != money.MUT(17) || w.ledger.Balance(account("p1")) != money.MUT(50+17) {
		t.Errorf("the run is %s, p1 got %s", s.Phase, w.due("p1").Coins())
	}
}
