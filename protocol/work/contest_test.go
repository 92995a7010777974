package work_test

import (
	"errors"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/work"
)

// voting brings a round to its vote; verifiers are honest so far.
func voting(t *testing.T, spec work.Spec) *world {
	t.Helper()
	w, all := start(t, spec, four, verifiers)
	for w.state().Phase != work.PhaseAggregate {
		for _, m := range all {
			if err := w.act(m, honest); err != nil {
				t.Fatal(err)
			}
		}
		w.ledger.Advance()
	}
	return w
}

// vote has verifiers name an aggregate: the true one, or another if label is not empty.
func (w *world) vote(t *testing.T, label string, who ...string) {
	t.Helper()
	for _, v := range who {
		s := w.state()
		m := work.Aggregate{Run: w.run, Round: s.Round.Number, Next: next(s), Trace: hash("trace")}
		if label != "" {
			m.Next, m.Trace = state(label), hash("trace", label)
		}
		if err := w.ledger.Submit(account(v), m); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) seat(t *testing.T, who string) int {
	t.Helper()
	for i, s := range w.state().Round.Seats {
		if s.Account == account(who) {
			return i
		}
	}
	t.Fatal("no seat")
	return 0
}

// object opens a dispute about the vote of a verifier.
func (w *world) object(who, about string, t *testing.T) error {
	t.Helper()
	return w.ledger.Submit(account(who), dispute.Open{Run: w.run, Round: w.state().Round.Number, Unit: work.VoteUnit(w.seat(t, about))})
}

func (w *world) blocks(t *testing.T, n int) {
	t.Helper()
	for range n {
		w.ledger.Advance()
		if err := w.check(); err != nil {
			t.Fatal(err)
		}
	}
}

func status(t *testing.T, w *world, who string) work.Status {
	t.Helper()
	m, ok := w.state().Member(account(who))
	if !ok {
		t.Fatal("no member")
	}
	return m.Status
}

// TestContestLasts: votes stand open for the Spec's blocks from the first in which verifiers vote, however early they all agree, and for one
// block at least; who has not voted yet can, and keeps the contest open for as long as an auditor has to dispute.
func TestContestLasts(t *testing.T) {
	spec := testSpec()
	spec.Windows.Contest, spec.Windows.Aggregate, spec.Windows.Dispute = 5, 9, 4
	w := voting(t, spec)
	began := w.ledger.Height()
	w.vote(t, "", verifiers...)
	for w.state().Phase != work.PhaseCompute {
		w.blocks(t, 1)
		if due := w.state().Due(); w.state().Phase == work.PhaseContest && due != began+5 {
			t.Errorf("the next block that counts is %d, must be %d", due, began+5)
		}
	}
	if got := w.ledger.Height() - began; got != 5 {
		t.Errorf("closed after %d blocks, must be 5", got)
	}

	late := spec
	late.Windows.Contest = 9
	w = voting(t, late)
	w.blocks(t, 8)
	w.vote(t, "", verifiers...)
	w.blocks(t, 3)
	if w.state().Done != 0 {
		t.Error("votes that come late leave no time to dispute them")
	}
	w.blocks(t, 1)
	if w.state().Done != 1 {
		t.Error("the contest goes on after a third of its blocks")
	}

	w = voting(t, spec)
	w.blocks(t, 6)
	w.vote(t, "", "v1", "v2", "v3", "v4")
	w.blocks(t, 1)
	if s := w.state(); s.Phase != work.PhaseContest || len(work.Duty(s, account("v5"))) != 1 {
		t.Fatalf("phase %s, v5 must %v", s.Phase, work.Duty(s, account("v5")))
	}
	w.blocks(t, 2)
	w.vote(t, "", "v5")
	w.blocks(t, 1)
	if w.state().Done != 1 {
		t.Error("all agree and the contest goes on")
	}

	w = voting(t, spec)
	w.blocks(t, 6)
	w.vote(t, "", "v1", "v2", "v3", "v4")
	w.blocks(t, 4)
	if w.state().Done != 0 {
		t.Error("closed although one could still object")
	}
	w.blocks(t, 1)
	if w.state().Done != 1 || status(t, w, "v5") != work.Away || status(t, w, "v1") != work.Active {
		t.Errorf("%d rounds, v5 is %s", w.state().Done, status(t, w, "v5"))
	}
}

// TestFalseMajorityFalls: four of five name the same false state and one disputes them one after the other, each with a window of its own; the
// round closes on what the last one names, and nobody else loses anything.
func TestFalseMajorityFalls(t *testing.T) {
	w := voting(t, testSpec())
	w.vote(t, "false", "v1", "v2", "v3", "v4")
	w.blocks(t, 1)
	w.vote(t, "", "v5")
	truth := next(w.state())
	own := work.Vote{Next: truth, Trace: hash("trace")}
	if o := w.state().Outcome(); o == nil || o.Next != state("false") {
		t.Fatalf("the round would close on %+v", o)
	}
	for n := 4; n > 0; n-- {
		list := w.state().Refutable(own)
		if len(list) == 0 || n == 4 && len(list) != 4 {
			t.Fatalf("v5 should dispute %v", list)
		}
		seat, _ := work.VoteSeat(list[0])
		liar := name(w.state().Round.Seats[seat].Account)
		if err := w.object("v5", liar, t); err != nil {
			t.Fatal(err)
		}
		before := w.state().Round.Games()
		if err := w.object(liar, liar, t); !errors.Is(err, protocol.ErrInvalid) || before != 1 {
			t.Errorf("one's own vote: %v, %d disputes", err, before)
		}
		w.blocks(t, int(ledgertest.DisputeParams.Clock)+1) // the liar has nothing to show
		if status(t, w, liar) != work.Expelled {
			t.Fatalf("%s is %s", liar, status(t, w, liar))
		}
		if n > 1 && (w.state().Phase != work.PhaseContest || w.state().Done != 0) {
			t.Fatalf("%d liars are left and the run is in phase %s", n-1, w.state().Phase)
		}
		if err := w.object("v5", liar, t); !errors.Is(err, protocol.ErrPhase) {
			t.Errorf("a vote that has fallen: %v", err)
		}
	}
	for w.state().Done == 0 {
		w.blocks(t, 1)
	}
	if s := w.state(); s.Current != truth || status(t, w, "v5") != work.Active {
		t.Errorf("the model is %s, v5 is %s", s.Current.Model, status(t, w, "v5"))
	}
	if got := w.slashed(); len(got) != 4 {
		t.Errorf("slashed: %v", got)
	}
}

// TestWhoDefendsBadlyFallsAlone: a verifier that names the truth and does not defend it loses its bond and nobody else's; the round waits until
// the dispute is over, then closes on the same aggregate.
func TestWhoDefendsBadlyFallsAlone(t *testing.T) {
	w := voting(t, testSpec())
	w.vote(t, "", verifiers...)
	truth := next(w.state())
	w.ledger.Mint(account("stranger"), disputeFund)
	if err := w.object("stranger", "v2", t); err != nil {
		t.Fatal(err)
	}
	w.blocks(t, int(ledgertest.DisputeParams.Clock))
	if s := w.state(); s.Phase != work.PhaseContest || s.Round.Games() != 1 {
		t.Fatalf("phase %s with %d disputes", s.Phase, s.Round.Games())
	}
	for w.state().Done == 0 {
		w.blocks(t, 1)
	}
	if s := w.state(); s.Current != truth || status(t, w, "v2") != work.Expelled || status(t, w, "v1") != work.Active {
		t.Errorf("model %s, v2 is %s, v1 is %s", s.Current.Model, status(t, w, "v2"), status(t, w, "v1"))
	}
}

// TestVotesAreDisputedInTime: not before they are cast, not under a unit's number, not when the round has closed.
func TestVotesAreDisputedInTime(t *testing.T) {
	w := voting(t, testSpec())
	if err := w.object("p1", "v1", t); !errors.Is(err, protocol.ErrPhase) {
		t.Errorf("a vote that is not cast: %v", err)
	}
	for unit, want := range map[uint32]error{work.VoteUnit(64): protocol.ErrRound, 0: protocol.ErrPhase, work.MaxUnits: protocol.ErrRound} {
		if err := w.ledger.Submit(account("v2"), dispute.Open{Run: w.run, Round: 1, Unit: unit}); !errors.Is(err, want) {
			t.Errorf("unit %d: %v", unit, err)
		}
	}
	w.vote(t, "", verifiers...)
	for w.state().Done == 0 {
		w.blocks(t, 1)
	}
	if err := w.ledger.Submit(account("v2"), dispute.Open{Run: w.run, Round: 1, Unit: work.VoteUnit(0)}); !errors.Is(err, protocol.ErrRound) {
		t.Errorf("a round that has closed: %v", err)
	}
}
