package audit

import (
	"math/big"
	"strconv"
)

// GovernTerms are governance at genesis.
type GovernTerms struct {
	Escrow      Account  // of deposits, and who acts for accepted proposals
	CancelRatio *big.Int // kept of the deposits of a proposal that its author withdraws, of 10^18
	CancelTo    Account  // who gets that; zero: it is burned
	Next        uint64   // id of the next proposal
	Proposals   map[uint64]*Proposal
}

// Proposal is what governance has not decided yet.
type Proposal struct {
	Deposits map[Account]*big.Int
	Messages []Message // carried out if it is accepted
}

// newGovernance copies what genesis says of proposals.
func newGovernance(t GovernTerms) map[uint64]*Proposal {
	out := map[uint64]*Proposal{}
	for id, p := range t.Proposals {
		c := &Proposal{Deposits: map[Account]*big.Int{}, Messages: p.Messages}
		for who, amount := range p.Deposits {
			c.Deposits[who] = orZero(amount)
		}
		out[id] = c
	}
	return out
}

// governance reads a message of governance. Votes move nothing.
func (b *Books) governance(m Message) {
	var body struct {
		Proposal uint64
		Amount   Coins
		Messages []Message
	}
	if !b.decode(m, &body) {
		return
	}
	if m.Kind == "gov/submit" {
		body.Proposal = b.nextProposal
		b.nextProposal++
		b.proposals[body.Proposal] = &Proposal{Deposits: map[Account]*big.Int{}, Messages: body.Messages}
	}
	p := b.proposals[body.Proposal]
	switch {
	case p == nil:
		b.find("proposal "+strconv.FormatUint(body.Proposal, 10), "undecided", "unknown")
	case m.Kind == "gov/cancel":
		b.withdrawn(body.Proposal, p)
	case (m.Kind == "gov/submit" || m.Kind == "gov/deposit") && body.Amount.Int != nil:
		p.Deposits[m.From] = new(big.Int).Add(orZero(p.Deposits[m.From]), body.Amount.Int)
		b.move(m.From, b.genesis.Govern.Escrow, body.Amount.Int, "deposit of a proposal")
	default:
		b.find("message "+m.Kind, "known to this audit", "unknown")
	}
}

// depositors lists who has paid, in a fixed order.
func (p *Proposal) depositors() []Account {
	return sorted(p.Deposits)
}

// withdrawn ends a proposal whose author takes it back.
func (b *Books) withdrawn(id uint64, p *Proposal) {
	g := b.genesis.Govern
	for _, who := range p.depositors() {
		kept := cut(p.Deposits[who], orZero(g.CancelRatio))
		b.move(g.Escrow, who, minus(p.Deposits[who], kept), "deposit of a proposal")
		b.move(g.Escrow, g.CancelTo, kept, "kept of a proposal that was withdrawn")
	}
	delete(b.proposals, id)
}

// governed reads what was decided: the result, and whether the deposits are burned, are verdicts.
func (b *Books) governed(e Event) {
	id, err := strconv.ParseUint(e.Attributes["proposal"], 10, 64)
	p := b.proposals[id]
	if err != nil || p == nil {
		b.find("proposal "+e.Attributes["proposal"], "undecided", "unknown")
		return
	}
	if e.Attributes["result"] == "expedited_proposal_rejected" {
		return // it becomes a common one
	}
	for _, who := range p.depositors() {
		if e.Attributes["burned"] == "true" {
			b.move(b.genesis.Govern.Escrow, Account{}, p.Deposits[who], "burned deposit of a proposal")
		} else {
			b.move(b.genesis.Govern.Escrow, who, p.Deposits[who], "deposit of a proposal")
		}
	}
	delete(b.proposals, id)
	if e.Attributes["result"] == "proposal_passed" {
		for _, m := range p.Messages {
			b.apply(m)
		}
	}
}
