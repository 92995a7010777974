// Package verifier owns the role that recomputes: it audits the units that the beacon draws for it, disputes those that
// it finds wrong and plays the dispute, reports which payloads can be had, computes the aggregate and disputes another that others name. What it says it seals first, so that nobody can repeat it.
package verifier

import (
	"context"
	"fmt"
	"time"

	"github.com/mutirao/mutirao/agent/member"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
)

// DefaultPatience is how long a verifier looks for a revealed payload before it reports it as not available.
const DefaultPatience = 10 * time.Second

// Verifier is the role. One goroutine owns it.
type Verifier struct {
	*member.Member
	patience time.Duration
	round    uint32
	openings map[attempt]work.Opening // of units recomputed in this round
	fetched  map[uint32]bool          // units of this round by whether their payload could be had
}

type attempt struct{ unit, attempt uint32 }

// New makes a verifier. patience is how long it looks for a payload; 0 means DefaultPatience.
func New(c member.Config, patience time.Duration) *Verifier {
	if patience == 0 {
		patience = DefaultPatience
	}
	return &Verifier{Member: member.New(c, work.Verifier), patience: patience}
}

// Step does what the state asks of this verifier. A restarted verifier recomputes what it sealed, with the same bytes.
func (v *Verifier) Step(ctx context.Context, s *work.State) ([]protocol.Msg, error) {
	tasks, msgs, err := v.Attend(ctx, s)
	if err != nil {
		return msgs, err
	}
	if s.Round != nil && s.Round.Number != v.round {
		v.round, v.openings, v.fetched = s.Round.Number, map[attempt]work.Opening{}, map[uint32]bool{}
	}
	for _, task := range tasks {
		if task.Kind == work.TaskDispute {
			msgs = append(msgs, v.challenge(s, task)...)
			continue
		}
		m, err := v.do(ctx, s, task)
		if err != nil {
			return msgs, err
		}
		msgs = append(msgs, m)
	}
	moves, err := v.Play(ctx, s)
	if msgs = append(msgs, moves...); err != nil {
		return msgs, err
	}
	objections, err := v.Object(ctx, s)
	return append(msgs, objections...), err
}

func (v *Verifier) do(ctx context.Context, s *work.State, task work.Task) (protocol.Msg, error) {
	switch task.Kind {
	case work.TaskAggregate:
		return v.aggregate(ctx, s)
	case work.TaskAuditCommit, work.TaskAuditReveal:
		report, err := v.report(ctx, s, task.Units)
		if err != nil {
			return nil, err
		}
		salt := v.Identity.Salt("report", s.ID, task.Round, task.Pass)
		if task.Kind == work.TaskAuditCommit {
			seal := work.ReportSeal(s.ID, task.Round, task.Pass, v.Identity.Account, report, salt)
			return work.AuditCommit{Run: s.ID, Round: task.Round, Pass: task.Pass, Seal: seal}, nil
		}
		return work.AuditReveal{Run: s.ID, Round: task.Round, Pass: task.Pass, Report: report, Salt: salt}, nil
	}
	return nil, fmt.Errorf("a verifier has no task %s", task.Kind)
}

// challenge opens disputes over the units whose audit found another result. The nonce tells the passes apart: in each, another unit or
// another dispute is meant.
func (v *Verifier) challenge(s *work.State, task work.Task) (msgs []protocol.Msg) {
	for _, unit := range task.Units {
		msgs = append(msgs, dispute.Open{Run: s.ID, Round: task.Round, Unit: unit, Nonce: uint64(s.Round.Pass)})
	}
	return msgs
}

func (v *Verifier) aggregate(ctx context.Context, s *work.State) (protocol.Msg, error) {
	a, err := v.Aggregate(ctx, s)
	return work.Aggregate{Run: s.ID, Round: s.Round.Number, Next: a.Next, Rejected: a.Rejected, Trace: a.Trace}, err
}
