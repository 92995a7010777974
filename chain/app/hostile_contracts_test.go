package app_test

import (
	"bytes"
	"math/big"
	"slices"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/network"
	registryprecompile "github.com/mutirao/mutirao/chain/precompile/registry"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/request"
)

// maxWord is the greatest number of the EVM.
var maxWord = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))

// returning is creation code of a contract with that code.
func returning(code []byte) []byte {
	return append([]byte{0x60, byte(len(code)), 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3}, code...)
}

// forwardTo is code like forward's, to any precompile of ours.
func forwardTo(operation byte, at common.Address) []byte {
	return bytes.Replace(forward(operation), []byte{0x61, 0x09, 0x01}, append([]byte{0x61}, at[18:]...), 1)
}

// modules are the stores that only our modules write.
var modules = []string{"work", "registry", "dispute", "market", "commons", "params", "request"}

// trail is the state of our modules after the last block.
func (c *chain) trail() string {
	var b strings.Builder
	for _, name := range modules {
		all := c.app.CommitMultiStore().GetKVStore(c.app.Stores()[name]).Iterator(nil, nil)
		for ; all.Valid(); all.Next() {
			b.Write(all.Key())
			b.Write(all.Value())
		}
		all.Close()
	}
	return b.String()
}

// TestHostileContracts calls the precompiles in all the ways in which they must not be called, and sends the transactions that are stranger than
// those of TestHostileTransactions: our modules keep their state, nobody else's coins move, and none come into being.
func TestHostileContracts(t *testing.T) {
	a := newAskers(t)
	mallory, victim := a.workers[0], a.owner
	who, other := mallory.Account(), victim.Account()
	nonce := func() uint64 { return a.app.Account.GetAccount(a.context(), who[:]).GetSequence() }
	price := big.NewInt(network.MinGasPrice)
	model := [32]byte(a.model.ID)
	// A request that stays open, so that our modules change nothing by themselves.
	id := a.ok(a.call(victim, "request", model, bitsOf(1, 2), requestTerms{2, big.NewInt(1e15), 1000, 20, common.Address{}, 0, new(big.Int)})).Ret
	terms := requestTerms{1, big.NewInt(1), 20, 0, common.Address{}, 0, new(big.Int)}
	s := &scene{t: t, app: a.app, plot: new(plot)}
	writes := map[string][]byte{
		"IInfer":    pack(t, s.abi("IInfer"), "infer", model, bitsOf(1, 2)),
		"IRegistry": pack(t, s.abi("IRegistry"), "moveShares", model, common.Address(other), common.Address(who), big.NewInt(1)),
		"IRequests": pack(t, s.abi("IRequests"), "request", model, bitsOf(1, 2), terms),
	}
	list := map[string]func() []byte{}
	call := func(gas uint64, to common.Address, value money.Amount, data []byte) func() []byte {
		return func() []byte { return a.signedEthereum(mallory, &to, value, gas, data) }
	}
	for name, data := range writes {
		for how, operation := range map[string]byte{"CALLCODE": 0xf2, "DELEGATECALL": 0xf4, "STATICCALL": 0xfa} {
			list[how+" "+name] = call(3_000_000, a.deploy(mallory, forwardTo(operation, interfaces[name])), money.Amount{}, data)
		}
		list["a poor contract, "+name] = call(3_000_000, a.deploy(mallory, forwardTo(0xf1, interfaces[name])), money.Amount{}, data)
	}
	for name, at := range interfaces {
		for _, m := range s.abi(name).Methods {
			exact := slices.Clone(m.ID)
			for range m.Inputs {
				exact = append(exact, bytes.Repeat([]byte{0xff}, 32)...)
			}
			list["words of ones, "+name+"."+m.Name] = call(1_000_000, at, money.Amount{}, exact)
			list["a name alone, "+name+"."+m.Name] = call(1_000_000, at, money.Amount{}, m.ID)
		}
		list["value to "+name] = call(1_000_000, at, money.MUT(1), writes[name])
		list["three bytes to "+name] = call(1_000_000, at, money.Amount{}, []byte{1, 2, 3})
	}
	huge := terms
	huge.Price = maxWord
	greedy := terms
	greedy.Callback, greedy.CallbackGas = a.asker, 1<<63
	for name, d := range map[string][]byte{
		"the dearest request":      pack(t, a.requests, "request", model, bitsOf(1, 2), huge),
		"the longest callback":     pack(t, a.requests, "request", model, bitsOf(1, 2), greedy),
		"a seal of nobody's":       pack(t, a.requests, "seal", [32]byte{1}, [32]byte{}),
		"an answer without a seal": pack(t, a.requests, "fulfill", [32]byte(id), bitsOf(1), [32]byte{}),
	} {
		list[name] = call(3_000_000, interfaces["IRequests"], money.Amount{}, d)
	}
	token := pack(t, s.abi("ShareToken"), "transfer", common.Address(other), maxWord)
	list["all the shares there could be"] = call(1_000_000, registryprecompile.TokenAddress(a.model.ID), money.Amount{}, token)
	// In a constructor, which has no code yet.
	list["a constructor that asks"] = func() []byte {
		code := forwardTo(0xf1, interfaces["IRequests"])[9:] // run at once; its call data is empty
		return a.signedEthereum(mallory, nil, money.Amount{}, 3_000_000, code)
	}
	typed := func(inner func() ethtypes.TxData) func() []byte {
		return func() []byte { return signedTx(t, a.app, mallory, inner()) }
	}
	chainID := uint256.NewInt(network.EVMChainID)
	forged, err := ethtypes.SignSetCode(mallory.eth, ethtypes.SetCodeAuthorization{ChainID: *chainID, Address: a.asker, Nonce: 0})
	if err != nil {
		t.Fatal(err)
	}
	forged.S = *uint256.NewInt(7)
	foreign, err := ethtypes.SignSetCode(victim.eth, ethtypes.SetCodeAuthorization{ChainID: *uint256.NewInt(1), Address: a.asker, Nonce: 99})
	if err != nil {
		t.Fatal(err)
	}
	list["another's code by a forged authorization"] = typed(func() ethtypes.TxData {
		return &ethtypes.SetCodeTx{ChainID: chainID, Nonce: nonce(), GasFeeCap: uint256.MustFromBig(price), GasTipCap: new(uint256.Int), Gas: 300_000, To: common.Address{9},
			AuthList: []ethtypes.SetCodeAuthorization{forged, foreign}}
	})
	bomb := make(ethtypes.AccessList, 3000)
	for i := range bomb {
		bomb[i] = ethtypes.AccessTuple{Address: common.Address{byte(i), byte(i >> 8)}, StorageKeys: []common.Hash{{1}, {2}}}
	}
	list["an access list for more gas than it brings"] = typed(func() ethtypes.TxData {
		return &ethtypes.AccessListTx{ChainID: big.NewInt(network.EVMChainID), Nonce: nonce(), GasPrice: price, Gas: 1_000_000, To: &common.Address{9}, Value: new(big.Int), AccessList: bomb}
	})
	list["a blob"] = typed(func() ethtypes.TxData {
		return &ethtypes.BlobTx{ChainID: chainID, Nonce: nonce(), Gas: 21_000, GasFeeCap: uint256.MustFromBig(price), GasTipCap: new(uint256.Int), Value: new(uint256.Int), BlobHashes: []common.Hash{{1}}, BlobFeeCap: uint256.NewInt(1)}
	})
	list["more coins than there are"] = typed(func() ethtypes.TxData {
		return &ethtypes.LegacyTx{Nonce: nonce(), GasPrice: price, Gas: 21_000, To: &common.Address{9}, Value: maxWord}
	})
	list["gas for more than there is"] = typed(func() ethtypes.TxData {
		return &ethtypes.LegacyTx{Nonce: nonce(), GasPrice: new(big.Int).Lsh(price, 200), Gas: 21_000, To: &common.Address{9}, Value: new(big.Int)}
	})
	list["all gas there is"] = typed(func() ethtypes.TxData {
		return &ethtypes.LegacyTx{Nonce: nonce(), GasPrice: price, Gas: 1<<64 - 1, To: &common.Address{9}, Value: new(big.Int)}
	})
	list["the last nonce"] = typed(func() ethtypes.TxData {
		return &ethtypes.LegacyTx{Nonce: 1<<64 - 1, GasPrice: price, Gas: 21_000, To: &common.Address{9}, Value: new(big.Int)}
	})
	most := sdk.NewCoins(sdk.NewCoin(network.Denom, math.NewIntFromBigInt(new(big.Int).Rsh(maxWord, 1))))
	precompile := interfaces["IRequests"]
	operators, err := a.app.Staking.GetAllValidators(a.context())
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]sdk.Msg{
		"a native payment of all":              banktypes.NewMsgSend(who[:], other[:], most),
		"a native payment to a precompile":     banktypes.NewMsgSend(who[:], precompile[:], network.Coins(money.MUT(1))),
		"a native payment to an escrow":        banktypes.NewMsgSend(who[:], moduleOf("request"), network.Coins(money.MUT(1))),
		"a stake of all":                       stakingtypes.NewMsgDelegate(bech(who), operators[0].OperatorAddress, most[0]),
		"stake of another":                     stakingtypes.NewMsgUndelegate(bech(who), operators[0].OperatorAddress, network.Coins(money.MUT(1))[0]),
		"an Ethereum message in a native form": &evmtypes.MsgEthereumTx{From: who[:]},
	} {
		list[name] = func() []byte { return a.signed(mallory, 3_000_000, m) }
	}
	supply := a.chain.supply()
	for name, tx := range list {
		raw, rich, held, before := tx(), a.balance(who), a.balance(other), a.trail()
		r := a.block(raw)[0]
		if strings.Contains(r.Log, "panic") {
			t.Errorf("%s: %s", name, r.Log)
		}
		if left := a.balance(who); left.Compare(rich) > 0 || rich.Minus(left).Compare(money.MUT(1)) >= 0 || a.balance(other) != held || a.chain.supply() != supply {
			t.Errorf("%s: %s of %s, the victim has %s of %s: %s", name, left, rich, a.balance(other), held, r.Log)
		}
		if a.trail() != before {
			t.Errorf("%s: our modules have another state: %s", name, r.Log)
		}
		if check, err := a.app.CheckTx(&abci.RequestCheckTx{Tx: raw, Type: abci.CheckTxType_New}); err == nil && strings.Contains(check.Log, "panic") {
			t.Errorf("%s: the pool: %s", name, check.Log)
		}
	}
	if a.app.EVM.IsContract(a.context(), common.Address(other)) {
		t.Error("the victim has code that it did not sign")
	}
}

// A transaction whose fee no number holds is refused where it enters, and is no panic there.
func TestEndlessFee(t *testing.T) {
	d := newDesk(t, "", nil)
	for _, gas := range []uint64{21_000, 1<<64 - 1} {
		tx, err := ethtypes.SignNewTx(d.chain.Accounts()[0].Key, ethtypes.LatestSignerForChainID(big.NewInt(network.EVMChainID)), &ethtypes.LegacyTx{GasPrice: maxWord, Gas: gas, To: &common.Address{9}, Value: maxWord})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.eth.SendTransaction(t.Context(), tx); err == nil || strings.Contains(err.Error(), "crashed") {
			t.Errorf("gas %d: %v", gas, err)
		}
	}
}

// moduleOf is the address of a module's escrow.
func moduleOf(name string) sdk.AccAddress { a := named(name); return a[:] }

// TestDelegatedAccounts: an account that has set its code (EIP-7702) to a contract that forwards acts for itself and nobody else, and one that has
// set it to a precompile has no code at all.
func TestDelegatedAccounts(t *testing.T) {
	a := newAskers(t)
	p := a.workers[0]
	who := p.Account()
	delegate := func(to common.Address) {
		t.Helper()
		n := a.app.Account.GetAccount(a.context(), who[:]).GetSequence()
		auth, err := ethtypes.SignSetCode(p.eth, ethtypes.SetCodeAuthorization{ChainID: *uint256.NewInt(network.EVMChainID), Address: to, Nonce: n + 1})
		if err != nil {
			t.Fatal(err)
		}
		raw := signedTx(t, a.app, p, &ethtypes.SetCodeTx{ChainID: uint256.NewInt(network.EVMChainID), Nonce: n, GasFeeCap: uint256.NewInt(network.MinGasPrice), GasTipCap: new(uint256.Int),
			Gas: 300_000, To: common.Address{9}, AuthList: []ethtypes.SetCodeAuthorization{auth}})
		if r := a.block(raw)[0]; r.Code != 0 {
			t.Fatal(r.Log)
		}
	}
	at := interfaces["IRequests"]
	ask := pack(t, a.requests, "request", [32]byte(a.model.ID), bitsOf(1, 2), requestTerms{1, big.NewInt(1e15), 20, 0, common.Address{}, 0, new(big.Int)})
	me := common.Address(who)
	delegate(at)
	before := a.trail()
	if r := a.ethereum(a.owner, &me, money.Amount{}, 3_000_000, ask); r.Failed() || len(r.Ret) != 0 || a.trail() != before {
		t.Errorf("an account with a precompile for code answers %x %s", r.Ret, r.VmError)
	}
	delegate(a.deploy(a.owner, forwardTo(0xf1, at)))
	r := a.ethereum(a.owner, &me, money.Amount{}, 3_000_000, ask)
	if r.Failed() || len(r.Ret) != 32 {
		t.Fatalf("%s %x", r.VmError, r.Ret)
	}
	if got := a.get([32]byte(r.Ret)); got.From != who {
		t.Errorf("the request is of %s, not of the account that was called", got.From)
	}
}

// TestCallbackDestroysItself: the answer is final and paid, and the coins of what destroyed itself are where it sent them.
func TestCallbackDestroysItself(t *testing.T) {
	a := newAskers(t)
	bomb := a.deploy(a.owner, returning([]byte{0x33, 0xff})) // SELFDESTRUCT(CALLER): to the precompile
	if r := a.ethereum(a.owner, &bomb, money.Amount{}, 100_000, nil); r.Failed() {
		t.Fatal(r.VmError)
	}
	supply := a.chain.supply()
	terms := requestTerms{1, big.NewInt(1e15), 20, 0, bomb, 200_000, new(big.Int)}
	r := a.ok(a.call(a.owner, "request", [32]byte(a.model.ID), bitsOf(1, 2), terms))
	id := [32]byte(r.Ret)
	last := a.work(id, locally(t, bitsOf(1, 2)...))
	if got := a.get(id); got.Status != request.Answered {
		t.Errorf("%+v after %s", got, a.events(last))
	}
	a.closed()
	if now := a.chain.supply(); now != supply {
		t.Errorf("supply %s, was %s", now, supply)
	}
}
