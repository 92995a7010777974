package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"

	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/store/v2/snapshots"
	snapshottypes "github.com/cosmos/cosmos-sdk/store/v2/snapshots/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/dev"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// These targets instrument all that the ledger depends on: the first run of `go test -fuzz` builds for some minutes.

// names of the precompiles in a fixed order.
var names = slices.Sorted(maps.Keys(interfaces))

// fuzzed is a chain with a model that contracts can call, and a request for it.
func fuzzed(t testing.TB) (*chain, person, registry.Model) {
	who := newPerson(t, 1)
	c := newChain(t, who, newPerson(t, 2))
	raw := graph.Encode(artifact(t))
	if err := c.submit(who, registry.DepositModel{Name: "small", Artifact: raw}); err != nil {
		t.Fatal(err)
	}
	id, err := registry.DepositID(raw, who.Account())
	if err != nil {
		t.Fatal(err)
	}
	ask := interfaces["IRequests"]
	terms := requestTerms{2, big.NewInt(1e15), 1000, 20, common.Address{}, 0, new(big.Int)}
	if r := c.ethereum(who, &ask, money.Amount{}, 3_000_000, pack(t, readABI(t, "IRequests"), "request", [32]byte(id), bitsOf(1, 2), terms)); r.Failed() {
		t.Fatal(r.VmError)
	}
	return c, who, registry.Model{ID: id}
}

// digest is of all stored values but those of an account's nonce and gas.
func digest(a *app.App, ctx sdk.Context) (sum [32]byte) {
	h := sha256.New()
	stores := a.Stores()
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		all := ctx.KVStore(stores[name]).Iterator(nil, nil)
		for ; all.Valid(); all.Next() {
			fmt.Fprintf(h, "%s %x %x\n", name, all.Key(), all.Value())
		}
		all.Close()
	}
	return [32]byte(h.Sum(nil))
}

// FuzzPrecompile: whatever a precompile is called with, it answers or reverts. A call that fails leaves the state as it was, and no call makes coins.
func FuzzPrecompile(f *testing.F) {
	c, who, model := fuzzed(f)
	s := &scene{t: f, plot: new(plot)}
	hold := common.Address(who.Account())
	for i, name := range names {
		for _, method := range slices.Sorted(maps.Keys(s.abi(name).Methods)) {
			m := s.abi(name).Methods[method]
			// A call of the right length, with the model wherever it may belong: offsets are for the fuzzer to find.
			data := slices.Clone(m.ID)
			for range max(len(m.Inputs), 1) + 3 {
				data = append(data, model.ID[:]...)
			}
			f.Add(uint8(i), data, uint64(0))
		}
	}
	f.Add(uint8(1), pack(f, s.abi("IInfer"), "infer", [32]byte(model.ID), bitsOf(1, 2)), uint64(0))
	f.Add(uint8(1), pack(f, s.abi("IInfer"), "preview", [32]byte(model.ID), bitsOf(1, 2)), uint64(7))
	f.Add(uint8(4), pack(f, s.abi("IRequests"), "request", [32]byte(model.ID), bitsOf(1, 2), requestTerms{1, big.NewInt(1), 20, 3, hold, 100_000, new(big.Int)}), uint64(0))
	f.Add(uint8(4), pack(f, s.abi("IRequests"), "cost", [32]byte(model.ID), requestTerms{255, maxWord, 1, 1, hold, 1, maxWord}), uint64(0))
	f.Add(uint8(3), pack(f, s.abi("IRegistry"), "claim", [32]byte(model.ID), hold), uint64(1))
	f.Fuzz(func(t *testing.T, at uint8, data []byte, value uint64) {
		c.t = t
		to := interfaces[names[int(at)%len(names)]]
		ctx := c.context()
		before, supply := digest(c.app, ctx), c.app.Bank.GetSupply(ctx, network.Denom)
		msg := core.Message{From: hold, To: &to, Value: new(big.Int).SetUint64(value), GasLimit: 3_000_000, GasPrice: new(big.Int), GasFeeCap: new(big.Int), GasTipCap: new(big.Int),
			Data: data, SkipNonceChecks: true}
		r, err := c.app.EVM.ApplyMessage(ctx.WithProposer(c.proposer), nil, msg, nil, true, false, true)
		if err != nil {
			return // refused before it began
		}
		if r.GasUsed > 3_000_000 {
			t.Errorf("%d gas of 3000000", r.GasUsed)
		}
		if now := c.app.Bank.GetSupply(ctx, network.Denom); !now.Amount.Equal(supply.Amount) {
			t.Errorf("supply %s, was %s", now, supply)
		}
		if r.Failed() && digest(c.app, ctx) != before {
			t.Errorf("failed with %s and left something", r.VmError)
		}
	})
}

// FuzzTransaction: whatever bytes a proposer puts into a block, the chain goes on, nothing panics, and nobody gets coins.
func FuzzTransaction(f *testing.F) {
	c, who, model := fuzzed(f)
	to := newPerson(f, 2).Account()
	from := who.Account()
	wrapped, _, err := client.Wrap(from, registry.Use{Model: model.ID, Fee: money.New(5)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.signed(who, 300_000, banktypes.NewMsgSend(from[:], to[:], network.Coins(money.New(1)))))
	f.Add(c.signed(who, 300_000, wrapped))
	at := interfaces["IInfer"]
	f.Add(c.signedEthereum(who, &at, money.Amount{}, 300_000, pack(f, readABI(f, "IInfer"), "infer", [32]byte(model.ID), bitsOf(1, 2))))
	f.Add(c.signedEthereum(who, nil, money.New(1), 300_000, []byte{0x60, 0, 0x60, 0, 0xf3}))
	f.Add(c.signed(who, 300_000, &evmtypes.MsgEthereumTx{From: from[:]})) // in which the transaction is missing
	s := &scene{t: f, app: c.app, ctx: c.context()}
	for _, m := range s.authorities(bech(from)) {
		f.Add(c.signed(who, 300_000, m))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c.t = t
		has, supply := c.balance(from).Plus(c.balance(to)), c.supply()
		check, err := c.app.CheckTx(&abci.RequestCheckTx{Tx: raw, Type: abci.CheckTxType_New})
		if err == nil && strings.Contains(check.Log, "panic") {
			t.Errorf("the pool: %s", check.Log)
		}
		r := c.block(raw)[0]
		if strings.Contains(r.Log, "panic") || strings.Contains(r.Log, "runtime error") {
			t.Errorf("the block: %s", r.Log)
		}
		if now := c.balance(from).Plus(c.balance(to)); now.Compare(has) > 0 || c.supply().Compare(supply) > 0 {
			t.Errorf("coins came from nowhere: %s of %s", now, has)
		}
	})
}

// methodSeeds is a call of every method that a development chain answers, with arguments of several kinds.
func methodSeeds(methods []string) (list []string) {
	for _, m := range methods {
		for _, params := range []string{``, `"0x0000000000000000000000000000000000000901","latest"`, `{"to":"0x0000000000000000000000000000000000000901","data":"0x12345678"},"latest"`, `"0x1",true`, `[],null`, `1,2`} {
			list = append(list, `{"jsonrpc":"2.0","id":1,"method":"`+m+`","params":[`+params+`]}`)
		}
	}
	return list
}

// FuzzRPC: whatever is posted to the JSON-RPC of a development chain, it answers and goes on.
func FuzzRPC(f *testing.F) {
	d := newDesk(f, "", func(c *dev.Config) { c.Manual = false })
	f.Cleanup(d.stop)
	for _, body := range methodSeeds(d.server.Methods()) {
		f.Add([]byte(body))
	}
	f.Add([]byte(`[{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"},{"jsonrpc":"2.0","id":2,"method":"eth_chainId"}]`))
	f.Add(bytes.Repeat([]byte("["), 2000))
	f.Add(bytes.Repeat([]byte(`{"a":`), 500))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := http.Post("http://"+d.address, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(r.Body)
		if err != nil || r.Body.Close() != nil {
			t.Fatal(err)
		}
		if bytes.Contains(answer, []byte("method handler crashed")) || bytes.Contains(answer, []byte("runtime error")) {
			t.Errorf("%s: %s", body, answer)
		}
		if id, err := d.eth.ChainID(t.Context()); err != nil || id.Uint64() != network.EVMChainID {
			t.Errorf("chain id %v: %v", id, err)
		}
	})
}

// FuzzGenesis: whatever file somebody imports, it is a network's beginning or refused.
func FuzzGenesis(f *testing.F) {
	doc, err := genesis.New(genesis.Spec{Time: time.Unix(1_700_000_000, 0), Validators: genesis.DeriveKeys([32]byte{1}, 2), Accounts: []genesis.Balance{{Address: newPerson(f, 1).Account(), Amount: wealth}}})
	if err != nil {
		f.Fatal(err)
	}
	raw, err := cmtjson.Marshal(doc)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	for _, replace := range [][2]string{{`"initial_height":"1"`, `"initial_height":"-7"`}, {`"tokens":"`, `"tokens":"-`}, {`"amount":"`, `"amount":"999999999999999999999999999999999999`}, {`"registry"`, `"market"`}, {`"bond_denom":"amut"`, `"bond_denom":""`}} {
		f.Add(bytes.Replace(raw, []byte(replace[0]), []byte(replace[1]), 1))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := cmttypes.GenesisDocFromJSON(raw)
		if err != nil {
			return
		}
		if hash, err := app.Import(doc); err == nil && len(hash) == 0 {
			t.Error("imported without a hash")
		}
	})
}

// FuzzSnapshot: whatever a peer sends as a piece of a snapshot, a joining node takes it or refuses it.
func FuzzSnapshot(f *testing.F) {
	c, _, _ := fuzzed(f)
	made, chunks := snapshot(f, c)
	for _, chunk := range chunks {
		f.Add(chunk)
	}
	f.Add([]byte{})
	f.Add(binary.BigEndian.AppendUint32(nil, 1<<31))
	network.Configure()
	f.Fuzz(func(t *testing.T, chunk []byte) {
		other, err := app.New(log.NewNopLogger(), dbm.NewMemDB(), nil, keeping(t))
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		sum := sha256.Sum256(chunk) // a peer names the hashes itself
		metadata := snapshottypes.Metadata{ChunkHashes: [][]byte{sum[:]}}
		named, err := metadata.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		offer, err := other.OfferSnapshot(&abci.RequestOfferSnapshot{AppHash: c.app.LastCommitID().Hash,
			Snapshot: &abci.Snapshot{Height: made.Height, Format: made.Format, Chunks: 1, Hash: sum[:], Metadata: named}})
		if err != nil || offer.Result != abci.ResponseOfferSnapshot_ACCEPT {
			t.Fatalf("offer: %v, %v", offer, err)
		}
		r, err := other.ApplySnapshotChunk(&abci.RequestApplySnapshotChunk{Index: 0, Chunk: chunk, Sender: "peer"})
		if err == nil && r.Result == abci.ResponseApplySnapshotChunk_ACCEPT && len(chunks) == 1 && bytes.Equal(chunk, chunks[0]) && !bytes.Equal(other.LastCommitID().Hash, c.app.LastCommitID().Hash) {
			t.Error("the snapshot is another state")
		}
	})
}

// keeping lets an app keep snapshots in memory and a folder of the test.
func keeping(t testing.TB) func(*baseapp.BaseApp) {
	t.Helper()
	store, err := snapshots.NewStore(dbm.NewMemDB(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return baseapp.SetSnapshot(store, snapshottypes.NewSnapshotOptions(1, 1))
}

// snapshot makes the chain's last state a snapshot, in chunks.
func snapshot(t testing.TB, c *chain) (*snapshottypes.Snapshot, [][]byte) {
	t.Helper()
	if err := c.app.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.app, err = app.New(log.NewNopLogger(), c.db, nil, keeping(t)); err != nil {
		t.Fatal(err)
	}
	manager := c.app.SnapshotManager()
	made, err := manager.Create(uint64(c.app.LastBlockHeight()))
	if err != nil {
		t.Fatal(err)
	}
	var chunks [][]byte
	for i := range made.Chunks {
		chunk, err := manager.LoadChunk(made.Height, made.Format, i)
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, chunk)
	}
	return made, chunks
}
