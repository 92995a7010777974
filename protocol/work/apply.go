package work

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Apply changes a run by a message. s is nil for CreateRun, which makes the run. On success the new state is independent
// of s; on an error s is as before and there are no effects. The host has authenticated from, and refuses a CreateRun whose
// RunID exists. Errors: those of the message's Check, and by name below each message's rule. Rule: spec/work.md §3.
func Apply(s *State, m protocol.Msg, from protocol.Account, env protocol.Env) (*State, []protocol.Effect, error) {
	msg, ok := m.(Msg)
	if !ok {
		return nil, nil, fmt.Errorf("%w: %T is not a message about a run", protocol.ErrInvalid, m)
	}
	if err := msg.Check(); err != nil {
		return nil, nil, err
	}
	if from.IsZero() {
		return nil, nil, fmt.Errorf("%w: the sender is missing", protocol.ErrInvalid)
	}
	if create, ok := msg.(CreateRun); ok {
		if s != nil {
			return nil, nil, fmt.Errorf("%w: run %s", protocol.ErrExists, short(s.ID))
		}
		return created(create, from, env)
	}
	if s == nil || s.ID != msg.Target() {
		return nil, nil, fmt.Errorf("%w: run %s", protocol.ErrNotFound, short(msg.Target()))
	}
	if s.Phase.Ended() {
		return nil, nil, fmt.Errorf("%w: run %s is %s", protocol.ErrFinished, short(s.ID), s.Phase)
	}
	t := &turn{State: s.Clone(), env: env}
	if err := t.apply(msg, from); err != nil {
		return nil, nil, err
	}
	return t.State, t.effects, nil
}

// turn is one transition: the new state in the making and the effects so far.
type turn struct {
	*State
	env     protocol.Env
	effects []protocol.Effect
}

func (t *turn) apply(msg Msg, from protocol.Account) error {
	switch m := msg.(type) {
	case Join:
		return t.join(m, from)
	case Ready:
		return t.ready(m, from)
	case Leave:
		return t.leave(from)
	case Commit:
		return t.commit(m, from)
	case Reveal:
		return t.reveal(m, from)
	case AuditCommit:
		return t.auditCommit(m, from)
	case AuditReveal:
		return t.auditReveal(m, from)
	case Aggregate:
		return t.vote(m, from)
	}
	return fmt.Errorf("%w: unknown message %s", protocol.ErrInvalid, msg.Kind())
}

func (t *turn) emit(e protocol.Effect) { t.effects = append(t.effects, e) }

// event announces something about the run; pairs are attribute names and values in turn.
func (t *turn) event(kind string, pairs ...string) {
	attributes := []protocol.Attribute{{Name: "run", Value: t.ID.String()}}
	for i := 0; i+1 < len(pairs); i += 2 {
		attributes = append(attributes, protocol.Attribute{Name: pairs[i], Value: pairs[i+1]})
	}
	t.emit(protocol.Event{Type: "work." + kind, Attributes: attributes})
}

// lock, pay and burn leave out amounts of zero, which hosts need not support.
func (t *turn) lock(from protocol.Account, a money.Amount) {
	if !a.IsZero() {
		t.emit(protocol.Lock{From: from, Amount: a})
	}
}

func (t *turn) pay(to protocol.Account, a money.Amount) {
	if !a.IsZero() {
		t.emit(protocol.Pay{To: to, Amount: a})
	}
}

// giveBack returns what an account had locked itself.
func (t *turn) giveBack(to protocol.Account, a money.Amount) {
	if !a.IsZero() {
		t.emit(protocol.Pay{To: to, Amount: a, Back: true})
	}
}

func (t *turn) burn(a money.Amount) {
	if !a.IsZero() {
		t.emit(protocol.Burn{Amount: a})
	}
}

// record keeps a receipt after filling in what all receipts share.
func (t *turn) record(r Receipt) {
	r.Version, r.Run, r.Height, r.Time = Version, t.ID, t.env.Height, t.env.Time
	t.emit(protocol.Record{Value: r})
}

// created makes a run in the gather phase. Effect: the budget is locked. Rule: spec/work.md §3.
func created(m CreateRun, from protocol.Account, env protocol.Env) (*State, []protocol.Effect, error) {
	spec := m.Spec
	spec.Params, spec.Recipe = slices.Clone(spec.Params), slices.Clone(spec.Recipe)
	t := &turn{env: env, State: &State{
		ID: RunID(from, m), Author: from, Spec: spec, Created: env.Height, Phase: PhaseGather,
		Beacon: FirstBeacon(spec.Seed), Current: spec.Initial, Budget: spec.Budget(),
	}}
	t.Deadline = t.in(spec.Windows.Wait)
	t.emit(protocol.Lock{From: from, Amount: t.Budget, Job: true})
	t.event("run-created", "author", from.String(), "name", spec.Name, "budget", t.Budget.String())
	return t.State, t.effects, nil
}

// in is the height that many blocks from now.
func (t *turn) in(blocks uint32) protocol.Height { return t.env.Height + protocol.Height(blocks) }
