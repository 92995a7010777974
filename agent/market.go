package agent

import (
	"context"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// Market is what a role needs of the market, in a run that hires through it.
type Market interface {
	MarketParams(ctx context.Context) (market.Params, error)
	// Leases lists those in which an account is buyer or provider.
	Leases(ctx context.Context, who protocol.Account) ([]market.Lease, error)
	// OwnAsks lists the asks of an account, ClassAsks the open ones of a class.
	OwnAsks(ctx context.Context, owner protocol.Account) ([]market.Ask, error)
	ClassAsks(ctx context.Context, class market.Class) ([]market.Ask, error)
	// Quote is what each of so many units of a class costs when they are taken at once, and how many of them are free.
	Quote(ctx context.Context, class market.Class, units, minReputation uint32) (auction.Price, uint32, error)
	// Bids lists those of the batch that is open.
	Bids(ctx context.Context) ([]market.Bid, error)
}
