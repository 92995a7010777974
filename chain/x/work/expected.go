package work

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/work"
)

// Market is what this module needs to know of the market: what a provider was hired for. In turn the market learns what was found
// of its work.
type Market interface {
	// Lease returns a lease after charging for the size of its stored form, or protocol.ErrNotFound.
	Lease(ctx context.Context, id protocol.Hash, charge escrow.Charge) (market.Lease, error)
	// Forfeit voids a lease whose provider was proven wrong, by whom.
	Forfeit(ctx sdk.Context, lease protocol.Hash, to protocol.Account, charge escrow.Charge) error
	// TakenUp notes that the provider of a lease has joined the run that hired it, Absent that it missed a duty there.
	TakenUp(ctx sdk.Context, lease protocol.Hash) error
	Absent(ctx sdk.Context, lease protocol.Hash) error
	// Ended notes that a run has ended, so that the leases which its author bought for it end.
	Ended(ctx sdk.Context, run protocol.Hash, author protocol.Account) error
	// Base is the base price of a class, or protocol.ErrNotFound.
	Base(ctx context.Context, class market.Class, charge escrow.Charge) (auction.Price, error)
	// Checked notes a result of a provider that was recomputed.
	Checked(ctx sdk.Context, who protocol.Account, good bool) error
}

// Commons is what this module needs to know of the commons: who pays for a run, and who may work without a bond.
type Commons interface {
	// Settle sees what a run's transition does with money before it is done: of a run that the commons pays, it returns other effects,
	// for which it has brought the coins. Those of other runs come back as they are.
	Settle(ctx sdk.Context, run *work.State, effects []protocol.Effect) ([]protocol.Effect, error)
	// Welcome notes that an account joins a calibration run, or refuses it.
	Welcome(ctx sdk.Context, who protocol.Account, run protocol.Hash) error
}

// Registry is what this module needs to know of the registry: a run may only name a dataset and parents that exist.
type Registry interface {
	// HasDataset reports whether id is registered.
	HasDataset(ctx context.Context, id protocol.Hash) (bool, error)
	// HasModel reports whether id is registered.
	HasModel(ctx context.Context, id protocol.Hash) (bool, error)
}
