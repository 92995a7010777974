package work

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// join makes from a member from the next round on. Effect: the bond is locked. Errors: ErrInvalid without a
// hire where one is needed, ErrExists for a member,
// ErrExpelled, ErrBenched for one that left while benched, ErrFull. Rule: spec/work.md §3.
func (t *turn) join(m Join, from protocol.Account) error {
	bond := t.Spec.Bond(m.Role)
	price, err := t.Spec.hirePrice(m)
	if err != nil {
		return err
	}
	if m.Newcomer {
		bond = money.Amount{}
	}
	n := 0
	for i := range t.Members {
		if o := &t.Members[i]; o.Role == m.Role && (o.Status == Active || o.Status == Away) {
			n++
		}
	}
	if (m.Role == Provider && n >= MaxProviders) || (m.Role == Verifier && n >= MaxVerifiers) {
		return fmt.Errorf("%w: %d members have the role of %s", protocol.ErrFull, n, m.Role)
	}
	old := t.member(from)
	if old == nil && len(t.Members) >= MaxMembers {
		t.forgetBlamed()
	}
	switch {
	case old == nil && len(t.Members) >= MaxMembers:
		return fmt.Errorf("%w: %d records of members", protocol.ErrFull, len(t.Members))
	case old == nil:
		t.Members = append(t.Members, Member{Account: from})
		old = &t.Members[len(t.Members)-1]
	case old.Status == Expelled:
		return fmt.Errorf("%w: %s", protocol.ErrExpelled, from)
	case old.Status != Left:
		return fmt.Errorf("%w: %s is a %s already", protocol.ErrExists, from, old.Role)
	case t.benched(old):
		return fmt.Errorf("%w: until round %d is over", protocol.ErrBenched, old.Benched)
	}
	old.Role, old.Peer, old.Bond, old.Status, old.Leaving, old.Joined, old.Price = m.Role, m.Peer, bond, Active, false, t.env.Height, price
	t.lock(from, bond)
	old.Lease, old.Newcomer = protocol.Hash{}, m.Newcomer
	if m.Hire != nil {
		old.Lease = m.Hire.Lease
		t.event("member-hired", "account", from.String(), "lease", m.Hire.Lease.String(), "price", price.String())
	}
	t.event("member-joined", "account", from.String(), "role", string(m.Role))
	return nil
}

// ready brings an away member back, and takes note of its new addresses. Errors: ErrNotMember, ErrExpelled, ErrBenched,
// ErrNotAway when there is nothing to change. Rule: spec/work.md §3.
func (t *turn) ready(m Ready, from protocol.Account) error {
	who, err := t.current(from)
	if err != nil {
		return err
	}
	moved := m.Peer != "" && m.Peer != who.Peer
	switch {
	case who.Status == Away && t.benched(who):
		return fmt.Errorf("%w: until round %d is over", protocol.ErrBenched, who.Benched)
	case who.Status != Away && !moved:
		return fmt.Errorf("%w: %s", protocol.ErrNotAway, from)
	}
	if moved {
		who.Peer = m.Peer
	}
	who.Status = Active
	t.event("member-ready", "account", from.String())
	return nil
}

// benched reports whether m must still sit out. The bench is lifted while the run waits for members: it does not stand still
// to punish. Rule: spec/work.md §3.
func (s *State) benched(m *Member) bool {
	return s.Phase != PhaseGather && s.Phase != PhasePaused && m.Benched > s.Opened
}

// leave ends a membership: at once, or when the open round closes and no pay is kept back any more. Effect: the bond is paid back then. Errors: ErrNotMember,
// ErrExpelled, ErrDuplicate. Rule: spec/work.md §3.
func (t *turn) leave(from protocol.Account) error {
	who, err := t.current(from)
	if err != nil {
		return err
	}
	if who.Leaving {
		return fmt.Errorf("%w: %s leaves when the round closes", protocol.ErrDuplicate, from)
	}
	if t.engaged(from) || len(who.Kept) > 0 {
		who.Leaving = true
		t.event("member-leaving", "account", from.String())
		return nil
	}
	t.release(who)
	t.forgetGone()
	return nil
}

// engaged reports whether an account has a part in the open round, for which its bond must stay.
func (t *turn) engaged(who protocol.Account) bool {
	if t.Round == nil {
		return false
	}
	if t.Round.seat(who) != nil {
		return true
	}
	for i := range t.Round.Units {
		if t.Round.Units[i].Worker == who {
			return true
		}
	}
	return false
}

// release pays a member's bond back and marks it as gone.
func (t *turn) release(who *Member) {
	t.Returned++
	t.record(Receipt{ID: fmt.Sprintf("bond-%d", t.Returned), Kind: ForBond, To: who.Account, Gross: who.Bond, Amount: who.Bond})
	if who.Newcomer { // it has earned its bond
		t.pay(who.Account, who.Bond)
	} else {
		t.giveBack(who.Account, who.Bond)
	}
	who.Bond, who.Status, who.Leaving = money.Amount{}, Left, false
	t.event("member-left", "account", who.Account.String())
}

// forgetGone drops the records of members that left and have neither a share nor a debt, so that coming and going does not
// fill the state.
func (t *turn) forgetGone() {
	t.Members = slices.DeleteFunc(t.Members, func(m Member) bool {
		return m.Status == Left && m.Units == 0 && m.Duties == 0 && m.Misses == 0
	})
}

// forgetBlamed drops, when there is no place left, also those that left with nothing but misses and whose bench is over:
// otherwise somebody could take all places for good by joining, missing and leaving.
func (t *turn) forgetBlamed() {
	t.Members = slices.DeleteFunc(t.Members, func(m Member) bool {
		return m.Status == Left && m.Units == 0 && m.Duties == 0 && !t.benched(&m)
	})
}

// current returns the record of a member that is active or away.
func (t *turn) current(who protocol.Account) (*Member, error) {
	m := t.member(who)
	switch {
	case m == nil || m.Status == Left:
		return nil, fmt.Errorf("%w: %s", protocol.ErrNotMember, who)
	case m.Status == Expelled:
		return nil, fmt.Errorf("%w: %s", protocol.ErrExpelled, who)
	}
	return m, nil
}

// maxBenchShift bounds a bench to 1,024 rounds.
const maxBenchShift = 10

// miss notes that a member failed a duty: it is away until Ready, and benched for 2^misses rounds if bench says so.
// It happens at most once a round: a member that is away already is not blamed again.
func (t *turn) miss(who protocol.Account, bench bool) {
	m := t.member(who)
	if m == nil || m.Status != Active {
		return
	}
	m.Status = Away
	m.Misses++
	if bench {
		m.Benched = t.Opened + 1<<min(m.Misses, maxBenchShift)
	}
	if seat := t.Round.seat(who); seat != nil {
		seat.Present = false
	}
	t.event("member-missed", "account", who.String(), "phase", string(t.Phase))
}

// slash takes the whole bond of a member and expels it. Half goes to the account to, the rest is burned; all of it when to
// is zero. A member that has lost its bond already loses nothing more. Rule: spec/work.md §8.
func (t *turn) slash(who, to protocol.Account, unit uint32, detail string) {
	m := t.member(who)
	if m == nil || m.Status == Expelled {
		return
	}
	bond := m.Bond
	bounty := bond.Part(1, 2)
	if to.IsZero() {
		bounty = money.Amount{}
	}
	burned := bond.Minus(bounty)
	m.Bond, m.Status, m.Leaving, m.Clean = money.Amount{}, Expelled, false, 0
	if seat := t.Round.seat(who); seat != nil {
		seat.Present = false
	}
	t.Round.Slashes = append(t.Round.Slashes, Slash{
		Account: who, Role: m.Role, Unit: unit, Amount: bond, To: to, Bounty: bounty, Burned: burned, Detail: detail,
	})
	if !to.IsZero() {
		t.record(Receipt{
			ID: fmt.Sprintf("r%d-u%d-bounty", t.Round.Number, unit), Kind: ForBounty, To: to, Round: t.Round.Number, Unit: unit,
			Gross: bond, Burned: burned, Amount: bounty,
		})
		t.pay(to, bounty)
	}
	t.burn(burned)
	t.event("slashed", "account", who.String(), "role", string(m.Role), "unit", fmt.Sprint(unit), "to", to.String(), "amount", bond.String(), "detail", detail)
}
