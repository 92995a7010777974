package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/tracing"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/tracers/logger"

	sdk "github.com/cosmos/cosmos-sdk/types"
	rpctypes "github.com/cosmos/evm/rpc/types"
	"github.com/cosmos/evm/x/vm/statedb"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/network"
)

// blockOverrides is what a caller may say of the block in which a call is executed.
type blockOverrides struct {
	Number       *hexutil.Big    `json:"number"`
	Time         *hexutil.Uint64 `json:"time"`
	BaseFee      *hexutil.Big    `json:"baseFeePerGas"`
	FeeRecipient *common.Address `json:"feeRecipient"`

	// What the EVM of the network has from its rules.
	Difficulty *hexutil.Big    `json:"difficulty"`
	GasLimit   *hexutil.Uint64 `json:"gasLimit"`
	PrevRandao *common.Hash    `json:"prevRandao"`
	BlobFee    *hexutil.Big    `json:"blobBaseFee"`
}

var (
	errFixed   = errors.New("difficulty, gas limit, randomness and blob fee of a block are the network's and cannot be overridden")
	errBadTime = errors.New("no such block number or time")
)

// scene is where a call is executed: a branch of the state of some block, with the block that the EVM sees.
type scene struct {
	ctx    sdk.Context
	chain  *Chain
	config *statedb.EVMConfig
}

// scene prepares the state after a block, or, of the pending block, with what waits executed on it. The caller holds the
// chain's lock for reading.
func (e *ethAPI) scene(at *rpctypes.BlockNumberOrHash, over *blockOverrides) (*scene, error) {
	c := e.chain
	height, pending := c.height(), false
	switch {
	case at == nil || at.BlockHash == nil && at.BlockNumber == nil:
	case at.BlockHash != nil:
		found := false
		if height, found = c.byID[*at.BlockHash]; !found {
			return nil, invalid(fmt.Errorf("%w: %s", errNoBlock, at.BlockHash))
		}
	case *at.BlockNumber == rpctypes.EthEarliestBlockNumber:
		height = 1
	case *at.BlockNumber < 0:
		pending = *at.BlockNumber == rpctypes.EthPendingBlockNumber
	default:
		height = at.BlockNumber.Int64()
	}
	b, err := c.at(&height)
	if err != nil {
		return nil, invalid(err)
	}
	ctx, err := c.app.CreateQueryContext(height, false)
	if err != nil {
		return nil, err
	}
	header := b.Block.Header
	ctx = ctx.WithConsensusParams(c.doc.ConsensusParams.ToProto()).WithBlockTime(header.Time).WithProposer(sdk.ConsAddress(header.ProposerAddress))
	if pending {
		if ctx, err = c.ahead(ctx); err != nil {
			return nil, err
		}
	}
	if ctx, err = over.of(ctx); err != nil {
		return nil, err
	}
	s := &scene{ctx: ctx, chain: c}
	if s.config, err = c.app.EVM.EVMConfig(ctx, sdk.ConsAddress(header.ProposerAddress)); err != nil {
		return nil, err
	}
	if over != nil && over.BaseFee != nil {
		s.config.BaseFee = over.BaseFee.ToInt()
	}
	if over != nil && over.FeeRecipient != nil {
		s.config.CoinBase = *over.FeeRecipient
	}
	return s, nil
}

// ahead is ctx in the next block, with the transactions that wait for it.
func (c *Chain) ahead(ctx sdk.Context) (sdk.Context, error) {
	clock := c.clock
	ctx = ctx.WithBlockHeight(c.height() + 1).WithBlockTime(clock.tick(c.last().Time))
	list, _, err := c.ready()
	if err != nil {
		return ctx, err
	}
	for _, w := range list {
		branch, write := ctx.CacheContext()
		if c.app.Check(branch, w.sdk) != nil {
			continue
		}
		write()
		branch, write = ctx.CacheContext()
		for _, m := range w.sdk.GetMsgs() {
			if msg, ok := m.(*evmtypes.MsgEthereumTx); ok {
				if _, err := c.app.EVM.EthereumTx(branch, msg); err == nil {
					write()
				}
			}
		}
	}
	return ctx, nil
}

// of puts the block of o into ctx.
func (o *blockOverrides) of(ctx sdk.Context) (sdk.Context, error) {
	if o == nil {
		return ctx, nil
	}
	if o.Difficulty != nil || o.GasLimit != nil || o.PrevRandao != nil || o.BlobFee != nil {
		return ctx, invalid(errFixed)
	}
	if o.Number != nil {
		if !o.Number.ToInt().IsInt64() {
			return ctx, invalid(errBadTime)
		}
		ctx = ctx.WithBlockHeight(o.Number.ToInt().Int64())
	}
	if o.Time != nil {
		if uint64(*o.Time) > 1<<40 {
			return ctx, invalid(errBadTime)
		}
		ctx = ctx.WithBlockTime(time.Unix(int64(*o.Time), 0).UTC())
	}
	return ctx, nil
}

// run executes a message and drops what it changes, or keeps it in the scene for the next one.
func (s *scene) run(args evmtypes.TransactionArgs, state *rpctypes.StateOverride, hooks *tracing.Hooks, keep bool) (*evmtypes.MsgEthereumTxResponse, error) {
	nonce := hexutil.Uint64(s.chain.app.EVM.GetNonce(s.ctx, args.GetFrom()))
	args.Nonce = &nonce
	id := new(big.Int).SetUint64(s.chain.config.ChainID)
	if err := args.CallDefaults(network.BlockGas, s.config.BaseFee, id); err != nil {
		return nil, invalid(err)
	}
	tx := statedb.NewEmptyTxConfig()
	db := statedb.New(s.ctx, s.chain.app.EVM, tx)
	return s.chain.app.EVM.ApplyMessageWithConfig(s.ctx, db, *args.ToMessage(s.config.BaseFee, false, false), hooks, keep, false, s.config, tx, false, state)
}

// failure is why the EVM stopped; nil if it did not.
func failure(r *evmtypes.MsgEthereumTxResponse) error {
	switch {
	case r.VmError == "":
		return nil
	case r.VmError != vm.ErrExecutionReverted.Error() || len(r.Ret) == 0: // told knows a revert without data
		return told(errors.New(r.VmError))
	}
	return evmtypes.NewExecErrorWithReason(r.Ret)
}

// stateOf reads overrides of the state.
func stateOf(raw *json.RawMessage) (*rpctypes.StateOverride, error) {
	if raw == nil || len(*raw) == 0 || string(*raw) == "null" {
		return nil, nil
	}
	o := new(rpctypes.StateOverride)
	if err := json.Unmarshal(*raw, o); err != nil {
		return nil, invalid(err)
	}
	return o, nil
}

// Call executes a message and changes nothing. Both the state and the block that it sees can be overridden.
func (e *ethAPI) Call(args evmtypes.TransactionArgs, at *rpctypes.BlockNumberOrHash, state *json.RawMessage, over *blockOverrides) (hexutil.Bytes, error) {
	override, err := stateOf(state)
	if err != nil {
		return nil, err
	}
	defer e.node.reading()()
	s, err := e.scene(at, over)
	if err != nil {
		return nil, err
	}
	r, err := s.run(args, override, nil, false)
	if err == nil {
		err = failure(r)
	}
	if err != nil {
		return nil, told(err)
	}
	return r.Ret, nil
}

// EstimateGas is the gas that a transaction needs, in the state after the last block unless another one is named.
func (e *ethAPI) EstimateGas(ctx context.Context, args evmtypes.TransactionArgs, at *rpctypes.BlockNumberOrHash, state *json.RawMessage) (hexutil.Uint64, error) {
	gas, err := e.backend.EstimateGas(ctx, args, at, state)
	return gas, told(err)
}

// maxAccessRounds bounds the executions until an access list changes no more.
const maxAccessRounds = 16

// accessList is the answer of CreateAccessList.
type accessList struct {
	AccessList ethtypes.AccessList `json:"accessList"`
	Error      string              `json:"error,omitempty"`
	GasUsed    hexutil.Uint64      `json:"gasUsed"`
}

// CreateAccessList executes a message until the list of what it touches is that with which it was executed.
func (e *ethAPI) CreateAccessList(args evmtypes.TransactionArgs, at *rpctypes.BlockNumberOrHash, state *json.RawMessage) (*accessList, error) {
	override, err := stateOf(state)
	if err != nil {
		return nil, err
	}
	defer e.node.reading()()
	s, err := e.scene(at, nil)
	if err != nil {
		return nil, err
	}
	without := map[common.Address]struct{}{args.GetFrom(): {}}
	if args.To != nil {
		without[*args.To] = struct{}{}
	} else {
		nonce := s.chain.app.EVM.GetNonce(s.ctx, args.GetFrom())
		without[crypto.CreateAddress(args.GetFrom(), nonce)] = struct{}{}
	}
	for _, a := range vm.ActivePrecompiles(evmtypes.GetEthChainConfig().Rules(big.NewInt(s.ctx.BlockHeight()), true, uint64(s.ctx.BlockTime().Unix()))) {
		without[a] = struct{}{}
	}
	var list ethtypes.AccessList
	if args.AccessList != nil {
		list = *args.AccessList
	}
	for range maxAccessRounds {
		before := logger.NewAccessListTracer(list, without)
		list = before.AccessList()
		args.AccessList = &list
		tracer := logger.NewAccessListTracer(list, without)
		r, err := s.run(args, override, tracer.Hooks(), false)
		if err != nil {
			return nil, told(err)
		}
		if list = tracer.AccessList(); tracer.Equal(before) {
			return &accessList{list, r.VmError, hexutil.Uint64(r.GasUsed)}, nil
		}
	}
	return nil, errors.New("the access list changes with every execution")
}
