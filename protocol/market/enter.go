package market

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
)

// Enter is an open bid of a job of the commons in the batch that is open, placed by the host itself once asks can answer to it no
// more (§7): a treasury has no secret to seal a bid with, and what it may pay is public. Its leases are metered, so that there is no
// deposit: the run that they are for has its money. Errors: ErrPhase unless bids are being opened, ErrInvalid.
// Rule: spec/market.md §7, spec/commons.md §4.
func Enter(t Terms, owner protocol.Account, p Params, env protocol.Env) (Bid, []protocol.Effect, error) {
	if err := t.Check(); err != nil {
		return Bid{}, nil, err
	}
	if !t.Metered {
		return Bid{}, nil, fmt.Errorf("%w: a bid without a deposit for leases that are not metered", protocol.ErrInvalid)
	}
	if !p.Revealing(env.Height) {
		return Bid{}, nil, fmt.Errorf("%w: batch %d takes open bids in its last %d blocks", protocol.ErrPhase, p.Batch(env.Height), p.RevealBlocks)
	}
	batch := p.Batch(env.Height)
	seal := TermsSeal(t, owner, batch, t.Job)
	b := Bid{ID: BidID(owner, batch, seal), Owner: owner, Batch: batch, Seal: seal, Open: &t}
	return b, []protocol.Effect{protocol.Event{Type: "market.bid-entered", Attributes: []protocol.Attribute{
		{Name: "bid", Value: b.ID.String()}, {Name: "owner", Value: owner.String()}, {Name: "tenors", Value: fmt.Sprint(t.Tenors)}, {Name: "job", Value: t.Job.String()},
	}}}, nil
}

// Enters reports whether such bids are placed at the end of a block: the first in which bids are opened.
func (p Params) Enters(h protocol.Height) bool {
	return uint64(h)%p.BatchBlocks == p.BatchBlocks-p.RevealBlocks
}
