package work

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Disputable returns the unit of the open round whose claim somebody wants to dispute. A claim can be disputed from its reveal until the
// units enter the aggregate. Errors: ErrRound, ErrPhase. Rule: spec/work.md §8.
func (s *State) Disputable(round, unit uint32) (Unit, error) {
	if s.Round == nil || s.Round.Number != round || int(unit) >= len(s.Round.Units) {
		return Unit{}, fmt.Errorf("%w: unit %d of round %d", protocol.ErrRound, unit, round)
	}
	u := s.Round.Units[unit]
	switch s.Phase {
	case PhaseAuditCommit, PhaseAuditReveal, PhaseJuryCommit, PhaseJuryReveal, PhaseDispute:
	default:
		return Unit{}, fmt.Errorf("%w: claims cannot be disputed in phase %s", protocol.ErrPhase, s.Phase)
	}
	if u.Status != Revealed && u.Status != Verified && u.Status != Disputed {
		return Unit{}, fmt.Errorf("%w: unit %d is %s", protocol.ErrPhase, unit, u.Status)
	}
	return u, nil
}

// OpenGame notes that a dispute over a unit is open: the round does not go on to its aggregate before it ends. Errors: those of
// Disputable. Rule: spec/work.md §8.
func OpenGame(s *State, round, unit uint32) (*State, error) {
	if _, err := s.Disputable(round, unit); err != nil {
		return nil, err
	}
	next := s.Clone()
	next.Round.Games = append(next.Round.Games, unit)
	return next, nil
}

// Conviction is a claim that a dispute has refuted: by whom, with what part of the bounty, and what was wrong.
type Conviction struct {
	Bounty func(amount money.Amount) []Payee // divides all of the amount
	Detail string
}

// Payee is an account and what it gets.
type Payee struct {
	To     protocol.Account
	Amount money.Amount
}

// CloseGame notes that a dispute over a unit has ended; c is nil if the claim stands. A refuted unit is wrong and its worker loses its
// bond, half of which is the bounty; what else it delivered in the round is void. A round that has closed is as it is.
// Rule: spec/work.md §8.
func CloseGame(s *State, round, unit uint32, c *Conviction, env protocol.Env) (*State, []protocol.Effect) {
	if s.Round == nil || s.Round.Number != round {
		return s, nil
	}
	t := &turn{State: s.Clone(), env: env}
	if at := slices.Index(t.Round.Games, unit); at >= 0 {
		t.Round.Games = slices.Delete(t.Round.Games, at, at+1)
	}
	if c != nil {
		t.convict(&t.Round.Units[unit], c)
	}
	return t.State, t.effects
}

func (t *turn) convict(u *Unit, c *Conviction) {
	if u.Status == Wrong {
		return
	}
	u.Status = Wrong
	m := t.member(u.Worker)
	if m == nil || m.Status == Expelled {
		return
	}
	bond := m.Bond
	bounty := bond.Part(1, 2)
	payees := c.Bounty(bounty)
	m.Bond, m.Status, m.Leaving, m.Clean = money.Amount{}, Expelled, false, 0
	t.Round.Slashes = append(t.Round.Slashes, Slash{
		Account: u.Worker, Role: m.Role, Unit: u.Index, Amount: bond, To: payees[0].To, Bounty: bounty, Burned: bond.Minus(bounty), Detail: c.Detail,
	})
	for i, p := range payees {
		id := fmt.Sprintf("r%d-u%d-refuted", t.Round.Number, u.Index)
		if i > 0 {
			id = fmt.Sprintf("%s-%d", id, i)
		}
		r := Receipt{ID: id, Kind: ForBounty, To: p.To, Round: t.Round.Number, Unit: u.Index, Gross: p.Amount, Amount: p.Amount}
		if i == 0 {
			r.Gross, r.Burned = p.Amount.Plus(bond.Minus(bounty)), bond.Minus(bounty)
		}
		t.record(r)
		t.pay(p.To, p.Amount)
	}
	t.burn(bond.Minus(bounty))
	t.event("slashed", "account", u.Worker.String(), "role", string(m.Role), "unit", fmt.Sprint(u.Index), "to", payees[0].To.String(), "amount", bond.String(), "detail", c.Detail)
	for i := range t.Round.Units {
		if o := &t.Round.Units[i]; o.Worker == u.Worker && o.admissible() {
			o.Status = Void
		}
	}
}

// endGames goes on when no dispute is open any more. At the deadline, which the clocks of the disputes do not reach, what is still in
// dispute is void.
func (t *turn) endGames() {
	for _, unit := range t.Round.Games {
		if u := &t.Round.Units[unit]; u.admissible() {
			t.void(u)
		}
	}
	t.Round.Games = nil
	t.aggregate()
}
