package app_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"cosmossdk.io/log/v2"
	sdk "github.com/cosmos/cosmos-sdk/types"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	beaconprecompile "github.com/mutirao/mutirao/chain/precompile/beacon"
	"github.com/mutirao/mutirao/chain/prevrandao"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
	"github.com/mutirao/mutirao/protocol/money"
)

// council is four validators that propose in turn, over ABCI: each has an app and a key of its own. The embedded chain is the first one's app.
type council struct {
	*chain
	keys  []genesis.Keys
	asker person // of calls
	apps  []*app.App
	dbs   []dbm.DB
	past  []*abci.RequestFinalizeBlock
}

// firstHeight is not 1, so that there are heights before the beacon.
const firstHeight = 10_000

func newCouncil(t *testing.T, edit func(state map[string]json.RawMessage), people ...person) *council {
	t.Helper()
	c := &council{keys: genesis.DeriveKeys([32]byte{5}, 4), asker: newPerson(t, 9)}
	spec := genesis.Spec{Time: time.Unix(1_700_000_000, 0), Validators: c.keys}
	for _, p := range people {
		spec.Accounts = append(spec.Accounts, genesis.Balance{Address: p.Account(), Amount: wealth})
	}
	doc, err := genesis.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	doc.InitialHeight = firstHeight
	var state map[string]json.RawMessage
	if err := json.Unmarshal(doc.AppState, &state); err != nil {
		t.Fatal(err)
	}
	edit(state)
	if doc.AppState, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	c.chain = &chain{t: t, doc: doc, height: firstHeight - 1, proposer: c.address(0)}
	for i := range c.keys {
		c.dbs = append(c.dbs, dbm.NewMemDB())
		c.apps = append(c.apps, nil)
		c.openAt(i)
		if _, err := c.apps[i].InitChain(app.InitRequest(doc)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, a := range c.apps {
			a.Close()
		}
	})
	return c
}

func (c *council) openAt(i int) {
	c.t.Helper()
	a, err := app.NewNode(log.NewNopLogger(), c.dbs[i], app.Options{Reveal: func(input []byte) ([beacon.ProofSize]byte, error) {
		return beacon.Prove(c.keys[i].Consensus.Bytes(), input)
	}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.apps[i] = a
	if i == 0 {
		c.app = a
	}
}

func (c *council) address(i int) []byte { return c.keys[i].Consensus.PubKey().Address() }

// proposal is the next block as validator i proposes it, with transactions before what it reveals.
func (c *council) proposal(i int, txs ...[]byte) *abci.RequestProcessProposal {
	c.t.Helper()
	when := c.doc.GenesisTime.Add(time.Duration(c.height+1-firstHeight) * time.Second)
	r, err := c.apps[i].PrepareProposal(&abci.RequestPrepareProposal{MaxTxBytes: 1 << 20, Height: c.height + 1, Time: when, ProposerAddress: c.address(i)})
	if err != nil {
		c.t.Fatal(err)
	}
	return &abci.RequestProcessProposal{Txs: append(slices.Clone(txs), r.Txs...), Height: c.height + 1, Time: when, ProposerAddress: c.address(i)}
}

// accepted reports whether the validators accept a proposed block; they must agree.
func (c *council) accepted(req *abci.RequestProcessProposal) bool {
	c.t.Helper()
	yes := 0
	for _, a := range c.apps {
		r, err := a.ProcessProposal(req)
		if err != nil {
			c.t.Fatal(err)
		}
		if r.IsAccepted() {
			yes++
		}
	}
	if yes != 0 && yes != len(c.apps) {
		c.t.Errorf("%d of %d accept block %d", yes, len(c.apps), req.Height)
	}
	return yes == len(c.apps)
}

// decide executes a block everywhere and compares the states.
func (c *council) decide(req *abci.RequestProcessProposal) []*abci.ExecTxResult {
	c.t.Helper()
	c.height++
	block := &abci.RequestFinalizeBlock{Txs: req.Txs, Height: req.Height, Time: req.Time, ProposerAddress: req.ProposerAddress}
	c.past = append(c.past, block)
	var first *abci.ResponseFinalizeBlock
	for i, a := range c.apps {
		r, err := a.FinalizeBlock(block)
		if err != nil {
			c.t.Fatal(err)
		}
		if _, err := a.Commit(); err != nil {
			c.t.Fatal(err)
		}
		if i == 0 {
			first = r
		} else if !bytes.Equal(r.AppHash, first.AppHash) {
			c.t.Fatalf("validator %d has another state after block %d", i, c.height)
		}
	}
	return first.TxResults
}

// next is an honest block of the validator whose turn it is.
func (c *council) next(txs ...[]byte) []*abci.ExecTxResult {
	c.t.Helper()
	p := c.proposal(int(c.height+1)%len(c.keys), txs...)
	if !c.accepted(p) {
		c.t.Fatalf("an honest block %d is refused", p.Height)
	}
	return c.decide(p)
}

// value is the beacon of a height.
func (c *council) value(height int64) beacon.Value {
	c.t.Helper()
	return c.app.Beacon.At(c.context(), protocol.Height(height))
}

// look calls a method of Randao without a transaction and returns its one word.
func (c *council) look(at common.Address, method string, args ...any) common.Hash {
	c.t.Helper()
	ret, err := c.ethCall(c.asker, at, pack(c.t, readABI(c.t, "Randao"), method, args...))
	if err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
	return common.BytesToHash(ret)
}

// Four validators propose in turn and each reveals; a contract sees the value of the block before, by the opcode and by the precompile; a
// node that only executes the blocks comes to the same.
func TestBeaconOfFourValidators(t *testing.T) {
	ana := newPerson(t, 1)
	c := newCouncil(t, func(map[string]json.RawMessage) {}, ana)
	c.next()
	if got, want := c.value(firstHeight-1), beacon.Begin(network.ChainID, firstHeight-1); got != want {
		t.Errorf("the beacon begins with %s, want %s", got, want)
	}

	randao := crypto.CreateAddress(common.Address(ana.Account()), 0)
	deploy := c.signedEthereum(ana, nil, money.Amount{}, 3_000_000, common.FromHex(contracts.Load("Randao").Bytecode))
	if r := c.next(deploy); r[0].Code != 0 || r[1].Code == 0 || r[1].GasUsed != 0 {
		t.Fatalf("results %+v", r)
	}
	contract := readABI(t, "Randao")
	if r := c.next(c.signedEthereum(ana, &randao, money.Amount{}, 200_000, pack(t, contract, "look"))); r[0].Code != 0 {
		t.Fatalf("look: %s", r[0].Log)
	}
	at := c.height
	for range 8 {
		c.next()
	}
	want := common.Hash(c.value(at - 1))
	if got := c.look(randao, "opcode"); got != want {
		t.Errorf("PREVRANDAO was %s in block %d, the beacon before is %s", got, at, want)
	}
	if got := c.look(randao, "value"); got != want {
		t.Errorf("the precompile said %s in block %d, the beacon before is %s", got, at, want)
	}
	if got := c.look(randao, "height"); got != common.BigToHash(big.NewInt(at-1)) {
		t.Errorf("the precompile named height %s in block %d", got, at)
	}
	if got := c.look(randao, "at", uint64(at)); got != common.Hash(c.value(at)) {
		t.Errorf("the beacon of %d is %s by the precompile", at, got)
	}
	if got := c.look(randao, "current"); got != common.Hash(c.value(c.height-1)) {
		t.Errorf("a call in block %d sees %s", c.height, got)
	}
	for height, name := range map[uint64]string{uint64(c.height): "NotYet", 1 << 63: "NotYet", firstHeight - 2: "Forgotten", 3: "Forgotten"} {
		own := readABI(t, "IBeacon")
		ret, err := c.ethCall(c.asker, beaconprecompile.Address, pack(t, own, "beaconAt", height))
		if err == nil {
			t.Errorf("the beacon of %d is readable: %x", height, ret)
		} else if got := refusal(own, ret); got != name {
			t.Errorf("the beacon of %d: %s, want %s (%v)", height, got, name, err)
		}
	}

	// Every block has a value of its own, made from its proposer's reveal.
	seen := map[beacon.Value]bool{}
	for h := int64(firstHeight - 1); h <= c.height; h++ {
		if v := c.value(h); v.IsZero() || seen[v] {
			t.Errorf("the value of %d is %s", h, v)
		} else {
			seen[v] = true
		}
	}
	for h := int64(firstHeight); h <= c.height; h++ {
		if c.value(h) == beacon.Next(protocol.Height(h), c.value(h-1), nil) {
			t.Errorf("block %d counts as one without a reveal", h)
		}
	}
	if s, err := c.app.BeaconStatus(); err != nil || s.Rejected != 0 || s.Missed != 0 || s.Counted != uint64(c.height-firstHeight+1) || s.Value != c.value(c.height) {
		t.Errorf("%+v, %v", s, err)
	}
	c.replayed()
	c.imported()
}

// replayed executes all blocks in a node that never voted.
func (c *council) replayed() {
	c.t.Helper()
	a, err := app.New(log.NewNopLogger(), dbm.NewMemDB(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.InitChain(app.InitRequest(c.doc)); err != nil {
		c.t.Fatal(err)
	}
	for _, req := range c.past {
		if _, err := a.FinalizeBlock(req); err != nil {
			c.t.Fatal(err)
		}
		if _, err := a.Commit(); err != nil {
			c.t.Fatal(err)
		}
	}
	if !bytes.Equal(a.LastCommitID().Hash, c.app.LastCommitID().Hash) {
		c.t.Error("executing the blocks again gives another state")
	}
}

// imported begins another network from an export: its beacon goes on with the same values.
func (c *council) imported() {
	c.t.Helper()
	doc, err := c.app.Export(c.past[len(c.past)-1].Time)
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := app.New(log.NewNopLogger(), dbm.NewMemDB(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.InitChain(app.InitRequest(doc)); err != nil {
		c.t.Fatal(err)
	}
	c.next()
	if _, err := a.FinalizeBlock(c.past[len(c.past)-1]); err != nil {
		c.t.Fatal(err)
	}
	if _, err := a.Commit(); err != nil {
		c.t.Fatal(err)
	}
	ctx, err := a.CreateQueryContext(c.height, false)
	if err != nil {
		c.t.Fatal(err)
	}
	for h := int64(firstHeight - 1); h <= c.height; h++ {
		if got, want := a.Beacon.At(ctx, protocol.Height(h)), c.value(h); got != want {
			c.t.Errorf("the beacon of %d is %s after the import, was %s", h, got, want)
		}
	}
}

// A block whose proposer withholds, falsifies, borrows or repeats a reveal is refused by all, and the honest one is accepted after it.
func TestProposalsWithoutTheirReveal(t *testing.T) {
	ana := newPerson(t, 1)
	c := newCouncil(t, func(map[string]json.RawMessage) {}, ana)
	for range 5 {
		c.next()
	}
	turn := int(c.height+1) % len(c.keys)
	payment := c.signedEthereum(ana, &common.Address{9}, money.MUT(1), 21_000, nil)
	honest := c.proposal(turn, payment)
	reveal := honest.Txs[len(honest.Txs)-1]
	if len(reveal) != beacon.RevealSize {
		t.Fatalf("the last transaction has %d bytes", len(reveal))
	}
	other := c.proposal((turn + 1) % len(c.keys)).Txs[0]
	earlier := c.past[len(c.past)-len(c.keys)].Txs[0] // of the same validator
	flipped := bytes.Clone(reveal)
	flipped[40] ^= 1
	another := bytes.Clone(reveal)
	another[1]++
	unknown := []byte("nobody ever knew him")
	rejected := uint64(0)
	for name, change := range map[string]func(*abci.RequestProcessProposal){
		"withheld":                    func(p *abci.RequestProcessProposal) { p.Txs = [][]byte{payment} },
		"an empty block":              func(p *abci.RequestProcessProposal) { p.Txs = nil },
		"a wrong one":                 func(p *abci.RequestProcessProposal) { p.Txs = [][]byte{payment, flipped} },
		"of another version":          func(p *abci.RequestProcessProposal) { p.Txs = [][]byte{payment, another} },
		"cut short":                   func(p *abci.RequestProcessProposal) { p.Txs = [][]byte{payment, reveal[:beacon.RevealSize-1]} },
		"of another validator":        func(p *abci.RequestProcessProposal) { p.Txs = [][]byte{payment, other} },
		"of an earlier block":         func(p *abci.RequestProcessProposal) { p.Txs = [][]byte{payment, earlier} },
		"not last":                    func(p *abci.RequestProcessProposal) { p.Txs = [][]byte{reveal, payment} },
		"twice":                       func(p *abci.RequestProcessProposal) { p.Txs = [][]byte{reveal, reveal} },
		"another one beside":          func(p *abci.RequestProcessProposal) { p.Txs = [][]byte{other, reveal} },
		"in the name of another":      func(p *abci.RequestProcessProposal) { p.ProposerAddress = c.address((turn + 1) % len(c.keys)) },
		"in the name of nobody known": func(p *abci.RequestProcessProposal) { p.ProposerAddress = unknown },
		"in the name of nobody":       func(p *abci.RequestProcessProposal) { p.ProposerAddress = nil },
	} {
		p := *honest
		change(&p)
		if c.accepted(&p) {
			t.Errorf("%s: accepted", name)
		}
	}
	if s, err := c.app.BeaconStatus(); err != nil || s.Rejected < 9 {
		t.Errorf("%d rejections are counted: %v", s.Rejected, err)
	} else {
		rejected = s.Rejected
	}
	// A validator whose stake is gone while it may still propose is asked for nothing, or the chain would wait for it.
	gone := *honest
	gone.ProposerAddress, gone.Txs = unknown, [][]byte{payment}
	if !c.accepted(&gone) {
		t.Error("a block of a proposer without a known key is refused")
	}
	// From outside nobody gets a reveal in.
	if r, err := c.app.CheckTx(&abci.RequestCheckTx{Tx: reveal, Type: abci.CheckTxType_New}); err == nil && r.Code == 0 {
		t.Error("CheckTx takes a reveal")
	}
	if r, err := c.app.InsertTx(&abci.RequestInsertTx{Tx: reveal}); err == nil && r.Code == 0 {
		t.Error("the mempool takes a reveal")
	}
	if _, _, err := c.app.Simulate(reveal); err == nil {
		t.Error("a reveal can be simulated")
	}

	// A restart derives the same reveal. The other nodes do not notice.
	if err := c.apps[turn].Close(); err != nil {
		t.Fatal(err)
	}
	c.openAt(turn)
	if again := c.proposal(turn, payment); !bytes.Equal(again.Txs[1], reveal) {
		t.Errorf("after the restart %x is revealed, before it was %x", again.Txs[1], reveal)
	}
	if !c.accepted(honest) {
		t.Fatal("the honest block is refused")
	}
	if s, err := c.apps[(turn+1)%4].BeaconStatus(); err != nil || s.Rejected != rejected {
		t.Errorf("%d rejections after an honest block, %d before: %v", s.Rejected, rejected, err)
	}
	c.decide(honest)

	// Should two thirds decide a block that they ought to have refused, nothing stops: it counts as one without a reveal.
	for _, txs := range [][][]byte{nil, {flipped}, {reveal, payment}, {bytes.Repeat([]byte{0xff}, 5000)}} {
		p := c.proposal(int(c.height+1) % len(c.keys))
		p.Txs = txs
		c.decide(p)
		if got, want := c.value(c.height), beacon.Next(protocol.Height(c.height), c.value(c.height-1), nil); got != want {
			t.Errorf("the value of a block without a reveal is %s, want %s", got, want)
		}
	}
	c.next()
}

// withoutBeacon is the genesis of a network that began before there was a beacon.
func withoutBeacon(t *testing.T) func(map[string]json.RawMessage) {
	return func(state map[string]json.RawMessage) {
		delete(state, "beacon")
		var evm map[string]json.RawMessage
		if err := json.Unmarshal(state["evm"], &evm); err != nil {
			t.Fatal(err)
		}
		var params map[string]any
		if err := json.Unmarshal(evm["params"], &params); err != nil {
			t.Fatal(err)
		}
		params["extra_eips"] = []string{}
		list := params["active_static_precompiles"].([]any)
		params["active_static_precompiles"] = slices.DeleteFunc(list, func(a any) bool { return a == beaconprecompile.Address.Hex() })
		var err error
		if evm["params"], err = json.Marshal(params); err == nil {
			state["evm"], err = json.Marshal(evm)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A network without the beacon goes on as before: nobody reveals, and a reveal is refused.
func TestNetworkBeforeTheBeacon(t *testing.T) {
	c := newCouncil(t, withoutBeacon(t))
	for range 3 {
		c.next()
	}
	p := c.proposal(0)
	if len(p.Txs) != 0 {
		t.Errorf("%d transactions in an empty block", len(p.Txs))
	}
	proof, err := beacon.Prove(c.keys[0].Consensus.Bytes(), beacon.Input(network.ChainID, protocol.Height(p.Height), beacon.Value{}))
	if err != nil {
		t.Fatal(err)
	}
	p.Txs = [][]byte{beacon.Encode(proof)}
	if c.accepted(p) {
		t.Error("a reveal is accepted where there is no beacon")
	}
	if !c.value(c.height).IsZero() {
		t.Error("there is a beacon")
	}
	c.next()
	doc, err := c.app.Export(c.past[0].Time.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(doc.AppState, []byte(`"beacon":{"off":true`)) {
		t.Error("the export brings a beacon")
	}
}

// The upgrade brings it: the block of the upgrade has the first value, and contracts can read.
func TestUpgradeBringsTheBeacon(t *testing.T) {
	ana := newPerson(t, 1)
	keys := genesis.DeriveKeys([32]byte{1}, 1)
	doc, err := genesis.New(genesis.Spec{Time: time.Unix(1_700_000_000, 0), Validators: keys, Accounts: []genesis.Balance{{Address: ana.Account(), Amount: wealth}}})
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(doc.AppState, &state); err != nil {
		t.Fatal(err)
	}
	withoutBeacon(t)(state)
	if doc.AppState, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	c := &chain{t: t, db: dbm.NewMemDB(), doc: doc, proposer: keys[0].Consensus.PubKey().Address()}
	const at = 6
	c.app, err = app.NewSolo(log.NewNopLogger(), c.db, app.Solo{EVMChainID: network.EVMChainID, Edit: func(ctx sdk.Context) error {
		if ctx.BlockHeight() != at-1 {
			return nil
		}
		return c.app.Upgrade.ScheduleUpgrade(ctx, upgradetypes.Plan{Name: app.BeaconUpgrade, Height: at})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.app.Close() })
	if _, err := c.app.InitChain(app.InitRequest(doc)); err != nil {
		t.Fatal(err)
	}
	for c.height < at-2 {
		c.block()
	}
	randao := c.deploy(ana, common.FromHex(contracts.Load("Randao").Bytecode)) // block 5
	for c.height < at+2 {
		c.block()
	}
	before := beacon.Begin(network.ChainID, at-1)
	first := beacon.Next(at, before, nil)
	if got := c.app.Beacon.At(c.context(), at); got != first {
		t.Errorf("the first value is %s, want %s", got, first)
	}
	if r := c.ethereum(ana, &randao, money.Amount{}, 200_000, pack(t, readABI(t, "Randao"), "look")); r.Failed() {
		t.Fatalf("look: %s", r.VmError)
	}
	if got, want := c.app.EVM.GetState(c.context(), randao, common.Hash{}), common.Hash(c.app.Beacon.At(c.context(), protocol.Height(c.height-1))); got != want {
		t.Errorf("PREVRANDAO is %s, want %s", got, want)
	}
}

// A lot among three holders: nobody knows the winner when it closes, anybody draws when its block is over, and the winner is the one that
// the beacon names.
func TestLot(t *testing.T) {
	people := []person{newPerson(t, 1), newPerson(t, 2), newPerson(t, 3)}
	c := newChain(t, people...)
	lot := readABI(t, "Lot")
	code := append(common.FromHex(contracts.Load("Lot").Bytecode), pack(t, lot, "", amut(money.MUT(6)))...)
	at := c.deploy(people[0], code)
	enter := pack(t, lot, "enter")
	for i, p := range people {
		if r := c.ethereum(p, &at, money.MUT(uint64(i)+1), 300_000, enter); r.Failed() {
			t.Fatalf("enter: %s", r.VmError)
		}
	}
	drawAt := c.height + 16
	if r := c.ethereum(people[0], &at, money.MUT(1), 300_000, enter); !r.Failed() {
		t.Error("a payment after the close is taken")
	}
	draw := pack(t, lot, "draw")
	for c.height < drawAt-1 {
		c.block()
	}
	if r := c.ethereum(people[1], &at, money.Amount{}, 300_000, draw); refusal(readABI(t, "IBeacon"), r.Ret) != "NotYet" { // in the block that decides
		t.Errorf("drawn early: %s %x", r.VmError, r.Ret)
	}
	if r := c.ethereum(people[1], &at, money.Amount{}, 300_000, pack(t, lot, "reclose")); !r.Failed() {
		t.Error("closed again although the value is there")
	}
	if r := c.ethereum(people[2], &at, money.Amount{}, 300_000, draw); r.Failed() {
		t.Fatalf("draw: %s", r.VmError)
	}
	if r := c.ethereum(people[2], &at, money.Amount{}, 300_000, draw); !r.Failed() {
		t.Error("drawn twice")
	}
	value := c.app.Beacon.At(c.context(), protocol.Height(drawAt))
	ticket := new(big.Int).SetBytes(crypto.Keccak256(value[:], common.LeftPadBytes(at[:], 32)))
	ticket.Mod(ticket, amut(money.MUT(6)))
	winner := people[0]
	for i, upTo := range []uint64{1, 3} {
		if ticket.Cmp(amut(money.MUT(upTo))) >= 0 {
			winner = people[i+1]
		}
	}
	target := common.Address{0xaa}
	for _, p := range people {
		r := c.ethereum(p, &at, money.Amount{}, 300_000, pack(t, lot, "collect", target))
		if r.Failed() != (p.Account() != winner.Account()) {
			t.Errorf("%s collects: %q; the winner is %s", p.Account(), r.VmError, winner.Account())
		}
	}
	if got := c.balance(protocol.Account(target)); got != money.MUT(6) {
		t.Errorf("the pot paid %s", got.Coins())
	}
}

// A lot whose value nobody read in time names another block, and only then.
func TestLotThatWasForgotten(t *testing.T) {
	d := newDesk(t, "", nil)
	lot := readABI(t, "Lot")
	at, _, bound, err := bind.DeployContract(d.auth, lot, common.FromHex(contracts.Load("Lot").Bytecode), d.eth, big.NewInt(5))
	if err != nil {
		t.Fatal(err)
	}
	opts := *d.auth
	opts.Value = big.NewInt(5)
	if _, err := bound.Transact(&opts, "enter"); err != nil {
		t.Fatal(err)
	}
	drawAt := func() uint64 {
		t.Helper()
		var out []any
		if err := bound.Call(nil, &out, "drawAt"); err != nil {
			t.Fatal(err)
		}
		return out[0].(uint64)
	}
	refused := func(method, why string) {
		t.Helper()
		_, err := d.eth.CallContract(t.Context(), ethereum.CallMsg{From: d.auth.From, To: &at, Data: pack(t, lot, method)}, nil)
		if got := refusal(readABI(t, "IBeacon"), dataOf(err)); got != why {
			t.Errorf("%s: %v, %q, want %q", method, err, got, why)
		}
	}
	first := drawAt()
	refused("draw", "NotYet")
	refused("reclose", "nothing to name again")
	d.call(nil, "anvil_mine", "0x20")
	refused("reclose", "the value is there")
	d.call(nil, "anvil_setStorageAt", prevrandao.Address, prevrandao.Slot(protocol.Height(first)), "0x0") // as if 8,192 blocks had passed
	refused("draw", "Forgotten")
	if _, err := bound.Transact(d.auth, "reclose"); err != nil {
		t.Fatal(err)
	}
	if again := drawAt(); again <= first || again != d.header().Number.Uint64()+16 {
		t.Errorf("block %d decides, after %d", again, first)
	}
	refused("draw", "NotYet")
	d.call(nil, "anvil_mine", "0x11")
	if _, err := bound.Transact(d.auth, "draw"); err != nil {
		t.Fatal(err)
	}
}

// The development chain has the same reads; its values follow from the blocks, also from the same ones again after going back.
func TestDevBeacon(t *testing.T) {
	d := newDesk(t, "", nil)
	contract := readABI(t, "Randao")
	data := common.FromHex(contracts.Load("Randao").Bytecode)
	var hash common.Hash
	d.call(&hash, "eth_sendTransaction", map[string]any{"from": d.auth.From, "data": "0x" + common.Bytes2Hex(data)})
	r, err := d.eth.TransactionReceipt(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	at := r.ContractAddress
	look := func() (mixed, opcode common.Hash) {
		t.Helper()
		d.call(&hash, "eth_sendTransaction", map[string]any{"from": d.auth.From, "to": at, "gas": "0x40000", "data": "0x" + common.Bytes2Hex(pack(t, contract, "look"))})
		var word common.Hash
		d.call(&word, "eth_getStorageAt", at, "0x0", "latest")
		return d.header().MixDigest, word
	}
	var id string
	d.call(&id, "evm_snapshot")
	mixed, opcode := look()
	if mixed != opcode || opcode == (common.Hash{}) || opcode == common.MaxHash {
		t.Errorf("mixHash is %s, PREVRANDAO was %s", mixed, opcode)
	}
	var trace struct {
		StructLogs []struct {
			Op    string
			Stack []string
		}
	}
	d.call(&trace, "debug_traceTransaction", hash)
	traced := false
	for i, step := range trace.StructLogs {
		if step.Op == "PREVRANDAO" || step.Op == "DIFFICULTY" || step.Op == "RANDOM" {
			stack := trace.StructLogs[i+1].Stack
			traced = true
			if got := common.HexToHash(stack[len(stack)-1]); got != opcode {
				t.Errorf("the trace sees %s, the transaction saw %s", got, opcode)
			}
		}
	}
	if !traced {
		t.Error("the trace has no PREVRANDAO")
	}
	d.call(nil, "evm_revert", id)
	if m, again := look(); again != opcode || m != mixed {
		t.Errorf("after going back PREVRANDAO is %s, was %s", again, opcode)
	}
	want := common.HexToHash("0x1234")
	d.call(nil, "hardhat_setPrevRandao", "0x1234")
	if m, set := look(); set != want || m != want {
		t.Errorf("set to %s, the contract sees %s, mixHash is %s", want, set, m)
	}
	if err := d.rpc.Call(nil, "anvil_setPrevRandao", "0x0"); err == nil {
		t.Error("a beacon of zero is taken")
	}
	if m, after := look(); after == want || m != after {
		t.Errorf("the block after sees %s, mixHash is %s", after, m)
	}
}
