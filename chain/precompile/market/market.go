// Package market is the precompiled contract through which Solidity sees what machines cost and who has leased which. It owns the gas of
// such calls. It must not import the app. The interface is contracts/src/IMarket.sol.
package market

import (
	"context"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/precompile/refusal"
	"github.com/mutirao/mutirao/chain/precompile/view"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// Address is where the precompile lives on every chain of the network.
var Address = common.HexToAddress("0x0000000000000000000000000000000000000903")

// maxListed bounds the leases of one answer, gasEach is the gas of fetching one, gasQuote of walking over the best asks.
const (
	maxListed = 50
	gasEach   = 5_000
	gasQuote  = 50_000
)

// Market is the module as the precompile needs it.
type Market interface {
	// Class returns what a class offers and costs in the batch that is open, or protocol.ErrNotFound.
	Class(ctx sdk.Context, id protocol.Hash, charge escrow.Charge) (market.ClassState, error)
	// Quote says what each of so many units costs that are taken at once, and how many of them are free.
	Quote(ctx sdk.Context, c market.Class, units, minReputation uint32, charge escrow.Charge) (auction.Price, uint32, error)
	// Lease returns one lease, or protocol.ErrNotFound.
	Lease(ctx context.Context, id protocol.Hash, charge escrow.Charge) (market.Lease, error)
	// LeasesOf lists leases that an account buys or provides after an id, at most so many.
	LeasesOf(ctx context.Context, who protocol.Account, after protocol.Hash, max int, charge escrow.Charge) ([]market.Lease, error)
}

type class = struct {
	Resource string `json:"resource"`
	Region   string `json:"region"`
	Tier     string `json:"tier"`
	Tenor    uint8  `json:"tenor"`
}

type lease struct {
	Id       [32]byte //nolint:revive // the name in the interface
	Buyer    common.Address
	Provider common.Address
	Units    uint32
	Status   string
	End      uint64
	Unpaid   *big.Int
}

// New returns the contract over the market.
func New(m Market) *view.Contract {
	return view.New("market", "IMarket", Address, map[string]view.Method{
		"price": func(ctx sdk.Context, args []any) ([]any, error) {
			c, err := classOf(args[0])
			if err != nil {
				return nil, err
			}
			s, err := m.Class(ctx, c.ID(), escrow.ChargeState(ctx))
			if err != nil {
				return nil, missing(err)
			}
			return []any{amount(s.Base), s.Offered, s.Leased}, nil
		},
		"quote": func(ctx sdk.Context, args []any) ([]any, error) {
			c, err := classOf(args[0])
			if err != nil {
				return nil, err
			}
			units := args[1].(uint32)
			if units == 0 || units > auction.MaxUnits {
				return nil, refusal.New("OutOfBounds", "units")
			}
			ctx.GasMeter().ConsumeGas(gasQuote, "asks")
			price, free, err := m.Quote(ctx, c, units, 0, escrow.ChargeState(ctx))
			if err != nil {
				return nil, missing(err)
			}
			return []any{amount(price), free}, nil
		},
		"lease": func(ctx sdk.Context, args []any) ([]any, error) {
			id := args[0].([32]byte)
			l, err := m.Lease(ctx, id, escrow.ChargeState(ctx))
			if errors.Is(err, protocol.ErrNotFound) {
				return nil, refusal.New("LeaseNotFound", id)
			}
			return []any{leaseOf(l)}, err
		},
		"leases": func(ctx sdk.Context, args []any) ([]any, error) {
			limit := maxListed
			if n := args[2].(*big.Int); n.IsUint64() && n.Uint64() < maxListed {
				limit = int(n.Uint64())
			}
			ctx.GasMeter().ConsumeGas(gasEach*uint64(limit), "leases")
			list, err := m.LeasesOf(ctx, protocol.Account(args[0].(common.Address)), args[1].([32]byte), limit, escrow.ChargeState(ctx))
			out := make([]lease, len(list))
			for i, l := range list {
				out[i] = leaseOf(l)
			}
			return []any{out}, err
		},
	})
}

func classOf(arg any) (market.Class, error) {
	c := *abi.ConvertType(arg, new(class)).(*class)
	out := market.Class{Resource: c.Resource, Region: c.Region, Tier: market.Tier(c.Tier), Tenor: c.Tenor}
	if err := out.Check(); err != nil {
		return out, refusal.New("OutOfBounds", "class")
	}
	return out, nil
}

func missing(err error) error {
	if errors.Is(err, protocol.ErrNotFound) {
		return refusal.New("ClassNotFound")
	}
	return err
}

// amount is a price for one unit and one tenor in amut.
func amount(p auction.Price) *big.Int {
	b := market.Amount(p).Bytes()
	return new(big.Int).SetBytes(b[:])
}

func leaseOf(l market.Lease) lease {
	unpaid := l.Claims().Bytes()
	return lease{l.ID, common.Address(l.Buyer), common.Address(l.Provider), l.Units, string(l.Status), uint64(l.End), new(big.Int).SetBytes(unpaid[:])}
}
