// Package beacon hosts the rules of protocol/beacon on the chain: it knows the validators' keys, judges the reveal of a proposed block, and
// keeps the last values. They lie in the EVM's storage under the address of the precompile that reads them, so that the opcode PREVRANDAO,
// which sees nothing but that storage, reads the same ones, and proofs of storage hold for them. The module has no message and no rule of
// its own. Source: spec/beacon.md.
package beacon

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/evm/x/vm/statedb"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/prevrandao"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
)

// ModuleName names the module and its part of the genesis.
const ModuleName = "beacon"

// World is the state of the EVM.
type World interface {
	GetAccountOrEmpty(ctx sdk.Context, at common.Address) statedb.Account
	SetAccount(ctx sdk.Context, at common.Address, account statedb.Account) error
	GetState(ctx sdk.Context, at common.Address, slot common.Hash) common.Hash
	SetState(ctx sdk.Context, at common.Address, slot common.Hash, value []byte)
}

// Validators know who signs with which key.
type Validators interface {
	GetValidatorByConsAddr(ctx context.Context, address sdk.ConsAddress) (stakingtypes.Validator, error)
}

// Keeper stores the values.
type Keeper struct {
	world      func() World
	validators Validators
}

// NewKeeper returns a keeper. world is asked at each use, because the EVM is built after the precompiles that read the beacon.
func NewKeeper(validators Validators, world func() World) *Keeper {
	return &Keeper{world, validators}
}

// At is the value of a height that is kept; zero for one that is not. The caller sees to it that the slot has not been taken by a later height.
func (k *Keeper) At(ctx sdk.Context, height protocol.Height) beacon.Value {
	return beacon.Value(k.world().GetState(ctx, prevrandao.Address, prevrandao.Slot(height)))
}

// Set replaces the value of a height.
func (k *Keeper) Set(ctx sdk.Context, height protocol.Height, value beacon.Value) {
	k.world().SetState(ctx, prevrandao.Address, prevrandao.Slot(height), value[:])
}

// Begin starts the beacon in the block that ctx executes, with the values of the heights before it, the last one last; none makes the first.
// They are as many as are kept at most.
func (k *Keeper) Begin(ctx sdk.Context, values []beacon.Value) error {
	last := max(now(ctx), 1) - 1 // a first state at height 1 is made at height 0
	if len(values) > beacon.Slots || uint64(len(values)) > uint64(last)+1 {
		return fmt.Errorf("%d values of the beacon at height %d: at most %d are kept", len(values), last, beacon.Slots)
	}
	if len(values) == 0 {
		values = []beacon.Value{beacon.Begin(network.ChainID, last)}
	}
	// The account makes the EVM look at the storage; a nonce keeps it from being taken for empty.
	account := k.world().GetAccountOrEmpty(ctx, prevrandao.Address)
	account.Nonce = 1
	if err := k.world().SetAccount(ctx, prevrandao.Address, account); err != nil {
		return err
	}
	for i, v := range values {
		k.Set(ctx, last-protocol.Height(len(values)-1-i), v)
	}
	return nil
}

// Before is the value before the block of ctx; false if the chain has no beacon yet, as before the upgrade that brings it.
func (k *Keeper) Before(ctx sdk.Context) (beacon.Value, bool) {
	v := k.At(ctx, now(ctx)-1)
	return v, !v.IsZero()
}

// Input is what the proposer of the block of ctx reveals its function of.
func Input(ctx sdk.Context, before beacon.Value) []byte {
	return beacon.Input(network.ChainID, now(ctx), before)
}

// Key is the public key of a proposer. It is nil for one that nobody knows, which can only be a validator whose stake is gone while its last
// votes count: nothing can be asked of it.
func (k *Keeper) Key(ctx sdk.Context, proposer sdk.ConsAddress) []byte {
	v, err := k.validators.GetValidatorByConsAddr(ctx, proposer)
	if err != nil {
		return nil
	}
	key, err := v.ConsPubKey()
	if err != nil {
		return nil
	}
	if key, ok := key.(*ed25519.PubKey); ok {
		return key.Bytes()
	}
	return nil
}

// Judge checks what a proposer reveals in the block of ctx, nil for nothing. A known proposer must reveal, an unknown one must not. The
// output is nil where nothing had to be revealed; every error is beacon.ErrReveal.
func (k *Keeper) Judge(ctx sdk.Context, proposer sdk.ConsAddress, before beacon.Value, proof *[beacon.ProofSize]byte) (*[beacon.OutputSize]byte, error) {
	key := k.Key(ctx, proposer)
	switch {
	case key == nil && proof == nil:
		return nil, nil
	case key == nil:
		return nil, fmt.Errorf("%w: nobody knows its key", beacon.ErrReveal)
	case proof == nil:
		return nil, fmt.Errorf("%w: there is none", beacon.ErrReveal)
	}
	return beacon.Verify(key, Input(ctx, before), *proof)
}

// Advance gives the block of ctx its value and reports whether a reveal is in it. A block whose reveal does not hold counts as one without:
// it is decided, so it must not stop the chain.
func (k *Keeper) Advance(ctx sdk.Context, proposer sdk.ConsAddress, before beacon.Value, proof *[beacon.ProofSize]byte) bool {
	output, err := k.Judge(ctx, proposer, before, proof)
	if err != nil {
		output = nil
	}
	k.Set(ctx, now(ctx), beacon.Next(now(ctx), before, output))
	return output != nil
}

func now(ctx sdk.Context) protocol.Height { return protocol.Height(ctx.BlockHeight()) }
