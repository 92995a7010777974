package work

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
)

// aggregate settles which units count: those that were not refuted and that more than half of the reports call available.
// Then the verifiers name the next model. Rule: spec/work.md §9.
func (t *turn) aggregate() {
	admitted := 0
	for i := range t.Round.Units {
		u := &t.Round.Units[i]
		if !u.admissible() {
			continue
		}
		if !t.available(u.Index) {
			u.Status = Unavailable
			continue
		}
		admitted++
	}
	switch {
	case admitted == 0:
		t.repeat("no unit was admitted")
	case t.Round.present() < int(t.Spec.LeastVerifiers):
		t.pause(PhaseAggregate)
	default:
		t.askVotes()
	}
}

// askVotes has the verifiers name the next model. A pause brings those back that did not, so this may happen several times;
// what they cannot compute after MaxVotes of them, nobody can, and the round admits nothing. Rule: spec/work.md §9.
func (t *turn) askVotes() {
	if t.Round.Votes == MaxVotes && t.Round.Games() > 0 {
		t.contest()
		return
	}
	if t.Round.Votes == MaxVotes {
		t.repeat("too few verifiers named an aggregate")
		return
	}
	t.Round.Votes++
	t.Round.Stands = t.in(t.Spec.Windows.contestLeast())
	t.enter(PhaseAggregate, t.Spec.Windows.Aggregate)
}

// available counts the reports about a unit. Reports of expelled verifiers do not count.
func (t *turn) available(index uint32) bool {
	yes, all := 0, 0
	for i := range t.Round.Seats {
		s := &t.Round.Seats[i]
		if m := t.member(s.Account); s.Reported == 0 || m == nil || m.Status == Expelled {
			continue
		}
		all++
		if int(index) < len(s.Available) && s.Available[index] {
			yes++
		}
	}
	return 2*yes > all
}

// vote takes a verifier's aggregate. Errors: ErrRound, ErrPhase, ErrNotAssigned, ErrDuplicate, and ErrInvalid if a rejected
// unit was not admitted. While the votes are contested one that is missing is still welcome. Rule: spec/work.md §9.
func (t *turn) vote(m Aggregate, from protocol.Account) error {
	phase := PhaseAggregate
	if t.Phase == PhaseContest {
		phase = PhaseContest
	}
	if err := t.expect(m.Round, phase); err != nil {
		return err
	}
	s, err := t.seated(from)
	if err != nil {
		return err
	}
	if s.Vote != nil {
		return fmt.Errorf("%w: aggregate of round %d", protocol.ErrDuplicate, m.Round)
	}
	for _, unit := range m.Rejected {
		if int(unit) >= len(t.Round.Units) || !t.Round.Units[unit].admissible() {
			return fmt.Errorf("%w: unit %d is not among the admitted", protocol.ErrInvalid, unit)
		}
	}
	s.Vote = &Vote{Next: m.Next, Rejected: slices.Clone(m.Rejected), Trace: m.Trace}
	return nil
}

// tally returns the vote that most present verifiers gave, the first in seat order among equals, and their number.
func (r *Round) tally() (*Vote, int) {
	var best *Vote
	most := 0
	for i := range r.Seats {
		s := &r.Seats[i]
		if !s.Present || s.Vote == nil {
			continue
		}
		n := 0
		for j := range r.Seats {
			if o := &r.Seats[j]; o.Present && o.Vote != nil && o.Vote.Equal(*s.Vote) {
				n++
			}
		}
		if n > most {
			best, most = s.Vote, n
		}
	}
	return best, most
}

// decided returns the vote that a quorum of the present verifiers shares, or nil.
func (s *State) decided() *Vote {
	if s.Round.present() < int(s.Spec.LeastVerifiers) {
		return nil
	}
	if v, n := s.Round.tally(); n >= Quorum(s.Round.present()) {
		return v
	}
	return nil
}

// endAggregate goes on to the contest when a quorum agrees or everybody has voted. At the deadline those that did not vote are away first.
// Rule: spec/work.md §9.
func (t *turn) endAggregate() {
	if t.decided() == nil {
		for _, who := range t.awaited() {
			t.miss(who, false)
		}
		if t.Round.present() < int(t.Spec.LeastVerifiers) {
			t.pause(PhaseAggregate)
			return
		}
	}
	t.contest()
}
