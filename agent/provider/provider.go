// Package provider owns the role that sells compute: it computes the units that the ledger assigns to it, seals and reveals
// them, serves their payloads, defends them in disputes, and follows the aggregate so that it has the next model before it is asked to use it.
package provider

import (
	"context"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/member"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// Provider is the role. One goroutine owns it.
type Provider struct {
	*member.Member
	drill   Drill
	results map[key]work.Result // of units of the open round, sealed and not yet revealed
}

type key struct{ round, unit, attempt uint32 }

// New makes a provider. drill is nil for an honest one.
func New(c member.Config, drill Drill) *Provider {
	if drill == nil {
		drill = honest{}
	}
	return &Provider{Member: member.New(c, work.Provider), drill: drill, results: map[key]work.Result{}}
}

// Step does what the state asks of this provider. Asking again after a restart computes a sealed unit anew, with the same
// bytes, and reveals it.
func (p *Provider) Step(ctx context.Context, s *work.State) ([]protocol.Msg, error) {
	tasks, msgs, err := p.Attend(ctx, s)
	if err != nil || p.Shop == nil {
		return msgs, err
	}
	for _, task := range tasks {
		m, err := p.do(ctx, s, task)
		msgs = append(msgs, m...)
		if err != nil {
			return msgs, err
		}
	}
	moves, err := p.Play(ctx, s)
	if msgs = append(msgs, moves...); err != nil {
		return msgs, err
	}
	objections, err := p.follow(ctx, s)
	return append(msgs, objections...), err
}

func (p *Provider) do(ctx context.Context, s *work.State, task work.Task) (msgs []protocol.Msg, err error) {
	switch task.Kind {
	case work.TaskCompute:
		for _, unit := range task.Units {
			seal, err := p.seal(ctx, s, unit)
			if err != nil {
				return msgs, err
			}
			if !seal.IsZero() {
				msgs = append(msgs, work.Commit{Run: s.ID, Round: s.Round.Number, Unit: unit, Seal: seal})
			}
		}
	case work.TaskReveal:
		for _, unit := range task.Units {
			result, salt, err := p.opening(ctx, s, unit)
			if err != nil {
				return msgs, err
			}
			if result.Trace.IsZero() {
				continue // a drill has nothing to show yet
			}
			p.Observe.Tell(agent.News{Name: agent.Revealed, Round: s.Round.Number, Unit: unit})
			msgs = append(msgs, work.Reveal{Run: s.ID, Round: s.Round.Number, Unit: unit, Result: result, Salt: salt})
		}
	}
	return msgs, nil
}

// seal computes a unit and returns its seal; zero if a drill has nothing to seal yet.
func (p *Provider) seal(ctx context.Context, s *work.State, unit uint32) (protocol.Hash, error) {
	p.Observe.Tell(agent.News{Name: agent.Started, Round: s.Round.Number, Unit: unit})
	if seal, instead := p.drill.Seal(s, unit); instead {
		return seal, nil
	}
	result, err := p.result(ctx, s, unit)
	if err != nil {
		return protocol.Hash{}, err
	}
	p.Observe.Tell(agent.News{Name: agent.Sealed, Round: s.Round.Number, Unit: unit})
	u := &s.Round.Units[unit]
	return work.CommitSeal(s.ID, s.Round.Number, unit, u.Shard, p.Identity.Account, result, p.salt(s, u)), nil
}

// opening returns what opens the seal of a unit.
func (p *Provider) opening(ctx context.Context, s *work.State, unit uint32) (work.Result, protocol.Hash, error) {
	if result, salt, instead := p.drill.Opening(s, unit); instead {
		return result, salt, nil
	}
	result, err := p.result(ctx, s, unit)
	return result, p.salt(s, &s.Round.Units[unit]), err
}

// salt differs between attempts at one unit, which have different shards.
func (p *Provider) salt(s *work.State, u *work.Unit) protocol.Hash {
	return p.Identity.Salt("unit", s.ID, s.Round.Number, u.Index<<1|u.Attempt)
}

func (p *Provider) result(ctx context.Context, s *work.State, unit uint32) (work.Result, error) {
	k := key{s.Round.Number, unit, s.Round.Units[unit].Attempt}
	if r, done := p.results[k]; done {
		return r, nil
	}
	if err := p.drill.Before(ctx, s.Round.Number); err != nil {
		return work.Result{}, err
	}
	e, err := p.Shop.Execute(ctx, s, unit)
	if err != nil {
		return work.Result{}, err
	}
	bytes, err := p.drill.Payload(s.Round.Number, e.Payload, p.Shop.Trainer().Layout())
	if err != nil {
		return work.Result{}, err
	}
	r, err := p.Shop.Offer(ctx, e, bytes)
	if err != nil {
		return work.Result{}, err
	}
	for old := range p.results {
		if old.round != k.round {
			delete(p.results, old)
		}
	}
	p.results[k] = r
	return r, nil
}

// follow computes the aggregate beside the verifiers, so that the next unit can start without a download, and disputes another that they name.
func (p *Provider) follow(ctx context.Context, s *work.State) ([]protocol.Msg, error) {
	if s.Phase != work.PhaseAggregate && s.Phase != work.PhaseContest {
		return nil, nil
	}
	if _, err := p.Aggregate(ctx, s); err != nil {
		return nil, err
	}
	return p.Object(ctx, s)
}
