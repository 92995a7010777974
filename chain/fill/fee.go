package fill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	rpctypes "github.com/cosmos/evm/rpc/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
)

// ErrFee reports a transaction that could cost more than a number of the ledger holds.
var ErrFee = errors.New("the transaction could cost more than there can be")

// CheckCost refuses a transaction whose cost has more than 256 bits: cosmos/evm's RPC would panic when it writes the fee down.
func CheckCost(tx *ethtypes.Transaction) error {
	if bits := tx.Cost().BitLen(); bits > 256 {
		return fmt.Errorf("%w: a number of %d bits", ErrFee, bits)
	}
	return nil
}

// SendRawTransaction checks the cost and hands the transaction on.
func (a *API) SendRawTransaction(ctx context.Context, data hexutil.Bytes) (common.Hash, error) {
	tx := new(ethtypes.Transaction)
	if err := tx.UnmarshalBinary(data); err != nil {
		return common.Hash{}, err
	}
	if err := CheckCost(tx); err != nil {
		return common.Hash{}, err
	}
	return a.Backend.SendRawTransaction(ctx, data)
}

// CreateAccessList says which accounts and slots a call would touch. Without a sender, of whom cosmos/evm takes it that it is there, the call
// is of the zero address.
func (a *API) CreateAccessList(ctx context.Context, args evmtypes.TransactionArgs, at rpctypes.BlockNumberOrHash, overrides *json.RawMessage) (*rpctypes.AccessListResult, error) {
	if args.From == nil {
		args.From = new(common.Address)
	}
	return a.Backend.CreateAccessList(ctx, args, at, overrides)
}
