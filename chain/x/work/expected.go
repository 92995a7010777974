package work

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
)

// Market is what this module needs to know of the market: what a provider was hired for. In turn the market learns what was found
// of its work.
type Market interface {
	// Lease returns a lease after charging for the size of its stored form, or protocol.ErrNotFound.
	Lease(ctx context.Context, id protocol.Hash, charge escrow.Charge) (market.Lease, error)
	// Checked notes a result of a provider that was recomputed.
	Checked(ctx sdk.Context, who protocol.Account, good bool) error
}

// Registry is what this module needs to know of the registry: a run may only name a dataset and parents that exist.
type Registry interface {
	// HasDataset reports whether id is registered.
	HasDataset(ctx context.Context, id protocol.Hash) (bool, error)
	// HasModel reports whether id is registered.
	HasModel(ctx context.Context, id protocol.Hash) (bool, error)
}
