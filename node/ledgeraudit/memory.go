package ledgeraudit

import (
	"context"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/network"
)

// Log is the log of an app that is driven without a network, in memory, from block 1 on: how tests audit a chain.
type Log struct {
	App     *app.App
	Doc     *cmttypes.GenesisDoc
	Txs     [][]cmttypes.Tx // of each block
	Results []*abci.ResponseFinalizeBlock
}

// Audit recomputes the books and compares them with the app's state.
func (l *Log) Audit(ctx context.Context) (*Report, error) {
	network.Configure()
	return audited(ctx, l, nil)
}

func (l *Log) genesis(context.Context) (*cmttypes.GenesisDoc, error) { return l.Doc, nil }

func (l *Log) height(context.Context) (int64, error) { return l.App.LastBlockHeight(), nil }

func (l *Log) block(_ context.Context, height int64) (*cmttypes.Block, *abci.ResponseFinalizeBlock, error) {
	if height < 1 || height > int64(len(l.Txs)) {
		return nil, nil, fmt.Errorf("%w: %d", errMissing, height)
	}
	b := &cmttypes.Block{Header: cmttypes.Header{Height: height}, Data: cmttypes.Data{Txs: l.Txs[height-1]}}
	return b, l.Results[height-1], nil
}

func (l *Log) query(ctx context.Context, path string, data []byte, height int64) (abci.ResponseQuery, error) {
	r, err := l.App.Query(ctx, &abci.RequestQuery{Path: path, Data: data, Height: height})
	if err != nil {
		return abci.ResponseQuery{}, err
	}
	return *r, nil
}

func (l *Log) close() error { return nil }
