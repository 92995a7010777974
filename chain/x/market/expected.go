package market

import (
	"context"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// Runs reads a training run, the job of a metered lease, after charging for the size of its stored form. It returns
// protocol.ErrNotFound.
type Runs func(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*work.State, error)
