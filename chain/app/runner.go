package app

import (
	"context"
	"runtime"
	"sync/atomic"

	abci "github.com/cometbft/cometbft/abci/types"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
)

// runner executes the transactions of a block one after the other, while other cores decode those that follow, with their signers.
// That is a function of a transaction's bytes alone, so that the result does not depend on how many cores there are.
type runner struct{ decode sdk.TxDecoder }

var _ sdk.TxRunner = runner{}

// Run returns one result for each transaction. It ends early with ctx's error when ctx does.
func (r runner) Run(ctx context.Context, _ storetypes.MultiStore, txs [][]byte, deliver sdk.DeliverTxFunc) ([]*abci.ExecTxResult, error) {
	ready := r.prepare(txs)
	results := make([]*abci.ExecTxResult, len(txs))
	for i, raw := range txs {
		if tx := ready(i); tx != nil {
			results[i] = deliver(raw, tx, nil, i, nil)
		} else {
			results[i] = sdkerrors.ResponseExecTxResultWithEvents(sdkerrors.ErrTxDecode, 0, 0, nil, false)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// prepare begins to decode transactions, in order, and returns what waits for one of them. A transaction that cannot be decoded is nil.
func (r runner) prepare(txs [][]byte) func(i int) sdk.Tx {
	decoded, done := make([]sdk.Tx, len(txs)), make([]chan struct{}, len(txs))
	for i := range done {
		done[i] = make(chan struct{})
	}
	var next atomic.Int64
	one := func() bool {
		i := int(next.Add(1) - 1)
		if i >= len(txs) {
			return false
		}
		decoded[i] = r.one(txs[i])
		close(done[i])
		return true
	}
	for range min(runtime.GOMAXPROCS(0)-1, len(txs)) {
		go func() {
			for one() {
			}
		}()
	}
	return func(i int) sdk.Tx {
		for int(next.Load()) <= i { // nobody has begun with it
			one()
		}
		<-done[i]
		return decoded[i]
	}
}

// one decodes a transaction. What makes the decoder panic is none.
func (r runner) one(raw []byte) (tx sdk.Tx) {
	defer func() {
		if recover() != nil {
			tx = nil
		}
	}()
	tx, err := r.decode(raw)
	if err != nil {
		return nil
	}
	return tx
}
