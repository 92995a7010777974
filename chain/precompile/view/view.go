// Package view is a precompiled contract that only reads: methods by name over an embedded interface. It owns how such a call is decoded,
// charged and refused; what the methods read is their own. It must not import the app.
package view

import (
	"bytes"
	"errors"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/vm"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	precompile "github.com/cosmos/evm/precompiles/common"

	"github.com/mutirao/mutirao/chain/precompile/refusal"
	"github.com/mutirao/mutirao/contracts"
)

// Gas of a call, charged before it is decoded. What it reads from the state it charges itself.
const (
	gasBase         = 3_000
	gasPerInputByte = 16
)

var errValue = errors.New("there is nothing to pay for")

// Method answers one call. It charges ctx for what it reads before it decodes it.
type Method func(ctx sdk.Context, args []any) ([]any, error)

// Contract is the precompile. It has no state.
type Contract struct {
	precompile.Precompile
	name    string
	abi     abi.ABI
	methods map[string]Method // looked up, never walked over
}

var _ vm.PrecompiledContract = (*Contract)(nil)

// New returns a contract at an address with a Solidity interface of package contracts. It panics if a method of the interface has no
// implementation: the set is fixed when the program is built.
func New(name, solidity string, at common.Address, methods map[string]Method) *Contract {
	parsed, err := abi.JSON(bytes.NewReader(contracts.Load(solidity).ABI))
	if err != nil {
		panic("view: the embedded ABI of " + solidity + " is damaged: " + err.Error())
	}
	for m := range parsed.Methods {
		if methods[m] == nil {
			panic("view: " + solidity + "." + m + " has no implementation")
		}
	}
	return &Contract{
		// The stores' own gas is zero: what a call costs must not depend on the layout of keys.
		Precompile: precompile.Precompile{KvGasConfig: storetypes.GasConfig{}, TransientKVGasConfig: storetypes.GasConfig{}, ContractAddress: at},
		name:       name, abi: parsed, methods: methods,
	}
}

// Name is what the contract is called in logs.
func (c *Contract) Name() string { return c.name }

// RequiredGas is what any call costs. The EVM charges it before Run.
func (*Contract) RequiredGas(input []byte) uint64 {
	return gasBase + gasPerInputByte*uint64(len(input))
}

// Run executes one call. Every error but running out of gas is a revert.
func (c *Contract) Run(evm *vm.EVM, contract *vm.Contract, readOnly bool) ([]byte, error) {
	var why error
	out, err := c.RunNativeAction(evm, contract, func(ctx sdk.Context) (out []byte, err error) {
		out, err = c.call(ctx, contract, readOnly)
		why = err
		return out, err
	})
	if data := refusal.Data(c.abi, why); errors.Is(err, vm.ErrExecutionReverted) && data != nil {
		evm.SetReturnData(data)
		return data, err
	}
	return out, err
}

func (c *Contract) call(ctx sdk.Context, contract *vm.Contract, readOnly bool) ([]byte, error) {
	method, args, err := precompile.SetupABI(c.abi, contract, readOnly, func(*abi.Method) bool { return false })
	switch {
	case err != nil:
		return nil, refusal.New("MalformedCall")
	case !contract.Value().IsZero():
		return nil, errValue
	}
	values, err := c.methods[method.Name](ctx, args)
	if err != nil {
		return nil, err
	}
	return method.Outputs.Pack(values...)
}
