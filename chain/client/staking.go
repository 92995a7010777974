package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cosmossdk.io/math"
	cmtcrypto "github.com/cometbft/cometbft/crypto"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mutirao/mutirao/chain/network"
	rewardshost "github.com/mutirao/mutirao/chain/x/rewards"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/rewards"
)

// stakingGas is what a message of staking or governance takes beyond the envelope, at most.
const stakingGas = 600_000

// Validator is what the ledger knows of a validator.
type Validator struct {
	Operator   protocol.Account `json:"operator"`
	Moniker    string           `json:"moniker"`
	Stake      money.Amount     `json:"stake"`  // amut
	Power      int64            `json:"power"`  // votes in consensus; 0 if not bonded
	Status     string           `json:"status"` // "bonded", "unbonding" or "unbonded"
	Jailed     bool             `json:"jailed"`
	Until      time.Time        `json:"jailed_until,omitzero"`
	Tombstoned bool             `json:"tombstoned"` // signed two blocks at one height: never comes back
	Missed     int64            `json:"missed_blocks"`
	Window     int64            `json:"window"` // of the last so many blocks
	Rewards    Rewards          `json:"rewards"`
}

// Rewards are what a validator has earned with fees, in amut.
type Rewards struct {
	Stake      money.Amount `json:"stake"`          // all stake behind it, so far
	Rate       uint64       `json:"commission_ppm"` // that its operator takes
	Commission money.Amount `json:"commission"`     // so far
	Paid       money.Amount `json:"paid"`           // to the operator for its own stake
	Due        money.Amount `json:"due"`            // to it, with the next turn
}

// CreateValidator makes this account a validator whose node signs with the key of pub, with a stake of its own. Of what the stake of others
// earns it takes a commission, in millionths.
func (c *Client) CreateValidator(ctx context.Context, pub cmtcrypto.PubKey, moniker string, stake money.Amount, commission uint32) error {
	key, err := cryptocodec.FromCmtPubKeyInterface(pub)
	if err != nil {
		return err
	}
	who := c.Account()
	rates := stakingtypes.NewCommissionRates(math.LegacyNewDecWithPrec(int64(commission), 6), math.LegacyOneDec(), math.LegacyOneDec())
	m, err := stakingtypes.NewMsgCreateValidator(sdk.ValAddress(who[:]).String(), key, network.Coins(stake)[0],
		stakingtypes.NewDescription(moniker, "", "", "", ""), rates, math.OneInt())
	if err != nil {
		return err
	}
	return c.execute(ctx, stakingGas, m)
}

// Delegate adds to the stake of a validator.
func (c *Client) Delegate(ctx context.Context, operator protocol.Account, amount money.Amount) error {
	who := c.Account()
	return c.execute(ctx, stakingGas, stakingtypes.NewMsgDelegate(sdk.AccAddress(who[:]).String(), sdk.ValAddress(operator[:]).String(), network.Coins(amount)[0]))
}

// Unjail brings this account's validator back once its time has passed.
func (c *Client) Unjail(ctx context.Context) error {
	who := c.Account()
	return c.execute(ctx, stakingGas, slashingtypes.NewMsgUnjail(sdk.ValAddress(who[:]).String()))
}

// Validator reads the validator of an operator, or returns protocol.ErrNotFound.
func (c *Client) Validator(ctx context.Context, operator protocol.Account) (Validator, error) {
	out := Validator{Operator: operator}
	var answer stakingtypes.QueryValidatorResponse
	request := &stakingtypes.QueryValidatorRequest{ValidatorAddr: sdk.ValAddress(operator[:]).String()}
	if err := c.query(ctx, "/cosmos.staking.v1beta1.Query/Validator", request, &answer); err != nil {
		return out, err
	}
	v := answer.Validator
	if err := v.UnpackInterfaces(c.registry); err != nil {
		return out, err
	}
	var err error
	if out.Stake, err = network.Amount(v.Tokens); err != nil {
		return out, err
	}
	out.Moniker, out.Jailed = v.Description.Moniker, v.Jailed
	out.Status = map[stakingtypes.BondStatus]string{stakingtypes.Bonded: "bonded", stakingtypes.Unbonding: "unbonding", stakingtypes.Unbonded: "unbonded"}[v.Status]
	if v.IsBonded() {
		out.Power = v.GetConsensusPower(network.PowerReduction)
	}
	consensus, err := v.GetConsAddr()
	if err != nil {
		return out, err
	}
	if out.Rewards, err = c.rewards(ctx, operator); err != nil {
		return out, err
	}
	out.Rewards.Rate = v.Commission.Rate.MulInt64(1_000_000).TruncateInt().Uint64()
	return out, c.signing(ctx, consensus, &out)
}

// rewards reads what the stake behind an operator's validator has earned, and what of it is the operator's.
func (c *Client) rewards(ctx context.Context, operator protocol.Account) (out Rewards, err error) {
	var v rewards.Validator
	var h rewards.Holder
	for _, one := range []struct {
		prefix byte
		key    []byte
		to     any
	}{{rewardshost.PrefixValidators, operator[:], &v}, {rewardshost.PrefixHolders, rewardshost.HolderKey(operator[:], operator[:]), &h}} {
		raw, err := c.stored(ctx, rewardshost.ModuleName, append([]byte{one.prefix}, one.key...))
		if err == nil && len(raw) > 0 {
			err = decode(raw, one.to)
		}
		if err != nil {
			return out, err
		}
	}
	out.Stake, out.Commission, out.Paid = v.Earned, v.Commission, h.Paid
	var answer stakingtypes.QueryDelegationResponse
	err = c.query(ctx, "/cosmos.staking.v1beta1.Query/Delegation", &stakingtypes.QueryDelegationRequest{
		DelegatorAddr: sdk.AccAddress(operator[:]).String(), ValidatorAddr: sdk.ValAddress(operator[:]).String(),
	}, &answer)
	if errors.Is(err, protocol.ErrNotFound) || err == nil && answer.DelegationResponse == nil {
		return out, nil // it has no stake of its own
	}
	if err != nil {
		return out, err
	}
	shares, err := money.Parse(answer.DelegationResponse.Delegation.Shares.BigInt().String())
	if err != nil || v.Index.Compare(h.Seen) < 0 { // the two reads were of different blocks
		return out, err
	}
	out.Due = rewards.Due(v, h, shares)
	return out, nil
}

// signing reads how regularly a validator has signed.
func (c *Client) signing(ctx context.Context, consensus sdk.ConsAddress, out *Validator) error {
	var params slashingtypes.QueryParamsResponse
	if err := c.query(ctx, "/cosmos.slashing.v1beta1.Query/Params", &slashingtypes.QueryParamsRequest{}, &params); err != nil {
		return err
	}
	out.Window = params.Params.SignedBlocksWindow
	var info slashingtypes.QuerySigningInfoResponse
	err := c.query(ctx, "/cosmos.slashing.v1beta1.Query/SigningInfo", &slashingtypes.QuerySigningInfoRequest{ConsAddress: consensus.String()}, &info)
	if errors.Is(err, protocol.ErrNotFound) {
		return nil // it has never been bonded
	}
	if err != nil {
		return fmt.Errorf("signing of %s: %w", consensus, err)
	}
	out.Missed, out.Tombstoned = info.ValSigningInfo.MissedBlocksCounter, info.ValSigningInfo.Tombstoned
	if out.Jailed {
		out.Until = info.ValSigningInfo.JailedUntil
	}
	return nil
}
