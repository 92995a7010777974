package sim

import (
	"context"

	"github.com/mutirao/mutirao/agent/member"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
)

// corrupt is a verifier that tells one kind of lie whenever it can. It keeps to the form of all messages: the ledger
// refuses everything else anyway.
type corrupt struct {
	*machine
	run    protocol.Hash
	shop   *workshop.Workshop
	player *member.Member
}

// Step does its duties in its own way.
func (c *corrupt) Step(ctx context.Context, s *work.State) ([]protocol.Msg, error) {
	c.SetPeers(s.Peers())
	if s.Phase.Ended() {
		return nil, nil
	}
	m, joined := s.Member(c.identity.Account)
	switch {
	case m.Status == work.Expelled:
		return nil, nil
	case !joined || m.Status == work.Left:
		return []protocol.Msg{work.Join{Run: s.ID, Role: work.Verifier, Peer: c.address()}}, nil
	}
	if c.shop == nil {
		shop, err := workshop.Open(ctx, c.ledger, c.machine, s)
		if err != nil {
			return nil, err
		}
		c.shop = shop
		c.player = member.New(member.Config{Identity: c.identity, Run: c.run, Peer: c.address, Ledger: c.ledger, Court: c.ledger, Blobs: c.machine, Observe: c.observe}, work.Verifier)
		c.player.Shop = shop
	}
	var msgs []protocol.Msg
	for _, task := range work.Duty(s, c.identity.Account) {
		if task.Kind == work.TaskDispute {
			msgs = append(msgs, c.dispute(s, task)...)
			continue
		}
		msg, err := c.do(ctx, s, task)
		if err != nil {
			return msgs, err
		}
		if msg != nil {
			msgs = append(msgs, msg)
		}
	}
	if c.Lie == Slander {
		msgs = append(msgs, c.slander(s)...)
	}
	moves, err := c.player.Play(ctx, s)
	return append(msgs, moves...), err
}

// dispute opens the disputes that its reports call for, unless it has invented what it reported.
func (c *corrupt) dispute(s *work.State, task work.Task) (msgs []protocol.Msg) {
	if c.Lie == Invent {
		return nil
	}
	for _, unit := range task.Units {
		msgs = append(msgs, dispute.Open{Run: s.ID, Round: task.Round, Unit: unit, Nonce: uint64(s.Round.Pass)})
	}
	return msgs
}

// slander disputes the vote of everybody else.
func (c *corrupt) slander(s *work.State) (msgs []protocol.Msg) {
	if s.Phase != work.PhaseContest {
		return nil
	}
	for i := range s.Round.Seats {
		if x := &s.Round.Seats[i]; x.Vote != nil && x.Account != c.identity.Account {
			msgs = append(msgs, dispute.Open{Run: s.ID, Round: s.Round.Number, Unit: work.VoteUnit(i)})
		}
	}
	return msgs
}

// do answers one task; nil if it keeps silent.
func (c *corrupt) do(ctx context.Context, s *work.State, task work.Task) (protocol.Msg, error) {
	me, salt := c.identity.Account, c.identity.Salt(string(c.Lie), s.ID, task.Round, task.Pass)
	switch task.Kind {
	case work.TaskReady:
		return work.Ready{Run: s.ID, Peer: c.address()}, nil
	case work.TaskAggregate:
		v, err := c.shop.Aggregate(ctx, c.tampered(s))
		return work.Aggregate{Run: s.ID, Round: task.Round, Next: v.Next, Rejected: v.Rejected, Trace: v.Trace}, err
	case work.TaskAuditCommit, work.TaskAuditReveal:
		report, err := c.report(ctx, s, task.Units)
		if err != nil {
			return nil, err
		}
		if task.Kind == work.TaskAuditReveal {
			if c.Lie == Mute {
				return nil, nil
			}
			return work.AuditReveal{Run: s.ID, Round: task.Round, Pass: task.Pass, Report: report, Salt: salt}, nil
		}
		seal := work.ReportSeal(s.ID, task.Round, task.Pass, me, report, salt)
		if c.Lie == Echo {
			seal = c.overheard(s)
		}
		if seal.IsZero() {
			return nil, nil
		}
		return work.AuditCommit{Run: s.ID, Round: task.Round, Pass: task.Pass, Seal: seal}, nil
	}
	return nil, nil
}

// overheard is the first seal of another verifier.
func (c *corrupt) overheard(s *work.State) protocol.Hash {
	for i := range s.Round.Seats {
		if x := &s.Round.Seats[i]; x.Account != c.identity.Account && !x.Seal.IsZero() {
			return x.Seal
		}
	}
	return protocol.Hash{}
}

func (c *corrupt) report(ctx context.Context, s *work.State, units []uint32) (work.Report, error) {
	available := make([]bool, len(s.Round.Units))
	for i := range available {
		ref := s.Round.Units[i].Result.Payload
		if c.Lie == Blind || ref.Blob.IsZero() {
			continue
		}
		_, err := c.shop.Fetch(ctx, ref)
		available[i] = err == nil || c.Lie == Invent || c.Lie == Accomplice
	}
	openings, err := c.openings(ctx, s, units)
	return work.Report{Available: available, Audits: openings}, err
}

func (c *corrupt) openings(ctx context.Context, s *work.State, units []uint32) ([]work.Opening, error) {
	var list []work.Opening
	for _, unit := range units {
		claim := s.Round.Units[unit].Result
		if c.Lie == Invent {
			o := work.Opening{Unit: unit, Payload: claim.Payload.Root}
			for i := range o.Points {
				o.Points[i] = merkle.Leaf([]byte{byte(i)})
			}
			list = append(list, o)
			continue
		}
		e, err := c.shop.Execute(ctx, s, unit)
		if err != nil {
			return nil, err
		}
		o := e.Opening
		switch c.Lie {
		case Misjudge:
			o.Points[8][0] ^= 1
		case Accomplice:
			o.Payload = claim.Payload.Root
		}
		list = append(list, o)
	}
	return list, nil
}

// tampered leaves the first admitted unit out, if that is the lie.
func (c *corrupt) tampered(s *work.State) *work.State {
	if units := s.Admitted(); c.Lie == Misvote && len(units) > 0 {
		s = s.Clone()
		s.Round.Units[units[0]].Status = work.Void
	}
	return s
}
