package app

import (
	"time"

	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/baseapp"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkmempool "github.com/cosmos/cosmos-sdk/types/mempool"
	evmmempool "github.com/cosmos/evm/mempool"
	"github.com/cosmos/evm/mempool/txpool/legacypool"
	"github.com/holiman/uint256"

	"github.com/mutirao/mutirao/chain/network"
)

// The defaults of the EVM pool silently drop the tail of a deep queue; these limits let one account queue a thousand
// transactions, so that a client that deploys and calls in a burst is not surprised.
const (
	accountSlots = 1024
	globalSlots  = 16384
	insertQueue  = 16384

	// proposalWait bounds how long a proposer waits for the pool to recheck what it offers.
	proposalWait = 250 * time.Millisecond
	// checkTimeout bounds one CheckTx.
	checkTimeout = 5 * time.Second
)

// newMempool builds the app-side pool, without which eth_sendRawTransaction has nowhere to put a transaction, and
// attaches it to a's ABCI handlers. The two rechecks need separate state, hence two of them.
func newMempool(a *App, logger log.Logger) *evmmempool.Mempool {
	pool := legacypool.DefaultConfig
	pool.AccountSlots, pool.AccountQueue = accountSlots, accountSlots
	pool.GlobalSlots, pool.GlobalQueue = globalSlots, globalSlots

	encoder := evmmempool.NewTxEncoder(a.txConfig)
	mempool := evmmempool.NewMempool(
		a.CreateQueryContext, logger, a.EVM, a.FeeMarket, a.txConfig,
		evmmempool.NewTxRechecker(a.poolAnte, encoder),
		evmmempool.NewTxRechecker(a.poolAnte, encoder),
		&evmmempool.Config{
			LegacyPoolConfig:         &pool,
			AnteHandler:              a.poolAnte,
			BlockGasLimit:            network.BlockGas,
			MinTip:                   uint256.NewInt(0),
			PendingTxProposalTimeout: proposalWait,
			InsertQueueSize:          insertQueue,
		},
		0, // no bound on the number of native transactions beyond the queue's
	)

	proposals := baseapp.NewDefaultProposalHandler(mempool, a)
	proposals.SetSignerExtractionAdapter(
		evmmempool.NewEthSignerExtractionAdapter(sdkmempool.NewDefaultSignerExtractionAdapter()))
	a.SetPrepareProposal(a.revealing(proposals.PrepareProposalHandler()))
	a.SetProcessProposal(a.revealed(proposals.ProcessProposalHandler()))
	a.SetInsertTxHandler(mempool.NewInsertTxHandler(a.TxDecode))
	a.SetReapTxsHandler(mempool.NewReapTxsHandler())
	a.SetCheckTxHandler(mempool.NewCheckTxHandler(a.TxDecode, checkTimeout))
	a.SetMempool(mempool)
	a.SetPrepareCheckStater(func(sdk.Context) {
		// With a consensus node the pool follows its event bus; without one (tests over ABCI) it is told here.
		if !mempool.HasEventBus() {
			mempool.NotifyNewBlock()
		}
	})
	return mempool
}
