package ledgertest

import (
	"context"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// MarketParams are those of the ledger.
func (c *Client) MarketParams(ctx context.Context) (market.Params, error) {
	return MarketParams, ctx.Err()
}

// Leases lists those in which an account is buyer or provider, closed ones included.
func (c *Client) Leases(ctx context.Context, who protocol.Account) ([]market.Lease, error) {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	list := slices.Concat(c.ledger.trade.past, c.ledger.trade.leases)
	return slices.DeleteFunc(list, func(l market.Lease) bool { return l.Buyer != who && l.Provider != who }), ctx.Err()
}

// OwnAsks lists the asks of an account.
func (c *Client) OwnAsks(ctx context.Context, owner protocol.Account) ([]market.Ask, error) {
	return slices.DeleteFunc(c.ledger.Asks(), func(a market.Ask) bool { return a.Owner != owner }), ctx.Err()
}

// ClassAsks lists the open asks of a class, the cheapest first.
func (c *Client) ClassAsks(ctx context.Context, class market.Class) ([]market.Ask, error) {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	var list []market.Ask
	for _, x := range c.ledger.candidates() {
		if x.Ask.Class == class && x.Ask.Open() {
			list = append(list, x.Ask)
		}
	}
	return list, ctx.Err()
}

// Quote is what each of so many units costs that are taken at once, and how many of them are free.
func (c *Client) Quote(ctx context.Context, class market.Class, units, minReputation uint32) (auction.Price, uint32, error) {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	price, free := market.Instant(class, units, minReputation, 0, c.ledger.candidates(), c.ledger.env())
	return price, free, ctx.Err()
}

// Bids lists those of the batch that is open.
func (c *Client) Bids(ctx context.Context) ([]market.Bid, error) {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	return slices.Clone(c.ledger.trade.bids), ctx.Err()
}
