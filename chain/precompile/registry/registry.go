// Package registry is the precompiled contract through which Solidity sees who owns a model: parts, what they earned, and the
// ERC-20 token that each model has. It owns the gas of such calls and the tokens' addresses; the rules are protocol/registry's,
// hosted by chain/x/registry. It must not import the app. The interface is contracts/src/IRegistry.sol, the token
// contracts/src/ShareToken.sol.
//
// A token keeps allowances and nothing else: balances are the registry's holdings, so that a transfer by a wallet and one by a message of
// the ledger are the same. The precompile lets a model's token, and nobody else, move the parts of others.
package registry

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
var Address = common.HexToAddress("0x0000000000000000000000000000000000000902")

// Gas of a call: all of it is charged before the work that it pays for. The state that a call decodes costs escrow.GasPerStateByte
// for each byte on top.
const (
	gasBase         = 3_000  // decoding the call and fetching a record
	gasPerInputByte = 16     // of call data, like Ethereum's own
	gasChange       = 25_000 // fetching and storing the model, its parents and holdings
)

var errValue = errors.New("the registry takes no value")

// Models is the registry as the precompile needs it.
type Models interface {
	// Model returns a model after charging for the size of its stored form, or protocol.ErrNotFound.
	Model(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Model, error)
	// HasModel reports whether id is registered.
	HasModel(ctx context.Context, id protocol.Hash) (bool, error)
	// Artifact returns the encoded graph of a callable model, ArtifactSize its length without reading it, or protocol.ErrNotFound.
	Artifact(ctx context.Context, id protocol.Hash) ([]byte, error)
	ArtifactSize(ctx context.Context, id protocol.Hash) (int, error)
	// Holding returns what an account holds of a model, or protocol.ErrNotFound.
	Holding(ctx context.Context, model protocol.Hash, holder protocol.Account) (registry.Holding, error)
	// Due is what Claim would pay, or protocol.ErrNotFound for an unknown model. It changes nothing.
	Due(ctx context.Context, model protocol.Hash, holder protocol.Account, charge escrow.Charge) (money.Amount, error)
	// Claim pays a holder what it is due and returns that, or protocol.ErrNotFound for nothing.
	Claim(ctx sdk.Context, m registry.ClaimDividend, charge escrow.Charge) (money.Amount, error)
	// Transfer moves parts, or returns protocol.ErrInsufficient.
	Transfer(ctx sdk.Context, m registry.TransferShares, from protocol.Account, charge escrow.Charge) error
}

// Precompile is the contract. It has no state.
type Precompile struct {
	precompile.Precompile
	abi    abi.ABI
	models Models
}

var _ vm.PrecompiledContract = (*Precompile)(nil)

// New returns the contract over a registry; bank tells which addresses it keeps from receiving coins.
func New(models Models, bank precompile.BankKeeper) *Precompile {
	parsed, err := abi.JSON(bytes.NewReader(contracts.Load("IRegistry").ABI))
	if err != nil {
		panic("registry: the embedded ABI is damaged: " + err.Error())
	}
	return &Precompile{
		Precompile: precompile.Precompile{
			// The stores' own gas is zero: what a call costs must not depend on the layout of keys.
			KvGasConfig:           storetypes.GasConfig{},
			TransientKVGasConfig:  storetypes.GasConfig{},
			ContractAddress:       Address,
			BalanceHandlerFactory: precompile.NewBalanceHandlerFactory(bank), // claim moves coins
		},
		abi:    parsed,
		models: models,
	}
}

// Name is "registry".
func (*Precompile) Name() string { return "registry" }

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

func changes(method *abi.Method) bool { return method.Name == "claim" || method.Name == "moveShares" }

func (p *Precompile) call(ctx sdk.Context, evm *vm.EVM, contract *vm.Contract, readOnly bool) ([]byte, error) {
	method, args, err := precompile.SetupABI(p.abi, contract, readOnly, changes)
	switch {
	case errors.Is(err, vm.ErrWriteProtection):
		return nil, refusal.New("WriteProtected")
	case err != nil:
		return nil, refusal.New("MalformedCall")
	case !contract.Value().IsZero():
		return nil, errValue
	}
	if changes(method) {
		ctx.GasMeter().ConsumeGas(gasChange, "registry")
	}
	id := protocol.Hash(args[0].([32]byte))
	switch known, err := p.models.HasModel(ctx, id); {
	case err != nil:
		return nil, err
	case method.Name == "exists":
		return method.Outputs.Pack(known)
	case !known:
		return nil, refusal.New("ModelNotFound", [32]byte(id))
	}
	charge := escrow.ChargeState(ctx)
	switch method.Name {
	case "token":
		return method.Outputs.Pack(TokenAddress(id))
	case "modelName":
		m, err := p.models.Model(ctx, id, charge)
		if err != nil {
			return nil, err
		}
		return method.Outputs.Pack(m.Name)
	case "info", "parents", "artifact":
		return p.show(ctx, method, id)
	case "sharesOf":
		h, err := p.models.Holding(ctx, id, account(args[1]))
		if err != nil && !errors.Is(err, protocol.ErrNotFound) {
			return nil, err
		}
		return method.Outputs.Pack(big.NewInt(int64(h.PPM)))
	case "due":
		amount, err := p.models.Due(ctx, id, account(args[1]), charge)
		return word(amount), err
	case "claim":
		return p.claim(ctx, evm, registry.ClaimDividend{Model: id, Holder: account(args[1])})
	case "moveShares":
		return p.move(ctx, evm, contract.Caller(), method, id, account(args[1]), account(args[2]), args[3].(*big.Int))
	}
	return nil, fmt.Errorf("method %s has no implementation", method.Name)
}

func account(arg any) protocol.Account { return protocol.Account(arg.(common.Address)) }

// word is an amount as a uint256 is encoded.
func word(a money.Amount) []byte {
	b := a.Bytes()
	return b[:]
}

func (p *Precompile) claim(ctx sdk.Context, evm *vm.EVM, m registry.ClaimDividend) ([]byte, error) {
	amount, err := p.models.Claim(ctx, m, escrow.ChargeState(ctx))
	switch {
	case errors.Is(err, protocol.ErrNotFound):
		return nil, refusal.New("NothingDue", [32]byte(m.Model), common.Address(m.Holder))
	case err != nil:
		return nil, err
	}
	p.log(evm, "DividendPaid", word(amount), common.Hash(m.Model), common.BytesToHash(m.Holder[:]))
	return word(amount), nil
}

// move hosts TransferShares for the token of a model.
func (p *Precompile) move(ctx sdk.Context, evm *vm.EVM, caller common.Address, method *abi.Method, id protocol.Hash, from, to protocol.Account, parts *big.Int) ([]byte, error) {
	if caller != TokenAddress(id) {
		return nil, refusal.New("NotTheToken", caller)
	}
	short := refusal.New("NotEnoughShares", [32]byte(id), common.Address(from), parts)
	if parts.BitLen() > 20 { // more than there are
		return nil, short
	}
	err := p.models.Transfer(ctx, registry.TransferShares{Model: id, To: to, PPM: uint32(parts.Uint64())}, from, escrow.ChargeState(ctx))
	switch {
	case errors.Is(err, protocol.ErrInsufficient), errors.Is(err, protocol.ErrNotFound): // it has fewer, or none
		return nil, short
	case errors.Is(err, protocol.ErrInvalid): // to itself, or none at all: the token does not ask for that
		return nil, refusal.New("MalformedCall")
	case err != nil:
		return nil, err
	}
	amount := common.BigToHash(parts)
	p.log(evm, "SharesMoved", amount[:], common.Hash(id), common.BytesToHash(from[:]), common.BytesToHash(to[:]))
	return method.Outputs.Pack(true)
}

func (p *Precompile) log(evm *vm.EVM, event string, data []byte, topics ...common.Hash) {
	evm.StateDB.AddLog(&ethtypes.Log{
		Address: Address, Topics: append([]common.Hash{p.abi.Events[event].ID}, topics...), Data: data, BlockNumber: evm.Context.BlockNumber.Uint64(),
	})
}
