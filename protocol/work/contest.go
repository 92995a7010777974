package work

import (
	"fmt"
	"math"

	"github.com/mutirao/mutirao/protocol"
)

// VoteUnit stands for a unit where a dispute is about the vote of the verifier in a seat: numbers down from 2^32-1, far above those of units.
// Rule: spec/dispute.md §7.
func VoteUnit(seat int) uint32 { return math.MaxUint32 - uint32(seat) }

// VoteSeat is the seat that a number stands for; false if it is that of a unit.
func VoteSeat(unit uint32) (seat int, vote bool) {
	return int(math.MaxUint32 - unit), unit > math.MaxUint32/2
}

// DisputableVote reports whether the vote that a number stands for can be disputed: from when it is cast until the round closes. Errors:
// ErrRound, ErrPhase. Rule: spec/work.md §9.
func (s *State) DisputableVote(round, unit uint32) error {
	seat, ok := VoteSeat(unit)
	if s.Round == nil || s.Round.Number != round || !ok || seat >= len(s.Round.Seats) {
		return fmt.Errorf("%w: vote of seat %d in round %d", protocol.ErrRound, seat, round)
	}
	if s.Phase != PhaseAggregate && s.Phase != PhaseContest {
		return fmt.Errorf("%w: votes cannot be disputed in phase %s", protocol.ErrPhase, s.Phase)
	}
	x := &s.Round.Seats[seat]
	if m := s.member(x.Account); x.Vote == nil || m == nil || m.Status == Expelled {
		return fmt.Errorf("%w: seat %d has no vote that stands", protocol.ErrPhase, seat)
	}
	return nil
}

// Outcome is the vote on which the round would close if nothing more happened: that of a quorum, else of more than half of the present
// verifiers; nil if there is none.
func (s *State) Outcome() *Vote {
	if s.Round == nil || !s.Round.aggregating(s.Phase) {
		return nil
	}
	v, n := s.Round.tally()
	if v == nil || n < Quorum(s.Round.present()) && 2*n <= s.Round.present() {
		return nil
	}
	return v.clone()
}

// contest has the votes stand open to disputes: for the Spec's blocks since the vote began, which is time to compute the aggregate, and for a third of
// them from now, which is time to say so, if all present verifiers agree; otherwise for as long as an auditor has to open its dispute.
// Rule: spec/work.md §9.
func (t *turn) contest() {
	t.Round.Stands = max(t.Round.Stands, t.in(max(1, t.Spec.Windows.contestLeast()/3)))
	t.enter(PhaseContest, max(t.Spec.Windows.Dispute, uint32(t.Round.Stands-t.env.Height)))
}

// contestLeast is for how many blocks votes can be disputed at least.
func (w Windows) contestLeast() uint32 {
	if w.Contest == 0 {
		return LeastContest
	}
	return w.Contest
}

// unanimous reports whether nothing is in question: all present verifiers name the same, and no dispute is open.
func (s *State) unanimous() bool {
	v, n := s.Round.tally()
	return v != nil && n == s.Round.present() && n >= int(s.Spec.LeastVerifiers) && s.Round.Games() == 0
}

// endContest closes the round by the votes that are left. Who has none is away; who named something else is away and benched. Disputes
// end by their clocks, so with one open the run waits on. Rule: spec/work.md §9.
func (t *turn) endContest() {
	if t.Round.Games() > 0 {
		t.enter(PhaseContest, t.Spec.Windows.Dispute)
		return
	}
	v := t.decided()
	for _, who := range t.awaited() {
		t.miss(who, false)
	}
	if v == nil {
		v = t.decided()
	}
	if v != nil {
		v = v.clone()
		t.dissent(*v)
		t.close(*v)
		return
	}
	if t.Round.present() < int(t.Spec.LeastVerifiers) {
		t.pause(PhaseAggregate)
		return
	}
	v, n := t.Round.tally()
	if 2*n <= t.Round.present() {
		t.repeat("the verifiers found different aggregates")
		return
	}
	v = v.clone()
	t.dissent(*v)
	if t.Round.present() < int(t.Spec.LeastVerifiers) {
		t.pause(PhaseAggregate)
		return
	}
	t.close(*v)
}

// dissent sends away and benches who voted otherwise.
func (t *turn) dissent(v Vote) {
	for i := range t.Round.Seats {
		if s := &t.Round.Seats[i]; s.Present && !s.Vote.Equal(v) {
			t.miss(s.Account, true)
		}
	}
}

// openVoteGame notes that a dispute over a vote is open.
func openVoteGame(s *State, round, unit uint32) (*State, error) {
	if err := s.DisputableVote(round, unit); err != nil {
		return nil, err
	}
	next := s.Clone()
	seat, _ := VoteSeat(unit)
	next.Round.Seats[seat].Games++
	return next, nil
}

// closeVoteGame notes that a dispute over a vote has ended. Who voted for what is refuted loses its bond, and its vote counts no more; others
// who named the same answer for themselves, since who defends a right claim can lose on purpose. The contest lasts for another window, so
// that whoever was waiting for this verdict can still dispute. Rule: spec/work.md §9.
func (t *turn) closeVoteGame(seat int, unit uint32, c *Conviction) {
	s := &t.Round.Seats[seat]
	s.Games -= min(s.Games, 1)
	if c != nil {
		s.Games = 0 // others over the claim end without a verdict
		t.condemn(s.Account, unit, fmt.Sprintf("r%d-v%d-refuted", t.Round.Number, seat), c)
	}
	t.Round.Stands = max(t.Round.Stands, t.in(t.Spec.Windows.Dispute))
	if t.Phase == PhaseContest {
		t.contest()
	}
}

// Refutable lists the votes that an account should dispute that has computed the aggregate itself: all that differ, if the round would not
// close on its own. They are named as VoteUnit does.
func (s *State) Refutable(own Vote) []uint32 {
	if s.Phase != PhaseContest {
		return nil
	}
	if v := s.Outcome(); v != nil && v.Equal(own) {
		return nil
	}
	var list []uint32
	for i := range s.Round.Seats {
		if x := &s.Round.Seats[i]; x.Present && x.Vote != nil && !x.Vote.Equal(own) {
			list = append(list, VoteUnit(i))
		}
	}
	return list
}
