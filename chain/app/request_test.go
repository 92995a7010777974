package app_test

import (
	"bytes"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/escrow"
	marketprecompile "github.com/mutirao/mutirao/chain/precompile/market"
	requestprecompile "github.com/mutirao/mutirao/chain/precompile/request"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/request"
)

// askers is a chain with a model, a contract that asks for its answers, and people who give them.
type askers struct {
	*chain
	model           registry.Model
	asker           common.Address
	requests, abi   abi.ABI
	owner           person
	workers         [2]person
	supply, wealthy money.Amount
}

type requestTerms struct {
	Workers     uint8
	Price       *big.Int
	Blocks      uint64
	Window      uint64
	Callback    common.Address
	CallbackGas uint64
	DeliveryFee *big.Int
}

// deliveryFee is what whoever calls back first gets.
var deliveryFee = money.New(5e14)

func newAskers(t *testing.T) *askers {
	t.Helper()
	a := &askers{owner: newPerson(t, 1), workers: [2]person{newPerson(t, 2), newPerson(t, 3)}, requests: readABI(t, "IRequests"), abi: readABI(t, "Asker")}
	a.chain = newChain(t, a.owner, a.workers[0], a.workers[1])
	raw := graph.Encode(artifact(t))
	if err := a.submit(a.owner, registry.DepositModel{Name: "small", Artifact: raw}); err != nil {
		t.Fatal(err)
	}
	id, err := registry.DepositID(raw, a.owner.Account())
	if err != nil {
		t.Fatal(err)
	}
	if a.model, err = a.app.Registry.Model(a.context(), id, escrow.Free); err != nil {
		t.Fatal(err)
	}
	a.asker = a.deploy(a.owner, common.FromHex(contracts.Load("Asker").Bytecode))
	a.supply = a.chain.supply()
	return a
}

// call sends a call of the precompile and returns the answer.
func (a *askers) call(from person, method string, args ...any) *evmtypes.MsgEthereumTxResponse {
	a.t.Helper()
	to := requestprecompile.Address
	return a.ethereum(from, &to, money.Amount{}, 8_000_000, pack(a.t, a.requests, method, args...))
}

func (a *askers) ok(r *evmtypes.MsgEthereumTxResponse) *evmtypes.MsgEthereumTxResponse {
	a.t.Helper()
	if r.Failed() {
		a.t.Fatalf("%s: %s", r.VmError, refusal(a.requests, r.Ret))
	}
	return r
}

// ask lets the contract make a request.
func (a *askers) ask(input []uint32, workers uint8, window, gas uint64, mode uint8) protocol.Hash {
	a.t.Helper()
	to := a.asker
	a.ok(a.ethereum(a.owner, &to, money.Amount{}, 500_000, pack(a.t, a.abi, "setMode", mode)))
	terms := requestTerms{workers, big.NewInt(1e15), 20, window, a.asker, gas, big.NewInt(5e14)}
	r := a.ok(a.ethereum(a.owner, &to, money.MUT(1), 3_000_000, pack(a.t, a.abi, "ask", [32]byte(a.model.ID), input, terms)))
	return protocol.Hash(r.Ret)
}

// work seals and opens answers, one for each worker, and returns the last transaction.
func (a *askers) work(id protocol.Hash, answers ...[]uint32) *evmtypes.MsgEthereumTxResponse {
	a.t.Helper()
	salt := func(i int) protocol.Hash { return protocol.Hash{byte(i), 1} }
	for i, out := range answers {
		seal := request.SealOf(id, a.workers[i].Account(), request.Digest(out), salt(i))
		a.ok(a.call(a.workers[i], "seal", [32]byte(id), [32]byte(seal)))
	}
	var last *evmtypes.MsgEthereumTxResponse
	for i, out := range answers {
		last = a.ok(a.call(a.workers[i], "fulfill", [32]byte(id), out, [32]byte(salt(i))))
	}
	return last
}

func (a *askers) events(r *evmtypes.MsgEthereumTxResponse) string {
	var names []string
	for _, l := range r.Logs {
		for name, e := range a.requests.Events {
			if l.Topics[0] == e.ID.Hex() {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, " ")
}

func (a *askers) get(id protocol.Hash) *request.Request {
	a.t.Helper()
	r, err := a.app.Requests.Request(a.context(), id, escrow.Free)
	if err != nil {
		a.t.Fatal(err)
	}
	return r
}

// read asks the contract.
func (a *askers) read(method string, args ...any) []any {
	a.t.Helper()
	raw, err := a.ethCall(a.owner, a.asker, pack(a.t, a.abi, method, args...))
	if err != nil {
		a.t.Fatal(err)
	}
	values, err := a.abi.Unpack(method, raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return values
}

// closed checks that no coin is left in escrow and none appeared.
func (a *askers) closed() {
	a.t.Helper()
	if left := a.balance(protocol.Account(authtypes.NewModuleAddress("request"))); !left.IsZero() {
		a.t.Errorf("escrow holds %s", left.Coins())
	}
	if now := a.chain.supply(); now.Compare(a.supply) > 0 {
		a.t.Errorf("supply rose from %s to %s", a.supply, now)
	}
	a.audit() // every balance again, from the logs
}

func TestRequestIsFulfilled(t *testing.T) {
	a := newAskers(t)
	input := bitsOf(1.5, -0.25)
	right := locally(t, input...)
	id := a.ask(input, 2, 0, 300_000, 0)
	before := a.balance(a.workers[1].Account())
	last := a.work(id, right, right)
	if got := a.events(last); got != "Opened Answered Delivered" {
		t.Errorf("events %q", got)
	}
	if got := a.read("output", big.NewInt(0))[0].(uint32); got != right[0] {
		t.Errorf("the contract got %#x, the engine computes %#x", got, right[0])
	}
	if got := a.read("finality")[0].(uint8); got != uint8(request.Sampled) {
		t.Errorf("finality %d", got)
	}
	if a.balance(a.workers[1].Account()).Compare(before) <= 0 {
		t.Error("the worker was not paid more than its gas")
	}
	m, err := a.app.Registry.Model(a.context(), a.model.ID, escrow.Free)
	if err != nil || m.Uses != 1 || m.Earned.IsZero() {
		t.Errorf("the model has %d uses and %s: %v", m.Uses, m.Earned, err)
	}
	a.closed()
	if r := a.call(a.owner, "deliver", [32]byte(id)); refusal(a.requests, r.Ret) != "Again" {
		t.Errorf("a second delivery: %s", refusal(a.requests, r.Ret))
	}
}

// TestCallbackFails: what a contract does wrong changes nothing but the delivery, which anybody tries again.
func TestCallbackFails(t *testing.T) {
	a := newAskers(t)
	input := bitsOf(1, 2)
	right := locally(t, input...)
	for mode, name := range map[uint8]string{1: "reverts", 3: "spins"} {
		id := a.ask(input, 1, 0, 200_000, mode)
		last := a.work(id, right)
		if got := a.events(last); got != "Opened Answered CallbackFailed" {
			t.Fatalf("%s: events %q", name, got)
		}
		if r := a.get(id); r.Status != request.Answered || r.Delivered {
			t.Errorf("%s: %+v", name, r)
		}
		a.closed()
		poorer := a.balance(a.workers[1].Account())
		again := a.ok(a.call(a.workers[1], "deliver", [32]byte(id)))
		if a.balance(a.workers[1].Account()).Compare(poorer) >= 0 {
			t.Errorf("%s: the fee was paid twice", name)
		}
		if got := a.events(again); got != "CallbackFailed" || new(big.Int).SetBytes(again.Ret).Sign() != 0 {
			t.Errorf("%s, again: events %q, %x", name, got, again.Ret)
		}
		to := a.asker
		a.ok(a.ethereum(a.owner, &to, money.Amount{}, 500_000, pack(t, a.abi, "setMode", uint8(0))))
		if got := a.events(a.ok(a.call(a.workers[1], "deliver", [32]byte(id)))); got != "Delivered" || !a.get(id).Delivered {
			t.Errorf("%s, repaired: events %q", name, got)
		}
	}
	// Reentrant: it is called once, and finds all doors shut.
	id := a.ask(input, 1, 0, 3_000_000, 2)
	before := a.read("calls")[0].(*big.Int).Int64()
	if last := a.work(id, right); a.events(last) != "Opened Answered Delivered" {
		t.Errorf("reentrant: events %q, %x, gas %d", a.events(last), last.Logs[len(last.Logs)-1].Data, last.GasUsed)
	}
	if n := a.read("calls")[0].(*big.Int).Int64(); n != before+1 || a.read("reentered")[0].(bool) {
		t.Errorf("reentrant: %d calls", n-before)
	}
	// A callback that asks again: its request is made and paid for by the contract's own money.
	id = a.ask(input, 1, 0, 3_000_000, 4)
	if got := a.events(a.work(id, right)); got != "Opened Answered Requested Delivered" {
		t.Errorf("asks again: events %q", got)
	}
	next := protocol.Hash(a.read("last")[0].([32]byte))
	if r := a.get(next); r.Status != request.Wanted || r.From != protocol.Account(a.asker) {
		t.Errorf("%+v", r)
	}
	// Too little gas for the callback undoes the whole answer: nobody can make it fail by that.
	salt := [32]byte{9}
	out := locally(t, 0, 0)
	seal := request.SealOf(next, a.workers[0].Account(), request.Digest(out), salt)
	a.ok(a.call(a.workers[0], "seal", [32]byte(next), [32]byte(seal)))
	precompile := requestprecompile.Address
	poor := a.ethereum(a.workers[0], &precompile, money.Amount{}, 1_000_000, pack(t, a.requests, "fulfill", [32]byte(next), out, salt))
	if !poor.Failed() || a.get(next).Status != request.Sealed {
		t.Errorf("little gas: %+v", a.get(next))
	}
}

// TestLiesAreReplayed: two workers who agree on a lie lose their bonds to whoever has it replayed in the window.
func TestLiesAreReplayed(t *testing.T) {
	a := newAskers(t)
	input := bitsOf(1, 2)
	right := locally(t, input...)
	lie := slices.Clone(right)
	lie[0]++
	id := a.ask(input, 2, 10, 300_000, 0)
	if got := a.events(a.work(id, lie, lie)); got != "Opened Answered" {
		t.Errorf("events %q", got)
	}
	raw, err := a.ethCall(a.owner, requestprecompile.Address, pack(t, a.requests, "answer", [32]byte(id)))
	if err != nil {
		t.Fatal(err)
	}
	if values, err := a.requests.Unpack("answer", raw); err != nil || values[0].(uint8) != uint8(request.WindowOpen) || values[1].([]uint32)[0] != lie[0] {
		t.Errorf("%v: %v", values, err)
	}
	before := a.balance(a.owner.Account())
	if got := a.events(a.ok(a.call(a.owner, "replay", [32]byte(id)))); got != "Answered Delivered" {
		t.Errorf("events %q", got)
	}
	if r := a.get(id); r.Finality != request.DisputeClosed || r.Answer != request.Digest(right) {
		t.Errorf("%+v", r)
	}
	if got := a.read("output", big.NewInt(0))[0].(uint32); got != right[0] {
		t.Errorf("the contract got %#x", got)
	}
	if a.balance(a.owner.Account()).Compare(before) <= 0 {
		t.Error("the bounty does not cover the gas")
	}
	a.closed()
	// They disagree: contested until it is replayed.
	id = a.ask(input, 2, 0, 300_000, 0)
	if got := a.events(a.work(id, right, lie)); got != "Opened Contested" {
		t.Errorf("events %q", got)
	}
	a.ok(a.call(a.workers[0], "replay", [32]byte(id)))
	if r := a.get(id); r.Finality != request.DisputeClosed || !r.Delivered {
		t.Errorf("%+v", r)
	}
	a.closed()
}

// TestRequestsEndByThemselves: nobody comes, or the window closes.
func TestRequestsEndByThemselves(t *testing.T) {
	a := newAskers(t)
	input := bitsOf(1, 2)
	right := locally(t, input...)
	none := a.ask(input, 2, 0, 300_000, 0)
	window := a.ask(input, 1, 3, 300_000, 0)
	a.work(window, right)
	for range 30 {
		a.block()
	}
	if r := a.get(none); r.Status != request.Refunded {
		t.Errorf("%+v", r)
	}
	if r := a.get(window); r.Status != request.Answered || r.Finality != request.Sampled || r.Delivered {
		t.Errorf("%+v", r)
	}
	if left := a.balance(protocol.Account(authtypes.NewModuleAddress("request"))); left != deliveryFee {
		t.Errorf("escrow holds %s, not the fee for delivering", left.Coins())
	}
	before, locked := a.balance(a.workers[1].Account()), a.lockedBy(protocol.Account(a.asker))
	sent := a.ok(a.call(a.workers[1], "deliver", [32]byte(window)))
	if got := a.events(sent); got != "Delivered" {
		t.Errorf("events %q", got)
	}
	a.closed()
	if locked != deliveryFee || !a.lockedBy(protocol.Account(a.asker)).IsZero() {
		t.Errorf("locked %s before, %s after", locked, a.lockedBy(protocol.Account(a.asker)))
	}
	if now := a.balance(a.workers[1].Account()); now.Compare(before) <= 0 {
		t.Errorf("%d gas cost more than the fee: %s, %s before", sent.GasUsed, now.Coins(), before.Coins())
	}
	// Both are listed for the requester and the worker until they are forgotten.
	for who, want := range map[common.Address][]protocol.Hash{a.asker: {none, window}, common.Address(a.workers[0].Account()): {window}, common.Address(a.workers[1].Account()): nil} {
		var all []protocol.Hash
		for page := [32]byte{}; ; {
			raw, err := a.ethCall(a.owner, requestprecompile.Address, pack(t, a.requests, "requestsOf", who, page, big.NewInt(1)))
			if err != nil {
				t.Fatal(err)
			}
			values, err := a.requests.Unpack("requestsOf", raw)
			if err != nil {
				t.Fatal(err)
			}
			list := values[0].([][32]byte)
			if len(list) == 0 {
				break
			}
			page = list[0]
			all = append(all, page)
		}
		slices.SortFunc(want, func(a, b protocol.Hash) int { return bytes.Compare(a[:], b[:]) })
		if !slices.Equal(all, want) {
			t.Errorf("requests of %s: %x, want %x", who, all, want)
		}
	}
}

func (a *askers) lockedBy(who protocol.Account) money.Amount {
	a.t.Helper()
	sum, complete, err := a.app.Requests.LockedBy(a.context(), who, 100, escrow.Free)
	if err != nil || !complete {
		a.t.Fatal(complete, err)
	}
	return sum
}

func TestRequestRefuses(t *testing.T) {
	a := newAskers(t)
	id := a.ask(bitsOf(1, 2), 1, 0, 300_000, 0)
	good := requestTerms{1, big.NewInt(1e15), 20, 0, common.Address{}, 0, new(big.Int)}
	with := func(change func(*requestTerms)) requestTerms {
		terms := good
		change(&terms)
		return terms
	}
	model, none := [32]byte(a.model.ID), [32]byte{1}
	for _, c := range []struct {
		want, method string
		args         []any
	}{
		{"ModelNotFound", "request", []any{none, bitsOf(1, 2), good}},
		{"WrongInputLength", "request", []any{model, bitsOf(1), good}},
		{"OutOfBounds", "request", []any{model, bitsOf(1, 2), with(func(t *requestTerms) { t.Workers = 0 })}},
		{"OutOfBounds", "request", []any{model, bitsOf(1, 2), with(func(t *requestTerms) { t.Price = new(big.Int).Lsh(big.NewInt(1), 255) })}},
		{"OutOfBounds", "request", []any{model, bitsOf(1, 2), with(func(t *requestTerms) { t.CallbackGas = 6_000_000 })}},
		{"OutOfBounds", "request", []any{model, bitsOf(1, 2), with(func(t *requestTerms) { t.DeliveryFee = big.NewInt(1) })}},
		{"NotCovered", "request", []any{model, bitsOf(1, 2), with(func(t *requestTerms) { t.Price = new(big.Int).Lsh(big.NewInt(1), 120) })}},
		{"RequestNotFound", "seal", []any{none, none}},
		{"OutOfBounds", "seal", []any{[32]byte(id), [32]byte{}}},
		{"NotNow", "fulfill", []any{[32]byte(id), bitsOf(1), none}},
		{"NotNow", "deliver", []any{[32]byte(id)}},
	} {
		before := a.chain.supply()
		r := a.call(a.workers[0], c.method, c.args...)
		if got := refusal(a.requests, r.Ret); !r.Failed() || got != c.want {
			t.Errorf("%s: %q %s, want %s", c.method, r.VmError, got, c.want)
		}
		if a.chain.supply() != before {
			t.Errorf("%s left a trace", c.want)
		}
	}
	if _, err := a.ethCall(a.owner, requestprecompile.Address, pack(t, a.requests, "wanted", [32]byte{}, big.NewInt(5))); err != nil {
		t.Error(err)
	}
}

// TestReadsCostWhatTheyAsk: a read that may bring much costs gas for as much as it asks for, and no list is without a bound.
func TestReadsCostWhatTheyAsk(t *testing.T) {
	a := newAskers(t)
	long := make([]uint32, 1000)
	market := readABI(t, "IMarket")
	none, who := [32]byte{}, common.Address(a.owner.Account())
	for _, c := range []struct {
		at        common.Address
		names     abi.ABI
		method    string
		few, many []any
		more      uint64 // gas, at least
	}{
		{requestprecompile.Address, a.requests, "wanted", []any{none, big.NewInt(1)}, []any{none, big.NewInt(100)}, 99 * 2000},
		{requestprecompile.Address, a.requests, "requestsOf", []any{who, none, big.NewInt(1)}, []any{who, none, big.NewInt(100)}, 99 * 2000},
		{requestprecompile.Address, a.requests, "sealOf", []any{none, who, long[:1], none}, []any{none, who, long, none}, 999 * 32 * 4},
		{marketprecompile.Address, market, "leases", []any{who, none, big.NewInt(1)}, []any{who, none, big.NewInt(50)}, 49 * 5000},
	} {
		used := func(args []any) uint64 {
			return a.ok(a.ethereum(a.owner, &c.at, money.Amount{}, 8_000_000, pack(t, c.names, c.method, args...))).GasUsed
		}
		few, many := used(c.few), used(c.many)
		if many < few+c.more {
			t.Errorf("%s: %d gas and %d, which is not %d more", c.method, few, many, c.more)
		}
		if c.method == "sealOf" {
			continue
		}
		endless := slices.Clone(c.many)
		endless[len(endless)-1] = new(big.Int).Lsh(big.NewInt(1), 255)
		if got := used(endless); got > many+1000 {
			t.Errorf("%s of 2^255: %d gas, not %d", c.method, got, many)
		}
	}
}
