package member

import (
	"context"
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// Play makes the moves that disputes over units and votes of the open round await from this member, as who defends its claim or as
// who opened the dispute. A move follows from the dispute on the ledger and from a re-execution of the unit, so a member that
// restarts in the middle of a game makes the move that it would have made. Attend comes first.
func (m *Member) Play(ctx context.Context, s *work.State) ([]protocol.Msg, error) {
	if s.Round == nil || s.Round.Games() == 0 || m.Shop == nil {
		m.machines, m.silent = map[key]bisect.Machine{}, map[protocol.Hash]uint32{}
		return nil, nil
	}
	list, err := m.Court.Disputes(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	var msgs []protocol.Msg
	for _, d := range list {
		if turn, silent := m.silent[d.ID]; d.Player() != m.Identity.Account || !concerns(s, d) || silent && turn == d.Turn {
			continue
		}
		msg, err := m.move(ctx, s, d)
		switch {
		case errors.Is(err, bisect.ErrAnswer):
			m.silent[d.ID] = d.Turn // the claim cannot be defended here
			m.Observe.Tell(agent.News{Name: agent.Trouble, Round: s.Round.Number, Unit: d.Claim.Unit, Detail: err.Error()})
			continue
		case err != nil:
			return msgs, fmt.Errorf("dispute %.12s: %w", d.ID, err)
		}
		msgs = append(msgs, msg)
		m.Observe.Tell(agent.News{Name: agent.Moved, Round: s.Round.Number, Unit: d.Claim.Unit,
			Detail: fmt.Sprintf("%s asks for a move of the %s: %s", d.ID.String()[:12], d.ToMove(), d.Game.Stage)})
	}
	return msgs, nil
}

// concerns reports whether a dispute is about a unit or a vote of the open round, whose model is at hand.
func concerns(s *work.State, d *dispute.State) bool {
	_, vote := work.VoteSeat(d.Claim.Unit)
	return d.Claim.Round == s.Round.Number && (vote || int(d.Claim.Unit) < len(s.Round.Units)) && d.Claim.Terms.Model == s.Current.Model
}

// move makes the signed move that a dispute awaits.
func (m *Member) move(ctx context.Context, s *work.State, d *dispute.State) (protocol.Msg, error) {
	machine, err := m.machine(ctx, s, d)
	if err != nil {
		return nil, err
	}
	if d.ToMove() == dispute.Challenger {
		c, _, err := bisect.Challenge(d.Game, machine)
		if err != nil {
			return nil, err
		}
		return m.choice(d, c)
	}
	play := dispute.Play{Move: dispute.Move{Dispute: d.ID, Turn: d.Turn, Side: dispute.Defender}}
	if play.Move.Answer, err = answer(d.Game, machine); err != nil {
		return nil, err
	}
	play.Signature, err = m.Court.Sign(play.Move.Digest())
	return play, err
}

// Choose makes a choice of the challenger by hand: the part is the caller's, what is shown of it this machine's execution.
func (m *Member) Choose(ctx context.Context, s *work.State, d *dispute.State, part int) (protocol.Msg, error) {
	machine, err := m.machine(ctx, s, d)
	if err != nil {
		return nil, err
	}
	c, err := bisect.Show(d.Game, machine, part)
	if err != nil {
		return nil, err
	}
	return m.choice(d, c)
}

// choice signs a choice.
func (m *Member) choice(d *dispute.State, c bisect.Choice) (protocol.Msg, error) {
	play := dispute.Play{Move: dispute.Move{Dispute: d.ID, Turn: d.Turn, Side: dispute.Challenger, Choice: uint32(c.Part), Answer: c.Shown}}
	var err error
	play.Signature, err = m.Court.Sign(play.Move.Digest())
	return play, err
}

// answer is the defender's, if it has one that the game takes: another would cost a fee and change nothing.
func answer(g *bisect.Game, machine bisect.Machine) ([]byte, error) {
	a, err := bisect.Defend(g, machine)
	if err != nil {
		return nil, err
	}
	return a, g.Clone().Answer(a, machine)
}

// key names a machine: a side of a claim.
type key struct {
	claim protocol.Hash
	side  dispute.Side
}

// machine is the unit or aggregate of a dispute as this member has it: its own payload where it defends, the true one where it challenges. It is
// kept as long as disputes are open. There is one of the aggregate, whoever has voted: it is the true one.
func (m *Member) machine(ctx context.Context, s *work.State, d *dispute.State) (bisect.Machine, error) {
	k := key{d.Claim.Digest(), d.ToMove()}
	_, vote := work.VoteSeat(d.Claim.Unit)
	if vote {
		k = key{claim: d.Claim.Terms.Dataset} // what it reads
	}
	if machine := m.machines[k]; machine != nil {
		return machine, nil
	}
	if vote {
		fold, err := m.Shop.Fold(ctx, s)
		if err != nil {
			return nil, err
		}
		m.machines[k] = fold
		return fold, nil
	}
	var sent []byte
	if k.side == dispute.Defender {
		if own, err := m.Shop.Fetch(ctx, s.Round.Units[d.Claim.Unit].Result.Payload); err == nil {
			sent = own
		}
	}
	machine, err := m.Shop.Machine(ctx, s.Current, d.Claim.Shard, d.Claim.Terms.Steps, sent)
	if err != nil {
		return nil, err
	}
	m.machines[k] = machine
	return machine, nil
}
