// Package infer is the precompiled contract through which Solidity calls a model of the registry as a function. It owns
// the gas of such calls and the compiled models; the bits come from engine/exec, the payment from the registry's rules.
// It must not import the app. The interface is contracts/src/IInfer.sol.
//
// Who pays: infer takes the fee from the balance of its direct caller, never from msg.value (value is refused) and never
// from whoever called that contract. The node runs precompiles read-only under STATICCALL, DELEGATECALL and CALLCODE, so
// code that is merely borrowed cannot spend its borrower's money. The bank moves the coins; cosmos/evm's balance handler
// repeats the moves in the EVM's view of balances, so that both agree and a revert undoes both.
package infer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	precompile "github.com/cosmos/evm/precompiles/common"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/precompile/refusal"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// Address is where the precompile lives on every chain of the network.
var Address = common.HexToAddress("0x0000000000000000000000000000000000000901")

// Gas of a call: all of it is charged before the work that it pays for. What a model takes is in its record (registry.Callable): it is
// the same whether the node has compiled the model before or not, or gas would depend on memory.
const (
	gasBase         = 20_000 // decoding the call and fetching the model's record
	gasPerInputByte = 2      // of call data; a number takes 32
	gasPerByte      = 1      // of the artifact, read from the state
	gasPayment      = 40_000 // moving the fee, counting the use, keeping its receipt
)

var errValue = errors.New("infer takes no value: the fee comes from the caller's balance")

// Models is the registry as the precompile needs it.
type Models interface {
	// Model returns a model after charging for the size of its stored form, or protocol.ErrNotFound.
	Model(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Model, error)
	// Artifact returns the encoded graph of a callable model.
	Artifact(ctx context.Context, id protocol.Hash) ([]byte, error)
	// ArtifactSize is the length of Artifact in bytes.
	ArtifactSize(ctx context.Context, id protocol.Hash) (int, error)
	// Use pays the holders of model, which was read in this state.
	Use(ctx sdk.Context, m registry.Use, model registry.Model, from protocol.Account) error
}

// Precompile is the contract. It has no state besides the compiled models: those of blocks apart from those of queries, so
// that nobody who asks a node's JSON-RPC can make the execution of a block wait or recompile.
type Precompile struct {
	precompile.Precompile
	abi             abi.ABI
	models          Models
	blocks, queries *programs
}

var _ vm.PrecompiledContract = (*Precompile)(nil)

// New returns the contract over a registry; bank tells which addresses it keeps from receiving coins.
func New(models Models, bank precompile.BankKeeper) *Precompile {
	parsed, err := abi.JSON(bytes.NewReader(contracts.Load("IInfer").ABI))
	if err != nil {
		panic("infer: the embedded ABI is damaged: " + err.Error())
	}
	return &Precompile{
		Precompile: precompile.Precompile{
			// The stores' own gas is zero: what a call costs must not depend on the layout of keys.
			KvGasConfig:           storetypes.GasConfig{},
			TransientKVGasConfig:  storetypes.GasConfig{},
			ContractAddress:       Address,
			BalanceHandlerFactory: precompile.NewBalanceHandlerFactory(bank),
		},
		abi:     parsed,
		models:  models,
		blocks:  newPrograms(),
		queries: newPrograms(),
	}
}

// Name is "infer".
func (*Precompile) Name() string { return "infer" }

// RequiredGas is what any call costs. The EVM charges it before Run.
func (*Precompile) RequiredGas(input []byte) uint64 {
	return gasBase + gasPerInputByte*uint64(len(input))
}

// Run executes one call. Every error but running out of gas is a revert: with an error of the interface, or with a text
// for what nobody can cause by a call.
func (p *Precompile) Run(evm *vm.EVM, contract *vm.Contract, readOnly bool) ([]byte, error) {
	var why error
	out, err := p.RunNativeAction(evm, contract, func(ctx sdk.Context) (out []byte, err error) {
		out, err = p.call(ctx, evm, contract, readOnly)
		why = err
		return out, err
	})
	if data := refusal.Data(p.abi, why); errors.Is(err, vm.ErrExecutionReverted) && data != nil {
		evm.SetReturnData(data)
		return data, err
	}
	return out, err
}

func (p *Precompile) call(ctx sdk.Context, evm *vm.EVM, contract *vm.Contract, readOnly bool) ([]byte, error) {
	method, args, err := precompile.SetupABI(p.abi, contract, readOnly, isTransaction)
	switch {
	case errors.Is(err, vm.ErrWriteProtection):
		return nil, refusal.New("WriteProtected")
	case err != nil:
		return nil, refusal.New("MalformedCall")
	case !contract.Value().IsZero():
		return nil, errValue
	}
	m, err := p.callable(ctx, args)
	if err != nil {
		return nil, err
	}
	switch method.Name {
	case "infer":
		return p.infer(ctx, evm, m, contract.Caller(), method, args)
	case "preview":
		// Otherwise a contract could take the answer and leave the holders unpaid.
		if ctx.ExecMode() == sdk.ExecModeFinalize {
			return nil, refusal.New("PreviewInTransaction")
		}
		return p.answer(ctx, m, method, args)
	case "macs":
		return method.Outputs.Pack(m.Callable.MACs)
	case "fee":
		amount := fee.Of(*m.Callable).Bytes()
		return amount[:], nil // a uint256 is encoded as its 32 bytes
	}
	return nil, fmt.Errorf("method %s has no implementation", method.Name)
}

func isTransaction(method *abi.Method) bool { return method.Name == "infer" }

// callable reads the model that the first argument names, charging for its size before it is decoded.
func (p *Precompile) callable(ctx sdk.Context, args []any) (registry.Model, error) {
	id := args[0].([32]byte)
	m, err := p.models.Model(ctx, protocol.Hash(id), escrow.ChargeState(ctx))
	switch {
	case errors.Is(err, protocol.ErrNotFound):
		return m, refusal.New("ModelNotFound", id)
	case err == nil && m.Callable == nil:
		return m, refusal.New("ModelNotCallable", id)
	}
	return m, err
}

// programs is the cache for what ctx is part of.
func (p *Precompile) programs(ctx sdk.Context) *programs {
	switch ctx.ExecMode() {
	case sdk.ExecModeCheck, sdk.ExecModeReCheck, sdk.ExecModeSimulate: // Check is also the mode of eth_call
		return p.queries
	}
	return p.blocks
}

// answer computes and encodes the output.
func (p *Precompile) answer(ctx sdk.Context, m registry.Model, method *abi.Method, args []any) ([]byte, error) {
	input := args[1].([]uint32)
	if len(input) != m.Callable.Inputs {
		return nil, refusal.New("WrongInputLength", big.NewInt(int64(len(input))), big.NewInt(int64(m.Callable.Inputs)))
	}
	output, err := p.Compute(ctx, m, input)
	if err != nil {
		return nil, err
	}
	return method.Outputs.Pack(output)
}

// Model is the registry's.
func (p *Precompile) Model(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Model, error) {
	return p.models.Model(ctx, id, charge)
}

// Fee is what one use of a model costs.
func (*Precompile) Fee(m registry.Model) money.Amount { return FeeOf(m) }

// Compute charges for the work and runs a callable model on an input of its length, as every validator does.
func (p *Precompile) Compute(ctx sdk.Context, m registry.Model, input []uint32) ([]uint32, error) {
	size, err := p.models.ArtifactSize(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	ctx.GasMeter().ConsumeGas(gasPerByte*uint64(size), "model artifact")
	ctx.GasMeter().ConsumeGas(m.Callable.Gas, "model")
	program, err := p.programs(ctx).get(m.ID, func() ([]byte, error) { return p.models.Artifact(ctx, m.ID) })
	if err != nil {
		return nil, err
	}
	return program.run(*m.Callable, input, func(panicked any) {
		ctx.Logger().Error("engine panicked", "model", m.ID.String(), "panic", fmt.Sprint(panicked))
	})
}

// infer computes, takes the fee from caller, and logs the use.
func (p *Precompile) infer(ctx sdk.Context, evm *vm.EVM, m registry.Model, caller common.Address, method *abi.Method, args []any) ([]byte, error) {
	ctx.GasMeter().ConsumeGas(gasPayment, "payment")
	output, err := p.answer(ctx, m, method, args)
	if err != nil {
		return nil, err
	}
	use := registry.Use{Model: m.ID, Fee: fee.Of(*m.Callable)}
	amount := use.Fee.Bytes()
	switch err := p.models.Use(ctx, use, m, protocol.Account(caller)); {
	case errors.Is(err, protocol.ErrInsufficient):
		return nil, refusal.New("FeeNotCovered", new(big.Int).SetBytes(amount[:]))
	case err != nil:
		return nil, err
	}
	evm.StateDB.AddLog(&ethtypes.Log{
		Address:     Address,
		Topics:      []common.Hash{p.abi.Events["Used"].ID, common.Hash(m.ID), common.BytesToHash(caller[:])},
		Data:        amount[:],
		BlockNumber: evm.Context.BlockNumber.Uint64(),
	})
	return output, nil
}
