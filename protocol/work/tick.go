package work

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Tick lets a block pass: the host calls it once at the end of every block, after the block's messages. A phase ends when
// everybody who is due has acted, otherwise in the block of its deadline. It returns s itself when nothing changes.
// Rule: spec/work.md §4.
func Tick(s *State, env protocol.Env) (*State, []protocol.Effect) {
	if s.Phase.Ended() || !s.moves(env.Height) {
		return s, nil
	}
	t := &turn{State: s.Clone(), env: env}
	for t.step() {
	}
	return t.State, t.effects
}

// moves reports whether the phase can end in a block of that height, so that quiet blocks cost no copy.
func (s *State) moves(h protocol.Height) bool { return h >= s.Deadline || s.complete(h) }

// Due is the next block that can change the run though no message does: its Tick must not come later.
func (s *State) Due() protocol.Height {
	if s.Phase == PhaseContest && s.unanimous() {
		return min(s.Deadline, s.Round.Stands)
	}
	return s.Deadline
}

// complete reports whether nobody is awaited any more in a block of that height.
func (s *State) complete(h protocol.Height) bool {
	switch s.Phase {
	case PhaseGather:
		return s.gathered()
	case PhasePaused:
		return s.Round.present()+len(s.returned()) >= int(s.Spec.LeastVerifiers)
	case PhaseDispute:
		return !s.anyUnproven()
	case PhaseChallenge:
		return false // its deadline is its end
	case PhasePlay:
		return s.Round.Games() == 0
	case PhaseAggregate:
		return s.decided() != nil || len(s.awaited()) == 0
	case PhaseContest:
		return h >= s.Round.Stands && s.unanimous()
	default:
		return len(s.awaited()) == 0
	}
}

// step ends the phase if it can end and enters the next. It reports whether anything happened; every phase that it enters
// has a deadline ahead, and a round that opens awaits its workers, so a Tick takes few steps.
func (t *turn) step() bool {
	if t.Phase.Ended() || !t.moves(t.env.Height) {
		return false
	}
	switch t.Phase {
	case PhaseGather:
		t.endGather()
	case PhaseCompute:
		t.endCompute()
	case PhaseReveal:
		t.endReveal()
	case PhaseAuditCommit:
		t.endAuditCommit()
	case PhaseAuditReveal:
		t.endAuditReveal()
	case PhaseDispute:
		t.endDispute()
	case PhaseChallenge:
		t.endChallenge()
	case PhasePlay:
		t.endPlay()
	case PhaseAggregate:
		t.endAggregate()
	case PhaseContest:
		t.endContest()
	case PhasePaused:
		t.endPause()
	}
	return true
}

// enter starts a phase that lasts at most so many blocks.
func (t *turn) enter(p Phase, blocks uint32) {
	t.Phase, t.Deadline = p, t.in(blocks)
	t.event("phase", "round", fmt.Sprint(t.Opened), "phase", string(p), "deadline", fmt.Sprint(t.Deadline))
}

// gathered reports whether the next round can open: the first needs the Spec's numbers, later ones go on with at least one
// provider and the verifiers without whom nothing is decided.
func (s *State) gathered() bool { return s.lacking() == "" }

// lacking names what keeps the next round from opening, or is empty.
func (s *State) lacking() Reason {
	providers, verifiers := uint32(0), uint32(0)
	for i := range s.Members {
		if m := &s.Members[i]; m.Status == Active && !m.Leaving {
			if m.Role == Provider {
				providers++
			} else {
				verifiers++
			}
		}
	}
	needProviders, needVerifiers := uint32(1), s.Spec.LeastVerifiers
	if s.Opened == 0 {
		needProviders, needVerifiers = s.Spec.MinProviders, s.Spec.MinVerifiers
	}
	switch {
	case providers < needProviders:
		return WaitProviders
	case verifiers < needVerifiers:
		return WaitVerifiers
	}
	return ""
}

func (t *turn) endGather() {
	if t.gathered() {
		t.open()
		return
	}
	t.end(PhaseStopped)
}

// pause interrupts a round that too few verifiers can decide. Those that come back are enlisted; if not enough do, the run
// stops at the deadline. Rule: spec/work.md §4.
func (t *turn) pause(resume Phase) {
	t.Round.Resume = resume
	t.enter(PhasePaused, t.Spec.Windows.Wait)
}

// returned lists the verifiers that are active but have no part in the round (any more).
func (s *State) returned() []protocol.Account {
	var list []protocol.Account
	for i := range s.Members {
		m := &s.Members[i]
		if m.Role != Verifier || m.Status != Active || m.Leaving {
			continue
		}
		if seat := s.Round.seat(m.Account); seat == nil || !seat.Present {
			list = append(list, m.Account)
		}
	}
	return list
}

func (t *turn) endPause() {
	if !t.complete(t.env.Height) && t.Round.Games() > 0 { // whoever plays them is still there
		t.enter(PhasePaused, t.Spec.Windows.Dispute)
		return
	}
	if !t.complete(t.env.Height) {
		t.abandon("too few verifiers came back")
		t.end(PhaseStopped)
		return
	}
	for _, who := range t.returned() {
		if seat := t.Round.seat(who); seat != nil {
			seat.Present = true
		} else {
			t.Round.Seats = append(t.Round.Seats, Seat{Account: who, Present: true})
		}
	}
	resume := t.Round.Resume
	t.Round.Resume = ""
	if resume == PhaseAggregate {
		t.askVotes()
		return
	}
	t.audit()
}

// end finishes or stops the run; its last round is closed. Effects: pay that was kept back is paid, the unspent budget goes back to the author, every bond to its member.
// Rule: spec/work.md §10.
func (t *turn) end(p Phase) {
	t.Phase, t.Deadline = p, 0
	for i := range t.Members {
		t.payKept(fmt.Sprintf("kept-%d", i), &t.Members[i], nil, t.Members[i].Kept.Sum())
	}
	if !t.Budget.IsZero() {
		t.record(Receipt{ID: "refund", Kind: ForRefund, To: t.Author, Gross: t.Budget, Amount: t.Budget})
		t.giveBack(t.Author, t.Budget)
		t.Budget = money.Amount{}
	}
	for i := range t.Members {
		if m := &t.Members[i]; m.Status == Active || m.Status == Away {
			t.release(m)
		}
	}
	t.forgetGone()
	t.event("run-ended", "phase", string(p), "rounds", fmt.Sprint(t.Done))
}
