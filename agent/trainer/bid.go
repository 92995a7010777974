package trainer

import (
	"context"
	"fmt"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/work"
)

// bid is the order of a run in one batch.
type bid struct {
	t     *Trainer
	run   *work.State
	batch uint64
	limit auction.Price
}

func (b bid) terms(units uint32) market.Terms {
	return market.Terms{
		Alternatives: []market.Alternative{{Class: b.run.Spec.Market.Class, Units: units, Limit: b.limit}}, Tenors: 1, Job: b.run.ID, Metered: true,
	}
}

func (b bid) salt() protocol.Hash {
	return b.t.Identity.Salt("market-bid", b.run.ID, uint32(b.batch), 0)
}

// find looks for a bid for at most so many units in the batch. units is 0 if there is none.
func (b bid) find(ctx context.Context, m agent.Market, most uint32) (id protocol.Hash, units uint32, open bool, err error) {
	who := b.t.Identity.Account
	list, err := m.Bids(ctx)
	for _, o := range list {
		for n := uint32(1); o.Owner == who && n <= most; n++ {
			if market.BidID(who, b.batch, market.TermsSeal(b.terms(n), who, b.batch, b.salt())) == o.ID {
				return o.ID, n, o.Open != nil, err
			}
		}
	}
	return id, 0, false, err
}

// seal seals the bid once enough asks stand.
func (b bid) seal(ctx context.Context, m agent.Market, units uint32, offers int, tell func(string)) error {
	asks, err := m.ClassAsks(ctx, b.run.Spec.Market.Class)
	if err != nil || len(asks) < offers {
		return err
	}
	terms, who := b.terms(units), b.t.Identity.Account
	err = b.t.Ledger.Submit(ctx, market.SealBid{Seal: market.TermsSeal(terms, who, b.batch, b.salt()), Deposit: terms.Most(), Batch: b.batch})
	if err == nil {
		tell(fmt.Sprintf("%d machines offered, %d wanted: bid sealed", len(asks), units))
	}
	return late(err)
}

// open opens the bid.
func (b bid) open(ctx context.Context, id protocol.Hash, units uint32) error {
	return late(b.t.Ledger.Submit(ctx, market.OpenBid{Bid: id, Terms: b.terms(units), Salt: b.salt()}))
}

// late forgives a message that reached a block after its time: the next batch is another chance.
func late(err error) error {
	if c := protocol.Code(err); c == protocol.Code(protocol.ErrPhase) || c == protocol.Code(protocol.ErrDuplicate) || c == protocol.Code(protocol.ErrExists) ||
		c == protocol.Code(protocol.ErrNotFound) { // the batch is over, and the bid with it
		return nil
	}
	return err
}
