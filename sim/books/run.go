package books

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
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

// message answers a task, for its first unit where there are several, or is nil.
func (p *performance) message(who protocol.Account, t work.Task) protocol.Msg {
	s := p.state()
	r, how := s.Round, p.how[who]
	salt := hash("salt", who, t.Round)
	if how == "mute" && p.chance(30) {
		return nil
	}
	switch t.Kind {
	case work.TaskReady:
		return work.Ready{Run: p.id}
	case work.TaskCompute:
		u := r.Units[t.Units[0]]
		return work.Commit{Run: p.id, Round: r.Number, Unit: u.Index, Seal: work.CommitSeal(p.id, r.Number, u.Index, u.Shard, who, result(u, how), salt)}
	case work.TaskReveal:
		u := r.Units[t.Units[0]]
		return work.Reveal{Run: p.id, Round: r.Number, Unit: u.Index, Result: result(u, how), Salt: salt}
	case work.TaskAuditCommit:
		return work.AuditCommit{Run: p.id, Round: r.Number, Pass: t.Pass, Seal: work.ReportSeal(p.id, r.Number, t.Pass, who, report(s, how, t), salt)}
	case work.TaskAuditReveal:
		return work.AuditReveal{Run: p.id, Round: r.Number, Pass: t.Pass, Report: report(s, how, t), Salt: salt}
	case work.TaskDispute: // at once to its end; some auditors forget
		if p.chance(70) {
			p.dispute(who, t.Units[0])
		}
		return nil
	case work.TaskAggregate:
		next := work.StateRef{Model: hash("m", p.id, r.Number), Outer: hash("o", p.id, r.Number), Blob: hash("b", p.id, r.Number)}
		return work.Aggregate{Run: p.id, Round: r.Number, Next: next, Trace: hash("t", p.id, r.Number)}
	}
	return nil
}

// opening is what an execution of a unit finds; liars and contrarians find something else.
func opening(u work.Unit, how string) work.Opening {
	twist := ""
	if how == "liar" || how == "contrarian" {
		twist = how
	}
	o := work.Opening{Unit: u.Index, Payload: hash("payload", u.Shard, twist)}
	for i := range o.Points {
		o.Points[i] = hash("point", u.Shard, i, twist)
	}
	return o
}

func result(u work.Unit, how string) work.Result {
	o := opening(u, how)
	return work.Result{
		Payload: work.PayloadRef{Root: o.Payload, Blob: hash("address", o.Payload), Size: 64},
		Trace:   trace.TraceRoot([trace.Points]merkle.Hash(o.Points), o.Payload),
	}
}

func report(s *work.State, how string, t work.Task) work.Report {
	r := work.Report{Audits: openings(s, how, t)}
	for _, u := range s.Round.Units {
		r.Available = append(r.Available, u.Opened())
	}
	return r
}

func openings(s *work.State, how string, t work.Task) work.Openings {
	list := work.Openings{}
	for _, i := range t.Units {
		list = append(list, opening(s.Round.Units[i], how))
	}
	return list
}
