// Package verifier owns the role that recomputes: it audits the units that the beacon draws for it, sits on juries,
// reports which payloads can be had, and computes the aggregate. What it says it seals first, so that nobody can repeat it.
package verifier

import (
	"context"
	"time"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// DefaultPatience is how long a verifier looks for a revealed payload before it reports it as not available.
const DefaultPatience = 10 * time.Second

// Config is what a verifier is made of.
type Config struct {
	Identity agent.Identity
	Run      protocol.Hash
	Peer     func() string // where it serves blobs now, for the ledger
	Ledger   agent.Ledger
	Blobs    agent.Blobs
	Observe  agent.Observer
	Patience time.Duration // 0: DefaultPatience
}

// Verifier is the role. One goroutine owns it.
type Verifier struct {
	Config
	shop     *workshop.Workshop
	round    uint32
	openings map[attempt]work.Opening // of units recomputed in this round
	fetched  map[uint32]bool          // units of this round by whether their payload could be had
}

type attempt struct{ unit, attempt uint32 }

// New makes a verifier.
func New(c Config) *Verifier {
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	return &Verifier{Config: c}
}

// Step does what the state asks of this verifier. A restarted verifier recomputes what it sealed, with the same bytes.
func (v *Verifier) Step(ctx context.Context, s *work.State) ([]protocol.Msg, error) {
	v.Blobs.SetPeers(s.Peers())
	if s.Phase.Ended() {
		return nil, nil
	}
	m, member := s.Member(v.Identity.Account)
	if !member || m.Status == work.Left {
		return []protocol.Msg{work.Join{Run: s.ID, Role: work.Verifier, Peer: v.Peer()}}, nil
	}
	if v.shop == nil {
		shop, err := workshop.Open(ctx, v.Ledger, v.Blobs, s)
		if err != nil {
			return nil, err
		}
		v.shop = shop
	}
	v.shop.Tidy(s)
	if s.Round != nil && s.Round.Number != v.round {
		v.round, v.openings, v.fetched = s.Round.Number, map[attempt]work.Opening{}, map[uint32]bool{}
	}
	var msgs []protocol.Msg
	if m.Status == work.Active && m.Peer != v.Peer() { // it moved while it was gone
		msgs = append(msgs, work.Ready{Run: s.ID, Peer: v.Peer()})
	}
	for _, task := range work.Duty(s, v.Identity.Account) {
		m, err := v.do(ctx, s, task)
		if err != nil {
			return msgs, err
		}
		msgs = append(msgs, m)
	}
	if s.Phase == work.PhaseGather { // nothing else is due, and whoever published the model may be gone later
		_, err := v.shop.Public(ctx, s.Current)
		return msgs, err
	}
	return msgs, nil
}

func (v *Verifier) do(ctx context.Context, s *work.State, task work.Task) (protocol.Msg, error) {
	switch task.Kind {
	case work.TaskReady:
		return work.Ready{Run: s.ID, Peer: v.Peer()}, nil
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
	default: // the jury's two tasks
		openings, err := v.recomputeAll(ctx, s, task.Units)
		if err != nil {
			return nil, err
		}
		salt := v.Identity.Salt("jury", s.ID, task.Round, 0)
		if task.Kind == work.TaskJuryCommit {
			seal := work.FindingsSeal(s.ID, task.Round, v.Identity.Account, openings, salt)
			return work.JuryCommit{Run: s.ID, Round: task.Round, Seal: seal}, nil
		}
		return work.JuryReveal{Run: s.ID, Round: task.Round, Openings: openings, Salt: salt}, nil
	}
}

func (v *Verifier) aggregate(ctx context.Context, s *work.State) (protocol.Msg, error) {
	next, rejected, err := v.shop.Aggregate(ctx, s)
	if err != nil {
		return nil, err
	}
	v.Observe.Tell(agent.News{Name: agent.Derived, Round: s.Round.Number, Detail: next.Model.String()})
	return work.Aggregate{Run: s.ID, Round: s.Round.Number, Next: next, Rejected: rejected}, nil
}
