package work

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
)

// open starts a round: every active provider gets a unit, in an order drawn by the beacon, up to the Spec's number; every
// active verifier gets a seat. Rule: spec/work.md §5.
func (t *turn) open() {
	t.Opened++
	t.Round = &Round{Number: t.Opened, Opened: t.env.Height, Beacon: t.Beacon}
	var workers []protocol.Account
	for i := range t.Members {
		switch m := &t.Members[i]; {
		case m.Status != Active || m.Leaving:
		case m.Role == Provider:
			workers = append(workers, m.Account)
		default:
			t.Round.Seats = append(t.Round.Seats, Seat{Account: m.Account, Present: true})
		}
	}
	slices.SortFunc(t.Round.Seats, func(a, b Seat) int { return a.Account.Compare(b.Account) })
	shuffle(workers, domainAssign, t.Beacon, 0)
	for i, worker := range workers[:min(len(workers), int(t.Spec.MaxUnits))] {
		t.Round.Units = append(t.Round.Units, t.unit(uint32(i), 0, worker))
	}
	t.event("round-opened", "round", fmt.Sprint(t.Opened), "units", fmt.Sprint(len(t.Round.Units)))
	t.enter(PhaseCompute, t.Spec.Windows.Compute)
}

func (t *turn) unit(index, attempt uint32, worker protocol.Account) Unit {
	return Unit{
		Index: index, Attempt: attempt, Worker: worker, Status: Assigned,
		Shard: ShardSeed(t.Round.Beacon, t.Round.Number, index, attempt, worker),
	}
}

// shuffle orders accounts by their hashes with a seed, a domain and a number: an order that nobody chooses and that does
// not depend on the one they came in.
func shuffle(list []protocol.Account, domain string, seed protocol.Hash, number uint32) {
	type drawn struct {
		key protocol.Hash
		who protocol.Account
	}
	order := make([]drawn, len(list)) // one hash each: the auditors of many units must not take long at the end of a block
	for i, who := range list {
		order[i] = drawn{new(protocol.Preimage).Hash(seed).Uint32(number).Account(who).Digest(domain), who}
	}
	slices.SortFunc(order, func(a, b drawn) int { return slices.Compare(a.key[:], b.key[:]) })
	for i := range order {
		list[i] = order[i].who
	}
}

// chance draws a number below PPM. The bias of the remainder is below 10^-13.
func chance(domain string, seed protocol.Hash, number uint32) uint32 {
	h := new(protocol.Preimage).Hash(seed).Uint32(number).Digest(domain)
	return uint32(binary.BigEndian.Uint64(h[:8]) % PPM)
}

// expect returns nil if the message is for the open round and the phase, ErrRound or ErrPhase otherwise.
func (t *turn) expect(number uint32, p Phase) error {
	if t.Round == nil || t.Round.Number != number {
		return fmt.Errorf("%w: the message is for round %d, the run opened round %d", protocol.ErrRound, number, t.Opened)
	}
	if t.Phase != p {
		return fmt.Errorf("%w: the run is in phase %s, the message belongs to %s", protocol.ErrPhase, t.Phase, p)
	}
	return nil
}

// unitOf returns the unit that from works on. Errors: ErrRound for an index that does not exist, ErrNotAssigned.
func (t *turn) unitOf(index uint32, from protocol.Account) (*Unit, error) {
	if int(index) >= len(t.Round.Units) {
		return nil, fmt.Errorf("%w: unit %d of %d", protocol.ErrRound, index, len(t.Round.Units))
	}
	u := &t.Round.Units[index]
	if u.Worker != from {
		return nil, fmt.Errorf("%w: unit %d belongs to %s", protocol.ErrNotAssigned, index, u.Worker)
	}
	return u, nil
}

// commit takes the seal of a unit. Equal seals of two workers are accepted: the copy may arrive first, but only the worker
// whose identity is inside can open it. Errors: ErrRound, ErrPhase, ErrNotAssigned, ErrDuplicate. Rule: spec/work.md §5.
func (t *turn) commit(m Commit, from protocol.Account) error {
	if err := t.expect(m.Round, PhaseCompute); err != nil {
		return err
	}
	u, err := t.unitOf(m.Unit, from)
	if err != nil {
		return err
	}
	if u.Status != Assigned {
		return fmt.Errorf("%w: unit %d is %s", protocol.ErrDuplicate, m.Unit, u.Status)
	}
	u.Seal, u.Status = m.Seal, Committed
	return nil
}

// endCompute lets the unsealed units expire. Each goes once to another worker, drawn from those that sealed one, with a
// fresh shard; after that it is dropped. The first worker is away; whoever took a unit over is not blamed for a second
// one. Rule: spec/work.md §5.
func (t *turn) endCompute() {
	var late []*Unit
	var ready []protocol.Account
	for i := range t.Round.Units {
		switch u := &t.Round.Units[i]; u.Status {
		case Assigned:
			late = append(late, u)
		case Committed:
			ready = append(ready, u.Worker)
		}
	}
	reassigned := 0
	for _, u := range late {
		if u.Attempt == 0 {
			t.miss(u.Worker, false)
		}
		if u.Attempt > 0 || len(ready) == 0 {
			u.Status = Missed
			continue
		}
		if reassigned%len(ready) == 0 { // everybody has got one: shuffle again
			shuffle(ready, domainReassign, t.Round.Beacon, u.Index)
		}
		t.reassign(u, ready[reassigned%len(ready)])
		reassigned++
	}
	if reassigned > 0 {
		t.enter(PhaseCompute, t.Spec.Windows.Compute)
		return
	}
	t.enter(PhaseReveal, t.Spec.Windows.Reveal)
}

func (t *turn) reassign(u *Unit, to protocol.Account) {
	from := u.Worker
	expired := *u
	expired.Status = Missed
	t.record(t.unitReceipt(&expired))
	*u = t.unit(u.Index, u.Attempt+1, to)
	t.Round.Reassigned = append(t.Round.Reassigned, Reassignment{Unit: u.Index, From: from, To: to})
	t.event("unit-reassigned", "unit", fmt.Sprint(u.Index), "from", from.String(), "to", to.String())
}

// reveal opens the seal of a unit. Errors: ErrRound, ErrPhase, ErrNotAssigned, ErrDuplicate, and ErrSealMismatch if the
// content is not what the sender sealed as its own. Rule: spec/work.md §6.
func (t *turn) reveal(m Reveal, from protocol.Account) error {
	if err := t.expect(m.Round, PhaseReveal); err != nil {
		return err
	}
	u, err := t.unitOf(m.Unit, from)
	if err != nil {
		return err
	}
	if u.Status != Committed {
		return fmt.Errorf("%w: unit %d is %s", protocol.ErrDuplicate, m.Unit, u.Status)
	}
	if CommitSeal(t.ID, t.Round.Number, u.Index, u.Shard, from, m.Result, m.Salt) != u.Seal {
		return fmt.Errorf("%w: unit %d of round %d", protocol.ErrSealMismatch, m.Unit, m.Round)
	}
	u.Result, u.Salt, u.Status = m.Result, m.Salt, Revealed
	return nil
}

// endReveal drops the units that nobody opened; their workers are away and benched. From the salts that were opened comes
// the randomness of audits and of the next round. Rule: spec/work.md §6.
func (t *turn) endReveal() {
	revealed := 0
	for i := range t.Round.Units {
		u := &t.Round.Units[i]
		switch u.Status {
		case Committed:
			u.Status = Missed
			t.miss(u.Worker, true)
		case Revealed:
			revealed++
		}
	}
	if t.Spec.Windows.Challenge > 0 {
		t.Round.Until = t.in(t.Spec.Windows.Challenge)
	}
	t.Round.Draw = DrawSeed(t.Round.Beacon, t.Round.Number, t.Round.Units)
	t.Beacon = NextBeacon(t.Round.Draw)
	if revealed == 0 {
		t.repeat("no unit was opened")
		return
	}
	for i := range t.Round.Units {
		u := &t.Round.Units[i]
		if m := t.member(u.Worker); u.Status == Revealed && m != nil {
			u.Audited = chance(domainAudit, t.Round.Draw, u.Index) < t.Spec.Audit.Rate(m.Clean)
		}
	}
	t.audit()
}
