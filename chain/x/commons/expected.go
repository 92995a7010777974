package commons

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/work"
)

// Bank is what the commons needs of the bank.
type Bank interface {
	escrow.Bank
	GetBalance(ctx context.Context, of sdk.AccAddress, denom string) sdk.Coin
	GetSupply(ctx context.Context, denom string) sdk.Coin
	MintCoins(ctx context.Context, module string, amount sdk.Coins) error
	SendCoinsFromModuleToModule(ctx context.Context, from, to string, amount sdk.Coins) error
}

// Runs is where granted jobs become runs. It comes late because runs in turn need to know who pays for them.
type Runs interface {
	// Run returns a run, or protocol.ErrNotFound.
	Run(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*work.State, error)
	// Create makes a run whose author is from.
	Create(ctx sdk.Context, m work.CreateRun, from protocol.Account, env protocol.Env) error
	// Known refuses a run whose dataset or parents do not exist.
	Known(ctx context.Context, spec work.Spec) error
}

// Market is where jobs get their machines.
type Market interface {
	Params(ctx context.Context) (market.Params, error)
	// Enter places a bid of the treasury in the batch that is about to be cleared.
	Enter(ctx sdk.Context, terms market.Terms) error
	// JobLeases lists the leases of a run of the commons that are offered or running.
	JobLeases(ctx context.Context, run protocol.Hash) ([]market.Lease, error)
}
