package ledgeraudit

import (
	"context"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/network"
)

// Log is the log of an app that is driven without a network, in memory, from its first block on: how tests audit a chain.
type Log struct {
	App     *app.App
	Doc     *cmttypes.GenesisDoc
	Blocks  []*abci.RequestFinalizeBlock // each block
	Results []*abci.ResponseFinalizeBlock
	Before  *Log // of the chain from whose export this one goes on
}

// Add notes the next block.
func (l *Log) Add(block *abci.RequestFinalizeBlock, result *abci.ResponseFinalizeBlock) {
	l.Blocks, l.Results = append(l.Blocks, block), append(l.Results, result)
}

// Audit recomputes the books and compares them with the app's state.
func (l *Log) Audit(ctx context.Context) (*Report, error) {
	network.Configure()
	var before []source
	for b := l.Before; b != nil; b = b.Before {
		before = append([]source{b}, before...)
	}
	s, err := join(ctx, before, l)
	if err != nil {
		return nil, err
	}
	return audited(ctx, s, nil)
}

func (l *Log) genesis(context.Context) (*cmttypes.GenesisDoc, error) { return l.Doc, nil }

func (l *Log) height(context.Context) (int64, error) { return l.App.LastBlockHeight(), nil }

func (l *Log) block(_ context.Context, height int64) (*cmttypes.Block, *abci.ResponseFinalizeBlock, error) {
	at := height - max(l.Doc.InitialHeight, 1)
	if at < 0 || at >= int64(len(l.Blocks)) {
		return nil, nil, fmt.Errorf("%w: %d", errMissing, height)
	}
	r := l.Blocks[at]
	b := &cmttypes.Block{Header: cmttypes.Header{Height: height, Time: r.Time}, Data: cmttypes.Data{Txs: cmttypes.ToTxs(r.Txs)}}
	commit := &cmttypes.Commit{Height: height - 1}
	for _, v := range r.DecidedLastCommit.Votes {
		commit.Signatures = append(commit.Signatures, cmttypes.CommitSig{BlockIDFlag: cmttypes.BlockIDFlag(v.BlockIdFlag), ValidatorAddress: v.Validator.Address})
	}
	b.LastCommit = commit
	for _, m := range r.Misbehavior {
		vote := &cmttypes.Vote{ValidatorAddress: m.Validator.Address, Height: m.Height}
		b.Evidence.Evidence = append(b.Evidence.Evidence, &cmttypes.DuplicateVoteEvidence{VoteA: vote, VoteB: vote, Timestamp: m.Time})
	}
	return b, l.Results[at], nil
}

func (l *Log) query(ctx context.Context, path string, data []byte, height int64) (abci.ResponseQuery, error) {
	r, err := l.App.Query(ctx, &abci.RequestQuery{Path: path, Data: data, Height: height})
	if err != nil {
		return abci.ResponseQuery{}, err
	}
	return *r, nil
}

func (l *Log) close() error { return nil }
