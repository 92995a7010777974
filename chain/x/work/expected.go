package work

import (
	"context"

	"github.com/mutirao/mutirao/protocol"
)

// Datasets is what this module needs to know of the registry: a run may only name a dataset that exists.
type Datasets interface {
	// HasDataset reports whether id is registered.
	HasDataset(ctx context.Context, id protocol.Hash) (bool, error)
}
