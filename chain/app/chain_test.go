package app_test

import (
	"context"
	"crypto/ecdsa"
	"math/big"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/dispute"
	"github.com/mutirao/mutirao/node/ledgeraudit"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// person is an account with both kinds of signature.
type person struct {
	client.Key
	eth *ecdsa.PrivateKey
}

func newPerson(t testing.TB, seed byte) person {
	t.Helper()
	secret := [32]byte{seed}
	key, err := client.NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	eth, err := crypto.ToECDSA(secret[:])
	if err != nil {
		t.Fatal(err)
	}
	return person{key, eth}
}

// chain is the app driven over ABCI alone: each transaction gets a block of its own.
type chain struct {
	t        testing.TB
	app      *app.App
	db       dbm.DB
	doc      *cmttypes.GenesisDoc
	proposer []byte
	height   int64
	programs dispute.Programs
	upgrades []app.Upgrade // that the program knows
	but      string        // the store that same does not compare
	log      ledgeraudit.Log
	price    int64 // of native transactions' gas, in the least prices; 0 for one
}

// wealth is what every funded person begins with.
var wealth = money.MUT(1000)

func newChain(t testing.TB, people ...person) *chain {
	t.Helper()
	return newChainOf(t, nil, people...)
}

// newChainOf is a chain whose referee knows programs.
func newChainOf(t testing.TB, programs dispute.Programs, people ...person) *chain {
	t.Helper()
	return newChainWith(t, programs, func(*genesis.Spec) {}, people...)
}

// newChainWith is a chain whose genesis is edited.
func newChainWith(t testing.TB, programs dispute.Programs, edit func(*genesis.Spec), people ...person) *chain {
	t.Helper()
	return newChainIn(t, dbm.NewMemDB(), programs, edit, people...)
}

// newChainIn is newChainWith over an empty database.
func newChainIn(t testing.TB, db dbm.DB, programs dispute.Programs, edit func(*genesis.Spec), people ...person) *chain {
	t.Helper()
	keys := genesis.DeriveKeys([32]byte{1}, 2)
	spec := genesis.Spec{Time: time.Unix(1_700_000_000, 0), Validators: keys}
	for _, p := range people {
		spec.Accounts = append(spec.Accounts, genesis.Balance{Address: p.Account(), Amount: wealth})
	}
	edit(&spec)
	doc, err := genesis.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	c := &chain{t: t, db: db, doc: doc, proposer: keys[0].Consensus.PubKey().Address(), programs: programs}
	c.open()
	t.Cleanup(func() { c.app.Close() })
	params := doc.ConsensusParams.ToProto()
	if _, err := c.app.InitChain(&abci.RequestInitChain{
		ChainId: doc.ChainID, Time: doc.GenesisTime, InitialHeight: 1, ConsensusParams: &params, AppStateBytes: doc.AppState,
		Validators: cmttypes.TM2PB.ValidatorUpdates(validatorSet(doc)),
	}); err != nil {
		t.Fatal(err)
	}
	c.block()
	return c
}

func validatorSet(doc *cmttypes.GenesisDoc) *cmttypes.ValidatorSet {
	var list []*cmttypes.Validator
	for _, v := range doc.Validators {
		list = append(list, cmttypes.NewValidator(v.PubKey, v.Power))
	}
	return cmttypes.NewValidatorSet(list)
}

func (c *chain) open() {
	c.t.Helper()
	var err error
	if c.app, err = app.NewNode(log.NewNopLogger(), c.db, app.Options{Programs: c.programs, Upgrades: c.upgrades}); err != nil {
		c.t.Fatal(err)
	}
}

// block executes transactions and commits.
func (c *chain) block(txs ...[]byte) []*abci.ExecTxResult {
	c.t.Helper()
	c.height++
	return c.execute(&abci.RequestFinalizeBlock{
		Height: c.height, Time: c.doc.GenesisTime.Add(time.Duration(c.height) * time.Second), Txs: txs, ProposerAddress: c.proposer,
	}).TxResults
}

// execute carries out a block and commits.
func (c *chain) execute(req *abci.RequestFinalizeBlock) *abci.ResponseFinalizeBlock {
	c.t.Helper()
	r, err := c.app.FinalizeBlock(req)
	if err != nil {
		c.t.Fatalf("block %d: %v", req.Height, err)
	}
	if _, err := c.app.Commit(); err != nil {
		c.t.Fatal(err)
	}
	c.log.Add(req, r)
	return r
}

// audit recomputes all books from the log of blocks.
func (c *chain) audit() {
	c.t.Helper()
	for _, f := range c.audited().Findings {
		c.t.Error(f)
	}
}

// audited is what an audit of the log finds.
func (c *chain) audited() *ledgeraudit.Report {
	c.t.Helper()
	c.log.App, c.log.Doc = c.app, c.doc
	r, err := c.log.Audit(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// context is the state after the last block.
func (c *chain) context() sdk.Context {
	c.t.Helper()
	ctx, err := c.app.CreateQueryContext(c.height, false)
	if err != nil {
		c.t.Fatal(err)
	}
	return ctx
}

// submit executes messages in one transaction of a block and returns the error that a client would see.
func (c *chain) submit(from person, msgs ...protocol.Msg) error {
	c.t.Helper()
	list := make([]sdk.Msg, len(msgs))
	for i, m := range msgs {
		var err error
		if list[i], _, err = client.Wrap(from.Account(), m); err != nil {
			c.t.Fatal(err)
		}
	}
	r := c.native(from, 5_000_000, list...)
	return fault.FromABCI(r.Codespace, r.Code, r.Log)
}

func (c *chain) native(from person, gas uint64, msgs ...sdk.Msg) *abci.ExecTxResult {
	c.t.Helper()
	return c.block(c.signed(from, gas, msgs...))[0]
}

// signed is a transaction that is next in its sender's sequence.
func (c *chain) signed(from person, gas uint64, msgs ...sdk.Msg) []byte {
	c.t.Helper()
	who := from.Account()
	number, sequence := network.NewcomerNumber(who), uint64(0)
	if account := c.app.Account.GetAccount(c.context(), who[:]); account != nil {
		number, sequence = account.GetAccountNumber(), account.GetSequence()
	}
	raw, err := client.Sign(context.Background(), c.app.TxConfig(), from.Key, client.Envelope{
		Number: number, Sequence: sequence, Gas: gas, Price: math.NewInt(network.MinGasPrice * max(c.price, 1)),
	}, msgs...)
	if err != nil {
		c.t.Fatal(err)
	}
	return raw
}

// ethereum executes an Ethereum transaction and returns what the EVM answered. to is nil to deploy data.
func (c *chain) ethereum(from person, to *common.Address, value money.Amount, gas uint64, data []byte) *evmtypes.MsgEthereumTxResponse {
	c.t.Helper()
	result := c.block(c.signedEthereum(from, to, value, gas, data))[0]
	if result.Code != 0 {
		c.t.Fatalf("transaction was refused: %s", result.Log)
	}
	answer, err := evmtypes.DecodeTxResponse(result.Data)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

// signedEthereum is an Ethereum transaction that is next in its sender's sequence.
func (c *chain) signedEthereum(from person, to *common.Address, value money.Amount, gas uint64, data []byte) []byte {
	c.t.Helper()
	who := from.Account()
	v := value.Bytes()
	signer := ethtypes.LatestSignerForChainID(big.NewInt(network.EVMChainID))
	tx, err := ethtypes.SignNewTx(from.eth, signer, &ethtypes.DynamicFeeTx{
		ChainID: big.NewInt(network.EVMChainID), Nonce: c.app.Account.GetAccount(c.context(), who[:]).GetSequence(),
		GasFeeCap: big.NewInt(network.MinGasPrice), GasTipCap: new(big.Int), Gas: gas, To: to, Value: new(big.Int).SetBytes(v[:]), Data: data,
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

// deploy creates a contract of creation code and encoded arguments.
func (c *chain) deploy(from person, code []byte) common.Address {
	c.t.Helper()
	who := from.Account()
	nonce := c.app.Account.GetAccount(c.context(), who[:]).GetSequence()
	if r := c.ethereum(from, nil, money.Amount{}, 5_000_000, code); r.Failed() {
		c.t.Fatalf("deploy: %s", r.VmError)
	}
	return crypto.CreateAddress(common.Address(who), nonce)
}

func (c *chain) balance(of protocol.Account) money.Amount {
	c.t.Helper()
	a, err := network.Amount(c.app.Bank.GetBalance(c.context(), of[:], network.Denom).Amount)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *chain) supply() money.Amount {
	c.t.Helper()
	a, err := network.Amount(c.app.Bank.GetSupply(c.context(), network.Denom).Amount)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}
