// Package request is the precompiled contract through which a model is asked that is too large to run inside a transaction, and through
// which machines answer. It owns the gas of such calls and the calls back; the rules are protocol/request's, hosted by chain/x/request. It
// must not import the app. The interface is contracts/src/IRequests.sol.
//
// A call back is an ordinary call of the EVM that the precompile makes after its own change of the state is done, with the gas that the
// requester named, so that its logs are those of the transaction. It is marked as delivered before it begins: a callback that calls back
// finds it done. If it fails, its changes are undone, the mark is taken away and the failure is an event.
package request

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/holiman/uint256"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	precompile "github.com/cosmos/evm/precompiles/common"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/precompile/refusal"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/request"
)

// Address is where the precompile lives on every chain of the network.
var Address = common.HexToAddress("0x0000000000000000000000000000000000000905")

// Gas of a call: all of it is charged before the work that it pays for. The state that a call decodes costs escrow.GasPerStateByte
// for each byte on top.
const (
	gasBase         = 5_000  // decoding the call and fetching a request
	gasPerInputByte = 4      // of call data; a number takes 32
	gasChange       = 60_000 // storing a request and its place in the queues, moving coins
	gasPerNumber    = 200    // kept in the state until the request is forgotten
	gasPerWorker    = 15_000 // who is paid when the request is answered
	gasListed       = 2_000  // each request of a list
	gasCallback     = 10_000 // beside what the callback uses: the mark, and a call of a cold account
	gasFailed       = 40_000 // kept back to take the mark away
)

// maxReason bounds the bytes of a failed callback in its event, and maxListed the requests of one list.
const (
	maxReason = 1024
	maxListed = 100
)

var errValue = errors.New("requests take no value: the cost comes from the caller's balance")

// Book is the module as the precompile needs it.
type Book interface {
	Request(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*request.Request, error)
	Input(ctx context.Context, id protocol.Hash, charge escrow.Charge) ([]uint32, error)
	Answer(ctx context.Context, r *request.Request, charge escrow.Charge) ([]uint32, error)
	Wanted(ctx context.Context, after protocol.Hash, max int) ([]protocol.Hash, error)
	Of(ctx context.Context, who protocol.Account, after protocol.Hash, max int) ([]protocol.Hash, error)
	Create(ctx sdk.Context, a request.Ask, model registry.Model, use registry.Use, input []uint32, from protocol.Account) (*request.Request, error)
	Take(ctx sdk.Context, r *request.Request, seal protocol.Hash, from protocol.Account) (*request.Request, error)
	Open(ctx sdk.Context, r *request.Request, output []uint32, salt protocol.Hash, from protocol.Account) (*request.Request, error)
	Replay(ctx sdk.Context, r *request.Request, output []uint32, by protocol.Account) (*request.Request, error)
	Deliver(ctx sdk.Context, r *request.Request, by protocol.Account) (*request.Request, error)
	Failed(ctx sdk.Context, id protocol.Hash) error
}

// Engine is the registry and the engine of the infer precompile.
type Engine interface {
	// Model returns a model after charging for the size of its stored form, or protocol.ErrNotFound.
	Model(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Model, error)
	// Fee is what one use of a model costs.
	Fee(m registry.Model) money.Amount
	// Compute charges for the work and runs a callable model.
	Compute(ctx sdk.Context, m registry.Model, input []uint32) ([]uint32, error)
}

// Precompile is the contract. It has no state.
type Precompile struct {
	precompile.Precompile
	abi    abi.ABI
	book   Book
	engine Engine
}

var _ vm.PrecompiledContract = (*Precompile)(nil)

// answered is the function of contracts/src/IRequests.sol's IAnswered.
var answered = load("IAnswered").Methods["answered"]

func load(name string) abi.ABI {
	parsed, err := abi.JSON(bytes.NewReader(contracts.Load(name).ABI))
	if err != nil {
		panic("request: the embedded ABI is damaged: " + err.Error())
	}
	return parsed
}

// New returns the contract; bank tells which addresses it keeps from receiving coins.
func New(book Book, engine Engine, bank precompile.BankKeeper) *Precompile {
	return &Precompile{
		Precompile: precompile.Precompile{
			// The stores' own gas is zero: what a call costs must not depend on the layout of keys.
			KvGasConfig:           storetypes.GasConfig{},
			TransientKVGasConfig:  storetypes.GasConfig{},
			ContractAddress:       Address,
			BalanceHandlerFactory: precompile.NewBalanceHandlerFactory(bank),
		},
		abi: load("IRequests"), book: book, engine: engine,
	}
}

// Name is "request".
func (*Precompile) Name() string { return "request" }

// RequiredGas is what any call costs. The EVM charges it before Run.
func (*Precompile) RequiredGas(input []byte) uint64 {
	return gasBase + gasPerInputByte*uint64(len(input))
}

// call is one execution.
type call struct {
	*Precompile
	ctx    sdk.Context
	evm    *vm.EVM
	from   protocol.Account
	method *abi.Method
	args   []any
	tell   *request.Request // whom to call back with when the changes are done
}

// Run executes one call. Every error but running out of gas is a revert: with an error of the interface, or with a text
// for what nobody can cause by a call.
func (p *Precompile) Run(evm *vm.EVM, contract *vm.Contract, readOnly bool) ([]byte, error) {
	var c *call
	out, err := p.native(evm, contract, func(ctx sdk.Context) (out []byte, err error) {
		if c, err = p.read(ctx, evm, contract, readOnly); err != nil {
			return nil, err
		}
		return c.do()
	})
	if err != nil || c.tell == nil {
		return out, err
	}
	success, err := p.callBack(evm, contract, c)
	if err != nil || c.method.Name != "deliver" {
		return out, err
	}
	return c.method.Outputs.Pack(success)
}

// native runs action in the module's state and turns errors of the interface into the data of a revert.
func (p *Precompile) native(evm *vm.EVM, contract *vm.Contract, action func(sdk.Context) ([]byte, error)) ([]byte, error) {
	var why error
	out, err := p.RunNativeAction(evm, contract, func(ctx sdk.Context) (out []byte, err error) {
		out, err = action(ctx)
		why = err
		return out, err
	})
	if data := refusal.Data(p.abi, why); errors.Is(err, vm.ErrExecutionReverted) && data != nil {
		evm.SetReturnData(data)
		return data, err
	}
	return out, err
}

func changes(method *abi.Method) bool { return method.StateMutability == "nonpayable" }

func (p *Precompile) read(ctx sdk.Context, evm *vm.EVM, contract *vm.Contract, readOnly bool) (*call, error) {
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
		ctx.GasMeter().ConsumeGas(gasChange, "request")
	}
	return &call{Precompile: p, ctx: ctx, evm: evm, from: protocol.Account(contract.Caller()), method: method, args: args}, nil
}

func (c *call) do() ([]byte, error) {
	switch c.method.Name {
	case "request":
		return c.request()
	case "cost":
		return c.cost()
	case "wanted":
		return c.list(c.args[1], func(max int) ([]protocol.Hash, error) { return c.book.Wanted(c.ctx, c.id(), max) })
	case "requestsOf":
		who, after := protocol.Account(c.args[0].(common.Address)), protocol.Hash(c.args[1].([32]byte))
		return c.list(c.args[2], func(max int) ([]protocol.Hash, error) { return c.book.Of(c.ctx, who, after, max) })
	case "sealOf":
		answer := request.Digest(c.args[2].([]uint32))
		return c.method.Outputs.Pack([32]byte(request.SealOf(c.id(), protocol.Account(c.args[1].(common.Address)), answer, protocol.Hash(c.args[3].([32]byte)))))
	}
	r, err := c.book.Request(c.ctx, c.id(), c.charge())
	if errors.Is(err, protocol.ErrNotFound) {
		return nil, refusal.New("RequestNotFound", [32]byte(c.id()))
	}
	if err != nil {
		return nil, err
	}
	switch c.method.Name {
	case "seal":
		next, err := c.book.Take(c.ctx, r, protocol.Hash(c.args[1].([32]byte)), c.from)
		if err != nil {
			return nil, c.refuse(err, r, r.Bond())
		}
		c.log("Sealed", next.ID, nil, topic(c.from))
		return c.method.Outputs.Pack(uint8(next.Status))
	case "fulfill":
		return c.fulfill(r)
	case "replay":
		return c.replay(r)
	case "deliver":
		return c.settle(r, r)
	case "answer":
		output, err := c.book.Answer(c.ctx, r, c.charge())
		if err != nil && !errors.Is(err, protocol.ErrNotFound) {
			return nil, err
		}
		return c.method.Outputs.Pack(uint8(r.Finality), output)
	case "get":
		return c.method.Outputs.Pack(view(r))
	case "inputOf":
		input, err := c.book.Input(c.ctx, r.ID, c.charge())
		if err != nil && !errors.Is(err, protocol.ErrNotFound) {
			return nil, err
		}
		return c.method.Outputs.Pack(input)
	case "bond":
		return word(r.Bond()), nil
	}
	return nil, fmt.Errorf("method %s has no implementation", c.method.Name)
}

func (c *call) id() protocol.Hash { return protocol.Hash(c.args[0].([32]byte)) }

func (c *call) charge() escrow.Charge { return escrow.ChargeState(c.ctx) }

func word(a money.Amount) []byte {
	b := a.Bytes()
	return b[:]
}

func topic(a protocol.Account) common.Hash { return common.BytesToHash(a[:]) }

// terms is Terms of the interface.
type terms = struct {
	Workers     uint8          `json:"workers"`
	Price       *big.Int       `json:"price"`
	Blocks      uint64         `json:"blocks"`
	Window      uint64         `json:"window"`
	Callback    common.Address `json:"callback"`
	CallbackGas uint64         `json:"callbackGas"`
	DeliveryFee *big.Int       `json:"deliveryFee"`
}

// amount reads a uint256.
func amount(n *big.Int) (money.Amount, error) { return money.Parse(n.String()) }

// model reads a model, charging for its record.
func (c *call) model(id protocol.Hash) (registry.Model, error) {
	m, err := c.engine.Model(c.ctx, id, c.charge())
	if errors.Is(err, protocol.ErrNotFound) {
		return m, refusal.New("ModelNotFound", [32]byte(id))
	}
	return m, err
}

func (c *call) request() ([]byte, error) {
	t := *abi.ConvertType(c.args[2], new(terms)).(*terms)
	input := c.args[1].([]uint32)
	c.ctx.GasMeter().ConsumeGas(gasPerNumber*uint64(len(input))+gasPerWorker*uint64(t.Workers), "input")
	ask, err := askOf(c.id(), t)
	if err != nil {
		return nil, err
	}
	m, err := c.model(c.id())
	if err != nil {
		return nil, err
	}
	if m.Callable != nil && m.Callable.Inputs != len(input) {
		return nil, refusal.New("WrongInputLength", big.NewInt(int64(len(input))), big.NewInt(int64(m.Callable.Inputs)))
	}
	use := registry.Use{Model: m.ID, Fee: c.engine.Fee(m)}
	r, err := c.book.Create(c.ctx, ask, m, use, input, c.from)
	if err != nil {
		return nil, c.refuse(err, nil, ask.Cost(use.Fee))
	}
	data, err := c.abi.Events["Requested"].Inputs.NonIndexed().Pack(ask.Workers, t.Price, new(big.Int).SetBytes(word(use.Fee)), t.DeliveryFee)
	if err != nil {
		return nil, err
	}
	c.log("Requested", r.ID, data, common.Hash(m.ID), topic(c.from))
	return c.method.Outputs.Pack([32]byte(r.ID))
}

// askOf reads terms and checks them.
func askOf(model protocol.Hash, t terms) (request.Ask, error) {
	ask := request.Ask{Model: model, Workers: t.Workers, Blocks: t.Blocks, Window: t.Window, Callback: protocol.Account(t.Callback), CallbackGas: t.CallbackGas}
	var err, late error
	ask.Price, err = amount(t.Price)
	ask.DeliveryFee, late = amount(t.DeliveryFee)
	if err = errors.Join(err, late); err == nil {
		err = ask.Check()
	}
	if err != nil {
		return ask, refusal.New("OutOfBounds", err.Error())
	}
	return ask, nil
}

func (c *call) cost() ([]byte, error) {
	ask, err := askOf(c.id(), *abi.ConvertType(c.args[1], new(terms)).(*terms))
	if err != nil {
		return nil, err
	}
	m, err := c.model(c.id())
	if err != nil {
		return nil, err
	}
	return word(ask.Cost(c.engine.Fee(m))), nil
}

// list answers with ids, charging for as many as were asked for.
func (c *call) list(max any, read func(int) ([]protocol.Hash, error)) ([]byte, error) {
	limit := maxListed
	if n := max.(*big.Int); n.IsUint64() && n.Uint64() < maxListed {
		limit = int(n.Uint64())
	}
	c.ctx.GasMeter().ConsumeGas(gasListed*uint64(limit), "requests")
	ids, err := read(limit)
	if err != nil {
		return nil, err
	}
	list := make([][32]byte, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return c.method.Outputs.Pack(list)
}

func (c *call) fulfill(r *request.Request) ([]byte, error) {
	output := c.args[1].([]uint32)
	c.ctx.GasMeter().ConsumeGas(gasPerNumber*uint64(len(output))+gasPerWorker*uint64(len(r.Workers)), "answer")
	next, err := c.book.Open(c.ctx, r, output, protocol.Hash(c.args[2].([32]byte)), c.from)
	if err != nil {
		return nil, c.refuse(err, r, money.Amount{})
	}
	data, err := c.abi.Events["Opened"].Inputs.NonIndexed().Pack(output)
	if err != nil {
		return nil, err
	}
	c.log("Opened", r.ID, data, topic(c.from))
	return c.settle(r, next)
}

func (c *call) replay(r *request.Request) ([]byte, error) {
	c.ctx.GasMeter().ConsumeGas(gasPerWorker*uint64(len(r.Workers)), "workers")
	if r.Status.Final() {
		return nil, refusal.New("NotNow", uint8(r.Status))
	}
	m, err := c.model(r.Ask.Model)
	if err != nil {
		return nil, err
	}
	input, err := c.book.Input(c.ctx, r.ID, c.charge())
	if err != nil {
		return nil, err
	}
	if m.Callable == nil || m.Callable.Inputs != len(input) {
		return nil, refusal.New("NotReplayable", [32]byte(m.ID))
	}
	output, err := c.engine.Compute(c.ctx, m, input)
	if err != nil {
		return nil, err
	}
	c.ctx.GasMeter().ConsumeGas(gasPerNumber*uint64(len(output)), "answer")
	next, err := c.book.Replay(c.ctx, r, output, c.from)
	if err != nil {
		return nil, c.refuse(err, r, money.Amount{})
	}
	return c.settle(r, next)
}

// settle tells what has become of a request, and marks the answer as delivered if somebody is to be told.
func (c *call) settle(before, after *request.Request) ([]byte, error) {
	if after.Status == request.Contested && before.Status != after.Status {
		c.log("Contested", after.ID, nil)
	}
	if after.Finality != before.Finality {
		output, err := c.book.Answer(c.ctx, after, c.charge())
		if err != nil {
			return nil, err
		}
		data, err := c.abi.Events["Answered"].Inputs.NonIndexed().Pack(uint8(after.Finality), output)
		if err != nil {
			return nil, err
		}
		c.log("Answered", after.ID, data, topic(c.from))
	}
	if c.method.Name != "deliver" && (after.Status != request.Answered || after.Ask.Callback.IsZero()) {
		return c.method.Outputs.Pack(uint8(after.Status))
	}
	next, err := c.book.Deliver(c.ctx, after, c.from)
	if err != nil {
		return nil, c.refuse(err, after, money.Amount{})
	}
	c.ctx.GasMeter().ConsumeGas(gasCallback+gasPerWorker, "callback, and who is paid for it")
	c.tell = next
	if c.method.Name == "deliver" {
		return nil, nil // what it returns is known when the callback is over
	}
	return c.method.Outputs.Pack(uint8(after.Status))
}

// refuse turns an error of a rule into one of the interface. locks is what the call would lock.
func (c *call) refuse(err error, r *request.Request, locks money.Amount) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, protocol.ErrInsufficient):
		b := locks.Bytes()
		return refusal.New("NotCovered", new(big.Int).SetBytes(b[:]))
	case errors.Is(err, protocol.ErrPhase) && r != nil:
		return refusal.New("NotNow", uint8(r.Status))
	case errors.Is(err, protocol.ErrDuplicate):
		return refusal.New("Again")
	case errors.Is(err, protocol.ErrNotAssigned):
		return refusal.New("NotAWorker")
	case errors.Is(err, protocol.ErrSealMismatch):
		return refusal.New("SealMismatch")
	case errors.Is(err, protocol.ErrInvalid), errors.Is(err, protocol.ErrTooLarge), errors.Is(err, protocol.ErrOverflow), errors.Is(err, protocol.ErrShape):
		return refusal.New("OutOfBounds", err.Error())
	}
	return err
}

// callBack calls the contract with the answer. It fails only for want of gas, which undoes all that the transaction's call has done: nobody
// can make a callback fail by giving it less than the requester asked for.
func (p *Precompile) callBack(evm *vm.EVM, contract *vm.Contract, c *call) (success bool, err error) {
	r := c.tell
	output, err := c.book.Answer(c.ctx, r, escrow.Free)
	if err != nil {
		return false, err
	}
	data, err := answered.Inputs.Pack([32]byte(r.ID), output, uint8(r.Finality))
	if err != nil {
		return false, err
	}
	// What a call inside a contract keeps back, a 64th, is the caller's to have, too.
	if need := r.Ask.CallbackGas + r.Ask.CallbackGas/63 + gasFailed; contract.Gas < need {
		return false, vm.ErrOutOfGas
	}
	to := common.Address(r.Ask.Callback)
	ret, left, why := evm.Call(Address, to, append(answered.ID[:4:4], data...), r.Ask.CallbackGas, new(uint256.Int))
	if !contract.UseGas(r.Ask.CallbackGas-left, nil, tracing.GasChangeCallPrecompiledContract) {
		return false, vm.ErrOutOfGas
	}
	if why == nil {
		p.note(evm, "Delivered", r.ID, nil, topic(r.Ask.Callback), topic(c.from))
		return true, nil
	}
	_, err = p.native(evm, contract, func(ctx sdk.Context) ([]byte, error) { return nil, p.book.Failed(ctx, r.ID) })
	if err != nil {
		return false, err
	}
	reason, err := p.abi.Events["CallbackFailed"].Inputs.NonIndexed().Pack(ret[:min(len(ret), maxReason)])
	if err != nil {
		return false, err
	}
	p.note(evm, "CallbackFailed", r.ID, reason, topic(r.Ask.Callback), topic(c.from))
	return false, nil
}

func (c *call) log(event string, id protocol.Hash, data []byte, topics ...common.Hash) {
	c.note(c.evm, event, id, data, topics...)
}

func (p *Precompile) note(evm *vm.EVM, event string, id protocol.Hash, data []byte, topics ...common.Hash) {
	evm.StateDB.AddLog(&ethtypes.Log{
		Address: Address, Topics: append([]common.Hash{p.abi.Events[event].ID, common.Hash(id)}, topics...), Data: data,
		BlockNumber: evm.Context.BlockNumber.Uint64(),
	})
}

// view is Request of the interface.
func view(r *request.Request) any {
	v := struct {
		Requester common.Address
		Model     [32]byte
		Terms     terms
		Status    uint8
		Finality  uint8
		Due       uint64
		Delivered bool
		Attempts  uint32
		Workers   []common.Address
		Opened    []bool
	}{
		Requester: common.Address(r.From), Model: r.Ask.Model, Status: uint8(r.Status), Finality: uint8(r.Finality), Due: uint64(r.Due), Delivered: r.Delivered, Attempts: r.Attempts,
		Terms: terms{r.Ask.Workers, new(big.Int).SetBytes(word(r.Ask.Price)), r.Ask.Blocks, r.Ask.Window, common.Address(r.Ask.Callback), r.Ask.CallbackGas,
			new(big.Int).SetBytes(word(r.Ask.DeliveryFee))},
	}
	for _, w := range r.Workers {
		v.Workers, v.Opened = append(v.Workers, common.Address(w.Account)), append(v.Opened, !w.Answer.IsZero())
	}
	return v
}
