package work

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Disputable returns the unit of the open round whose claim somebody wants to dispute. A claim can be disputed from the end of the
// reveals until the disputes are played, and at least for the Spec's window. Errors: ErrRound, ErrPhase. Rule: spec/work.md §8.
func (s *State) Disputable(round, unit uint32) (Unit, error) {
	if s.Round == nil || s.Round.Number != round || int(unit) >= len(s.Round.Units) {
		return Unit{}, fmt.Errorf("%w: unit %d of round %d", protocol.ErrRound, unit, round)
	}
	u := s.Round.Units[unit]
	switch s.Phase {
	case PhaseAuditCommit, PhaseAuditReveal, PhaseDispute, PhaseChallenge:
	case PhasePaused:
		if s.Round.Resume == PhaseAuditCommit { // the window goes on
			break
		}
		fallthrough
	default:
		return Unit{}, fmt.Errorf("%w: claims cannot be disputed in phase %s", protocol.ErrPhase, s.Phase)
	}
	if !u.standing() {
		return Unit{}, fmt.Errorf("%w: unit %d is %s", protocol.ErrPhase, unit, u.Status)
	}
	return u, nil
}

// standing reports whether the unit's claim is open and not refuted.
func (u *Unit) standing() bool { return u.admissible() || u.Status == Disputed }

// unproven reports whether the unit's auditor still owes the dispute that its report calls for.
func (u *Unit) unproven() bool { return u.Status == Disputed && !u.Backed }

// Unproven lists the units that an account must dispute, since it found another result as their auditor.
func (r *Round) Unproven(auditor protocol.Account) []uint32 {
	var list []uint32
	for i := range r.Units {
		if u := &r.Units[i]; u.unproven() && u.Auditor == auditor {
			list = append(list, u.Index)
		}
	}
	return list
}

// Games is the number of disputes that are open over units and votes of the round.
func (r *Round) Games() (n uint32) {
	for i := range r.Units {
		n += r.Units[i].Games
	}
	for i := range r.Seats {
		n += r.Seats[i].Games
	}
	return n
}

// OpenGame notes that a dispute over a unit, or over the vote that its number stands for, is open: the round does not go on before it ends.
// Errors: those of Disputable and DisputableVote. Rule: spec/work.md §8, §9.
func OpenGame(s *State, round, unit uint32, opener protocol.Account) (*State, error) {
	if _, vote := VoteSeat(unit); vote {
		return openVoteGame(s, round, unit)
	}
	if _, err := s.Disputable(round, unit); err != nil {
		return nil, err
	}
	next := s.Clone()
	u := &next.Round.Units[unit]
	u.Games++
	u.Backed = u.Backed || opener == u.Auditor
	return next, nil
}

// Conviction is a claim that a dispute has refuted: by whom, with what part of the bounty, and what was wrong.
type Conviction struct {
	Bounty func(amount money.Amount) []Payee // divides all of the amount
	Detail string
	Second protocol.Account // the auditor that has defended the claim, and lost; zero if none was called
}

// Payee is an account and what it gets.
type Payee struct {
	To     protocol.Account
	Amount money.Amount
}

// CloseGame notes that a dispute over a unit or a vote has ended; c is nil if the claim stands. A refuted unit is wrong and its worker loses its
// bond, half of which is the bounty; what else it delivered in the round is void, and an auditor that confirmed it, and could not defend it either, loses
// its own. If the claim stands against its auditor, that audit is refuted. A round that has closed is as it is. Rule: spec/work.md §8.
func CloseGame(s *State, round, unit uint32, opener protocol.Account, c *Conviction, env protocol.Env) (*State, []protocol.Effect) {
	seat, vote := VoteSeat(unit)
	if s.Round == nil || s.Round.Number != round || vote && seat >= len(s.Round.Seats) || !vote && int(unit) >= len(s.Round.Units) {
		return s, nil
	}
	t := &turn{State: s.Clone(), env: env}
	if vote {
		t.closeVoteGame(seat, unit, c)
		return t.State, t.effects
	}
	u := &t.Round.Units[unit]
	u.Games -= min(u.Games, 1)
	switch {
	case c != nil:
		t.convict(u, c)
	case opener == u.Auditor:
		u.Backed = false
		if u.Status == Disputed {
			t.refute(u)
		}
	}
	return t.State, t.effects
}

// Audit tells of the audit of a unit of the open round: who has confirmed the claim, if somebody has and still has a bond to lose; and whether its
// auditor has sealed a report and not opened it. Rule: spec/dispute.md §6.
func (s *State) Audit(round, unit uint32) (confirmed protocol.Account, due bool) {
	if s.Round == nil || s.Round.Number != round || int64(unit) >= int64(len(s.Round.Units)) {
		return protocol.Account{}, false
	}
	u := &s.Round.Units[unit]
	if m := s.member(u.Auditor); u.Status == Verified && m != nil && m.Status != Expelled {
		confirmed = u.Auditor
	}
	seat := s.Round.seat(u.Auditor)
	sealed := seat != nil && seat.Present && !seat.Seal.IsZero() && (s.Phase == PhaseAuditCommit || s.Phase == PhaseAuditReveal)
	return confirmed, sealed && u.auditDue() && u.Drawn == s.Round.Pass
}

func (t *turn) convict(u *Unit, c *Conviction) {
	u.Games = 0 // others over the claim end without a verdict
	if u.Status == Wrong || !u.Opened() {
		return
	}
	confirmed := u.Finding != nil && u.Finding.Agrees
	u.Status = Wrong
	if confirmed && c.Second == u.Auditor {
		t.slash(u.Auditor, protocol.Account{}, u.Index, "confirmed a claim and could not defend it: "+c.Detail)
	}
	if !t.condemn(u.Worker, u.Index, fmt.Sprintf("r%d-u%d-refuted", t.Round.Number, u.Index), c) {
		return
	}
	for i := range t.Round.Units {
		if o := &t.Round.Units[i]; o.Worker == u.Worker && o.standing() {
			o.Status = Void
		}
	}
}

// condemn takes the bond, and the pay that is kept back, of a member whose claim is refuted, divides half of it among who brought it down, burns the rest and expels the
// member. It reports whether there was anything to take.
func (t *turn) condemn(who protocol.Account, unit uint32, receipt string, c *Conviction) bool {
	m := t.member(who)
	if m == nil || m.Status == Expelled {
		return false
	}
	bond := m.Bond
	bounty := bond.Part(1, 2)
	payees := c.Bounty(bounty)
	m.Bond, m.Status, m.Leaving, m.Clean = money.Amount{}, Expelled, false, 0
	if seat := t.Round.seat(who); seat != nil {
		seat.Present = false
	}
	t.Round.Slashes = append(t.Round.Slashes, Slash{
		Account: who, Role: m.Role, Unit: unit, Amount: bond, To: payees[0].To, Bounty: bounty, Burned: bond.Minus(bounty), Kept: t.forfeit(m), Detail: c.Detail,
	})
	for i, p := range payees {
		id := receipt
		if i > 0 {
			id = fmt.Sprintf("%s-%d", id, i)
		}
		r := Receipt{ID: id, Kind: ForBounty, To: p.To, Round: t.Round.Number, Unit: unit, Gross: p.Amount, Amount: p.Amount}
		if i == 0 {
			r.Gross, r.Burned = p.Amount.Plus(bond.Minus(bounty)), bond.Minus(bounty)
		}
		t.record(r)
		t.pay(p.To, p.Amount)
	}
	t.burn(bond.Minus(bounty))
	t.event("slashed", "account", who.String(), "role", string(m.Role), "unit", fmt.Sprint(unit), "to", payees[0].To.String(), "amount", bond.String(), "detail", c.Detail)
	return true
}

// refute takes an audit back that its auditor has not proven: it is not paid, its auditor is fined and benched, and another will audit the unit,
// since a dispute that is lost shows nothing about the claim. Rule: spec/work.md §8.
func (t *turn) refute(u *Unit) {
	if s := t.Round.seat(u.Auditor); s != nil {
		s.Duties -= min(s.Duties, 1)
		if s.Present {
			t.miss(u.Auditor, true)
		}
	}
	t.fine(u)
	u.Status, u.Finding, u.Auditor, u.Backed = Revealed, nil, protocol.Account{}, false
}

// fine burns a part of the bond of a unit's auditor. Who has nothing left at stake is expelled.
func (t *turn) fine(u *Unit) {
	m := t.member(u.Auditor)
	if m == nil || m.Status == Expelled {
		return
	}
	fine, left := t.Spec.Audit.Fine(m.Bond, t.Spec.Price.PerUnit)
	if fine.IsZero() {
		return
	}
	m.Bond = left
	t.burn(fine)
	t.event("fined", "account", u.Auditor.String(), "unit", fmt.Sprint(u.Index), "amount", fine.String())
	if left.IsZero() {
		m.Status, m.Leaving, m.Clean = Expelled, false, 0
		if seat := t.Round.seat(u.Auditor); seat != nil {
			seat.Present = false
		}
	}
}

// void ends a unit that cannot be judged. The worker's next units are audited as a newcomer's.
func (t *turn) void(u *Unit) {
	u.Status = Void
	if m := t.member(u.Worker); m != nil {
		m.Clean = 0
	}
}

// disputes lets auditors that found another result dispute it, leaves claims open to dispute until their window is over, has all disputes
// over units of the round played, and goes on to the aggregate. Rule: spec/work.md §8.
func (t *turn) disputes() {
	switch {
	case t.anyUnproven():
		t.enter(PhaseDispute, t.Spec.Windows.Dispute)
	case t.env.Height < t.Round.Until:
		t.enter(PhaseChallenge, uint32(t.Round.Until-t.env.Height))
	case t.Round.Games() > 0:
		t.enter(PhasePlay, t.Spec.Windows.Dispute)
	default:
		t.aggregate()
	}
}

func (s *State) anyUnproven() bool {
	for i := range s.Round.Units {
		if s.Round.Units[i].unproven() {
			return true
		}
	}
	return false
}

// endDispute takes the audits back whose auditors opened no dispute.
func (t *turn) endDispute() {
	for i := range t.Round.Units {
		if u := &t.Round.Units[i]; u.unproven() {
			t.refute(u)
		}
	}
	if t.Round.Games() == 0 { // what was taken back need not wait for the window
		t.audit()
		return
	}
	t.disputes()
}

// endChallenge goes on when the window is over: nobody else can dispute a claim of the round.
func (t *turn) endChallenge() {
	if t.Round.Games() == 0 {
		t.audit()
		return
	}
	t.disputes()
}

// endPlay goes on when no dispute is open any more: to another audit pass if audits are missing. Each dispute ends by its clocks, so at
// the deadline the run just waits on.
func (t *turn) endPlay() {
	if t.Round.Games() > 0 {
		t.enter(PhasePlay, t.Spec.Windows.Dispute)
		return
	}
	t.audit()
}
