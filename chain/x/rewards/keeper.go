// Package rewards hosts the rules of protocol/rewards on the chain: it counts who signs, divides the fees at the end of an epoch, and pays
// delegations in turn. It listens to the staking module, so that a delegation is paid before its shares change. It has no message and owns
// no rule; who staked what stays with the staking module. Source: spec/rewards.md.
package rewards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/rewards"
)

// ModuleName names the module, its store and the account that holds what stake has earned and is not paid yet.
const ModuleName = "rewards"

// collector is where the SDK and the EVM put fees.
var collector = protocol.Account(authtypes.NewModuleAddress(authtypes.FeeCollectorName))

// Bank is the bank as the keeper needs it.
type Bank interface {
	escrow.Bank
	GetBalance(ctx context.Context, of sdk.AccAddress, denom string) sdk.Coin
}

// Staking is who staked what.
type Staking interface {
	GetValidatorByConsAddr(ctx context.Context, consensus sdk.ConsAddress) (stakingtypes.Validator, error)
	GetDelegation(ctx context.Context, who sdk.AccAddress, at sdk.ValAddress) (stakingtypes.Delegation, error)
}

// Keeper stores what was earned.
type Keeper struct {
	bank    Bank
	staking func() Staking // made after this keeper, which listens to it
	escrow  escrow.Escrow
	schema  collections.Schema

	votes      collections.Map[[]byte, []byte] // address of a consensus key -> weight in this epoch, decimal
	validators collections.Map[[]byte, []byte] // operator -> rewards.Validator in JSON
	holders    collections.Map[[]byte, []byte] // operator and owner -> rewards.Holder in JSON
	book       collections.Item[[]byte]        // Book in JSON
}

// Book is what concerns all validators.
type Book struct {
	Loose   money.Amount `json:"loose"`        // coins of the escrow that nobody's stake is behind, in 2^-128 amut
	Holders uint64       `json:"holders"`      // delegations
	Left    uint64       `json:"left"`         // of them, until all were paid since the last division
	At      []byte       `json:"at,omitempty"` // the one that was paid last
}

// Prefixes of the store, which clients read.
const (
	PrefixVotes = iota
	PrefixValidators
	PrefixHolders
	PrefixBook
)

// NewKeeper returns a keeper over the module's store.
func NewKeeper(service store.KVStoreService, bank Bank, staking func() Staking) (*Keeper, error) {
	b := collections.NewSchemaBuilder(service)
	table := func(prefix int, name string) collections.Map[[]byte, []byte] {
		return collections.NewMap(b, collections.NewPrefix(prefix), name, collections.BytesKey, collections.BytesValue)
	}
	k := &Keeper{
		bank: bank, staking: staking, escrow: escrow.New(bank, ModuleName),
		votes: table(PrefixVotes, "votes"), validators: table(PrefixValidators, "validators"), holders: table(PrefixHolders, "holders"),
		book: collections.NewItem(b, collections.NewPrefix(PrefixBook), "book", collections.BytesValue),
	}
	var err error
	k.schema, err = b.Build()
	return k, err
}

// HolderKey is the key of a delegation within its table.
func HolderKey(operator, who []byte) []byte {
	return append(append(make([]byte, 0, len(operator)+len(who)), operator...), who...)
}

// read decodes a stored value; one that is not there leaves to as it is.
func read(raw []byte, err error, to any) error {
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("stored %T: %w", to, err)
	}
	return nil
}

func (k *Keeper) validator(ctx context.Context, operator []byte) (v rewards.Validator, err error) {
	raw, err := k.validators.Get(ctx, operator)
	return v, read(raw, err, &v)
}

func (k *Keeper) holder(ctx context.Context, key []byte) (h rewards.Holder, err error) {
	raw, err := k.holders.Get(ctx, key)
	return h, read(raw, err, &h)
}

// Book reads what concerns all validators.
func (k *Keeper) Book(ctx context.Context) (b Book, err error) {
	raw, err := k.book.Get(ctx)
	return b, read(raw, err, &b)
}

func (k *Keeper) setBook(ctx context.Context, b Book) error {
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return k.book.Set(ctx, raw)
}

// setValidator keeps v, unless nothing of it is left.
func (k *Keeper) setValidator(ctx context.Context, operator []byte, v rewards.Validator) error {
	if v == (rewards.Validator{}) {
		return k.validators.Remove(ctx, operator)
	}
	return put(ctx, k.validators, operator, v)
}

func put(ctx context.Context, to collections.Map[[]byte, []byte], key []byte, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return to.Set(ctx, key, raw)
}

// settle hosts rewards.Settle for the shares that a delegation has now.
func (k *Keeper) settle(ctx sdk.Context, operator, who []byte) error {
	key := HolderKey(operator, who)
	v, err := k.validator(ctx, operator)
	if err != nil {
		return err
	}
	h, err := k.holder(ctx, key)
	if err != nil || h.Seen == v.Index {
		return err
	}
	shares, err := k.shares(ctx, operator, who)
	if err != nil {
		return err
	}
	next, effects := rewards.Settle(v, h, shares, protocol.Account(who))
	if err := put(ctx, k.holders, key, next); err != nil {
		return err
	}
	return k.execute(ctx, effects)
}

func (k *Keeper) shares(ctx context.Context, operator, who []byte) (money.Amount, error) {
	d, err := k.staking().GetDelegation(ctx, who, operator)
	if err != nil {
		return money.Amount{}, err
	}
	return inUnits(d.Shares)
}

// inUnits are shares in 10^-18. More of them than 256 bits hold are an error.
func inUnits(shares math.LegacyDec) (money.Amount, error) {
	return money.Parse(shares.BigInt().String())
}

func (k *Keeper) execute(ctx sdk.Context, effects []protocol.Effect) error {
	return k.escrow.Execute(ctx, effects, func(r protocol.Recorded) error {
		return fmt.Errorf("record of unknown kind %s", r.RecordKind())
	})
}

// Owed is what all delegations have earned and were not paid, with what is loose, in amut. It must be what the escrow holds; exact is false
// if it is no whole number.
func (k *Keeper) Owed(ctx sdk.Context) (sum money.Amount, exact bool, err error) {
	b, err := k.Book(ctx)
	if err != nil {
		return sum, false, err
	}
	fine := b.Loose
	err = k.validators.Walk(ctx, nil, func(operator, _ []byte) (bool, error) {
		v, err := k.validator(ctx, operator)
		fine = fine.Plus(v.Rest)
		return err != nil, err
	})
	if err != nil {
		return sum, false, err
	}
	err = k.holders.Walk(ctx, nil, func(key, _ []byte) (bool, error) {
		operator, who := key[:len(protocol.Account{})], key[len(protocol.Account{}):]
		v, err := k.validator(ctx, operator)
		if err != nil {
			return true, err
		}
		h, err := k.holder(ctx, key)
		if err != nil {
			return true, err
		}
		shares, err := k.shares(ctx, operator, who)
		if err == nil {
			fine = fine.Plus(rewards.Owed(v, h, shares))
		}
		return err != nil, err
	})
	sum, exact = rewards.InCoins(fine)
	return sum, exact, err
}
