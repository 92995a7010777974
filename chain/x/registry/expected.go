package registry

import (
	"context"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// Runs reads a training run and the size of its stored form in bytes: what a model's lineage is checked against. It
// returns protocol.ErrNotFound.
type Runs func(ctx context.Context, id protocol.Hash) (*work.State, int, error)
