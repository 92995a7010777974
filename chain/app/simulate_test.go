package app_test

import (
	"bytes"
	"flag"
	"maps"
	"math/rand"
	"slices"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/ethereum/go-ethereum/common"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/rewards"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
	paramrules "github.com/mutirao/mutirao/protocol/params"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
)

var (
	simulated = flag.Int("blocks", 40, "blocks of each simulation")
	simSeed   = flag.Int64("simulation-seed", 1, "seed of the simulations; 0 for a new one")
)

// world is a chain of four validators and twenty people who do at random whatever they may, also what is refused.
type world struct {
	*chain
	r       *rand.Rand
	people  []person
	keys    []genesis.Keys // of validators there are and may be, one for each of the first people
	now     time.Time
	votes   map[string]abci.Validator // the set that signs the next block, by address
	coming  [][]abci.ValidatorUpdate  // changes of the set: whose votes they change are in the third block after
	done    map[string]int            // messages that were carried out, by kind
	refused map[string]int
	events  map[string]int // of what follows by itself
	hashes  [][]byte       // of the state after each block
}

const (
	validators = 4
	candidates = 8
	crowd      = 20
)

func newWorld(t *testing.T, seed int64) *world {
	t.Helper()
	w := &world{r: rand.New(rand.NewSource(seed)), now: time.Unix(1_700_000_000, 0).UTC(), votes: map[string]abci.Validator{}, done: map[string]int{}, refused: map[string]int{}, events: map[string]int{}}
	spec := genesis.Spec{Time: w.now, Voting: 12 * time.Hour, Changes: &paramrules.Terms{Delay: 3, Rest: 5, Factor: 2}, Stake: 1000}
	w.keys = genesis.DeriveKeys([32]byte{1}, candidates)
	for i := range byte(crowd) {
		p := newPerson(t, 1+i)
		w.people = append(w.people, p)
		spec.Accounts = append(spec.Accounts, genesis.Balance{Address: p.Account(), Amount: money.MUT(10_000)})
		if i < candidates {
			w.keys[i].Operator = p.Account()
		}
	}
	spec.Validators = w.keys[:validators]
	doc, err := genesis.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	// Absence of a few blocks counts, so that it happens.
	doc.AppState = bytes.Replace(doc.AppState, []byte(`"signed_blocks_window":"5400"`), []byte(`"signed_blocks_window":"20"`), 1)
	w.chain = &chain{t: t, db: dbm.NewMemDB(), doc: doc}
	w.open()
	t.Cleanup(func() { w.app.Close() })
	init := app.InitRequest(doc)
	if _, err := w.app.InitChain(init); err != nil {
		t.Fatal(err)
	}
	w.enter(init.Validators)
	return w
}

// enter makes changes of the validator set hold.
func (w *world) enter(updates []abci.ValidatorUpdate) {
	for _, u := range updates {
		key, err := cryptocodec.FromCmtProtoPublicKey(u.PubKey)
		if err != nil {
			w.t.Fatal(err)
		}
		address := key.Address().Bytes()
		if u.Power == 0 {
			delete(w.votes, string(address))
			continue
		}
		w.votes[string(address)] = abci.Validator{Address: address, Power: u.Power}
	}
}

// request makes the next block: time passes, some validators are absent, one may have signed twice.
func (w *world) request(txs [][]byte) *abci.RequestFinalizeBlock {
	w.height++
	w.now = w.now.Add(time.Duration(1+w.r.Intn(3600)) * time.Second)
	if w.r.Intn(20) == 0 {
		w.now = w.now.Add(12 * 24 * time.Hour) // stake that has left comes free
	}
	req := &abci.RequestFinalizeBlock{Height: w.height, Time: w.now, Txs: txs}
	for _, address := range slices.Sorted(maps.Keys(w.votes)) {
		v := w.votes[address]
		flag := cmtproto.BlockIDFlagCommit
		if w.r.Intn(10) == 0 || address[0]%4 == 0 && w.height%40 > 12 {
			flag = cmtproto.BlockIDFlagAbsent
		}
		req.DecidedLastCommit.Votes = append(req.DecidedLastCommit.Votes, abci.VoteInfo{Validator: v, BlockIdFlag: flag})
		req.ProposerAddress = v.Address
		if w.r.Intn(200) == 0 && w.height > 5 && len(w.votes) > 3 {
			req.Misbehavior = append(req.Misbehavior, abci.Misbehavior{Type: abci.MisbehaviorType_DUPLICATE_VOTE, Validator: v, Height: w.height - 2, Time: w.now.Add(-time.Minute), TotalVotingPower: v.Power})
		}
	}
	return req
}

// step makes one block of what people do at random, and checks the books.
func (w *world) step() (*abci.RequestFinalizeBlock, *abci.ResponseFinalizeBlock) {
	w.t.Helper()
	var txs [][]byte
	var kinds []string
	for _, i := range w.r.Perm(crowd)[:1+w.r.Intn(6)] {
		if w.height == 0 {
			break
		}
		if raw, kind := w.act(i); raw != nil {
			txs, kinds = append(txs, raw), append(kinds, kind)
		}
	}
	req := w.request(txs)
	r := w.execute(req)
	for i, result := range r.TxResults {
		if result.Code == 0 {
			w.done[kinds[i]]++
		} else {
			w.refused[kinds[i]]++
		}
	}
	for _, e := range r.Events {
		w.events[e.Type]++
	}
	w.hashes = append(w.hashes, r.AppHash)
	w.coming = append(w.coming, r.ValidatorUpdates)
	if len(w.coming) > 2 {
		w.enter(w.coming[0])
		w.coming = w.coming[1:]
	}
	w.books()
	return req, r
}

// books checks that no coin came or went but by the supply, and that the stake of validators is there.
func (w *world) books() {
	w.t.Helper()
	ctx := w.context()
	sum := math.ZeroInt()
	w.app.Bank.IterateAllBalances(ctx, func(_ sdk.AccAddress, c sdk.Coin) bool {
		sum = sum.Add(c.Amount)
		return false
	})
	if supply := w.app.Bank.GetSupply(ctx, network.Denom).Amount; !supply.Equal(sum) {
		w.t.Fatalf("block %d: accounts have %s, the supply is %s", w.height, sum, supply)
	}
	bonded := math.ZeroInt()
	all, err := w.app.Staking.GetAllValidators(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, v := range all {
		if v.IsBonded() {
			bonded = bonded.Add(v.Tokens)
		}
	}
	pool := w.app.Bank.GetBalance(ctx, authtypes.NewModuleAddress(stakingtypes.BondedPoolName), network.Denom).Amount
	if !pool.Equal(bonded) {
		w.t.Fatalf("block %d: validators have %s bonded, the pool holds %s", w.height, bonded, pool)
	}
	w.earned(ctx)
}

// earned checks that the escrow of rewards holds what is owed, to the last part of an amut.
func (w *world) earned(ctx sdk.Context) {
	w.t.Helper()
	owed, exact, err := w.app.Rewards.Owed(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	if held := w.balance(protocol.Account(authtypes.NewModuleAddress(rewards.ModuleName))); held != owed || !exact {
		w.t.Fatalf("block %d: stake is owed %s (a whole number: %v), the escrow holds %s", w.height, owed, exact, held)
	}
}

// rate is a commission.
func (w *world) rate() math.LegacyDec { return math.LegacyNewDecWithPrec(w.r.Int63n(101), 2) }

// act is one transaction of one person.
func (w *world) act(i int) ([]byte, string) {
	who := w.people[i]
	own := who.Account()
	kinds := []string{"send", "send", "delegate", "undelegate", "redelegate", "create", "edit", "unjail", "propose", "vote", "vote", "grant", "revoke", "dataset", "model", "upload", "use", "shares", "ask", "take", "channel", "ethereum"}
	kind := kinds[w.r.Intn(len(kinds))]
	other := w.people[w.r.Intn(crowd)].Account()
	amount := money.New(w.r.Uint64()).Times(uint64(1 + w.r.Intn(100)))
	coin := network.Coins(amount)[0]
	bech := sdk.AccAddress(own[:]).String()
	valoper := func() string {
		o := w.keys[w.r.Intn(candidates)].Operator
		return sdk.ValAddress(o[:]).String()
	}
	var m sdk.Msg
	switch kind {
	case "send":
		m = banktypes.NewMsgSend(own[:], other[:], sdk.NewCoins(coin))
	case "delegate":
		m = stakingtypes.NewMsgDelegate(bech, valoper(), network.Coins(money.MUT(1 + uint64(w.r.Intn(500))))[0])
	case "undelegate":
		m = stakingtypes.NewMsgUndelegate(bech, valoper(), coin)
	case "redelegate":
		m = stakingtypes.NewMsgBeginRedelegate(bech, valoper(), valoper(), coin)
	case "create":
		key, err := cryptocodec.FromCmtPubKeyInterface(w.keys[i%candidates].Consensus.PubKey())
		if err != nil {
			w.t.Fatal(err)
		}
		m, err = stakingtypes.NewMsgCreateValidator(sdk.ValAddress(own[:]).String(), key, network.Coins(money.MUT(1 + uint64(w.r.Intn(2000))))[0], stakingtypes.NewDescription("v", "", "", "", ""),
			stakingtypes.NewCommissionRates(w.rate(), math.LegacyOneDec(), math.LegacyOneDec()), math.OneInt())
		if err != nil {
			w.t.Fatal(err)
		}
	case "edit":
		rate := w.rate()
		m = stakingtypes.NewMsgEditValidator(sdk.ValAddress(own[:]).String(), stakingtypes.NewDescription("w", "", "", "", ""), &rate, nil)
	case "unjail":
		m = slashingtypes.NewMsgUnjail(sdk.ValAddress(own[:]).String())
	case "propose":
		b := paramrules.Bounds[w.r.Intn(len(paramrules.Bounds))]
		set, _, err := client.Wrap(client.Governance(), paramrules.Set{Name: b.Name, Value: b.Min + uint64(w.r.Int63n(int64(b.Max-b.Min)))})
		if err != nil {
			w.t.Fatal(err)
		}
		if m, err = govv1.NewMsgSubmitProposal([]sdk.Msg{set}, network.Coins(money.MUT(60+uint64(w.r.Intn(60)))), bech, "", "t", "s", false); err != nil {
			w.t.Fatal(err)
		}
	case "vote":
		next, err := w.app.Gov.ProposalID.Peek(w.context())
		if err != nil {
			w.t.Fatal(err)
		}
		m = govv1.NewMsgVote(own[:], max(next, 3)-1-uint64(w.r.Intn(2)), []govv1.VoteOption{govv1.OptionYes, govv1.OptionYes, govv1.OptionNo, govv1.OptionNoWithVeto}[w.r.Intn(4)], "")
	case "grant":
		var err error
		if m, err = feegrant.NewMsgGrantAllowance(&feegrant.BasicAllowance{SpendLimit: sdk.NewCoins(coin)}, own[:], other[:]); err != nil {
			w.t.Fatal(err)
		}
	case "revoke":
		revoke := feegrant.NewMsgRevokeAllowance(own[:], other[:])
		m = &revoke
	case "ethereum":
		to := w.people[w.r.Intn(crowd)].Account()
		return w.signedEthereum(who, (*common.Address)(&to), amount, 50_000, nil), kind
	default:
		var err error
		if m, _, err = client.Wrap(own, w.rule(kind, other)); err != nil {
			w.t.Fatal(err)
		}
	}
	w.price = 100 // the base fee moves
	return w.signed(who, 3_000_000, m), kind
}

// rule is a message of our own modules.
func (w *world) rule(kind string, other protocol.Account) protocol.Msg {
	class := market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}
	artifact := graph.Encode(artifact(w.t))
	model, err := registry.DepositID(artifact, other)
	if err != nil {
		w.t.Fatal(err)
	}
	switch kind {
	case "dataset":
		one := hashOf(byte(w.r.Intn(256)))
		return registry.RegisterDataset{Root: one, Blob: one, Schema: one, Records: 1, RecordSize: 1, Name: "n", Licence: "l"}
	case "model":
		return registry.DepositModel{Name: "risk", Artifact: artifact}
	case "upload":
		return registry.OpenUpload{Name: "large", Content: hashOf(byte(w.r.Intn(256))), Size: uint64(1 + w.r.Intn(registry.MaxUpload))}
	case "use":
		return registry.Use{Model: model, Fee: money.New(uint64(w.r.Int63()))}
	case "shares":
		return registry.TransferShares{Model: model, To: w.people[w.r.Intn(crowd)].Account(), PPM: uint32(1 + w.r.Intn(1_000_000))}
	case "ask":
		return market.PlaceAsk{Class: class, Units: uint32(1 + w.r.Intn(4)), Reserve: auction.Price(1 + w.r.Int63n(2_000_000_000)), Until: protocol.Height(w.height + 1 + int64(w.r.Intn(200))), UnitBond: money.MUT(1)}
	case "take":
		return market.TakeNow{Class: class, Units: 1, Tenors: 1, Limit: 4_000_000_000, Nonce: w.r.Uint64()}
	case "channel":
		return voucher.Open{Model: model, Deposit: money.New(uint64(1 + w.r.Int63())), Blocks: uint32(1 + w.r.Intn(100_000)), Nonce: w.r.Uint64()}
	}
	panic("no such kind: " + kind)
}

func seedOf(t *testing.T) int64 {
	seed := *simSeed
	if seed == 0 {
		seed = rand.Int63()
	}
	t.Logf("-simulation-seed %d", seed)
	return seed
}

// The four simulations that chains of this kind pass, on our own driver, because accounts of the SDK's have keys that this chain refuses: full
// (whatever people do, the books agree after each block and nothing stops the chain), non-determinism (the same again gives the same
// hashes), import-export (a network from an export has the same state), after-import (it goes on in the same way).
func TestSimulations(t *testing.T) {
	seed := seedOf(t)
	one, two := newWorld(t, seed), newWorld(t, seed)
	for range *simulated {
		one.step()
		two.step()
	}
	for i := range one.hashes {
		if !bytes.Equal(one.hashes[i], two.hashes[i]) {
			t.Fatalf("the same seed gives two states after block %d", i+1)
		}
	}
	kinds := 0
	for _, kind := range slices.Sorted(maps.Keys(one.done)) {
		kinds++
		t.Logf("%-12s %5d carried out, %5d refused", kind, one.done[kind], one.refused[kind])
	}
	for _, event := range []string{"slash", "complete_unbonding", "active_proposal", "params.scheduled", "params.changed", "market.class"} {
		t.Logf("%-20s %5d", event, one.events[event])
	}
	if kinds < 10 {
		t.Errorf("only %d kinds of messages were carried out", kinds)
	}
	one.audit() // stake, slashes and deposits of proposals among all else
	one.afterImport()
}

// afterImport exports the world, begins another chain from it, and lets both execute the same blocks.
func (w *world) afterImport() {
	w.t.Helper()
	doc, err := w.app.Export(w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	other, err := app.New(log.NewNopLogger(), dbm.NewMemDB(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { other.Close() })
	if _, err := other.InitChain(app.InitRequest(doc)); err != nil {
		w.t.Fatal(err)
	}
	there := &world{chain: &chain{t: w.t, app: other}}
	for range *simulated / 2 {
		req, here := w.step()
		r := there.execute(req)
		for i := range r.TxResults {
			// Events of staking name serial numbers that begin anew; what they did to the state is compared below.
			if a, b := here.TxResults[i], r.TxResults[i]; a.Code != b.Code || a.Codespace != b.Codespace {
				w.t.Fatalf("block %d, transaction %d: %s %d after the import, was %s %d: %s", req.Height, i, b.Codespace, b.Code, a.Codespace, a.Code, a.Log+b.Log)
			}
		}
		w.same(there.chain)
		if w.t.Failed() {
			w.t.Fatalf("the states differ after block %d", req.Height)
		}
	}
}
