// Package fill answers where cosmos/evm's JSON-RPC does not. It completes transactions for clients that leave fields out, and stands in for cosmos/evm's SetTxDefaults where
// that estimates gas in the state after the first block, in which a contract of later is not there: a transaction that is
// filled so, as viem's are, has too little gas.
package fill

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	"github.com/cosmos/evm/rpc/backend"
	rpctypes "github.com/cosmos/evm/rpc/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
)

// Transaction sets sender (to the zero address), nonce, gas, fees and chain id where args lack them.
func Transaction(ctx context.Context, b *backend.Backend, args evmtypes.TransactionArgs) (evmtypes.TransactionArgs, error) {
	if args.From == nil {
		args.From = new(common.Address)
	}
	if args.Gas == nil {
		gas, err := b.EstimateGas(ctx, args, nil, nil)
		if err != nil {
			return args, err
		}
		args.Gas = &gas
	}
	return b.SetTxDefaults(ctx, args)
}

// API is eth_fillTransaction, and eth_sendRawTransaction with a check before it.
type API struct{ Backend *backend.Backend }

// FillTransaction returns the completed transaction, unsigned.
func (a *API) FillTransaction(ctx context.Context, args evmtypes.TransactionArgs) (*rpctypes.SignTransactionResult, error) {
	args, err := Transaction(ctx, a.Backend, args)
	if err != nil {
		return nil, err
	}
	tx := args.ToTransaction(ethtypes.DynamicFeeTxType)
	raw, err := tx.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return &rpctypes.SignTransactionResult{Raw: raw, Tx: tx}, nil
}

// GetProof is eth_getProof. It names the height of the last block, which cosmos/evm takes for a block before the first.
func (a *API) GetProof(ctx context.Context, address common.Address, keys []string, at rpctypes.BlockNumberOrHash) (*rpctypes.AccountResult, error) {
	if n := at.BlockNumber; n != nil && *n < 0 && *n != rpctypes.EthEarliestBlockNumber {
		last, err := a.Backend.BlockNumber(ctx)
		if err != nil {
			return nil, err
		}
		number := rpctypes.NewBlockNumber(new(big.Int).SetUint64(uint64(last)))
		at.BlockNumber = &number
	}
	return a.Backend.GetProof(ctx, address, keys, at)
}
