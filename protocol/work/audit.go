package work

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
)

// audit starts an audit pass, or goes on to the disputes when no verifier owes anything. In the first pass everybody
// reports; later passes give the audits of verifiers that missed to others. Rule: spec/work.md §7.
func (t *turn) audit() {
	present := t.presentSeats()
	if len(present) < int(t.Spec.LeastVerifiers) {
		t.pause(PhaseAuditCommit)
		return
	}
	if !t.reportsDue() {
		t.disputes()
		return
	}
	if t.Round.Pass == MaxPasses {
		for i := range t.Round.Units {
			if u := &t.Round.Units[i]; u.auditDue() {
				u.Status = Void
			}
		}
		t.disputes()
		return
	}
	t.Round.Pass++
	drawn := 0
	for i := range t.Round.Units {
		u := &t.Round.Units[i]
		if !u.auditDue() {
			continue
		}
		if drawn%len(present) == 0 { // everybody has got one: shuffle again, so that audits spread evenly
			shuffle(present, domainAuditor, t.Round.Draw, t.Round.Pass<<16|u.Index)
		}
		u.Auditor, u.Drawn = present[drawn%len(present)], t.Round.Pass
		drawn++
	}
	for i := range t.Round.Seats {
		t.Round.Seats[i].Seal = protocol.Hash{}
	}
	t.enter(PhaseAuditCommit, t.Spec.Windows.AuditCommit)
}

// auditDue reports whether the unit was drawn for an audit that nobody has delivered.
func (u *Unit) auditDue() bool { return u.Status == Revealed && u.Audited && u.Finding == nil }

// reportsDue reports whether an audit is missing or a present verifier has not reported yet.
func (t *turn) reportsDue() bool {
	for i := range t.Round.Units {
		if t.Round.Units[i].auditDue() {
			return true
		}
	}
	for i := range t.Round.Seats {
		if s := &t.Round.Seats[i]; s.Present && s.Reported == 0 {
			return true
		}
	}
	return false
}

func (t *turn) presentSeats() []protocol.Account {
	var list []protocol.Account
	for i := range t.Round.Seats {
		if t.Round.Seats[i].Present {
			list = append(list, t.Round.Seats[i].Account)
		}
	}
	return list
}

// Audits lists the units that a verifier must audit in this pass, ascending. The list stays as it was drawn, whatever becomes of a unit: else a
// report that is sealed could not be opened any more once somebody has refuted a claim that it speaks about.
func (r *Round) Audits(who protocol.Account) []uint32 {
	var list []uint32
	for i := range r.Units {
		if u := &r.Units[i]; u.Drawn == r.Pass && u.Auditor == who {
			list = append(list, u.Index)
		}
	}
	return list
}

// owes reports whether a verifier must report in this pass.
func (r *Round) owes(s *Seat) bool {
	return s.Present && s.Reported != r.Pass && (s.Reported == 0 || len(r.Audits(s.Account)) > 0)
}

// seated returns the sender's seat if it has one and has missed nothing. The error is ErrNotAssigned.
func (t *turn) seated(from protocol.Account) (*Seat, error) {
	s := t.Round.seat(from)
	if s == nil || !s.Present {
		return nil, fmt.Errorf("%w: %s has no duty as a verifier in round %d", protocol.ErrNotAssigned, from, t.Round.Number)
	}
	return s, nil
}

// auditCommit takes the seal of a report. Errors: ErrRound also for another pass, ErrPhase, ErrNotAssigned, ErrDuplicate.
// Rule: spec/work.md §7.
func (t *turn) auditCommit(m AuditCommit, from protocol.Account) error {
	s, err := t.auditor(m.Round, m.Pass, PhaseAuditCommit, from)
	if err != nil {
		return err
	}
	if !s.Seal.IsZero() {
		return fmt.Errorf("%w: the report of pass %d is sealed", protocol.ErrDuplicate, m.Pass)
	}
	s.Seal = m.Seal
	return nil
}

func (t *turn) auditor(round, pass uint32, p Phase, from protocol.Account) (*Seat, error) {
	if err := t.expect(round, p); err != nil {
		return nil, err
	}
	if pass != t.Round.Pass {
		return nil, fmt.Errorf("%w: the message is for audit pass %d, the round is in pass %d", protocol.ErrRound, pass, t.Round.Pass)
	}
	s, err := t.seated(from)
	if err != nil {
		return nil, err
	}
	if s.Reported == t.Round.Pass {
		return nil, fmt.Errorf("%w: the report of pass %d is open", protocol.ErrDuplicate, pass)
	}
	if !t.Round.owes(s) {
		return nil, fmt.Errorf("%w: no report is due from %s in pass %d", protocol.ErrNotAssigned, from, pass)
	}
	return s, nil
}

// endAuditCommit sends away who sealed nothing.
func (t *turn) endAuditCommit() {
	sealed := false
	for _, who := range t.awaited() {
		t.miss(who, false)
	}
	for i := range t.Round.Seats {
		s := &t.Round.Seats[i]
		sealed = sealed || (s.Present && !s.Seal.IsZero())
	}
	if !sealed {
		t.audit()
		return
	}
	t.enter(PhaseAuditReveal, t.Spec.Windows.AuditReveal)
}

// auditReveal opens a report. It must speak about every unit and contain exactly the audits that the sender was drawn for.
// An opening that differs from the worker's claim makes the unit disputed; one about a unit that is wrong or void by now says nothing. Errors: ErrRound, ErrPhase, ErrNotAssigned,
// ErrDuplicate, ErrSealMismatch, ErrInvalid. Rule: spec/work.md §7.
func (t *turn) auditReveal(m AuditReveal, from protocol.Account) error {
	s, err := t.auditor(m.Round, m.Pass, PhaseAuditReveal, from)
	if err != nil {
		return err
	}
	if s.Seal.IsZero() || ReportSeal(t.ID, m.Round, m.Pass, from, m.Report, m.Salt) != s.Seal {
		return fmt.Errorf("%w: report of %s in pass %d", protocol.ErrSealMismatch, from, m.Pass)
	}
	if len(m.Report.Available) != len(t.Round.Units) {
		return fmt.Errorf("%w: report about %d units, the round has %d", protocol.ErrInvalid, len(m.Report.Available), len(t.Round.Units))
	}
	if err := exactly(t.Round.Audits(from), m.Report.Audits); err != nil {
		return err
	}
	if s.Reported == 0 {
		s.Duties++
	}
	s.Reported = t.Round.Pass
	s.Available = append([]bool(nil), m.Report.Available...)
	for i := range m.Report.Audits {
		o := &m.Report.Audits[i]
		u := &t.Round.Units[o.Unit]
		if !u.auditDue() {
			continue
		}
		u.Finding = o.finding(u.Result)
		u.Status = Verified
		if !u.Finding.Agrees {
			u.Status = Disputed
			t.event("audit-disagreed", "unit", fmt.Sprint(u.Index), "worker", u.Worker.String(), "auditor", from.String(), "detail", o.Detail)
		}
		s.Duties++
	}
	return nil
}

// exactly reports whether the openings are about the units that are due, in the same order.
func exactly(due []uint32, list []Opening) error {
	if len(due) != len(list) {
		return fmt.Errorf("%w: %d openings, %d are due", protocol.ErrInvalid, len(list), len(due))
	}
	for i := range due {
		if list[i].Unit != due[i] {
			return fmt.Errorf("%w: opening of unit %d where unit %d is due", protocol.ErrInvalid, list[i].Unit, due[i])
		}
	}
	return nil
}

// endAuditReveal sends away and benches who sealed and opened nothing and starts another pass if audits are missing.
func (t *turn) endAuditReveal() {
	for _, who := range t.awaited() {
		t.miss(who, true)
	}
	t.audit()
}
