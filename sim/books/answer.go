package books

import (
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// Answer is the message by which a member does a task of a run whose results are hashes of nothing: the rules see no more. Of several units it
// does the first. A "liar" computes something else than the others, a "contrarian" audits so. It is nil for a task that is no message of
// package work.
func Answer(s *work.State, run protocol.Hash, who protocol.Account, t work.Task, how string) protocol.Msg {
	r, salt := s.Round, hash("salt", who, t.Round)
	switch t.Kind {
	case work.TaskReady:
		return work.Ready{Run: run}
	case work.TaskCompute:
		u := r.Units[t.Units[0]]
		return work.Commit{Run: run, Round: r.Number, Unit: u.Index, Seal: work.CommitSeal(run, r.Number, u.Index, u.Shard, who, result(u, how), salt)}
	case work.TaskReveal:
		u := r.Units[t.Units[0]]
		return work.Reveal{Run: run, Round: r.Number, Unit: u.Index, Result: result(u, how), Salt: salt}
	case work.TaskAuditCommit:
		return work.AuditCommit{Run: run, Round: r.Number, Pass: t.Pass, Seal: work.ReportSeal(run, r.Number, t.Pass, who, report(s, how, t), salt)}
	case work.TaskAuditReveal:
		return work.AuditReveal{Run: run, Round: r.Number, Pass: t.Pass, Report: report(s, how, t), Salt: salt}
	case work.TaskAggregate:
		next := work.StateRef{Model: hash("m", run, r.Number), Outer: hash("o", run, r.Number), Blob: hash("b", run, r.Number)}
		return work.Aggregate{Run: run, Round: r.Number, Next: next, Trace: hash("t", run, r.Number)}
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
