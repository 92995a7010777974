package app

import (
	"fmt"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	feemarkettypes "github.com/cosmos/evm/x/feemarket/types"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/params"
	disputerules "github.com/mutirao/mutirao/protocol/dispute"
)

// numbers says where the numbers of governance live: each is a field of a module's parameters.
func (a *App) numbers() map[string]params.Number {
	out := map[string]params.Number{}
	for _, group := range []map[string]params.Number{a.consensusNumbers(), a.feeNumbers(), a.stakingNumbers(), a.slashingNumbers(), a.govNumbers(), a.disputeNumbers()} {
		for name, n := range group {
			out[name] = n
		}
	}
	return out
}

// field makes a number of one field of parameters of type P.
func field[P any](load func(sdk.Context) (P, error), store func(sdk.Context, P) error, get func(P) uint64, set func(*P, uint64)) params.Number {
	return params.Number{
		Get: func(ctx sdk.Context) (uint64, error) {
			p, err := load(ctx)
			if err != nil {
				return 0, err
			}
			return get(p), nil
		},
		Set: func(ctx sdk.Context, value uint64) error {
			p, err := load(ctx)
			if err != nil {
				return err
			}
			set(&p, value)
			return store(ctx, p)
		},
	}
}

func (a *App) consensusNumbers() map[string]params.Number {
	of := func(get func(*cmtproto.BlockParams) *int64) params.Number {
		return field(
			func(ctx sdk.Context) (cmtproto.ConsensusParams, error) {
				p, err := a.Consensus.ParamsStore.Get(ctx)
				if err == nil && p.Block == nil {
					err = fmt.Errorf("no parameters of blocks")
				}
				return p, err
			},
			func(ctx sdk.Context, p cmtproto.ConsensusParams) error { return a.Consensus.ParamsStore.Set(ctx, p) },
			func(p cmtproto.ConsensusParams) uint64 { return uint64(max(*get(p.Block), 0)) },
			func(p *cmtproto.ConsensusParams, v uint64) {
				block := *p.Block
				*get(&block) = int64(v)
				p.Block = &block
			})
	}
	return map[string]params.Number{
		"consensus.block_bytes": of(func(p *cmtproto.BlockParams) *int64 { return &p.MaxBytes }),
		"consensus.block_gas":   of(func(p *cmtproto.BlockParams) *int64 { return &p.MaxGas }),
	}
}

func (a *App) feeNumbers() map[string]params.Number {
	load := func(ctx sdk.Context) (feemarkettypes.Params, error) { return a.FeeMarket.GetParams(ctx), nil }
	store := func(ctx sdk.Context, p feemarkettypes.Params) error {
		if err := p.Validate(); err != nil {
			return err
		}
		return a.FeeMarket.SetParams(ctx, p)
	}
	return map[string]params.Number{
		"feemarket.min_gas_price": field(load, store,
			func(p feemarkettypes.Params) uint64 { return p.MinGasPrice.TruncateInt().Uint64() },
			func(p *feemarkettypes.Params, v uint64) {
				p.MinGasPrice = math.LegacyNewDecFromInt(math.NewIntFromUint64(v))
			}),
		"feemarket.change_denominator": field(load, store,
			func(p feemarkettypes.Params) uint64 { return uint64(p.BaseFeeChangeDenominator) },
			func(p *feemarkettypes.Params, v uint64) { p.BaseFeeChangeDenominator = uint32(v) }),
	}
}

func (a *App) stakingNumbers() map[string]params.Number {
	load := func(ctx sdk.Context) (stakingtypes.Params, error) { return a.Staking.GetParams(ctx) }
	store := func(ctx sdk.Context, p stakingtypes.Params) error {
		if err := p.Validate(); err != nil {
			return err
		}
		return a.Staking.SetParams(ctx, p)
	}
	return map[string]params.Number{
		"staking.max_validators": field(load, store,
			func(p stakingtypes.Params) uint64 { return uint64(p.MaxValidators) },
			func(p *stakingtypes.Params, v uint64) { p.MaxValidators = uint32(v) }),
		"staking.unbonding_seconds": field(load, store,
			func(p stakingtypes.Params) uint64 { return seconds(p.UnbondingTime) },
			func(p *stakingtypes.Params, v uint64) { p.UnbondingTime = duration(v) }),
	}
}

func (a *App) slashingNumbers() map[string]params.Number {
	load := func(ctx sdk.Context) (slashingtypes.Params, error) { return a.Slashing.GetParams(ctx) }
	store := func(ctx sdk.Context, p slashingtypes.Params) error {
		if err := p.Validate(); err != nil {
			return err
		}
		return a.Slashing.SetParams(ctx, p)
	}
	return map[string]params.Number{
		"slashing.double_sign_ppm": field(load, store,
			func(p slashingtypes.Params) uint64 { return ppm(p.SlashFractionDoubleSign) },
			func(p *slashingtypes.Params, v uint64) { p.SlashFractionDoubleSign = millionths(v) }),
		"slashing.downtime_ppm": field(load, store,
			func(p slashingtypes.Params) uint64 { return ppm(p.SlashFractionDowntime) },
			func(p *slashingtypes.Params, v uint64) { p.SlashFractionDowntime = millionths(v) }),
		"slashing.jail_seconds": field(load, store,
			func(p slashingtypes.Params) uint64 { return seconds(p.DowntimeJailDuration) },
			func(p *slashingtypes.Params, v uint64) { p.DowntimeJailDuration = duration(v) }),
	}
}

func (a *App) govNumbers() map[string]params.Number {
	load := func(ctx sdk.Context) (govv1.Params, error) { return a.Gov.Params.Get(ctx) }
	store := func(ctx sdk.Context, p govv1.Params) error {
		if err := p.ValidateBasic(); err != nil {
			return err
		}
		return a.Gov.Params.Set(ctx, p)
	}
	return map[string]params.Number{
		"gov.deposit_mut": field(load, store,
			func(p govv1.Params) uint64 {
				return sdk.Coins(p.MinDeposit).AmountOf(network.Denom).Quo(network.PowerReduction).Uint64()
			},
			func(p *govv1.Params, v uint64) {
				least := math.NewIntFromUint64(v).Mul(network.PowerReduction)
				p.MinDeposit = sdk.NewCoins(sdk.NewCoin(network.Denom, least))
				p.ExpeditedMinDeposit = sdk.NewCoins(sdk.NewCoin(network.Denom, least.MulRaw(5)))
			}),
		"gov.voting_seconds": field(load, store,
			func(p govv1.Params) uint64 { return seconds(*p.VotingPeriod) },
			func(p *govv1.Params, v uint64) {
				whole, half := duration(v), duration(v)/2
				p.VotingPeriod, p.ExpeditedVotingPeriod = &whole, &half
			}),
	}
}

func (a *App) disputeNumbers() map[string]params.Number {
	return map[string]params.Number{
		"dispute.clock_blocks": field(
			func(ctx sdk.Context) (disputerules.Params, error) { return a.Dispute.Params(ctx) },
			func(ctx sdk.Context, p disputerules.Params) error { return a.Dispute.SetParams(ctx, p) },
			func(p disputerules.Params) uint64 { return uint64(p.Clock) },
			func(p *disputerules.Params, v uint64) { p.Clock = uint32(v) }),
	}
}

func seconds(d time.Duration) uint64        { return uint64(max(d, 0) / time.Second) }
func duration(seconds uint64) time.Duration { return time.Duration(seconds) * time.Second }

const million = 1_000_000

func ppm(d math.LegacyDec) uint64        { return d.MulInt64(million).TruncateInt().Uint64() }
func millionths(v uint64) math.LegacyDec { return math.LegacyNewDec(int64(v)).QuoInt64(million) }
