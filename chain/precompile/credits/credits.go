// Package credits is the precompiled contract through which Solidity sees what an account has: what it can spend, and what lies in escrow
// for it. It owns the gas of such calls. It must not import the app. The interface is contracts/src/ICredits.sol.
package credits

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/precompile/view"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
)

// Address is where the precompile lives on every chain of the network.
var Address = common.HexToAddress("0x0000000000000000000000000000000000000904")

// maxCounted bounds what is counted of each kind, gasLocked is the gas of fetching as many; gasEarned that of fetching what is earned, gasPart
// of each part of it, one for an epoch.
const (
	maxCounted = 100
	gasLocked  = 300_000
	gasEarned  = 10_000
	gasPart    = 1_000
)

// Bank tells balances.
type Bank interface {
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
}

// Leases, Channels and Requests tell what lies in their module's escrow for an account. They count at most max of their kind, and say
// whether these are all.
type (
	Leases interface {
		LeasesOf(ctx context.Context, who protocol.Account, after protocol.Hash, max int, charge escrow.Charge) ([]market.Lease, error)
	}
	Channels interface {
		LockedBy(ctx context.Context, payer protocol.Account, max int, charge escrow.Charge) (money.Amount, bool, error)
	}
	Requests interface {
		LockedBy(ctx context.Context, who protocol.Account, max int, charge escrow.Charge) (money.Amount, bool, error)
	}
)

// Earner tells which of an account's coins it has earned and cannot send yet.
type Earner interface {
	Earned(ctx context.Context, who protocol.Account) (commons.Earnings, error)
}

// New returns the contract.
func New(bank Bank, leases Leases, channels Channels, requests Requests, earner Earner) *view.Contract {
	return view.New("credits", "ICredits", Address, map[string]view.Method{
		"spendable": func(ctx sdk.Context, args []any) ([]any, error) {
			who := args[0].(common.Address)
			return []any{bank.GetBalance(ctx, who[:], network.Denom).Amount.BigInt()}, nil
		},
		"earned": func(ctx sdk.Context, args []any) ([]any, error) {
			ctx.GasMeter().ConsumeGas(gasEarned, "credit")
			e, err := earner.Earned(ctx, protocol.Account(args[0].(common.Address)))
			if err != nil {
				return nil, err
			}
			ctx.GasMeter().ConsumeGas(gasPart*uint64(len(e.Parts)), "parts of it")
			var free uint64
			for _, p := range e.Parts {
				if free == 0 || uint64(p.Free) < free {
					free = uint64(p.Free)
				}
			}
			return []any{number(e.Locked), free}, nil
		},
		"locked": func(ctx sdk.Context, args []any) ([]any, error) {
			ctx.GasMeter().ConsumeGas(gasLocked, "escrow")
			who, charge := protocol.Account(args[0].(common.Address)), escrow.ChargeState(ctx)
			list, err := leases.LeasesOf(ctx, who, protocol.Hash{}, maxCounted, charge)
			if err != nil {
				return nil, err
			}
			var leased money.Amount
			for _, l := range list {
				if l.Buyer == who && l.Status != market.Closed {
					leased = leased.Plus(l.Claims())
				}
			}
			inChannels, allChannels, err := channels.LockedBy(ctx, who, maxCounted, charge)
			if err != nil {
				return nil, err
			}
			inRequests, allRequests, err := requests.LockedBy(ctx, who, maxCounted, charge)
			if err != nil {
				return nil, err
			}
			return []any{number(leased), number(inChannels), number(inRequests), len(list) < maxCounted && allChannels && allRequests}, nil
		},
	})
}

func number(a money.Amount) *big.Int {
	b := a.Bytes()
	return new(big.Int).SetBytes(b[:])
}
