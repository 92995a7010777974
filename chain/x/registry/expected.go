package registry

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// Runs reads a training run, what a model's lineage is checked against, after charging for the size of its stored form.
// It returns protocol.ErrNotFound.
type Runs func(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*work.State, error)

// Plant makes the token of a new model, through which the EVM sees its shares.
type Plant func(ctx sdk.Context, model protocol.Hash) error
