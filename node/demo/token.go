package demo

import (
	"bytes"
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"

	precompile "github.com/mutirao/mutirao/chain/precompile/registry"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// gift is what the trainer gives a verifier, in parts per million: little, because whoever continues a demo gives it again.
const gift = 100

// sharesMove looks at the model's shares as a wallet does and moves some: ERC-20 balances are the ledger's holdings, before and after.
func (s *show) sharesMove(ctx context.Context, m registry.Model) (claim, error) {
	eth, auth, err := s.wallet(ctx, s.cast.trainer)
	if err != nil {
		return claim{}, err
	}
	defer eth.Close()
	parsed, err := abi.JSON(bytes.NewReader(contracts.Load("ShareToken").ABI))
	if err != nil {
		return claim{}, err
	}
	at := precompile.TokenAddress(m.ID)
	token := bind.NewBoundContract(at, parsed, eth, eth, eth)
	ask := func(method string, args ...any) (any, error) {
		var out []any
		if err := token.Call(&bind.CallOpts{Context: ctx}, &out, method, args...); err != nil {
			return nil, fmt.Errorf("%s of the token: %w", method, err)
		}
		return out[0], nil
	}
	symbol, err := ask("symbol")
	if err != nil {
		return claim{}, err
	}
	holders, err := s.machine.Client.Holdings(ctx, m.ID)
	if err != nil {
		return claim{}, err
	}
	equal, sum := 0, int64(0)
	for _, h := range holders {
		parts, err := ask("balanceOf", common.Address(h.Holder))
		if err != nil {
			return claim{}, err
		}
		if sum += parts.(*big.Int).Int64(); parts.(*big.Int).Int64() == int64(h.PPM) {
			equal++
		}
	}
	to := s.cast.verifiers[0]
	before, err := ask("balanceOf", common.Address(to.account))
	if err != nil {
		return claim{}, err
	}
	tx, err := token.Transact(auth, "transfer", common.Address(to.account), big.NewInt(gift))
	if err != nil {
		return claim{}, err
	}
	receipt, err := (&clinic{eth: eth}).mined(ctx, tx)
	if err != nil {
		return claim{}, err
	}
	// The validator that is asked may be a block behind the one that took the transaction.
	if _, err := s.machine.Client.Next(ctx, protocol.Height(receipt.BlockNumber.Int64()-1)); err != nil {
		return claim{}, err
	}
	after, err := s.machine.Client.Holding(ctx, m.ID, to.account)
	if err != nil {
		return claim{}, err
	}
	logged := len(receipt.Logs) > 0 && receipt.Logs[len(receipt.Logs)-1].Address == at
	held := equal == len(holders) && sum == 1_000_000 && logged && int64(after.PPM) == before.(*big.Int).Int64()+gift
	return claim{"shares-are-a-token", held, fmt.Sprintf("ERC-20 %s at %s: %d of %d balances are the ledger's, together %d of 1000000; %d moved to %s for %d gas",
		symbol, at.Hex(), equal, len(holders), sum, gift, to.name, receipt.GasUsed)}, nil
}
