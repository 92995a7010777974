package work

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
)

// judgeOrAggregate draws a jury for every disputed unit, or goes on to the aggregate if there is none. A unit for which
// too few jurors are left is void. Rule: spec/work.md §8.
func (t *turn) judgeOrAggregate() {
	disputes := 0
	for i := range t.Round.Units {
		u := &t.Round.Units[i]
		if u.Status != Disputed {
			continue
		}
		jury := t.drawJury(u)
		if len(jury) < int(t.Spec.Jury.Min) {
			t.void(u)
			continue
		}
		for _, who := range jury {
			u.Jurors = append(u.Jurors, Juror{Account: who})
		}
		disputes++
	}
	if disputes == 0 {
		t.aggregate()
		return
	}
	t.enter(PhaseJuryCommit, t.Spec.Windows.AuditCommit)
}

// drawJury draws up to the Spec's number from the present verifiers, without the unit's auditor.
func (t *turn) drawJury(u *Unit) []protocol.Account {
	var list []protocol.Account
	for _, who := range t.presentSeats() {
		if who != u.Auditor {
			list = append(list, who)
		}
	}
	shuffle(list, domainJury, t.Round.Draw, u.Index)
	return list[:min(len(list), int(t.Spec.Jury.Size))]
}

// void ends a unit that cannot be judged. The worker's next units are audited as a newcomer's.
func (t *turn) void(u *Unit) {
	u.Status = Void
	if m := t.member(u.Worker); m != nil {
		m.Clean = 0
	}
}

// Judges lists the disputed units for which an account was drawn as a juror, ascending.
func (r *Round) Judges(who protocol.Account) []uint32 {
	var list []uint32
	for i := range r.Units {
		if u := &r.Units[i]; u.Status == Disputed && u.juror(who) != nil {
			list = append(list, u.Index)
		}
	}
	return list
}

func (u *Unit) juror(who protocol.Account) *Juror {
	for i := range u.Jurors {
		if u.Jurors[i].Account == who {
			return &u.Jurors[i]
		}
	}
	return nil
}

// jurorSeat returns the sender's seat if it must judge. Errors: ErrRound, ErrPhase, ErrNotAssigned.
func (t *turn) jurorSeat(round uint32, p Phase, from protocol.Account) (*Seat, error) {
	if err := t.expect(round, p); err != nil {
		return nil, err
	}
	s, err := t.seated(from)
	if err != nil {
		return nil, err
	}
	if len(t.Round.Judges(from)) == 0 {
		return nil, fmt.Errorf("%w: %s is not a juror in round %d", protocol.ErrNotAssigned, from, round)
	}
	return s, nil
}

// juryCommit takes the seal of a juror's findings. Errors: ErrRound, ErrPhase, ErrNotAssigned, ErrDuplicate.
// Rule: spec/work.md §8.
func (t *turn) juryCommit(m JuryCommit, from protocol.Account) error {
	s, err := t.jurorSeat(m.Round, PhaseJuryCommit, from)
	if err != nil {
		return err
	}
	if !s.JurySeal.IsZero() {
		return fmt.Errorf("%w: the findings are sealed", protocol.ErrDuplicate)
	}
	s.JurySeal = m.Seal
	return nil
}

// endJuryCommit sends away who sealed nothing.
func (t *turn) endJuryCommit() {
	for _, who := range t.awaited() {
		t.miss(who, false)
	}
	for i := range t.Round.Seats {
		if s := &t.Round.Seats[i]; s.Present && !s.JurySeal.IsZero() {
			t.enter(PhaseJuryReveal, t.Spec.Windows.AuditReveal)
			return
		}
	}
	t.verdicts()
}

// juryReveal opens a juror's findings about exactly the units it was drawn for. Errors: ErrRound, ErrPhase,
// ErrNotAssigned, ErrDuplicate, ErrSealMismatch, ErrInvalid. Rule: spec/work.md §8.
func (t *turn) juryReveal(m JuryReveal, from protocol.Account) error {
	s, err := t.jurorSeat(m.Round, PhaseJuryReveal, from)
	if err != nil {
		return err
	}
	if s.JuryDone {
		return fmt.Errorf("%w: the findings are open", protocol.ErrDuplicate)
	}
	if s.JurySeal.IsZero() || FindingsSeal(t.ID, m.Round, from, m.Openings, m.Salt) != s.JurySeal {
		return fmt.Errorf("%w: findings of %s", protocol.ErrSealMismatch, from)
	}
	if err := exactly(t.Round.Judges(from), m.Openings); err != nil {
		return err
	}
	for i := range m.Openings {
		u := &t.Round.Units[m.Openings[i].Unit]
		u.juror(from).Finding = m.Openings[i].finding(u.Result)
	}
	s.JuryDone = true
	return nil
}

// endJuryReveal sends away and benches who sealed and opened nothing and judges.
func (t *turn) endJuryReveal() {
	for _, who := range t.awaited() {
		t.miss(who, true)
	}
	t.verdicts()
}

// verdicts judges every disputed unit by index, voids what slashed workers delivered besides, and goes on.
func (t *turn) verdicts() {
	for i := range t.Round.Units {
		if u := &t.Round.Units[i]; u.Status == Disputed {
			t.verdict(u)
		}
	}
	for i := range t.Round.Units {
		u := &t.Round.Units[i]
		if m := t.member(u.Worker); u.admissible() && m != nil && m.Status == Expelled {
			u.Status = Void
		}
	}
	t.aggregate()
}

// verdict applies the jury's quorum, counted over all jurors drawn so that driving some away convicts nobody. If it found
// what the auditor found, the worker is slashed: auditor and jury together convict. Otherwise the jury stands alone and
// needs one juror more than the Spec's least to convict anybody: with the worker, the unit is verified and the auditor
// slashed, or benched by a smaller jury; with neither, both are slashed, or the unit is void. Without a quorum it is void.
// Rule: spec/work.md §8.
func (t *turn) verdict(u *Unit) {
	found := u.quorum()
	if found == nil {
		t.void(u)
		return
	}
	for i := range u.Jurors {
		if j := &u.Jurors[i]; j.Finding != nil && j.Finding.Digest == found.Digest {
			if s := t.Round.seat(j.Account); s != nil {
				s.Duties++
			}
		}
	}
	alone := len(u.Jurors) > int(t.Spec.Jury.Min)
	switch {
	case found.Digest == u.Finding.Digest:
		u.Status = Wrong
		t.slash(u.Worker, u.Auditor, u.Index, u.Finding.Detail)
	case found.Agrees && alone:
		u.Status = Verified
		t.slash(u.Auditor, u.Worker, u.Index, wrongAudit)
	case found.Agrees:
		u.Status = Verified
		t.Round.seat(u.Auditor).Duties-- // of the audit, which is refuted
		t.miss(u.Auditor, true)
	case alone:
		u.Status = Wrong
		t.slash(u.Worker, protocol.Account{}, u.Index, found.Detail)
		t.slash(u.Auditor, protocol.Account{}, u.Index, wrongAudit)
	default:
		t.void(u)
	}
}

// wrongAudit is the detail of a slashed auditor: the jury's remarks are about the worker.
const wrongAudit = "the audit differs from the jury"

// quorum returns the finding that enough jurors share, or nil.
func (u *Unit) quorum() *Finding {
	for i := range u.Jurors {
		f := u.Jurors[i].Finding
		if f == nil {
			continue
		}
		votes := 0
		for j := range u.Jurors {
			if g := u.Jurors[j].Finding; g != nil && g.Digest == f.Digest {
				votes++
			}
		}
		if votes >= Quorum(len(u.Jurors)) {
			return f
		}
	}
	return nil
}
