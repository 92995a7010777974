package work

import "github.com/mutirao/mutirao/protocol"

// TaskKind is something that a member must do.
type TaskKind string

// The kinds of tasks: each is done by the message of the same name.
const (
	TaskReady       TaskKind = "ready"
	TaskCompute     TaskKind = "compute" // ends with Commit
	TaskReveal      TaskKind = "reveal"
	TaskAuditCommit TaskKind = "audit-commit"
	TaskAuditReveal TaskKind = "audit-reveal"
	TaskDispute     TaskKind = "dispute" // ends with dispute.Open
	TaskAggregate   TaskKind = "aggregate"
)

// Task is one thing to do now.
type Task struct {
	Kind  TaskKind        `json:"kind"`
	Round uint32          `json:"round"`
	Pass  uint32          `json:"pass"`  // audit pass, for the audit's tasks
	Units []uint32        `json:"units"` // to compute, reveal, audit or dispute; for TaskAggregate the admitted ones
	Due   protocol.Height `json:"due"`   // the last block in which it counts; 0 if it is never too late
}

// Duty lists what an account must do now. A task that is done is no longer in the list, so an agent that restarts asks and
// goes on. Rule: spec/work.md §11.
func Duty(s *State, who protocol.Account) []Task {
	m := s.member(who)
	if m == nil || s.Phase.Ended() || m.Status == Left || m.Status == Expelled {
		return nil
	}
	var list []Task
	if s.Round != nil {
		list = s.roundDuty(who)
	}
	if m.Status == Away && !m.Leaving && !s.benched(m) {
		list = append(list, Task{Kind: TaskReady})
	}
	return list
}

func (s *State) roundDuty(who protocol.Account) []Task {
	r := s.Round
	task := Task{Round: r.Number, Due: s.Deadline}
	switch s.Phase {
	case PhaseCompute:
		task.Kind, task.Units = TaskCompute, r.unitsOf(who, Assigned)
		if len(task.Units) == 0 {
			return nil
		}
		return []Task{task}
	case PhaseReveal:
		task.Kind, task.Units = TaskReveal, r.unitsOf(who, Committed)
		if len(task.Units) == 0 {
			return nil
		}
		return []Task{task}
	}
	if s.Phase == PhaseDispute {
		task.Kind, task.Units = TaskDispute, r.Unproven(who)
		if len(task.Units) == 0 {
			return nil
		}
		return []Task{task}
	}
	seat := r.seat(who)
	if seat == nil || !s.awaits(seat) {
		return nil
	}
	switch s.Phase {
	case PhaseAuditCommit:
		task.Kind, task.Pass, task.Units = TaskAuditCommit, r.Pass, r.Audits(who)
	case PhaseAuditReveal:
		task.Kind, task.Pass, task.Units = TaskAuditReveal, r.Pass, r.Audits(who)
	case PhaseAggregate, PhaseContest:
		task.Kind, task.Units = TaskAggregate, s.Admitted()
	}
	return []Task{task}
}

func (r *Round) unitsOf(who protocol.Account, status UnitStatus) []uint32 {
	var list []uint32
	for i := range r.Units {
		if u := &r.Units[i]; u.Worker == who && u.Status == status {
			list = append(list, u.Index)
		}
	}
	return list
}

// awaits reports whether the phase cannot end before its deadline without this verifier.
func (s *State) awaits(seat *Seat) bool {
	if !seat.Present {
		return false
	}
	switch s.Phase {
	case PhaseAuditCommit:
		return s.Round.owes(seat) && seat.Seal.IsZero()
	case PhaseAuditReveal:
		return s.Round.owes(seat)
	case PhaseAggregate, PhaseContest:
		return seat.Vote == nil
	}
	return false
}

// awaited lists who must act before the phase can end early: workers and disputing auditors by unit, verifiers by seat.
func (s *State) awaited() []protocol.Account {
	if s.Round == nil {
		return nil
	}
	var list []protocol.Account
	for i := range s.Round.Units {
		u := &s.Round.Units[i]
		if (s.Phase == PhaseCompute && u.Status == Assigned) || (s.Phase == PhaseReveal && u.Status == Committed) {
			list = append(list, u.Worker)
		}
		if s.Phase == PhaseDispute && u.unproven() {
			list = append(list, u.Auditor)
		}
	}
	for i := range s.Round.Seats {
		if seat := &s.Round.Seats[i]; s.awaits(seat) {
			list = append(list, seat.Account)
		}
	}
	return list
}

// Reason is why a run waits: a closed list. Rule: spec/work.md §11.
type Reason string

// The reasons.
const (
	WaitProviders   Reason = "waiting-for-providers"   // too few active providers to open a round
	WaitVerifiers   Reason = "waiting-for-verifiers"   // too few active verifiers to open or decide a round
	WaitCompute     Reason = "waiting-for-units"       // workers compute
	WaitReveal      Reason = "waiting-for-reveals"     // workers open their seals
	WaitAudit       Reason = "waiting-for-audits"      // verifiers recompute
	WaitAuditReveal Reason = "waiting-for-reports"     // verifiers open their reports
	WaitDispute     Reason = "waiting-for-disputes"    // auditors dispute what they found wrong
	WaitChallenge   Reason = "waiting-for-challenges"  // claims are open to dispute by anybody
	WaitPlay        Reason = "waiting-for-verdicts"    // disputes over units of the round are played
	WaitAggregate   Reason = "waiting-for-aggregate"   // verifiers compute the next model
	WaitContest     Reason = "waiting-for-objections"  // what verifiers have named can be disputed
	WaitBlock       Reason = "waiting-for-next-block"  // everybody has acted; the next block goes on
	HasFinished     Reason = "finished"                // all rounds are done
	HasStopped      Reason = "stopped-before-its-goal" // a deadline ended the run
)

// Waiting says what a run waits for at a height, until when at the latest, and for whom, if for somebody in particular.
func Waiting(s *State, h protocol.Height) (reason Reason, deadline protocol.Height, who []protocol.Account) {
	switch {
	case s.Phase == PhaseFinished:
		return HasFinished, 0, nil
	case s.Phase == PhaseStopped:
		return HasStopped, 0, nil
	case s.moves(h):
		return WaitBlock, h + 1, nil
	}
	switch s.Phase {
	case PhaseGather:
		reason = s.lacking()
	case PhaseCompute:
		reason = WaitCompute
	case PhaseReveal:
		reason = WaitReveal
	case PhaseAuditCommit:
		reason = WaitAudit
	case PhaseAuditReveal:
		reason = WaitAuditReveal
	case PhaseDispute:
		reason = WaitDispute
	case PhaseChallenge:
		reason = WaitChallenge
	case PhasePlay:
		reason = WaitPlay
	case PhaseAggregate:
		reason = WaitAggregate
	case PhaseContest:
		reason = WaitContest
	case PhasePaused:
		reason = WaitVerifiers
	}
	return reason, s.Deadline, s.awaited()
}
