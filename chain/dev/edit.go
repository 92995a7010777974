package dev

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
	"github.com/mutirao/mutirao/protocol/registry"
)

// Edit is a change of the state that no transaction could make. Exactly one of its parts is set.
type Edit struct {
	Account *AccountEdit           `json:"account,omitempty"`
	Storage *StorageEdit           `json:"storage,omitempty"`
	Beacon  *common.Hash           `json:"beacon,omitempty"`   // of the block of the edit: what PREVRANDAO is in the next
	Model   *registry.DepositModel `json:"model,omitempty"`    // deposited by Author
	Author  *protocol.Account      `json:"author,omitempty"`   // of Model; nil for the chain's own
	BaseFee *uint256.Int           `json:"base_fee,omitempty"` // of the block that has the edit, in amut
}

// AccountEdit sets what is not nil.
type AccountEdit struct {
	Address common.Address  `json:"address"`
	Balance *uint256.Int    `json:"balance,omitempty"` // amut
	Nonce   *hexutil.Uint64 `json:"nonce,omitempty"`
	Code    *hexutil.Bytes  `json:"code,omitempty"`
}

// StorageEdit sets one word.
type StorageEdit struct {
	Address common.Address `json:"address"`
	Slot    common.Hash    `json:"slot"`
	Value   common.Hash    `json:"value"`
}

// apply makes the edits in ctx. An error leaves some of them done: the caller drops ctx.
func apply(ctx sdk.Context, a *app.App, edits []Edit) error {
	for _, e := range edits {
		switch {
		case e.Account != nil:
			if err := e.Account.apply(ctx, a); err != nil {
				return err
			}
		case e.Storage != nil:
			if e.Storage.Value == (common.Hash{}) {
				a.EVM.DeleteState(ctx, e.Storage.Address, e.Storage.Slot)
			} else {
				a.EVM.SetState(ctx, e.Storage.Address, e.Storage.Slot, e.Storage.Value[:])
			}
		case e.Beacon != nil:
			if *e.Beacon == (common.Hash{}) {
				return errors.New("the beacon cannot be zero")
			}
			a.Beacon.Set(ctx, protocol.Height(ctx.BlockHeight()), beacon.Value(*e.Beacon))
		case e.BaseFee != nil:
			setBaseFee(ctx, a, e.BaseFee)
		case e.Model != nil:
			if _, err := a.Registry.Deposit(ctx, *e.Model, e.author(), escrow.Free); err != nil {
				return fmt.Errorf("model %s: %w", e.Model.Name, err)
			}
		}
	}
	return nil
}

func (e Edit) author() protocol.Account {
	if e.Author == nil {
		return Author
	}
	return *e.Author
}

// setBaseFee makes fee that of the block that ctx begins: the fee market keeps the last one's if the last block was exactly half full.
func setBaseFee(ctx sdk.Context, a *app.App, fee *uint256.Int) {
	a.FeeMarket.SetBaseFee(ctx, math.LegacyNewDecFromBigInt(fee.ToBig()))
	a.FeeMarket.SetBlockGasWanted(ctx, network.BlockGas/uint64(a.FeeMarket.GetParams(ctx).ElasticityMultiplier))
}

func (e AccountEdit) apply(ctx sdk.Context, a *app.App) error {
	account := a.EVM.GetAccountOrEmpty(ctx, e.Address)
	if e.Balance != nil {
		account.Balance = e.Balance
	}
	if e.Nonce != nil {
		account.Nonce = uint64(*e.Nonce)
	}
	if e.Code != nil {
		account.CodeHash = crypto.Keccak256(*e.Code)
		if len(*e.Code) > 0 {
			a.EVM.SetCode(ctx, account.CodeHash, *e.Code)
		}
	}
	return a.EVM.SetAccount(ctx, e.Address, account)
}

// Author deposits the models that a chain begins with. Nobody has its key.
var Author = protocol.Account(crypto.Keccak256([]byte("mutirao dev: author of the preloaded models"))[12:])
