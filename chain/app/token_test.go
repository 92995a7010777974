package app_test

import (
	"bytes"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/dev"
	"github.com/mutirao/mutirao/chain/escrow"
	precompile "github.com/mutirao/mutirao/chain/precompile/registry"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// shares is a model on a chain, seen through its token.
type shares struct {
	*story
	model           registry.Model
	token           common.Address
	erc20, registry abi.ABI
}

func newShares(t testing.TB) shares {
	t.Helper()
	s, m, _ := publish(t)
	return shares{s, m, precompile.TokenAddress(m.ID), readABI(t, "ShareToken"), readABI(t, "IRegistry")}
}

// ask returns the only value of a view of the token.
func (s shares) ask(method string, args ...any) any {
	s.t.Helper()
	raw, err := s.ethCall(s.author, s.token, pack(s.t, s.erc20, method, args...))
	if err != nil {
		s.t.Fatalf("%s: %v %s", method, err, reason(raw))
	}
	values, err := s.erc20.Unpack(method, raw)
	if err != nil {
		s.t.Fatal(err)
	}
	return values[0]
}

func (s shares) parts(of protocol.Account) int64 {
	s.t.Helper()
	return s.ask("balanceOf", common.Address(of)).(*big.Int).Int64()
}

func (s shares) held(of protocol.Account) registry.Holding {
	s.t.Helper()
	h, err := s.app.Registry.Holding(s.context(), s.model.ID, of)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// call sends a transaction to the token; want is the error that it must revert with, "" for none.
func (s shares) call(from person, want, method string, args ...any) *evmtypes.MsgEthereumTxResponse {
	s.t.Helper()
	r := s.ethereum(from, &s.token, money.Amount{}, 1_000_000, pack(s.t, s.erc20, method, args...))
	if got := refused(s.erc20, r); r.Failed() != (want != "") || got != want {
		s.t.Fatalf("%s: %q %s, want %q", method, r.VmError, got, want)
	}
	return r
}

// refused is the error of an interface that a call reverted with, "" if it did not.
func refused(of abi.ABI, r *evmtypes.MsgEthereumTxResponse) string {
	if !r.Failed() {
		return ""
	}
	return refusal(of, r.Ret)
}

func TestSharesAreAToken(t *testing.T) {
	s := newShares(t)
	ctx := s.context()
	if code := s.app.EVM.GetCode(ctx, s.app.EVM.GetCodeHash(ctx, s.token)); !bytes.Equal(code, common.FromHex(contracts.Load("ShareToken").Deployed)) {
		t.Errorf("%d bytes of code", len(code))
	}
	for method, want := range map[string]any{
		"name": "Shares of risk", "symbol": "SHARE-" + s.model.ID.String()[:8], "decimals": uint8(4), "model": [32]byte(s.model.ID),
	} {
		if got := s.ask(method); got != want {
			t.Errorf("%s is %v, want %v", method, got, want)
		}
	}
	sum := int64(0)
	holders := []protocol.Account{}
	for _, share := range s.model.Shares {
		if !slices.Contains(holders, share.Holder) {
			holders = append(holders, share.Holder)
			sum += s.parts(share.Holder)
		}
	}
	if total := s.ask("totalSupply").(*big.Int).Int64(); total != 1_000_000 || sum != total {
		t.Errorf("holders have %d of %d", sum, total)
	}

	// What a holder earned before a transfer stays with it; afterwards the parts earn for whoever holds them.
	before := s.held(s.provider.Account())
	to := newPerson(t, 8).Account()
	s.must(s.author, registry.Use{Model: s.model.ID, Fee: money.New(1_000_000)})
	r := s.call(s.provider, "", "transfer", common.Address(to), big.NewInt(100_000))
	s.must(s.author, registry.Use{Model: s.model.ID, Fee: money.New(1_000_000)})
	if got, want := s.parts(s.provider.Account()), int64(before.PPM)-100_000; got != want || s.parts(to) != 100_000 {
		t.Errorf("the sender has %d of %d, the receiver %d", got, before.PPM, s.parts(to))
	}
	for who, want := range map[protocol.Account]uint64{s.provider.Account(): 2*uint64(before.PPM) - 100_000, to: 100_000} {
		if due, err := s.app.Registry.Due(s.context(), s.model.ID, who, escrow.Free); err != nil || due != money.New(want) {
			t.Errorf("%s is due %s, want %d: %v", who, due, want, err)
		}
	}
	logged := map[common.Address][]string{}
	for _, l := range r.Logs {
		logged[common.HexToAddress(l.Address)] = l.Topics
	}
	from := s.provider.Account()
	accounts := []string{common.BytesToHash(from[:]).Hex(), common.BytesToHash(to[:]).Hex()}
	if got, want := logged[s.token], append([]string{s.erc20.Events["Transfer"].ID.Hex()}, accounts...); !slices.Equal(got, want) {
		t.Errorf("the token logged %v", got)
	}
	if got, want := logged[precompile.Address], append([]string{s.registry.Events["SharesMoved"].ID.Hex(), common.Hash(s.model.ID).Hex()}, accounts...); !slices.Equal(got, want) {
		t.Errorf("the registry logged %v", got)
	}
	t.Logf("a transfer takes %d gas", r.GasUsed)

	// A message of the ledger moves the same parts.
	s.must(s.provider, registry.TransferShares{Model: s.model.ID, To: to, PPM: 5})
	if got := s.parts(to); got != 100_005 {
		t.Errorf("after a message the receiver has %d", got)
	}
	s.moved()
}

func TestTokenKeepsTheRulesOfERC20(t *testing.T) {
	s := newShares(t)
	owner, spender := s.provider, s.verifier
	all := int64(s.held(owner.Account()).PPM)
	has := int64(s.held(spender.Account()).PPM)
	address := func(p person) common.Address { return common.Address(p.Account()) }

	s.call(owner, "", "transfer", address(owner), big.NewInt(all)) // to itself, and of nothing: as good as any other
	s.call(owner, "", "transfer", address(spender), new(big.Int))
	s.call(owner, "ERC20InsufficientBalance", "transfer", address(owner), big.NewInt(all+1))
	s.call(owner, "ERC20InsufficientBalance", "transfer", address(spender), new(big.Int).Lsh(big.NewInt(1), 255))
	s.call(owner, "ERC20InvalidReceiver", "transfer", common.Address{}, big.NewInt(1))
	s.call(spender, "ERC20InsufficientAllowance", "transferFrom", address(owner), address(spender), big.NewInt(1))
	s.call(owner, "", "approve", address(spender), big.NewInt(30))
	s.call(spender, "", "transferFrom", address(owner), address(spender), big.NewInt(20))
	s.call(spender, "ERC20InsufficientAllowance", "transferFrom", address(owner), address(spender), big.NewInt(11))
	if left := s.ask("allowance", address(owner), address(spender)).(*big.Int); left.Int64() != 10 {
		t.Errorf("%s may still be spent", left)
	}
	if got := s.parts(owner.Account()); got != all-20 {
		t.Errorf("the owner has %d of %d", got, all)
	}

	// A transfer that is undone later in its transaction leaves no trace.
	code := []byte{0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x36, 0x5f, 0x5f, 0x73} // CALLDATACOPY, out, in, value, PUSH20
	code = append(append(code, s.token[:]...), 0x5a, 0xf1, 0x5f, 0x5f, 0xfd)   // GAS, CALL, REVERT
	undone := s.deploy(s.author, append([]byte{0x60, byte(len(code)), 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3}, code...))
	s.call(owner, "", "transfer", undone, big.NewInt(7))
	if r := s.ethereum(s.author, &undone, money.Amount{}, 1_000_000, pack(t, s.erc20, "transfer", address(spender), big.NewInt(7))); !r.Failed() || r.GasUsed < 60_000 {
		t.Errorf("%d gas, %q", r.GasUsed, r.VmError)
	}
	if s.parts(protocol.Account(undone)) != 7 || s.parts(spender.Account()) != has+20 {
		t.Error("parts moved in a transfer that was undone")
	}
}

func TestRegistryPrecompile(t *testing.T) {
	s := newShares(t)
	id, holder := [32]byte(s.model.ID), common.Address(s.provider.Account())
	call := func(from person, to common.Address, want, method string, args ...any) *evmtypes.MsgEthereumTxResponse {
		t.Helper()
		r := s.ethereum(from, &to, money.Amount{}, 1_000_000, pack(t, s.registry, method, args...))
		if got := refused(s.registry, r); r.Failed() != (want != "") || got != want {
			t.Fatalf("%s: %q %s, want %q", method, r.VmError, got, want)
		}
		return r
	}
	raw, err := s.ethCall(s.author, precompile.Address, pack(t, s.registry, "token", id))
	if err != nil || common.BytesToAddress(raw) != s.token {
		t.Errorf("token %x: %v", raw, err)
	}
	direct := precompile.Address
	call(s.author, direct, "ModelNotFound", "token", [32]byte{1})
	call(s.author, direct, "NotTheToken", "moveShares", id, holder, common.Address{1}, big.NewInt(1))
	call(s.provider, direct, "NotTheToken", "moveShares", id, holder, common.Address{1}, big.NewInt(1))
	call(s.author, direct, "NothingDue", "claim", id, holder)
	call(s.author, direct, "NothingDue", "claim", id, common.Address{1})

	supply := s.supply()
	s.must(s.author, registry.Use{Model: s.model.ID, Fee: money.New(1_000_000)})
	before, parts := s.balance(s.provider.Account()), uint64(s.held(s.provider.Account()).PPM)
	r := call(s.author, direct, "", "claim", id, holder)
	if got := new(big.Int).SetBytes(r.Ret); got.Uint64() != parts || s.balance(s.provider.Account()) != before.Plus(money.New(parts)) {
		t.Errorf("paid %s of %d, the holder has %s after %s", got, parts, s.balance(s.provider.Account()), before)
	}
	if len(r.Logs) != 1 || r.Logs[0].Topics[0] != s.registry.Events["DividendPaid"].ID.Hex() {
		t.Errorf("logs %v", r.Logs)
	}
	if now := s.supply(); now != supply {
		t.Errorf("supply went from %s to %s", supply, now)
	}
}

// go-ethereum's client sees and moves shares as those of any token, behind the JSON-RPC.
func TestSharesByAnEthereumClient(t *testing.T) {
	d := newDesk(t, "", nil)
	id := d.model()
	token := precompile.TokenAddress(id)
	erc20 := readABI(t, "ShareToken")
	bound := bind.NewBoundContract(token, erc20, d.eth, d.eth, d.eth)
	if code, err := d.eth.CodeAt(t.Context(), token, nil); err != nil || len(code) == 0 {
		t.Fatalf("%d bytes of code: %v", len(code), err)
	}
	author, ana := common.Address(dev.Author), d.auth.From
	d.call(nil, "anvil_setBalance", author, "0x1000000000000000")
	d.call(nil, "anvil_impersonateAccount", author)
	var moved common.Hash
	d.call(&moved, "eth_sendTransaction", map[string]any{"from": author, "to": token, "data": hexutil.Bytes(pack(t, erc20, "transfer", ana, big.NewInt(250_000)))})
	receipt, err := d.eth.TransactionReceipt(t.Context(), moved)
	if err != nil || receipt.Status != ethtypes.ReceiptStatusSuccessful {
		t.Fatalf("receipt %+v: %v", receipt, err)
	}
	tx, err := bound.Transact(d.auth, "transfer", author, big.NewInt(50_000))
	if err != nil {
		t.Fatal(err)
	}
	d.mined(tx)
	var out []any
	if err := bound.Call(nil, &out, "balanceOf", ana); err != nil || out[0].(*big.Int).Int64() != 200_000 {
		t.Errorf("she has %v: %v", out, err)
	}
	logs, err := d.eth.FilterLogs(t.Context(), ethereum.FilterQuery{Addresses: []common.Address{token}, Topics: [][]common.Hash{{erc20.Events["Transfer"].ID}}})
	if err != nil || len(logs) != 2 || common.BytesToAddress(logs[0].Topics[2][:]) != ana || new(big.Int).SetBytes(logs[1].Data).Int64() != 50_000 {
		t.Errorf("%d logs %v: %v", len(logs), logs, err)
	}
}
