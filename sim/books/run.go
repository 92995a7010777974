package books

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// performance is a run and how its members behave. What they compute is a hash: the rules see nothing else.
type performance struct {
	*Simulation
	id      protocol.Hash
	members []protocol.Account
	how     map[protocol.Account]string
}

// hire makes people members; some of them misbehave.
func (p *performance) hire(author protocol.Account, providers, verifiers int) error {
	order := p.random.Perm(len(p.people))
	for i := range providers + verifiers {
		who := p.people[order[i]]
		role, bad := work.Provider, []string{"liar", "mute", "deserter"}
		if i >= providers {
			role, bad = work.Verifier, []string{"contrarian", "mute", "deserter"}
		}
		if p.chance(20) {
			p.how[who] = bad[p.random.IntN(len(bad))]
		}
		join := work.Join{Run: p.id, Role: role}
		if spec := p.state().Spec; role == work.Provider && spec.Market != nil {
			var err error
			if join.Hire, err = p.lease(author, who, spec.Price.PerUnit); err != nil {
				return err
			}
		}
		if err := p.submit(who, join); err != nil {
			return fmt.Errorf("join: %w", err)
		}
		p.members = append(p.members, who)
	}
	return nil
}

func (p *performance) state() *work.State {
	s, err := p.Ledger.Run(p.id)
	if err != nil {
		panic("books: " + err.Error())
	}
	return s
}

// play lets every member do what is due, and reports whether the run has ended.
func (p *performance) play() (bool, error) {
	if p.chance(20) || len(p.state().Admitted()) > 0 && p.chance(30) {
		p.quarrel()
	}
	for _, who := range p.members {
		if p.how[who] == "deserter" && p.chance(5) {
			p.submit(who, work.Leave{Run: p.id})
		}
		for _, t := range work.Duty(p.state(), who) {
			m := p.message(who, t)
			if m == nil {
				continue
			}
			if err := p.submit(who, m); err != nil {
				return false, fmt.Errorf("%s: %w", t.Kind, err)
			}
		}
	}
	return p.state().Phase.Ended(), nil
}

// message answers a task, or is nil.
func (p *performance) message(who protocol.Account, t work.Task) protocol.Msg {
	how := p.how[who]
	if how == "mute" && p.chance(30) {
		return nil
	}
	if t.Kind == work.TaskDispute { // at once to its end; some auditors forget
		if p.chance(70) {
			p.dispute(who, t.Units[0])
		}
		return nil
	}
	return Answer(p.state(), p.id, who, t, how)
}
