// Package member owns what provider and verifier share, and in part the watcher: to be a member of a run. It joins, says where it can be reached,
// comes back after a miss, opens the workshop, holds the model while the run gathers, asks the rules what is due, and plays disputes.
package member

import (
	"context"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// Config is what a member is made of.
type Config struct {
	Identity agent.Identity
	Run      protocol.Hash
	Peer     func() string // where it serves blobs now, for the ledger
	Ledger   agent.Ledger
	Court    agent.Court
	Blobs    agent.Blobs
	Observe  agent.Observer
	Market   agent.Market  // for a provider of a run that hires through it
	Reserve  auction.Price // the least for which it works then, a unit
}

// Member is an account that takes part in a run. One goroutine owns it.
type Member struct {
	Config
	Shop *workshop.Workshop // nil until Visit or Attend has opened it

	role   work.Role
	joined bool // whether Joined has been told

	derived  derived                  // the aggregate computed last
	machines map[key]bisect.Machine   // of disputes that are open
	silent   map[protocol.Hash]uint32 // disputes in which it has no answer, and the turn
}

// New makes a member that will take a role.
func New(c Config, role work.Role) *Member {
	return &Member{Config: c, role: role, machines: map[key]bisect.Machine{}, silent: map[protocol.Hash]uint32{}}
}

// Visit makes ready to compute for the run, as a member or not: it knows where others serve, and has opened the workshop.
func (m *Member) Visit(ctx context.Context, s *work.State) (err error) {
	m.Blobs.SetPeers(s.Peers())
	if m.Shop == nil {
		if m.Shop, err = workshop.Open(ctx, m.Ledger, m.Blobs, s); err != nil {
			return err
		}
	}
	m.Shop.Tidy(s)
	return nil
}

// Attend does the duties of every member and returns those of the role. Messages are to be sent also if there is an error.
func (m *Member) Attend(ctx context.Context, s *work.State) (tasks []work.Task, msgs []protocol.Msg, err error) {
	if s.Phase.Ended() {
		if s.Spec.Market != nil && m.role == work.Provider && m.Market != nil {
			msgs, err = m.retire(ctx, s.Spec.Market.Class)
		}
		return nil, msgs, err
	}
	self, member := s.Member(m.Identity.Account)
	if !member || self.Status == work.Left {
		if s.Spec.Calibration && m.role == work.Provider {
			return nil, []protocol.Msg{work.Join{Run: s.ID, Role: m.role, Peer: m.Peer(), Newcomer: true}}, nil
		}
		if s.Spec.Market != nil && m.role == work.Provider {
			msgs, err := m.seekHire(ctx, s)
			return nil, msgs, err
		}
		return nil, []protocol.Msg{work.Join{Run: s.ID, Role: m.role, Peer: m.Peer()}}, nil
	}
	if err := m.Visit(ctx, s); err != nil {
		return nil, nil, err
	}
	if !m.joined {
		m.joined = true
		m.Observe.Tell(agent.News{Name: agent.Joined, Round: s.Opened, Detail: self.Bond.Coins() + " locked as bond"})
	}
	moved := self.Status == work.Active && self.Peer != m.Peer() // while it was gone
	for _, task := range work.Duty(s, m.Identity.Account) {
		if task.Kind == work.TaskReady {
			moved = true
			continue
		}
		tasks = append(tasks, task)
	}
	if moved {
		msgs = append(msgs, work.Ready{Run: s.ID, Peer: m.Peer()})
	}
	if s.Phase == work.PhaseGather { // nothing else is due, and whoever published the model may be gone later
		_, err = m.Shop.Public(ctx, s.Current)
	}
	return tasks, msgs, err
}
