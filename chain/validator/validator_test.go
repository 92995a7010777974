package validator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/prevrandao"
	"github.com/mutirao/mutirao/chain/validator"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// four prepares the configurations of a network of four; the first has JSON-RPC.
func four(t testing.TB, funded ...genesis.Balance) []validator.Config {
	t.Helper()
	return fourOf(t, func(s *genesis.Spec) { s.Accounts = funded })
}

// fourOf is four with changes to the network's first state.
func fourOf(t testing.TB, change func(*genesis.Spec)) []validator.Config {
	t.Helper()
	const n = 4
	keys := genesis.DeriveKeys([32]byte{7}, n)
	spec := genesis.Spec{Time: time.Now(), Validators: keys}
	change(&spec)
	doc, err := genesis.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := validator.FreeAddresses(2*n + 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	configs := make([]validator.Config, n)
	for i := range configs {
		configs[i] = validator.Config{
			Home: filepath.Join(dir, strconv.Itoa(i)), Genesis: doc, Keys: keys[i],
			P2P: addresses[2*i], RPC: addresses[2*i+1], TimeoutCommit: 200 * time.Millisecond,
		}
		for j := range keys {
			if j != i {
				configs[i].Peers = append(configs[i].Peers, validator.PeerAddress(keys[j], addresses[2*j]))
			}
		}
	}
	configs[0].JSONRPC = addresses[2*n]
	return configs
}

func start(t testing.TB, c validator.Config) *validator.Node {
	t.Helper()
	n, err := validator.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func waitHeight(t testing.TB, n *validator.Node, height int64) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); n.Height() < height; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("height %d after a minute, want %d", n.Height(), height)
		}
	}
}

// call asks the JSON-RPC at url and decodes the result into out.
func call(t *testing.T, url, method string, out any, params ...any) {
	t.Helper()
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error != nil {
		t.Fatalf("%s: %s", method, answer.Error.Message)
	}
	if err := json.Unmarshal(answer.Result, out); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

func newKey(t testing.TB, seed byte) client.Key {
	t.Helper()
	key, err := client.NewKey([32]byte{seed})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// dataset is a message that succeeds once for each name.
func dataset(name byte) registry.RegisterDataset {
	one := protocol.Hash{name}
	return registry.RegisterDataset{Root: one, Blob: one, Schema: one, Records: 1, RecordSize: 1, Name: string(name), Licence: "CC0-1.0"}
}

func TestFourValidators(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var keys []client.Key
	var funded []genesis.Balance
	for i := range byte(4) {
		keys = append(keys, newKey(t, 1+i))
		funded = append(funded, genesis.Balance{Address: keys[i].Account(), Amount: money.MUT(5)})
	}
	configs := four(t, funded...)
	began := time.Now()
	nodes := make([]*validator.Node, len(configs))
	var urls []string
	for i, c := range configs {
		nodes[i] = start(t, c)
		urls = append(urls, nodes[i].RPC())
	}
	defer func() {
		for _, n := range nodes {
			if err := n.Stop(); err != nil {
				t.Error(err)
			}
		}
	}()
	waitHeight(t, nodes[0], 1)
	t.Logf("first block after %v", time.Since(began))

	// Clients in parallel, each preferring another validator.
	clients := make([]*client.Client, len(keys))
	var wg sync.WaitGroup
	for i, key := range keys {
		var err error
		if clients[i], err = client.Dial(append(urls[i:len(urls):len(urls)], urls[:i]...), key); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for n := range byte(3) {
				sent := time.Now()
				if err := clients[i].Submit(ctx, dataset('a'+n), dataset('k'+n)); err != nil {
					t.Errorf("client %d, message %d: %v", i, n, err)
				}
				t.Logf("client %d: included after %v", i, time.Since(sent))
			}
			if err := clients[i].Submit(ctx, dataset('a')); !errors.Is(err, protocol.ErrExists) {
				t.Errorf("client %d, the same dataset again: %v", i, err)
			}
		})
	}
	wg.Wait()
	if _, err := clients[0].Run(ctx, protocol.Hash{1}); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("a run that does not exist: %v", err)
	}
	d, err := clients[2].Dataset(ctx, registry.DatasetID(keys[2].Account(), dataset('b')))
	if err != nil || d.Steward != keys[2].Account() {
		t.Errorf("dataset %+v: %v", d, err)
	}
	supply, err := clients[0].Supply(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := clients[0].Send(ctx, protocol.Account{9}, money.MUT(1)); err != nil {
		t.Fatal(err)
	}
	if got, err := clients[0].Balance(ctx, protocol.Account{9}); err != nil || got != money.MUT(1) {
		t.Errorf("received %s: %v", got.Coins(), err)
	}
	if now, err := clients[0].Supply(ctx); err != nil || now != supply {
		t.Errorf("supply went from %s to %s: %v", supply, now, err)
	}

	ethereum(t, nodes[0].JSONRPC())
	beaconOf(t, nodes[0], configs)
	t.Logf("contract deployed after %v", time.Since(began))

	// One of four may stop and come back from its disk while the others go on; its client turns to them.
	if err := nodes[3].Stop(); err != nil {
		t.Fatal(err)
	}
	stopped := nodes[3].Height()
	t.Logf("stopped after %v at height %d", time.Since(began), stopped)
	if err := clients[3].Submit(ctx, dataset('z')); err != nil {
		t.Errorf("with its validator stopped: %v", err)
	}
	t.Logf("submitted after %v", time.Since(began))
	waitHeight(t, nodes[0], stopped+3)
	t.Logf("three blocks more after %v", time.Since(began))
	nodes[3] = start(t, configs[3])
	if h := nodes[3].Height(); h < stopped {
		t.Errorf("restarted at %d, had committed %d", h, stopped)
	}
	t.Logf("restarted after %v", time.Since(began))
	waitHeight(t, nodes[3], nodes[0].Height()+1)
	t.Logf("caught up after %v", time.Since(began))
}

// ethereum deploys a contract as a wallet would: signed outside, sent to the JSON-RPC, watched by its receipt.
func ethereum(t *testing.T, url string) {
	t.Helper()
	var id string
	call(t, url, "eth_chainId", &id)
	if id != "0x40000" {
		t.Errorf("chain id %s", id)
	}
	secret, err := crypto.ToECDSA(append([]byte{2}, make([]byte, 31)...)) // of the second client
	if err != nil {
		t.Fatal(err)
	}
	from := crypto.PubkeyToAddress(secret.PublicKey)
	var nonce, price string
	call(t, url, "eth_getTransactionCount", &nonce, from, "latest")
	call(t, url, "eth_gasPrice", &price)
	signer := ethtypes.LatestSignerForChainID(big.NewInt(network.EVMChainID))
	tx, err := ethtypes.SignNewTx(secret, signer, &ethtypes.LegacyTx{
		Nonce: hexutil.MustDecodeUint64(nonce), GasPrice: hexutil.MustDecodeBig(price), Gas: 3_000_000,
		Data: append(common.FromHex(contracts.Load("RiskModel").Bytecode), make([]byte, 32)...),
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var sent common.Hash
	call(t, url, "eth_sendRawTransaction", &sent, hexutil.Encode(raw))
	if sent != tx.Hash() {
		t.Errorf("hash %s, signed %s", sent, tx.Hash())
	}
	var receipt *struct{ Status, ContractAddress, TransactionIndex, BlockNumber string }
	var none *json.RawMessage
	asked := 0
	for deadline := time.Now().Add(20 * time.Second); receipt == nil; asked++ {
		if time.Now().After(deadline) {
			t.Fatal("no receipt after 20 s")
		}
		call(t, url, "eth_getTransactionReceipt", &receipt, sent) // waits for the block
	}
	if asked > 10 {
		t.Errorf("asked %d times for the receipt of a transaction that waits for its block", asked)
	}
	if call(t, url, "eth_getTransactionReceipt", &none, common.Hash{1}); none != nil {
		t.Errorf("receipt of nothing: %+v", none)
	}
	if receipt.Status != "0x1" || receipt.TransactionIndex != "0x0" || common.HexToAddress(receipt.ContractAddress) != crypto.CreateAddress(from, tx.Nonce()) {
		t.Errorf("receipt %+v", receipt)
	}
	// What the proposer reveals is a transaction of the block that Ethereum's side does not see.
	var block struct{ Transactions []string }
	call(t, url, "eth_getBlockByNumber", &block, receipt.BlockNumber, false)
	var receipts []json.RawMessage
	call(t, url, "eth_getBlockReceipts", &receipts, receipt.BlockNumber)
	var count string
	call(t, url, "eth_getBlockTransactionCountByNumber", &count, receipt.BlockNumber)
	if len(block.Transactions) != 1 || len(receipts) != 1 || count != "0x1" {
		t.Errorf("%d transactions, %d receipts, count %s", len(block.Transactions), len(receipts), count)
	}
	var code string
	call(t, url, "eth_getCode", &code, receipt.ContractAddress, "latest")
	if len(code) < 100 {
		t.Errorf("code %s", code)
	}
}

// beaconOf checks that every validator reveals in its turn, and that JSON-RPC shows in mixHash what the precompile says of the block before.
func beaconOf(t *testing.T, n *validator.Node, configs []validator.Config) {
	t.Helper()
	ctx := t.Context()
	rpc, err := rpchttp.New(n.RPC(), "/websocket")
	if err != nil {
		t.Fatal(err)
	}
	waitHeight(t, n, 9)
	revealed := map[string]int{}
	for h := int64(2); h <= 9; h++ {
		b, err := rpc.Block(ctx, &h)
		if err != nil {
			t.Fatal(err)
		}
		if _, proof := beacon.Split(b.Block.Txs.ToSliceOfBytes()); proof == nil {
			t.Errorf("block %d has no reveal", h)
		}
		revealed[b.Block.ProposerAddress.String()]++
		number := hexutil.EncodeUint64(uint64(h))
		for _, method := range []string{"eth_getBlockByNumber", "eth_getHeaderByNumber"} {
			var shown struct{ MixHash common.Hash }
			args := []any{number, false}
			if method == "eth_getHeaderByNumber" {
				args = args[:1]
			}
			call(t, n.JSONRPC(), method, &shown, args...)
			var value common.Hash
			data := append(crypto.Keccak256([]byte("beaconAt(uint64)"))[:4], common.BigToHash(big.NewInt(h-1)).Bytes()...)
			call(t, n.JSONRPC(), "eth_call", &value, map[string]any{"to": prevrandao.Address, "data": hexutil.Encode(data)}, "latest")
			if shown.MixHash != value || value == (common.Hash{}) {
				t.Errorf("%s %d: mixHash %s, the beacon before is %s", method, h, shown.MixHash, value)
			}
		}
	}
	for _, c := range configs {
		if address := c.Keys.Consensus.PubKey().Address().String(); revealed[address] == 0 {
			t.Errorf("validator %s has revealed nothing: %v", address, revealed)
		}
	}
}

// A validator that reveals nothing loses its turns, and nothing else: the others go on without its blocks and count them.
func TestWithheldReveals(t *testing.T) {
	configs := four(t)
	addresses, err := validator.FreeAddresses(1)
	if err != nil {
		t.Fatal(err)
	}
	configs[0].Metrics = addresses[0]
	configs[3].Reveal = func([]byte) (none [beacon.ProofSize]byte, _ error) { return none, errors.New("withheld") }
	var nodes []*validator.Node
	for _, c := range configs {
		nodes = append(nodes, start(t, c))
	}
	defer func() {
		for _, n := range nodes {
			if err := n.Stop(); err != nil {
				t.Error(err)
			}
		}
	}()
	waitHeight(t, nodes[3], 6)
	waitHeight(t, nodes[0], 6)
	rpc, err := rpchttp.New(nodes[0].RPC(), "/websocket")
	if err != nil {
		t.Fatal(err)
	}
	for h := int64(1); h <= 6; h++ {
		b, err := rpc.Block(t.Context(), &h)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(b.Block.ProposerAddress, configs[3].Keys.Consensus.PubKey().Address()) {
			t.Errorf("block %d is of the validator that reveals nothing", h)
		}
	}
	r, err := http.Get("http://" + configs[0].Metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("mutirao_beacon_blocks_total{reveal=\"no\"} 0\n")) || !bytes.Contains(text, []byte("\nmutirao_beacon_rejected_total ")) ||
		bytes.Contains(text, []byte("\nmutirao_beacon_rejected_total 0\n")) {
		t.Errorf("metrics without a rejected block:\n%s", text)
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := four(t)[0]
	c.RPC = l.Addr().String()
	_, err = validator.Start(context.Background(), c)
	if !errors.Is(err, validator.ErrAddressInUse) || !strings.Contains(err.Error(), c.RPC) {
		t.Errorf("error %v does not name %s", err, c.RPC)
	}
}
