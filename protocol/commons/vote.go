package commons

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Stake is what an account has locked behind a proposal.
type Stake struct {
	Proposal protocol.Hash    `json:"proposal"`
	Voter    protocol.Account `json:"voter"`
	Amount   money.Amount     `json:"amount"`
}

// Vote sets what the sender has locked behind a proposal: 0 takes all of it back. Rule: spec/commons.md §3.
type Vote struct {
	Proposal protocol.Hash `json:"proposal"`
	Amount   money.Amount  `json:"amount"`
}

// Kind is "commons/vote".
func (Vote) Kind() string { return "commons/vote" }

// Check validates the amount.
func (m Vote) Check() error {
	if m.Amount.BitLen() > 128 {
		return fmt.Errorf("%w: a vote of %s", protocol.ErrInvalid, m.Amount)
	}
	return nil
}

// Cast applies Vote to a proposal and the sender's stake, whose amount is zero if there is none. Effects: the difference is locked
// or paid back. Conviction leaves with the stake that it stands on, so that no coin convinces twice. Errors: ErrPhase for a stake
// behind a proposal that is decided. Rule: spec/commons.md §3.
func Cast(m Vote, o Proposal, s Stake, from protocol.Account) (Proposal, Stake, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return o, s, nil, err
	}
	if o.Status != Open && !m.Amount.IsZero() {
		return o, s, nil, fmt.Errorf("%w: proposal %s is %s; stakes can only be taken back", protocol.ErrPhase, o.ID, o.Status)
	}
	var effects []protocol.Effect
	if before := s.Amount; m.Amount.Compare(before) >= 0 {
		effects = lock(from, m.Amount.Minus(before))
		o.Stake = o.Stake.Plus(m.Amount.Minus(before))
	} else {
		effects = pay(from, before.Minus(m.Amount))
		o.Stake = o.Stake.Minus(before.Minus(m.Amount))
	}
	o.Conviction = least(o.Conviction, o.Stake)
	s = Stake{Proposal: o.ID, Voter: from, Amount: m.Amount}
	return o, s, append(effects, event("voted", o, "voter", from.String())), nil
}

// Return gives a stake back after the vote, without anybody's message. The record is gone then. Rule: spec/commons.md §3.
func Return(o Proposal, s Stake) (Proposal, []protocol.Effect) {
	o.Stake = o.Stake.Minus(s.Amount)
	return o, append(pay(s.Voter, s.Amount), event("returned", o, "voter", s.Voter.String()))
}
