package ledgeraudit

import (
	"context"
	"fmt"
	"strings"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/rpc/client"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	cmttypes "github.com/cometbft/cometbft/types"
)

// requestTimeout bounds one request to a validator.
const requestTimeout = 30 * time.Second

// remote asks a running validator.
type remote struct{ rpc *rpchttp.HTTP }

func dial(url string) (*remote, error) {
	c, err := rpchttp.NewWithTimeout(url, "/websocket", uint(requestTimeout/time.Second))
	if err != nil {
		return nil, err
	}
	return &remote{c}, nil
}

func (r *remote) genesis(ctx context.Context) (*cmttypes.GenesisDoc, error) {
	g, err := r.rpc.Genesis(ctx)
	if err != nil {
		return nil, err
	}
	return g.Genesis, nil
}

func (r *remote) height(ctx context.Context) (int64, error) {
	info, err := r.rpc.ABCIInfo(ctx)
	if err != nil {
		return 0, err
	}
	return info.Response.LastBlockHeight, nil
}

func (r *remote) block(ctx context.Context, height int64) (*cmttypes.Block, *abci.ResponseFinalizeBlock, error) {
	b, err := r.rpc.Block(ctx, &height)
	if err != nil {
		return nil, nil, gone(err)
	}
	results, err := r.rpc.BlockResults(ctx, &height)
	if err != nil {
		return nil, nil, gone(err)
	}
	return b.Block, &abci.ResponseFinalizeBlock{TxResults: results.TxsResults, Events: results.FinalizeBlockEvents, ValidatorUpdates: results.ValidatorUpdates}, nil
}

// gone marks the refusal of a block that the validator keeps no more. CometBFT says it in words only.
func gone(err error) error {
	if strings.Contains(err.Error(), "lowest height is") {
		return fmt.Errorf("%w: %w", errMissing, err)
	}
	return err
}

func (r *remote) query(ctx context.Context, path string, data []byte, height int64) (abci.ResponseQuery, error) {
	answer, err := r.rpc.ABCIQueryWithOptions(ctx, path, data, client.ABCIQueryOptions{Height: height})
	if err != nil {
		return abci.ResponseQuery{}, err
	}
	return answer.Response, nil
}

func (r *remote) close() error { return nil }
