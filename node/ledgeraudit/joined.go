package ledgeraudit

import (
	"context"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
)

// joined is the log of a network that goes on from another's state, behind that one's. What the other's blocks lead to is compared with what
// the network has now, so whatever was changed in between is found.
type joined struct {
	before, after source
	from          int64 // first block of after
}

// join puts logs in a row. Without those before it, a network that goes on from another's state is taken to begin with that.
func join(ctx context.Context, before []source, after source) (source, error) {
	if len(before) == 0 {
		return after, nil
	}
	doc, err := after.genesis(ctx)
	if err != nil {
		return nil, err
	}
	if doc.InitialHeight <= 1 {
		return nil, fmt.Errorf("%w: the network begins with block 1, and another before it is named", errMissing)
	}
	last := len(before) - 1
	earlier, err := join(ctx, before[:last], before[last])
	if err != nil {
		return nil, err
	}
	height, err := earlier.height(ctx)
	if err != nil {
		return nil, err
	}
	if height < doc.InitialHeight-1 {
		return nil, fmt.Errorf("%w: the network before has %d blocks, this one goes on with %d", errMissing, height, doc.InitialHeight)
	}
	return joined{earlier, after, doc.InitialHeight}, nil
}

func (j joined) of(height int64) source {
	if height < j.from {
		return j.before
	}
	return j.after
}

func (j joined) genesis(ctx context.Context) (*cmttypes.GenesisDoc, error) {
	return j.before.genesis(ctx)
}

func (j joined) height(ctx context.Context) (int64, error) { return j.after.height(ctx) }

func (j joined) block(ctx context.Context, height int64) (*cmttypes.Block, *abci.ResponseFinalizeBlock, error) {
	return j.of(height).block(ctx, height)
}

func (j joined) query(ctx context.Context, path string, data []byte, height int64) (abci.ResponseQuery, error) {
	return j.of(height).query(ctx, path, data, height)
}

func (j joined) close() error { return errors.Join(j.after.close(), j.before.close()) }
