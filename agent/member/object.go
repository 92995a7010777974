package member

import (
	"context"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
)

// objections is how many votes a member disputes at one time: each further bond is larger by the first, and all come back to who wins.
const objections = 3

// derived is an aggregate that this member has computed.
type derived struct {
	round  uint32
	inputs []protocol.Hash
	vote   work.Vote
}

// Aggregate computes the aggregate of the open round, once: what a verifier votes for, and what every member starts the next round from.
func (m *Member) Aggregate(ctx context.Context, s *work.State) (work.Vote, error) {
	inputs := dispute.AggregateInputs(s)
	if d := m.derived; d.round == s.Round.Number && slices.Equal(d.inputs, inputs) {
		return d.vote, nil
	}
	v, err := m.Shop.Aggregate(ctx, s)
	if err != nil {
		return work.Vote{}, fmt.Errorf("aggregate of round %d: %w", s.Round.Number, err)
	}
	m.derived = derived{s.Round.Number, inputs, v}
	m.Observe.Tell(agent.News{Name: agent.Derived, Round: s.Round.Number, Detail: v.Next.Model.String()})
	return v, nil
}

// Object disputes votes that name another aggregate than this member has computed, if the round would not close on its own. Who has no seat
// leaves it to others where a dispute is open; a verifier does not, since that dispute may be one that is meant to be lost.
func (m *Member) Object(ctx context.Context, s *work.State) ([]protocol.Msg, error) {
	if s.Phase != work.PhaseContest || m.Shop == nil {
		return nil, nil
	}
	own, err := m.Aggregate(ctx, s)
	if err != nil {
		return nil, err
	}
	wrong := s.Refutable(own)
	if len(wrong) == 0 {
		return nil, nil
	}
	open, err := m.Court.Disputes(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	left, mine := objections, map[uint32]bool{}
	for _, d := range open {
		if _, vote := work.VoteSeat(d.Claim.Unit); vote && d.Challenger == m.Identity.Account && d.Claim.Round == s.Round.Number {
			left, mine[d.Claim.Unit] = left-1, true
		}
	}
	var msgs []protocol.Msg
	for _, unit := range wrong {
		at, _ := work.VoteSeat(unit)
		seat := &s.Round.Seats[at]
		if left <= 0 || mine[unit] || seat.Account == m.Identity.Account || m.role != work.Verifier && seat.Games > 0 {
			continue
		}
		left--
		msgs = append(msgs, dispute.Open{Run: s.ID, Round: s.Round.Number, Unit: unit})
		m.Observe.Tell(agent.News{Name: agent.Disagreed, Round: s.Round.Number, Unit: unit,
			Detail: fmt.Sprintf("seat %d named model %.12s as the aggregate, it is %.12s", at, seat.Vote.Next.Model, own.Next.Model)})
	}
	return msgs, nil
}
