package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/precompile/infer"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// moments are those at which chaos kills, in turn. period is the time of a block, about.
const period = 250 * time.Millisecond

var moments = []struct {
	name string
	wait func(r *rand.Rand, victim *operator)
}{
	{"at any time", func(r *rand.Rand, _ *operator) { time.Sleep(time.Duration(r.Intn(1000)) * time.Millisecond) }},
	{"in or after the execution of a block", func(r *rand.Rand, v *operator) { // the next one comes as the last one is seen
		afterBlock(v, 1)
		time.Sleep(time.Duration(r.Int63n(int64(period))))
	}},
	{"as a block is committed", func(r *rand.Rand, v *operator) {
		afterBlock(v, 1)
		time.Sleep(time.Duration(r.Intn(10_000)) * time.Microsecond)
	}},
	{"as a snapshot is taken", func(r *rand.Rand, v *operator) {
		afterBlock(v, 20) // see newOperator
		time.Sleep(time.Duration(r.Intn(60_000)) * time.Microsecond)
	}},
	{"as it catches up", func(r *rand.Rand, v *operator) { // killed twice: the second time within two seconds of its start
		v.kill()
		time.Sleep(time.Duration(r.Intn(5)) * period)
		v.start()
		time.Sleep(time.Duration(r.Intn(2000)) * time.Millisecond)
	}},
}

// afterBlock waits until a node has a new block whose height is a multiple of every, at most half a minute.
func afterBlock(o *operator, every int64) {
	last := o.sync().Height
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(3 * time.Millisecond) {
		if now := o.sync().Height; now > last && now/every > last/every {
			return
		} else if now > last {
			last = now
		}
	}
}

// chaos kills one of four at random moments; the others go on, it comes back, and all have one state.
func chaos(t *testing.T, all []*operator) {
	t.Helper()
	r := rand.New(rand.NewSource(*dice))
	for i := range *kills {
		victim, moment := r.Intn(len(all)), moments[i%len(moments)]
		moment.wait(r, all[victim])
		all[victim].kill()
		others := append(append([]*operator(nil), all[:victim]...), all[victim+1:]...)
		before := others[0].sync().Height
		others[0].reach(before + 3)
		all[victim].start()
		all[victim].reach(others[0].sync().Height)
		height := all[victim].sync().Height - 1
		want := all[0].appHash(height)
		for _, o := range all[1:] {
			o.reach(height)
			if got := o.appHash(height); got != want {
				t.Fatalf("kill %d of %s %s: app hash of block %d is %s on %s and %s on v1", i, all[victim].home, moment.name, height, got, o.home, want)
			}
		}
		t.Logf("kill %d: %s %s, back at block %d, app hash %s on all", i+1, filepath.Base(all[victim].home), moment.name, height, want)
	}
}

// hashes are the app hashes in the headers of blocks from 1 on, as one node has them.
func (o *operator) hashes(until int64) []string {
	o.t.Helper()
	out := make([]string, until)
	const page = 20
	for from := int64(1); from <= until; from += page {
		var list struct {
			Metas []struct {
				Header struct {
					Height int64  `json:"height,string"`
					App    string `json:"app_hash"`
				}
			} `json:"block_metas"`
		}
		if err := o.get(fmt.Sprintf("/blockchain?minHeight=%d&maxHeight=%d", from, min(until, from+page-1)), &list); err != nil {
			o.t.Fatal(err)
		}
		for _, m := range list.Metas {
			out[m.Header.Height-1] = m.Header.App
		}
	}
	return out
}

// sameEverywhere compares the state after every block of all nodes.
func sameEverywhere(t *testing.T, all []*operator) {
	t.Helper()
	until := all[0].sync().Height
	for _, o := range all[1:] {
		until = min(until, o.sync().Height)
	}
	want := all[0].hashes(until)
	for _, o := range all[1:] {
		for i, got := range o.hashes(until) {
			if got != want[i] || i > 0 && got == "" {
				t.Fatalf("app hash of block %d is %q on %s and %q on v1", i+1, got, o.home, want[i])
			}
		}
	}
	t.Logf("%d blocks have one app hash on %d nodes", until, len(all))
}

// load makes transactions flow until the function that it returns is called: payments and uses of a model as native messages, and calls of
// the same model as Ethereum transactions, of two accounts. Nodes die under it; what cannot be sent is tried elsewhere.
func load(t *testing.T, all []*operator) (stop func()) {
	t.Helper()
	if !loaded() {
		return func() {}
	}
	var keys []client.Key
	for i := range byte(2) {
		key, err := client.NewKey([32]byte{101 + i})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
		command(t, "validator", "send", key.Account().String(), "500", "--home", all[0].home)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	var urls []string
	for _, o := range all {
		urls = append(urls, o.rpc)
	}
	c, err := client.Dial(urls, keys[0])
	if err != nil {
		t.Fatal(err)
	}
	model, err := deposit(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	var native, calls atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := uint64(0); ctx.Err() == nil; i++ {
			var err error
			if i%2 == 0 {
				err = c.Send(ctx, keys[1].Account(), money.New(1+i))
			} else {
				err = c.Submit(ctx, registry.Use{Model: model, Fee: money.MUT(1)})
			}
			if err == nil {
				native.Add(1)
			}
		}
	})
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if callModel(all[i%len(all)].jsonRPC, 102, model) == nil {
				calls.Add(1)
			}
			time.Sleep(period)
		}
	})
	return func() {
		cancel()
		wg.Wait()
		if native.Load() == 0 || calls.Load() == 0 {
			t.Errorf("the load was %d native messages and %d calls", native.Load(), calls.Load())
		}
		var n hexutil.Uint64
		for _, o := range all {
			if err := ask(o.jsonRPC, "eth_getTransactionCount", &n, common.Address(keys[1].Account()), "latest"); err == nil {
				break
			}
		}
		t.Logf("load: %d native messages in blocks, %d calls of a model sent, %d in blocks", native.Load(), calls.Load(), n)
		if n == 0 {
			t.Error("no call of a contract came into a block")
		}
	}
}

// deposit puts a small model on the chain.
func deposit(ctx context.Context, c *client.Client) (protocol.Hash, error) {
	b := graph.NewBuilder("risk")
	x := b.Input("features", tensor.Float32, 1, 2)
	weight := b.Initializer("weight", tensor.FromFloat32([]float32{0.3, -0.7}, 2, 1))
	b.Output("probability", b.Op("Sigmoid", nil, b.Op("MatMul", nil, x, weight)))
	g, err := b.Graph()
	if err != nil {
		return protocol.Hash{}, err
	}
	raw := graph.Encode(g)
	id, err := registry.DepositID(raw, c.Account())
	if err != nil {
		return id, err
	}
	return id, c.Submit(ctx, registry.DepositModel{Name: "risk", Artifact: raw})
}

// callModel sends an Ethereum transaction that calls a model, signed with the key of a seed.
func callModel(url string, seed byte, model protocol.Hash) error {
	secret, err := crypto.ToECDSA(append([]byte{seed}, make([]byte, 31)...))
	if err != nil {
		return err
	}
	parsed, err := abi.JSON(bytes.NewReader(contracts.Load("IInfer").ABI))
	if err != nil {
		return err
	}
	data, err := parsed.Pack("infer", [32]byte(model), []uint32{0x3f800000, 0x40000000})
	if err != nil {
		return err
	}
	var nonce hexutil.Uint64
	var price hexutil.Big
	if err := ask(url, "eth_getTransactionCount", &nonce, crypto.PubkeyToAddress(secret.PublicKey), "latest"); err != nil {
		return err
	}
	if err := ask(url, "eth_gasPrice", &price); err != nil {
		return err
	}
	tx, err := ethtypes.SignNewTx(secret, ethtypes.LatestSignerForChainID(big.NewInt(network.EVMChainID)), &ethtypes.LegacyTx{
		Nonce: uint64(nonce), GasPrice: new(big.Int).Mul((*big.Int)(&price), big.NewInt(2)), Gas: 2_000_000, To: &infer.Address, Data: data,
	})
	if err != nil {
		return err
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return err
	}
	var sent common.Hash
	return ask(url, "eth_sendRawTransaction", &sent, hexutil.Encode(raw))
}

// ask calls a method of Ethereum's JSON-RPC.
func ask(url, method string, out any, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %s", method, answer.Error.Message)
	}
	return json.Unmarshal(answer.Result, out)
}
