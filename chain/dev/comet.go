package dev

import (
	"context"
	"errors"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common"

	"github.com/cosmos/cosmos-sdk/client"
	servertypes "github.com/cosmos/evm/server/types"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
)

// comet is the chain as the JSON-RPC of cosmos/evm asks for it: as a node of CometBFT and as an index of Ethereum
// transactions.
type comet struct {
	*Chain
	rpcclient.Client // nil: the methods that the JSON-RPC never calls
}

var (
	_ client.CometRPC          = comet{}
	_ rpcclient.Client         = comet{}
	_ servertypes.EVMTxIndexer = comet{}
)

// reading locks the chain for a reader and returns what ends that.
func (c comet) reading() func() {
	c.mu.RLock()
	return c.mu.RUnlock
}

// before is what PREVRANDAO gives in the block of a height.
func (c comet) before(height protocol.Height) (beacon.Value, bool) {
	defer c.reading()()
	return c.app.BeaconBefore(height)
}

func (c comet) ABCIInfo(context.Context) (*coretypes.ResultABCIInfo, error) {
	defer c.reading()()
	r, err := c.app.Info(&abci.RequestInfo{})
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultABCIInfo{Response: *r}, nil
}

func (c comet) ABCIQuery(ctx context.Context, path string, data cmtbytes.HexBytes) (*coretypes.ResultABCIQuery, error) {
	return c.ABCIQueryWithOptions(ctx, path, data, rpcclient.DefaultABCIQueryOptions)
}

// ABCIQueryWithOptions names the height also when it is the last: after going back, the app knows the last block's header
// only by its height.
func (c comet) ABCIQueryWithOptions(ctx context.Context, path string, data cmtbytes.HexBytes, o rpcclient.ABCIQueryOptions) (*coretypes.ResultABCIQuery, error) {
	defer c.reading()()
	if o.Height == 0 {
		o.Height = c.height()
	}
	r, err := c.app.Query(ctx, &abci.RequestQuery{Path: path, Data: data, Height: o.Height, Prove: o.Prove})
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultABCIQuery{Response: *r}, nil
}

func (c comet) Status(context.Context) (*coretypes.ResultStatus, error) {
	defer c.reading()()
	last := c.last()
	return &coretypes.ResultStatus{SyncInfo: coretypes.SyncInfo{
		LatestBlockHash: last.id.Hash, LatestAppHash: last.response.AppHash, LatestBlockHeight: last.Height, LatestBlockTime: last.Time,
		EarliestBlockHeight: 1, EarliestBlockHash: c.blocks[0].id.Hash, EarliestBlockTime: c.blocks[0].Time,
	}}, nil
}

func (c comet) Block(_ context.Context, height *int64) (*coretypes.ResultBlock, error) {
	defer c.reading()()
	b, err := c.at(height)
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultBlock{BlockID: b.id, Block: b.Block}, nil
}

func (c comet) BlockByHash(_ context.Context, hash []byte) (*coretypes.ResultBlock, error) {
	defer c.reading()()
	height, found := c.byID[common.BytesToHash(hash)]
	if !found {
		return &coretypes.ResultBlock{}, nil
	}
	b := c.blocks[height-1]
	return &coretypes.ResultBlock{BlockID: b.id, Block: b.Block}, nil
}

func (c comet) Header(_ context.Context, height *int64) (*coretypes.ResultHeader, error) {
	defer c.reading()()
	b, err := c.at(height)
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultHeader{Header: &b.Block.Header}, nil
}

func (c comet) HeaderByHash(_ context.Context, hash cmtbytes.HexBytes) (*coretypes.ResultHeader, error) {
	defer c.reading()()
	height, found := c.byID[common.BytesToHash(hash)]
	if !found {
		return &coretypes.ResultHeader{}, nil
	}
	return &coretypes.ResultHeader{Header: &c.blocks[height-1].Block.Header}, nil
}

func (c comet) BlockResults(_ context.Context, height *int64) (*coretypes.ResultBlockResults, error) {
	defer c.reading()()
	b, err := c.at(height)
	if err != nil {
		return nil, err
	}
	return b.results(), nil
}

func (b *block) results() *coretypes.ResultBlockResults {
	return &coretypes.ResultBlockResults{
		Height: b.Height, TxsResults: b.response.TxResults, FinalizeBlockEvents: b.response.Events,
		ValidatorUpdates: b.response.ValidatorUpdates, ConsensusParamUpdates: b.response.ConsensusParamUpdates, AppHash: b.response.AppHash,
	}
}

func (c comet) Validators(context.Context, *int64, *int, *int) (*coretypes.ResultValidators, error) {
	defer c.reading()()
	return &coretypes.ResultValidators{BlockHeight: c.height(), Validators: c.validators.Validators, Count: 1, Total: 1}, nil
}

func (c comet) ConsensusParams(context.Context, *int64) (*coretypes.ResultConsensusParams, error) {
	defer c.reading()()
	return &coretypes.ResultConsensusParams{BlockHeight: c.height(), ConsensusParams: *c.doc.ConsensusParams}, nil
}

func (c comet) UnconfirmedTxs(context.Context, *int) (*coretypes.ResultUnconfirmedTxs, error) {
	defer c.reading()()
	r := &coretypes.ResultUnconfirmedTxs{Count: len(c.pool), Total: len(c.pool)}
	for _, w := range c.pool {
		r.Txs = append(r.Txs, w.raw)
		r.TotalBytes += int64(len(w.raw))
	}
	return r, nil
}

func (c comet) NumUnconfirmedTxs(ctx context.Context) (*coretypes.ResultUnconfirmedTxs, error) {
	r, err := c.UnconfirmedTxs(ctx, nil)
	if r != nil {
		r.Txs = nil
	}
	return r, err
}

// GetByTxHash finds an Ethereum transaction.
func (c comet) GetByTxHash(hash common.Hash) (*servertypes.TxResult, error) {
	defer c.reading()()
	m, found := c.byHash[hash]
	if !found {
		return nil, errors.New("transaction not found")
	}
	return &m.result, nil
}

// GetByBlockAndIndex finds an Ethereum transaction.
func (c comet) GetByBlockAndIndex(height int64, index int32) (*servertypes.TxResult, error) {
	defer c.reading()()
	b, err := c.at(&height)
	if err != nil {
		return nil, err
	}
	if index < 0 || int(index) >= len(b.ethereum) {
		return nil, errors.New("transaction not found")
	}
	r := b.ethereum[index].result
	return &r, nil
}

// LastIndexedBlock is the last block.
func (c comet) LastIndexedBlock() (int64, error) {
	defer c.reading()()
	return c.height(), nil
}

// IndexBlock does nothing: blocks are indexed when they are made.
func (comet) IndexBlock(*cmttypes.Block, []*abci.ExecTxResult) error { return nil }

// heightOf finds a block by its hash.
func (c comet) heightOf(hash common.Hash) (int64, error) {
	defer c.reading()()
	height, found := c.byID[hash]
	if !found {
		return 0, errNoBlock
	}
	return height, nil
}
