package books

import (
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// credulous takes every signature for good, so that a dispute can end at once either way: by two moves of one side for one turn.
// The books do not care why it ended.
type credulous struct{ bisect.Source }

func (credulous) Signed(protocol.Account, protocol.Hash, []byte) bool { return true }

// quarrel has somebody dispute some unit of the open round, or some vote for its aggregate.
func (p *performance) quarrel() {
	s := p.state()
	if s.Round == nil || len(s.Round.Units) == 0 {
		return
	}
	if len(s.Admitted()) > 0 {
		p.dispute(p.person(), work.VoteUnit(p.random.IntN(len(s.Round.Seats))))
		return
	}
	p.dispute(p.person(), p.random.Uint32N(uint32(len(s.Round.Units))))
}

// dispute opens a dispute over a unit or a vote of the open round, lets people back it, and decides it at random.
func (p *performance) dispute(opener protocol.Account, unit uint32) {
	p.nonce++
	open := dispute.Open{Run: p.id, Round: p.state().Round.Number, Unit: unit, Nonce: p.nonce}
	if p.submit(opener, open) != nil {
		return // too early, too late, or one's own claim
	}
	var id protocol.Hash
	for _, e := range p.block.Txs[len(p.block.Txs)-1].Events {
		if e.Kind == "dispute.opened" {
			id.UnmarshalText([]byte(e.Attributes["dispute"]))
		}
	}
	for range p.random.IntN(4) {
		p.submit(p.person(), dispute.Back{Dispute: id, Amount: money.New(1 + p.random.Uint64N(1<<60))})
	}
	side := dispute.Defender
	if p.chance(50) {
		side = dispute.Challenger
	}
	p.twoMoves(id, side)
	if d, err := p.Ledger.Dispute(id); err == nil && !d.Player().IsZero() { // the auditor that confirmed the claim is called
		p.twoMoves(id, []dispute.Side{dispute.Defender, dispute.Challenger}[p.random.IntN(2)])
	}
}

// twoMoves ends a game by two moves of a side for its first turn.
func (p *performance) twoMoves(id protocol.Hash, side dispute.Side) {
	signed := dispute.Signed{Answer: hash("answer", p.nonce), Signature: []byte{1}}
	other := signed
	other.Choice = 1
	p.submit(p.person(), dispute.Equivocate{Dispute: id, Turn: 0, Side: side, A: signed, B: other})
}
