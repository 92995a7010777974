package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/cosmos/gogoproto/proto"

	corestore "cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
)

// quick is a codec that is fast where every transaction comes by: accounts, and the parameters of the EVM, which it reads at each call
// between contracts. What it gives is what the codec inside gives for the same bytes.
// It is for keepers: clients ask a codec for more than its interface says.
type quick struct {
	codec.Codec
	last atomic.Pointer[decodedParams]
}

type decodedParams struct {
	raw   []byte
	value evmtypes.Params
}

// MustUnmarshal remembers the last parameters of the EVM that it decoded, by their bytes.
func (q *quick) MustUnmarshal(raw []byte, into proto.Message) {
	p, ok := into.(*evmtypes.Params)
	if !ok {
		q.Codec.MustUnmarshal(raw, into)
		return
	}
	last := q.last.Load()
	if last == nil || !bytes.Equal(last.raw, raw) {
		last = &decodedParams{raw: bytes.Clone(raw)}
		q.Codec.MustUnmarshal(raw, &last.value)
		q.last.Store(last)
	}
	*p = cloneParams(last.value)
}

// cloneParams copies what a reader of parameters could change in place.
func cloneParams(p evmtypes.Params) evmtypes.Params {
	p.ExtraEIPs = slices.Clone(p.ExtraEIPs)
	p.EVMChannels = slices.Clone(p.EVMChannels)
	p.ActiveStaticPrecompiles = slices.Clone(p.ActiveStaticPrecompiles)
	p.AccessControl.Create.AccessControlList = slices.Clone(p.AccessControl.Create.AccessControlList)
	p.AccessControl.Call.AccessControlList = slices.Clone(p.AccessControl.Call.AccessControlList)
	if o := p.ExtendedDenomOptions; o != nil {
		copied := *o
		p.ExtendedDenomOptions = &copied
	}
	return p
}

// basePrefix is how an ordinary account begins in the store: the first field of an Any with its type, and the tag of the second.
var basePrefix = func() []byte {
	name := "/" + proto.MessageName(&authtypes.BaseAccount{})
	return append(append([]byte{1<<3 | 2, byte(len(name))}, name...), 2<<3|2)
}()

// UnmarshalInterface reads ordinary accounts without the registry of types.
func (q *quick) UnmarshalInterface(raw []byte, into any) error {
	account, ok := into.(*sdk.AccountI)
	if !ok || !bytes.HasPrefix(raw, basePrefix) {
		return q.Codec.UnmarshalInterface(raw, into)
	}
	rest := raw[len(basePrefix):]
	length, n := binary.Uvarint(rest)
	if n <= 0 || length != uint64(len(rest)-n) {
		return q.Codec.UnmarshalInterface(raw, into)
	}
	base := new(authtypes.BaseAccount)
	if err := base.Unmarshal(rest[n:]); err != nil {
		return err
	}
	if err := base.UnpackInterfaces(q.Codec); err != nil {
		return err
	}
	*account = base
	return nil
}

// proposers is the staking module for the EVM, which asks in every transaction for the operator of the block's proposer and decodes a whole
// validator for it. The index of the module has the address alone.
type proposers struct {
	*stakingkeeper.Keeper
	store corestore.KVStoreService
}

// GetValidatorByConsAddr returns a validator of which nothing is set but its operator.
func (p proposers) GetValidatorByConsAddr(ctx context.Context, address sdk.ConsAddress) (stakingtypes.Validator, error) {
	operator, err := p.store.OpenKVStore(ctx).Get(stakingtypes.GetValidatorByConsAddrKey(address))
	if err != nil || len(operator) == 0 {
		return p.Keeper.GetValidatorByConsAddr(ctx, address)
	}
	name, err := p.ValidatorAddressCodec().BytesToString(operator)
	return stakingtypes.Validator{OperatorAddress: name}, err
}
