package work

import (
	"context"

	"github.com/mutirao/mutirao/protocol"
)

// Registry is what this module needs to know of the registry: a run may only name a dataset and parents that exist.
type Registry interface {
	// HasDataset reports whether id is registered.
	HasDataset(ctx context.Context, id protocol.Hash) (bool, error)
	// HasModel reports whether id is registered.
	HasModel(ctx context.Context, id protocol.Hash) (bool, error)
}
