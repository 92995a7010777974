package app_test

import (
	"context"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	ethrpc "github.com/ethereum/go-ethereum/rpc"

	"github.com/mutirao/mutirao/chain/dev"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// desk is a development chain behind its JSON-RPC with a client. Its id is the network's, because other apps live in this
// process.
type desk struct {
	t     testing.TB
	chain *dev.Chain
	eth   *ethclient.Client
	rpc   *ethrpc.Client
	auth  *bind.TransactOpts
	stop  func()

	server  *dev.Server
	address string // host:port
}

func newDesk(t testing.TB, state string, change func(*dev.Config)) *desk {
	t.Helper()
	c := dev.Config{ChainID: network.EVMChainID, Accounts: 3, Balance: money.MUT(10_000), State: state,
		Models: []registry.DepositModel{{Name: "risk", Artifact: graph.Encode(artifact(t))}}}
	if change != nil {
		change(&c)
	}
	d := &desk{t: t}
	var err error
	if d.chain, err = dev.Open(c); err != nil {
		t.Fatal(err)
	}
	server, err := dev.Serve(d.chain, "127.0.0.1:0", "test")
	if err != nil {
		t.Fatal(err)
	}
	d.server, d.address = server, server.Address()
	if d.rpc, err = ethrpc.Dial("ws://" + server.Address()); err != nil {
		t.Fatal(err)
	}
	d.eth = ethclient.NewClient(d.rpc)
	stopped := false
	d.stop = func() {
		if !stopped {
			stopped = true
			d.eth.Close()
			if err := errors.Join(server.Close(), d.chain.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(d.stop)
	d.auth, err = bind.NewKeyedTransactorWithChainID(d.chain.Accounts()[0].Key, big.NewInt(network.EVMChainID))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// call asks the JSON-RPC and fails the test on an error.
func (d *desk) call(into any, method string, args ...any) {
	d.t.Helper()
	if err := d.rpc.Call(into, method, args...); err != nil {
		d.t.Fatalf("%s: %v", method, err)
	}
}

func (d *desk) header() *ethtypes.Header {
	d.t.Helper()
	h, err := d.eth.HeaderByNumber(d.t.Context(), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return h
}

func (d *desk) balanceOf(a common.Address) *big.Int {
	d.t.Helper()
	b, err := d.eth.BalanceAt(d.t.Context(), a, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

// model is the id of the preloaded model.
func (d *desk) model() protocol.Hash {
	d.t.Helper()
	list, err := d.chain.Models()
	if err != nil || len(list) == 0 {
		d.t.Fatalf("models: %v, %v", list, err)
	}
	return list[0].ID
}

// deployRisk creates RiskModel for the preloaded model.
func (d *desk) deployRisk() (common.Address, *bind.BoundContract) {
	d.t.Helper()
	risk := readABI(d.t, "RiskModel")
	at, tx, bound, err := bind.DeployContract(d.auth, risk, common.FromHex(contracts.Load("RiskModel").Bytecode), d.eth, [32]byte(d.model()))
	if err != nil {
		d.t.Fatal(err)
	}
	d.mined(tx)
	return at, bound
}

// mined returns a receipt that must be there already.
func (d *desk) mined(tx *ethtypes.Transaction) *ethtypes.Receipt {
	d.t.Helper()
	r, err := d.eth.TransactionReceipt(d.t.Context(), tx.Hash())
	if err != nil || r.Status != ethtypes.ReceiptStatusSuccessful {
		d.t.Fatalf("receipt %+v: %v", r, err)
	}
	return r
}

// dataOf is what a JSON-RPC error carries.
func dataOf(err error) []byte {
	var with ethrpc.DataError
	if !errors.As(err, &with) {
		return nil
	}
	text, _ := with.ErrorData().(string)
	return common.FromHex(text)
}

// TestDevServesContracts deploys a contract that calls a preloaded model, watches its event, and reads what reverts say.
func TestDevServesContracts(t *testing.T) {
	d := newDesk(t, "", nil)
	risk, precompile := readABI(t, "RiskModel"), readABI(t, "IInfer")
	at, bound := d.deployRisk()

	logs := make(chan ethtypes.Log, 1)
	subscribed, err := d.eth.SubscribeFilterLogs(t.Context(), ethereum.FilterQuery{Addresses: []common.Address{at}}, logs)
	if err != nil {
		t.Fatal(err)
	}
	defer subscribed.Unsubscribe()
	var filter string
	d.call(&filter, "eth_newFilter", map[string]any{"address": at})

	features := []*big.Int{big.NewInt(1_500_000_000), big.NewInt(-250_000_000)}
	opts := *d.auth
	opts.Value = amut(money.MUT(1))
	tx, err := bound.Transact(&opts, "assess", big.NewInt(7), features)
	if err != nil {
		t.Fatal(err)
	}
	receipt := d.mined(tx)
	select {
	case l := <-logs:
		event := risk.Events["Assessed"]
		values, err := event.Inputs.NonIndexed().Unpack(l.Data)
		if err != nil || l.TxHash != tx.Hash() || l.BlockHash != receipt.BlockHash {
			t.Fatalf("log %+v: %v", l, err)
		}
		if want := locally(t, bitsOf(1.5, -0.25)...)[0]; values[0].(uint32) != want {
			t.Errorf("the contract says %#x, the engine %#x", values[0], want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
	}
	var changes []ethtypes.Log
	d.call(&changes, "eth_getFilterChanges", filter)
	if len(changes) != 1 || changes[0].TxHash != tx.Hash() {
		t.Errorf("filter saw %+v", changes)
	}
	found, err := d.eth.FilterLogs(t.Context(), ethereum.FilterQuery{Addresses: []common.Address{at}, FromBlock: big.NewInt(0)})
	if err != nil || len(found) != 1 {
		t.Errorf("logs %+v: %v", found, err)
	}

	// Without the fee the contract's own error comes back, from the estimate already; a model that is not there is the precompile's.
	from := d.auth.From
	_, err = d.eth.EstimateGas(t.Context(), ethereum.CallMsg{From: from, To: &at, Data: pack(t, risk, "assess", big.NewInt(1), features)})
	if data := dataOf(err); len(data) < 4 || !slices.Equal(data[:4], risk.Errors["FeeNotCovered"].ID.Bytes()[:4]) {
		t.Errorf("estimate without the fee: %v, data %x", err, data)
	}
	infer := common.HexToAddress("0x0901")
	_, err = d.eth.CallContract(t.Context(), ethereum.CallMsg{From: from, To: &infer, Data: pack(t, precompile, "fee", [32]byte{1})}, nil)
	if got := refusal(precompile, dataOf(err)); got != "ModelNotFound" {
		t.Errorf("fee of a model that is not there: %v, %s", err, got)
	}
}

// TestDevGoesBack takes the chain through what no network allows and back.
func TestDevGoesBack(t *testing.T) {
	d := newDesk(t, "", nil)
	ctx, precompile := t.Context(), common.HexToAddress("0xc0de")
	before := d.header()
	var id hexutil.Uint64
	d.call(&id, "evm_snapshot")

	d.call(nil, "evm_increaseTime", 3600)
	d.call(nil, "evm_mine")
	if h := d.header(); h.Time < before.Time+3600 {
		t.Errorf("time went from %d to %d", before.Time, h.Time)
	}
	at := d.header().Time + 100
	d.call(nil, "evm_setNextBlockTimestamp", at)
	d.call(nil, "hardhat_mine", "0x1")
	if h := d.header(); h.Time != at {
		t.Errorf("block at %d, want %d", h.Time, at)
	}
	if err := d.rpc.Call(nil, "evm_setNextBlockTimestamp", at); err == nil {
		t.Error("a timestamp of the past is accepted")
	}
	height := d.header().Number.Uint64()
	d.call(nil, "anvil_mine", "0x5", "0xa")
	if h := d.header(); h.Number.Uint64() != height+5 || h.Time < at+40 {
		t.Errorf("five blocks: block %d at %d", h.Number, h.Time)
	}

	// A contract acts: its code, its coins, its storage are set; it sends without a key.
	d.call(nil, "anvil_setCode", precompile, "0x600160005401600055") // SSTORE(0, SLOAD(0)+1)
	d.call(nil, "hardhat_setStorageAt", precompile, "0x0", common.BigToHash(big.NewInt(41)))
	d.call(nil, "hardhat_setBalance", precompile, "0xde0b6b3a7640000")
	to := common.Address(d.chain.Accounts()[1].Address)
	if err := d.rpc.Call(nil, "eth_sendTransaction", map[string]any{"from": precompile, "to": to, "value": "0x1"}); err == nil {
		t.Error("an account without a key sends")
	}
	d.call(nil, "hardhat_impersonateAccount", precompile)
	had := d.balanceOf(to)
	var hash common.Hash
	d.call(&hash, "eth_sendTransaction", map[string]any{"from": precompile, "to": to, "value": "0x5"})
	if got := new(big.Int).Sub(d.balanceOf(to), had); got.Int64() != 5 {
		t.Errorf("received %s", got)
	}
	var sent struct{ From common.Address }
	d.call(&sent, "eth_getTransactionByHash", hash)
	if sent.From != precompile {
		t.Errorf("the transaction is %s's", sent.From)
	}
	d.call(&hash, "eth_sendTransaction", map[string]any{"from": to, "to": precompile})
	if word, err := d.eth.StorageAt(ctx, precompile, common.Hash{}, nil); err != nil || new(big.Int).SetBytes(word).Int64() != 42 {
		t.Errorf("storage is %x: %v", word, err)
	}
	d.call(nil, "anvil_setNonce", to, "0x20")
	if n, err := d.eth.PendingNonceAt(ctx, to); err != nil || n != 32 {
		t.Errorf("nonce %d: %v", n, err)
	}

	var back bool
	d.call(&back, "evm_revert", id)
	if h := d.header(); !back || h.Number.Cmp(before.Number) != 0 || h.Time != before.Time {
		t.Errorf("went back %v, to block %d", back, h.Number)
	}
	if code, err := d.eth.CodeAt(ctx, precompile, nil); err != nil || len(code) > 0 {
		t.Errorf("code is left: %x %v", code, err)
	}
	if d.call(&back, "evm_revert", id); back {
		t.Error("a snapshot is used twice")
	}
	at1, _ := d.deployRisk() // the chain goes on
	if code, err := d.eth.CodeAt(ctx, at1, nil); err != nil || len(code) == 0 {
		t.Errorf("no code: %v", err)
	}
	if h := d.header(); h.Time > before.Time+600 {
		t.Errorf("the clock did not go back: %d after %d", h.Time, before.Time)
	}
}

// TestDevMinesWhenTold lets transactions wait: out of order, replaced, then mined together.
func TestDevMinesWhenTold(t *testing.T) {
	d := newDesk(t, "", func(c *dev.Config) { c.Manual = true })
	ctx, to := t.Context(), common.HexToAddress("0xbeef")
	signer := ethtypes.LatestSignerForChainID(big.NewInt(network.EVMChainID))
	send := func(nonce uint64, price, value int64) (*ethtypes.Transaction, error) {
		tx, err := ethtypes.SignNewTx(d.chain.Accounts()[0].Key, signer, &ethtypes.LegacyTx{Nonce: nonce, GasPrice: big.NewInt(price), Gas: 21_000, To: &to, Value: big.NewInt(value)})
		if err != nil {
			t.Fatal(err)
		}
		return tx, d.eth.SendTransaction(ctx, tx)
	}
	for _, c := range []struct {
		nonce        uint64
		price, value int64
		ok           bool
	}{{1, 2000, 10, true}, {0, 2000, 1, true}, {0, 2100, 5, false}, {0, 2200, 3, true}, {3, 2000, 100, true}, {1, 1, 10, false}} {
		if _, err := send(c.nonce, c.price, c.value); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if n, err := d.eth.PendingNonceAt(ctx, d.auth.From); err != nil || n != 2 {
		t.Errorf("pending nonce %d: %v", n, err)
	}
	if d.balanceOf(to).Sign() != 0 {
		t.Error("mined without being told")
	}
	d.call(nil, "evm_mine")
	if got := d.balanceOf(to); got.Int64() != 13 {
		t.Errorf("received %s, want 13", got)
	}
	if n, err := d.eth.TransactionCount(ctx, d.header().Hash()); err == nil && n != 2 {
		t.Errorf("%d transactions in the block", n)
	}
	d.call(nil, "evm_setAutomine", true)
	tx, err := send(2, 2000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	d.mined(tx)
	if got := d.balanceOf(to); got.Int64() != 1113 { // the gap is closed: what waited behind it is mined, too
		t.Errorf("received %s, want 1113", got)
	}
	if _, err := send(3, 2000, 1); err == nil {
		t.Error("a used nonce is accepted")
	}
	poor := &ethtypes.LegacyTx{Nonce: 4, GasPrice: big.NewInt(2000), Gas: 21_000, To: &to, Value: amut(money.MUT(1 << 40))}
	tx, err = ethtypes.SignNewTx(d.chain.Accounts()[0].Key, signer, poor)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.eth.SendTransaction(ctx, tx); err == nil {
		t.Error("more than there is was sent")
	}
	d.call(nil, "evm_setIntervalMining", 100)
	height := d.header().Number.Uint64()
	for deadline := time.Now().Add(10 * time.Second); d.header().Number.Uint64() < height+2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no block at an interval")
		}
	}
	d.call(nil, "evm_setIntervalMining", 0)
}

// TestDevKeepsWhatWasMined continues a chain from copies of its file taken without closing it, as after kill -9: whole, and
// with a last line that was not finished. A damaged file, another chain's id and a second process are refused.
func TestDevKeepsWhatWasMined(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	d := newDesk(t, name, nil)
	var id hexutil.Uint64
	d.deployRisk()
	d.call(&id, "evm_snapshot")
	d.call(nil, "anvil_setBalance", common.HexToAddress("0xaa"), "0x7")
	d.call(nil, "evm_revert", id)
	d.call(nil, "anvil_setBalance", common.HexToAddress("0xbb"), "0x9")
	at, bound := d.deployRisk()
	opts := *d.auth
	opts.Value = amut(money.MUT(1))
	tx, err := bound.Transact(&opts, "assess", big.NewInt(7), []*big.Int{big.NewInt(1), big.NewInt(2)})
	if err != nil {
		t.Fatal(err)
	}
	want, receipt := d.header(), d.mined(tx)

	if _, err := dev.Open(dev.Config{State: name, Accounts: 1, Balance: money.MUT(1)}); !errors.Is(err, dev.ErrState) {
		t.Errorf("a second process: %v", err)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d.stop()
	again := func(content []byte, id uint64) (string, error) {
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.WriteFile(copied, content, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := dev.Open(dev.Config{ChainID: id, State: copied, Accounts: 1, Balance: money.MUT(1)})
		if err == nil {
			err = c.Close()
		}
		return copied, err
	}
	for _, torn := range []string{"", `{"height":9,"ti`} {
		copied, err := again(append(slices.Clone(raw), torn...), 0)
		if err != nil {
			t.Fatalf("with %q: %v", torn, err)
		}
		e := newDesk(t, copied, nil)
		got := e.header()
		if got.Number.Cmp(want.Number) != 0 || got.Time != want.Time {
			t.Errorf("continues at block %d, want %d", got.Number, want.Number)
		}
		if r := e.mined(tx); r.BlockHash != receipt.BlockHash || r.GasUsed != receipt.GasUsed {
			t.Errorf("receipt %+v, want %+v", r, receipt)
		}
		if code, err := e.eth.CodeAt(context.Background(), at, nil); err != nil || len(code) == 0 {
			t.Errorf("the contract is gone: %v", err)
		}
		if a, b := e.balanceOf(common.HexToAddress("0xaa")), e.balanceOf(common.HexToAddress("0xbb")); a.Sign() != 0 || b.Int64() != 9 {
			t.Errorf("balances %s and %s", a, b)
		}
		e.deployRisk()
		e.stop()
	}
	damaged := slices.Clone(raw)
	at2 := len(raw) - 20
	damaged[at2] ^= 1 // in the hash of the last state
	for what, c := range map[string]struct {
		content []byte
		id      uint64
	}{"another hash": {damaged, 0}, "no state file": {[]byte("{}\n"), 0}, "another chain": {raw, 1}} {
		if _, err := again(c.content, c.id); !errors.Is(err, dev.ErrState) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func amut(a money.Amount) *big.Int {
	b := a.Bytes()
	return new(big.Int).SetBytes(b[:])
}

// TestDevSurvivesAnyRequest sends to each method what it does not expect. No answer may be a crash of a handler of ours, and the
// chain goes on; those of cosmos/evm are caught by the server.
func TestDevSurvivesAnyRequest(t *testing.T) {
	d := newDesk(t, "", nil)
	own := []string{"evm_snapshot", "evm_revert", "evm_mine", "evm_increaseTime", "evm_setNextBlockTimestamp", "evm_setTime", "evm_setAutomine",
		"evm_setAccountNonce", "anvil_setBalance", "anvil_setCode", "anvil_setNonce", "anvil_setStorageAt", "anvil_setPrevRandao", "anvil_impersonateAccount",
		"anvil_stopImpersonatingAccount", "anvil_autoImpersonateAccount", "anvil_mine", "anvil_dropTransaction", "hardhat_metadata",
		"eth_accounts", "eth_blockNumber", "eth_chainId", "eth_syncing", "eth_getTransactionCount", "eth_sendRawTransaction",
		"eth_sendTransaction", "eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getBlockByNumber", "eth_getBlockByHash",
		"eth_sign", "eth_signTypedData_v4", "personal_sign", "eth_newFilter", "eth_newBlockFilter", "eth_newPendingTransactionFilter",
		"eth_getFilterChanges", "eth_getFilterLogs", "eth_uninstallFilter", "eth_getLogs", "eth_fillTransaction", "net_version",
		"web3_clientVersion", "web3_sha3"}
	others := []string{"eth_call", "eth_estimateGas", "eth_feeHistory", "eth_getProof", "eth_getStorageAt", "eth_getCode", "eth_getBalance",
		"eth_createAccessList", "debug_traceTransaction", "debug_traceCall", "eth_getBlockReceipts", "eth_resend"}
	zero := common.Address{}
	values := []any{nil, true, -1, 0, 1, 1 << 40, 1.5, "", "0x", "0x0", "0x1", "latest", "pending", "earliest", "0xzz", zero, common.Hash{},
		"0x" + string(slices.Repeat([]byte("f"), 80)), []any{}, []any{[]any{}}, map[string]any{}, map[string]any{"from": zero},
		map[string]any{"from": zero, "to": zero, "gas": "0xffffffffffffffff", "value": "0xffffffffffffffffffff"},
		map[string]any{"fromBlock": "0xffffffffffff", "toBlock": "0x1"}, map[string]any{"fromBlock": "0x5", "toBlock": "0xffffffffffffffff"},
		map[string]any{"blockHash": common.Hash{}}, map[string]any{"timestamp": -5}, map[string]any{"blocks": 2}}
	for _, method := range append(own, others...) {
		for i, a := range values {
			for _, args := range [][]any{{a}, {a, values[(7*i+3)%len(values)]}, {zero, a, values[(5*i+1)%len(values)]}} {
				err := d.rpc.Call(nil, method, args...)
				if err != nil && err.Error() == "method handler crashed" && slices.Contains(own, method) {
					t.Errorf("%s(%v) crashes", method, args)
				}
			}
		}
	}
	d.call(nil, "evm_setAutomine", true)
	d.deployRisk()
}
