package validator

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/cosmos/evm/mempool/txpool"
	"github.com/cosmos/evm/rpc/backend"

	"github.com/mutirao/mutirao/chain/app"
)

const (
	// receiptWait bounds how long a request waits for its transaction: clients ask again, and give up on a request after some seconds.
	receiptWait = 3 * time.Second
	// receiptPause is between two looks at the height, indexLag how long a block's transactions may be missing from the index.
	receiptPause = 5 * time.Millisecond
	indexLag     = 100 * time.Millisecond
)

// receipts answers eth_getTransactionReceipt at the moment at which the block is there. The library asks its index less and less often, so
// that a receipt comes up to 0.8 s late, and holds a request about a transaction that nobody has sent for as long.
type receipts struct {
	backend *backend.Backend
	app     *app.App
}

// GetTransactionReceipt is the receipt of an executed transaction. While the transaction waits in the pool the request waits for its block, for
// a while; a transaction that is unknown has no receipt.
func (r *receipts) GetTransactionReceipt(ctx context.Context, hash common.Hash) (map[string]any, error) {
	height, since := int64(-1), time.Time{} // of the last look, and when the block at that height was first seen
	waited := time.Now()
	for {
		if now := r.app.LastBlockHeight(); now != height {
			height, since = now, time.Now()
		}
		if time.Since(since) < indexLag {
			if _, err := r.backend.GetTxByEthHash(ctx, hash); err == nil {
				return r.backend.GetTransactionReceipt(ctx, hash)
			}
			// What is in no block and not in the pool either may have left it for a block that is not indexed yet.
			if status := r.app.Mempool().GetTxPool().Status(hash); status == txpool.TxStatusUnknown && time.Since(waited) > indexLag/2 {
				return nil, nil
			}
		}
		if time.Since(waited) > receiptWait {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(receiptPause):
		}
	}
}
