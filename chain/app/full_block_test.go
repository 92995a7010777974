package app_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/precompile/infer"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/examples"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

var fullBlock = flag.Bool("full-block", false, "measure blocks full of infer, and calls beside interpreted Solidity")

// shapes are models for measurements: the worst for their gas, and one for each kind of work.
func shapes(t testing.TB) map[string][]byte {
	build := func(f func(b *graph.Builder, x graph.Ref) graph.Ref) []byte {
		b := graph.NewBuilder("shape")
		y := f(b, b.Input("x", tensor.Float32, 1, 16))
		n := 1
		for _, d := range b.Shape(y) {
			n *= d
		}
		flat := b.Op("Reshape", nil, y, b.Ints(1, n))
		b.Output("y", b.Op("Slice", nil, flat, b.Ints(0), b.Ints(1), b.Ints(1)))
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		return graph.Encode(g)
	}
	weights := func(b *graph.Builder, name string, shape ...int) graph.Ref {
		n := 1
		for _, d := range shape {
			n *= d
		}
		r := rand.New(rand.NewPCG(uint64(n), 1))
		data := make([]int8, n)
		for i := range data {
			data[i] = int8(r.IntN(255) - 127)
		}
		return b.Initializer(name, tensor.From(data, shape...))
	}
	return map[string][]byte{
		"int8 CNN of a million": build(func(b *graph.Builder, x graph.Ref) graph.Ref {
			zero := b.Initializer("zero", tensor.From([]int8{0}))
			q := func(y graph.Ref, scale float32) graph.Ref {
				return b.Op("QuantizeLinear", nil, y, b.Float(scale), zero)
			}
			image := b.Op("Reshape", nil, b.Op("Expand", nil, x, b.Ints(49, 16)), b.Ints(1, 1, 28, 28))
			pads := graph.Attrs{"pads": []int{1, 1, 1, 1}}
			y := b.Op("ConvInteger", pads, q(image, 0.02), weights(b, "w1", 8, 1, 3, 3)) // 56 thousand
			y = b.Op("MaxPool", graph.Attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}, b.Op("Relu", nil, b.Op("Cast", graph.Attrs{"to": 1}, y)))
			y = b.Op("ConvInteger", pads, q(y, 40), weights(b, "w2", 32, 8, 3, 3)) // 452 thousand
			y = b.Op("MaxPool", graph.Attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}, b.Op("Relu", nil, b.Op("Cast", graph.Attrs{"to": 1}, y)))
			y = b.Op("ConvInteger", pads, q(y, 400), weights(b, "w3", 36, 32, 3, 3)) // 508 thousand
			return b.Op("ReduceMean", nil, b.Op("Cast", graph.Attrs{"to": 1}, y), b.Ints(2, 3))
		}),
		"Where of 262,144": build(func(b *graph.Builder, x graph.Ref) graph.Ref {
			y := b.Op("Expand", nil, x, b.Ints(16384, 16))
			less := b.Op("Less", nil, y, b.Float(0))
			for range 5 {
				y = b.Op("Where", nil, less, y, b.Op("Neg", nil, y))
			}
			return y
		}),
		"sines of 262,144": build(func(b *graph.Builder, x graph.Ref) graph.Ref {
			y := b.Op("Expand", nil, x, b.Ints(16384, 16))
			return b.Op("Sin", nil, b.Op("Sin", nil, y))
		}),
		"250 small nodes": build(func(b *graph.Builder, x graph.Ref) graph.Ref {
			for range 250 {
				x = b.Op("Less", nil, x, b.Float(0))
				x = b.Op("Cast", graph.Attrs{"to": 1}, x)
			}
			return x
		}),
		"pairs of 65,536 tiny matrices": build(func(b *graph.Builder, x graph.Ref) graph.Ref {
			y := b.Op("Reshape", nil, b.Op("Expand", nil, x, b.Ints(4096, 16)), b.Ints(65536, 1, 1))
			return b.Op("MatMul", nil, y, y)
		}),
	}
}

// TestFullBlock fills blocks to the gas limit with infer, with one model and with more models in turn than a node keeps compiled, and prints how
// long a block takes. Then it times calls of the precompile beside an interpreted model. Run: make infer-gas
func TestFullBlock(t *testing.T) {
	if !*fullBlock {
		t.Skip("a measurement: run with -full-block")
	}
	crowd := make([]person, 200)
	for i := range crowd {
		crowd[i] = newPerson(t, byte(1+i))
	}
	p, c := crowd[0], newMeasured(t, crowd...)
	c.transfers(crowd)
	if testing.Short() {
		return
	}
	precompile := readABI(t, "IInfer")
	calls := map[string][]byte{}
	deposit := func(name string, raw []byte, inputs int) {
		if err := c.submit(p, registry.DepositModel{Name: name, Artifact: raw}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		id, err := registry.DepositID(raw, p.Account())
		if err != nil {
			t.Fatal(err)
		}
		calls[name] = pack(t, precompile, "infer", [32]byte(id), make([]uint32, inputs))
	}
	var names []string
	for name, raw := range shapes(t) {
		deposit(name, raw, 16)
		names = append(names, name)
	}
	diagnosis, err := examples.Files().ReadFile("diagnosis/model.graph")
	if err != nil {
		t.Fatal(err)
	}
	deposit("diagnosis", diagnosis, 30)
	names = append(names, "diagnosis")
	slices.Sort(names)
	var turn [][]byte
	for i := range 12 {
		b := graph.NewBuilder(fmt.Sprint("turn", i))
		x := b.Input("x", tensor.Float32, 1, 16)
		for range 600 {
			x = b.Op("Neg", nil, x)
		}
		b.Output("y", x)
		if g, err := b.Graph(); err == nil {
			deposit(fmt.Sprint("turn", i), graph.Encode(g), 16)
			turn = append(turn, calls[fmt.Sprint("turn", i)])
		}
	}
	for _, name := range names {
		c.fill(p, name, [][]byte{calls[name]})
	}
	if len(turn) > 0 {
		c.fill(p, "twelve models of 600 nodes in turn, more than are kept", turn)
	}
	c.beside(p, calls)
}

// newMeasured is a chain on disk.
func newMeasured(t testing.TB, people ...person) *chain {
	t.Helper()
	db, err := dbm.NewGoLevelDB("application", t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return newChainIn(t, db, nil, func(*genesis.Spec) {}, people...)
}

// fill makes a block of as many calls as its gas allows, and prints its time.
func (c *chain) fill(p person, name string, data [][]byte) {
	c.t.Helper()
	c.rest()
	at := infer.Address
	used := make([]uint64, len(data))
	for i := range data {
		if r := c.ethereum(p, &at, moneyOf(0), network.BlockGas/10*9, data[i]); r.Failed() {
			c.t.Fatalf("%s: %s %s", name, r.VmError, reason(r.Ret))
		} else {
			used[i] = r.GasUsed
		}
	}
	who := p.Account()
	nonce := c.app.Account.GetAccount(c.context(), who[:]).GetSequence()
	var txs [][]byte
	var gas uint64
	for i := 0; gas+used[i%len(data)] <= network.BlockGas && len(txs) < 2000; i++ {
		txs = append(txs, c.sign(p, nonce, &at, used[i%len(data)]/4*5, data[i%len(data)])) // exactly what is used would not do: a call passes on 63 parts of 64
		gas += used[i%len(data)]
		nonce++
	}
	c.report(name, txs)
}

// report executes a block of transactions, which are to succeed, and prints its time.
func (c *chain) report(name string, txs [][]byte) {
	c.t.Helper()
	runtime.GC()
	c.height++
	req := &abci.RequestFinalizeBlock{
		Height: c.height, Time: c.doc.GenesisTime.Add(time.Duration(c.height) * time.Second), Txs: txs, ProposerAddress: c.proposer,
	}
	var r *abci.ResponseFinalizeBlock
	var executed, committed time.Duration // on the core that executes
	start := time.Now()
	executed = busy(func() {
		var err error
		if r, err = c.app.FinalizeBlock(req); err != nil {
			c.t.Fatal(err)
		}
	})
	committed = busy(func() {
		if _, err := c.app.Commit(); err != nil {
			c.t.Fatal(err)
		}
	})
	took := time.Since(start)
	gas, failed := int64(0), ""
	for _, one := range r.TxResults {
		gas += one.GasUsed
		if answer, err := evmtypes.DecodeTxResponse(one.Data); err != nil && one.Codespace+one.Log != "" {
			failed = "FAILED: " + one.Log
		} else if err == nil && answer.Failed() {
			failed = "FAILED: " + answer.VmError
		}
	}
	ms := func(d time.Duration) float64 { return d.Seconds() * 1e3 }
	c.t.Logf("| %-40s | %4d | %8d | %4.0f | %3.0f | %4.0f | %5.2f | %4.0f | %s", name, len(txs), gas/int64(len(txs)), ms(executed), ms(committed), ms(took),
		ms(executed+committed)/float64(len(txs)), float64(gas)/(executed+committed).Seconds()/1e6, failed)
}

// transfers are blocks full of plain transfers: of one account, of as many as there are transfers, and the ledger's own.
func (c *chain) transfers(crowd []person) {
	c.t.Helper()
	to := common.Address{7}
	each := func(name string, gas uint64, from func(i int) person) {
		nonces := map[protocol.Account]uint64{}
		var txs [][]byte
		for i := range int(network.BlockGas / gas) {
			p := from(i)
			who := p.Account()
			if _, seen := nonces[who]; !seen {
				nonces[who] = c.app.Account.GetAccount(c.context(), who[:]).GetSequence()
			}
			txs = append(txs, c.sign(p, nonces[who], &to, gas, nil))
			nonces[who]++
		}
		c.report(name, txs)
		c.rest()
	}
	each("transfers of one account", 21_000, func(int) person { return crowd[0] })
	each("transfers of many accounts", 21_000, func(i int) person { return crowd[i%len(crowd)] })
	const perSend = 150_000
	var txs [][]byte
	for i := range network.BlockGas / perSend {
		from, other := crowd[i%len(crowd)].Account(), crowd[(i+1)%len(crowd)].Account()
		txs = append(txs, c.signed(crowd[i%len(crowd)], perSend, banktypes.NewMsgSend(from[:], other[:], network.Coins(moneyOf(1)))))
	}
	c.report("transfers by the ledger's own message", txs)
	c.rest()
}

// rest makes blocks until the base fee is at its floor again.
func (c *chain) rest() {
	for range 20 {
		c.block()
	}
}

// sign makes the bytes of a transaction.
func (c *chain) sign(from person, nonce uint64, to *common.Address, gas uint64, data []byte) []byte {
	c.t.Helper()
	signer := ethtypes.LatestSignerForChainID(big.NewInt(network.EVMChainID))
	tx, err := ethtypes.SignNewTx(from.eth, signer, &ethtypes.DynamicFeeTx{
		ChainID: big.NewInt(network.EVMChainID), Nonce: nonce, GasFeeCap: big.NewInt(1e9), GasTipCap: new(big.Int), Gas: gas, To: to, Value: new(big.Int), Data: data,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	msg := new(evmtypes.MsgEthereumTx)
	if err := msg.FromSignedEthereumTx(tx, signer); err != nil {
		c.t.Fatal(err)
	}
	built, err := msg.BuildTx(c.app.TxConfig().NewTxBuilder(), network.Denom)
	if err != nil {
		c.t.Fatal(err)
	}
	raw, err := c.app.TxConfig().TxEncoder()(built)
	if err != nil {
		c.t.Fatal(err)
	}
	return raw
}

// beside times eth_call of the precompile, and of an interpreted model with the layers of the diagnosis model.
func (c *chain) beside(p person, calls map[string][]byte) {
	c.t.Helper()
	mlp, sizes := readABI(c.t, "Interpreted"), []int64{30, 48, 18, 1} // 2,322 multiply-accumulates; the diagnosis model has 2,332
	r := rand.New(rand.NewPCG(1, 1))
	var weights []byte
	for l := 1; l < len(sizes); l++ {
		for range sizes[l] * (sizes[l-1] + 1) {
			weights = binary.BigEndian.AppendUint16(weights, uint16(int16(r.IntN(8192)-4096)))
		}
	}
	var layers, input []*big.Int
	for _, n := range sizes {
		layers = append(layers, big.NewInt(n))
	}
	for range sizes[0] {
		input = append(input, big.NewInt(int64(r.IntN(8192)-4096)))
	}
	arguments, err := mlp.Pack("", weights, layers)
	if err != nil {
		c.t.Fatal(err)
	}
	for range 20 {
		c.block()
	}
	at := c.deploy(p, append(common.FromHex(contracts.Load("Interpreted").Bytecode), arguments...))
	run := pack(c.t, mlp, "run", input)
	previewed := func(infers []byte) []byte { // the same arguments
		id := readABI(c.t, "IInfer").Methods["preview"].ID
		return append(id[:4:4], infers[4:]...)
	}
	for _, one := range []struct {
		name string
		to   common.Address
		data []byte
	}{
		{"diagnosis model, interpreted Solidity", at, run},
		{"diagnosis model, infer", infer.Address, previewed(calls["diagnosis"])},
		{"int8 CNN of a million, infer", infer.Address, previewed(calls["int8 CNN of a million"])},
	} {
		best, n := time.Hour, 0
		for began := time.Now(); time.Since(began) < time.Second; n++ {
			start := time.Now()
			if ret, err := c.ethCall(p, one.to, one.data); err != nil {
				c.t.Fatalf("%s: %v %s", one.name, err, reason(ret))
			}
			best = min(best, time.Since(start))
		}
		to := one.to
		var gas uint64
		if data := one.data; to == at {
			gas = c.ethereum(p, &to, moneyOf(0), network.BlockGas, data).GasUsed
		} else {
			for name, infers := range calls {
				if string(previewed(infers)) == string(data) && name != "" {
					gas = c.ethereum(p, &to, moneyOf(0), network.BlockGas, infers).GasUsed
				}
			}
		}
		c.t.Logf("%-45s %8d gas, %.3f ms an eth_call at best, %d calls in a second", one.name, gas, best.Seconds()*1e3, n)
	}
}

func moneyOf(n uint64) money.Amount { return money.New(n) }
