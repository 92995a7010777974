package rewards

import (
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/rewards"
)

// beginBlock counts who signed the last block, divides at the end of an epoch, and pays the next delegations. A fault of ours in the latter
// two must not stop the chain.
func (k *Keeper) beginBlock(metered sdk.Context) error {
	ctx := escrow.Unmetered(metered)
	if err := k.count(ctx); err != nil {
		return err
	}
	if escrow.Env(ctx).Height%rewards.Epoch == 0 {
		if err := escrow.Isolated(ctx, k.divide); err != nil {
			ctx.Logger().Error("fees cannot be divided", "module", ModuleName, "err", err)
		}
		if err := k.votes.Clear(ctx, nil); err != nil {
			return err
		}
	}
	return k.pay(ctx)
}

// count adds the power of those who signed.
func (k *Keeper) count(ctx sdk.Context) error {
	for _, vote := range ctx.VoteInfos() {
		if vote.BlockIdFlag != cmtproto.BlockIDFlagCommit || vote.Validator.Power <= 0 {
			continue
		}
		weight, err := k.weight(ctx, vote.Validator.Address)
		if err != nil {
			return err
		}
		weight = weight.Plus(money.New(uint64(vote.Validator.Power)))
		if err := k.votes.Set(ctx, vote.Validator.Address, []byte(weight.String())); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) weight(ctx sdk.Context, consensus []byte) (money.Amount, error) {
	raw, err := k.votes.Get(ctx, consensus)
	if errors.Is(err, collections.ErrNotFound) {
		return money.Amount{}, nil
	}
	if err != nil {
		return money.Amount{}, err
	}
	return money.Parse(string(raw))
}

// divide hosts rewards.Divide. Whoever has stake is paid in the blocks that follow.
func (k *Keeper) divide(ctx sdk.Context) error {
	var signers []rewards.Signer
	err := k.votes.Walk(ctx, nil, func(consensus, raw []byte) (bool, error) {
		weight, err := money.Parse(string(raw))
		if err != nil {
			return true, err
		}
		s, err := k.signer(ctx, consensus)
		s.Weight = weight
		signers = append(signers, s)
		return err != nil, err
	})
	if err != nil {
		return err
	}
	pot, err := network.Amount(k.bank.GetBalance(ctx, collector[:], network.Denom).Amount)
	if err != nil {
		return err
	}
	b, err := k.Book(ctx)
	if err != nil {
		return err
	}
	next, loose, effects := rewards.Divide(pot, b.Loose, signers, collector)
	for i, s := range next {
		if s.Validator == signers[i].Validator {
			continue
		}
		if err := k.setValidator(ctx, s.Operator[:], s.Validator); err != nil {
			return err
		}
	}
	b.Loose, b.Left = loose, b.Holders
	return errors.Join(k.setBook(ctx, b), k.execute(ctx, effects))
}

// signer is the validator of a key as it is now; one that is gone has no shares.
func (k *Keeper) signer(ctx sdk.Context, consensus []byte) (s rewards.Signer, err error) {
	v, err := k.staking().GetValidatorByConsAddr(ctx, consensus)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	operator, err := sdk.ValAddressFromBech32(v.OperatorAddress)
	if err != nil {
		return s, err
	}
	s.Operator = protocol.Account(operator)
	if shares, err := inUnits(v.DelegatorShares); err == nil { // else there are too many to divide among: its part waits
		s.Shares = shares
	}
	s.Commission = v.Commission.Rate.BigInt().Uint64()
	s.Validator, err = k.validator(ctx, operator)
	return s, err
}

// pay settles the next delegations in the order of their keys, from the one after the last, until all had their turn since the last division.
func (k *Keeper) pay(ctx sdk.Context) error {
	b, err := k.Book(ctx)
	if err != nil || b.Left == 0 {
		return err
	}
	n := int(min(b.Left, b.Holders, rewards.PaidPerBlock))
	from := new(collections.Range[[]byte])
	if len(b.At) > 0 {
		from = from.StartExclusive(b.At)
	}
	list, err := k.next(ctx, from, n)
	if err == nil && len(list) < n {
		var more [][]byte
		more, err = k.next(ctx, nil, n-len(list))
		list = append(list, more...)
	}
	if err != nil {
		return err
	}
	for _, key := range list {
		b.At = key
		operator, who := key[:len(protocol.Account{})], key[len(protocol.Account{}):]
		if err := escrow.Isolated(ctx, func(ctx sdk.Context) error { return k.settle(ctx, operator, who) }); err != nil {
			ctx.Logger().Error("a delegation cannot be paid", "module", ModuleName, "who", fmt.Sprintf("%x", key), "err", err)
		}
	}
	if b.Left -= uint64(n); b.Holders == 0 {
		b.Left = 0
	}
	return k.setBook(ctx, b)
}

// next lists n keys of delegations.
func (k *Keeper) next(ctx sdk.Context, within collections.Ranger[[]byte], n int) (list [][]byte, err error) {
	if n == 0 {
		return nil, nil
	}
	err = k.holders.Walk(ctx, within, func(key, _ []byte) (bool, error) {
		list = append(list, key)
		return len(list) == n, nil
	})
	return list, err
}
