package app_test

import (
	"bytes"
	"io"
	"math/big"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/dev"
	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/precompile/infer"
	requestprecompile "github.com/mutirao/mutirao/chain/precompile/request"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/verify/trace"
)

// TestHostileTransactions puts into blocks what a proposer should never put there: nothing changes but, at most, the sender's gas.
func TestHostileTransactions(t *testing.T) {
	mallory, victim := newPerson(t, 6), newPerson(t, 7)
	c := newChain(t, mallory, victim)
	raw := graph.Encode(artifact(t))
	if err := c.submit(victim, registry.DepositModel{Name: "small", Artifact: raw}); err != nil {
		t.Fatal(err)
	}
	id, err := registry.DepositID(raw, victim.Account())
	if err != nil {
		t.Fatal(err)
	}
	precompile, requests := readABI(t, "IInfer"), readABI(t, "IRequests")
	spin := c.deploy(mallory, []byte{0x60, 4, 0x80, 0x60, 9, 0x5f, 0x39, 0x5f, 0xf3, 0x5b, 0x5f, 0x56, 0x00}) // JUMPDEST, PUSH0, JUMP: for ever
	who := mallory.Account()
	bytesOf := make([]byte, 3*registry.ChunkBytes)
	upload := registry.OpenUpload{Name: "large", Content: trace.PayloadRoot(bytesOf), Size: uint64(len(bytesOf))}
	chunk := func(owner protocol.Account, index uint32, n int) registry.AddChunk {
		return registry.AddChunk{Upload: registry.UploadID(owner, upload.Content), Index: index, Data: bytesOf[:n]}
	}
	tooLong := chunk(who, 1, registry.ChunkBytes+1)
	native := func(from person, m protocol.Msg) func() []byte {
		return func() []byte {
			wrapped, _, err := client.Wrap(from.Account(), m)
			if err != nil {
				t.Fatal(err)
			}
			return c.signed(from, 20_000_000, wrapped)
		}
	}
	for _, p := range []person{mallory, victim} {
		for _, m := range []protocol.Msg{upload, chunk(p.Account(), 0, registry.ChunkBytes)} {
			if r := c.block(native(p, m)())[0]; r.Code != 0 {
				t.Fatal(r.Log)
			}
		}
	}
	nonce := func() uint64 { return c.app.Account.GetAccount(c.context(), who[:]).GetSequence() }
	good := c.sign(mallory, nonce(), &common.Address{7}, 21_000, nil)
	c.block(good)
	foreign := func() []byte { // signed for another chain
		signer := ethtypes.LatestSignerForChainID(big.NewInt(1))
		tx, err := ethtypes.SignNewTx(mallory.eth, signer, &ethtypes.DynamicFeeTx{ChainID: big.NewInt(1), Nonce: nonce(), GasFeeCap: big.NewInt(1e9), GasTipCap: new(big.Int), Gas: 21_000, To: &common.Address{7}, Value: big.NewInt(1)})
		if err != nil {
			t.Fatal(err)
		}
		msg := new(evmtypes.MsgEthereumTx)
		msg.From = who[:]
		msg.FromEthereumTx(tx)
		built, err := msg.BuildTx(c.app.TxConfig().NewTxBuilder(), network.Denom)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := c.app.TxConfig().TxEncoder()(built)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	at, ask := infer.Address, requestprecompile.Address
	call := func(to *common.Address, gas uint64, data []byte) func() []byte {
		return func() []byte { return c.sign(mallory, nonce(), to, gas, data) }
	}
	stolen := requestTerms{1, big.NewInt(1), 20, 0, common.Address(victim.Account()), 5_000_000, new(big.Int)}
	for name, tx := range map[string]func() []byte{
		"garbage":         func() []byte { return []byte("no transaction") },
		"empty":           func() []byte { return nil },
		"oversized":       func() []byte { return bytes.Repeat([]byte{0x0a}, 2<<20) },
		"cut":             func() []byte { return good[:len(good)/2] },
		"replayed":        func() []byte { return good },
		"wrong chain id":  foreign,
		"a nonce ahead":   func() []byte { return c.sign(mallory, nonce()+5, &common.Address{7}, 21_000, nil) },
		"no gas":          func() []byte { return c.sign(mallory, nonce(), &common.Address{7}, 1, nil) },
		"gas bomb":        call(&spin, 5_000_000, nil),
		"gas bomb, infer": call(&at, 50_000, pack(t, precompile, "infer", [32]byte(id), bitsOf(1, 2))),
		"huge call data":  call(&at, 9_000_000, bytes.Repeat([]byte{0xff}, 100_000)),
		"endless list": call(&at, 5_000_000, append(slices.Clone(precompile.Methods["infer"].ID), append(common.LeftPadBytes(nil, 32),
			append(common.LeftPadBytes([]byte{0x40}, 32), bytes.Repeat([]byte{0xff}, 32)...)...)...)),
		"request of a list that is not there": call(&ask, 5_000_000, pack(t, requests, "request", [32]byte(id), bitsOf(1), stolen)),
		"chunks: unsorted":                    native(mallory, chunk(who, 2, registry.ChunkBytes)),
		"chunks: duplicate":                   native(mallory, chunk(who, 0, registry.ChunkBytes)),
		"chunks: short":                       native(mallory, chunk(who, 1, 100)),
		"chunks: oversized":                   native(mallory, tooLong),
		"chunks: of another's upload":         native(mallory, chunk(victim.Account(), 1, registry.ChunkBytes)),
		"chunks: of no upload":                native(mallory, chunk(protocol.Account{9}, 0, registry.ChunkBytes)),
		"end of another's upload":             native(mallory, registry.AbortUpload{Upload: registry.UploadID(victim.Account(), upload.Content)}),
		"the same upload again":               native(mallory, upload),
		"upload of an ocean":                  native(mallory, registry.OpenUpload{Name: "n", Content: upload.Content, Size: 1 << 62}),
		"another's seal":                      call(&ask, 5_000_000, pack(t, requests, "seal", [32]byte{1}, [32]byte{2})),
	} {
		raw := tx()
		rich, supply, held := c.balance(who), c.supply(), c.balance(victim.Account())
		model, err := c.app.Registry.ArtifactSize(c.context(), id)
		if err != nil {
			t.Fatal(err)
		}
		r := c.block(raw)[0]
		left := c.balance(who)
		if left.Compare(rich) > 0 || c.supply() != supply || c.balance(victim.Account()) != held {
			t.Errorf("%s: %s from %s, supply %s from %s", name, left, rich, c.supply(), supply)
		}
		if spent := rich.Minus(left); r.Code != 0 && !strings.HasPrefix(name, "gas bomb") && !spent.IsZero() && r.GasUsed == 0 {
			t.Errorf("%s: refused and charged %s", name, spent)
		}
		for _, owner := range []protocol.Account{who, victim.Account()} {
			u, err := c.app.Registry.Upload(c.context(), registry.UploadID(owner, upload.Content), escrow.Free)
			if err != nil || u.Received != registry.ChunkBytes {
				t.Errorf("%s: the upload has %d bytes: %v", name, u.Received, err)
			}
		}
		if now, err := c.app.Registry.ArtifactSize(c.context(), id); err != nil || now != model {
			t.Errorf("%s: the model changed: %v", name, err)
		}
		if r.Code != 0 && name != "gas bomb" && name != "a nonce ahead" && !strings.Contains(name, "infer") && c.pooled(raw) {
			t.Errorf("%s: the pool takes it", name)
		}
	}
	// NaN and Inf are numbers like others: the answer is the engine's, the NaN the one that it knows.
	for _, input := range [][]uint32{{0x7FC0_0000, 0xFF80_0000}, {0xFFFF_FFFF, 0x7F80_0001}, bitsOf(3e38, -3e38)} {
		r := c.ethereum(mallory, &at, moneyOf(0), 3_000_000, pack(t, precompile, "infer", [32]byte(id), input))
		if r.Failed() {
			t.Errorf("%x: %s", input, r.VmError)
			continue
		}
		values, err := precompile.Unpack("infer", r.Ret)
		if err != nil || !slices.Equal(values[0].([]uint32), locally(t, input...)) {
			t.Errorf("%x: %x: %v", input, values, err)
		}
	}
}

// TestRPCSurvives sends damaged requests to a development chain: it goes on, and nobody's coins move. It is no fuzz target for the reason that
// TestInferSurvivesAnyCallData gives.
func TestRPCSurvives(t *testing.T) {
	d := newDesk(t, "", func(c *dev.Config) { c.Manual = false })
	defer d.stop()
	seeds := []string{
		`{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x0000000000000000000000000000000000000901","data":"0x12345678"},"latest"]}`,
		`{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x02f86b01808203e88203e88252089400000000000000000000000000000000000000018080c0"]}`,
		`{"jsonrpc":"2.0","id":1,"method":"eth_estimateGas","params":[{"from":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266","to":"0x0000000000000000000000000000000000000905","data":"0xabcdef01","gas":"0x5f5e100"}]}`,
		`{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"fromBlock":"0x0","toBlock":"latest","topics":[[null],["0x01"]]}]}`,
		`{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0xffffffffffffffff",true]}`,
		`{"jsonrpc":"2.0","id":1,"method":"eth_feeHistory","params":["0x400","latest",[1,2,300]]}`,
		`{"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[{"to":"0x0000000000000000000000000000000000000901","data":"0x"},"latest",{"tracer":"callTracer"}]}`,
		`{"jsonrpc":"2.0","id":1,"method":"evm_revert","params":["0x99"]}`,
		`{"jsonrpc":"2.0","id":1,"method":"eth_getProof","params":["0x0000000000000000000000000000000000000901",["0x0"],"latest"]}`,
		`{"jsonrpc":"2.0","id":1,"method":"eth_getStorageAt","params":["0x0000000000000000000000000000000000000901","0x0","latest"]}`,
		`[{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"},{"jsonrpc":"2.0","id":2,"method":"eth_chainId"}]`,
	}
	random := rand.New(rand.NewPCG(3, 4))
	post := func(body []byte) {
		r, err := http.Post("http://"+d.address, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		_, err = io.Copy(io.Discard, r.Body)
		if err := r.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	}
	for i := range 1500 {
		body := []byte(seeds[i%len(seeds)])
		for range random.IntN(5) {
			switch at := random.IntN(len(body)); random.IntN(4) {
			case 0:
				body[at] = byte(random.Uint32())
			case 1:
				body = append(body[:at:at], append([]byte(`"0x`+strings.Repeat("f", random.IntN(80))+`"`), body[at:]...)...)
			case 2:
				body = body[:at+1]
			default:
				body = append(body[:at:at], body[min(len(body), at+1+random.IntN(8)):]...)
			}
			if len(body) == 0 {
				body = []byte("{")
			}
		}
		post(body)
	}
	post(bytes.Repeat([]byte("["), 100_000))
	post(bytes.Repeat([]byte(`{"a":`), 50_000))
	if id, err := d.eth.ChainID(t.Context()); err != nil || id.Uint64() != network.EVMChainID {
		t.Errorf("chain id %v: %v", id, err)
	}
}

// pooled reports whether the pool takes a transaction. It comes to know of a block a moment after it.
func (c *chain) pooled(raw []byte) bool {
	for range 100 {
		if check, err := c.app.CheckTx(&abci.RequestCheckTx{Tx: raw, Type: abci.CheckTxType_New}); err != nil || check.Code != 0 {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}
