package app_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/math"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/bank"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	feegrantmodule "github.com/cosmos/cosmos-sdk/x/feegrant/module"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/rewards"
	"github.com/mutirao/mutirao/protocol"
)

var (
	simulated = flag.Int("blocks", 40, "blocks of each simulation")
	simSeed   = flag.Int64("simulation-seed", 1, "seed of the simulations; 0 for a new one")
	simFull   = flag.Bool("simulation-full", false, "every message and every method of a precompile must have been carried out")
)

// world is a chain whose genesis is drawn at random and whose people do at random whatever they may, also what is refused. It puts
// the operations of the SDK's own simulations and ours into blocks, as consensus would. The SDK's driver, which package simsx_test.go runs
// on the same app, delivers them between the end of a block and its commitment instead (x/simulation/simulate.go: FinalizeBlock, then
// SimDeliver), where no log of them arises that could be audited.
type world struct {
	*chain
	r       *rand.Rand
	people  []person
	sims    []simtypes.Account
	plot    *plot
	ops     []operation
	weights int
	now     time.Time
	votes   map[string]abci.Validator // the set that signs the next block, by address
	coming  [][]abci.ValidatorUpdate  // changes of the set: whose votes they change are in the third block after
	done    map[string]int            // deeds that were carried out, by label
	refused map[string]int
	why     map[string]string // the last refusal
	events  map[string]int    // of what follows by itself
	journal []string          // of the last blocks, for who looks for a fault
	hashes  [][]byte          // of the state after each block
	open    map[uint64][]string
}

const crowd = 24

func newWorld(t testing.TB, seed int64) *world {
	t.Helper()
	w := &world{r: rand.New(rand.NewSource(seed)), now: time.Unix(1_700_000_000, 0).UTC(), votes: map[string]abci.Validator{}, done: map[string]int{}, refused: map[string]int{},
		why: map[string]string{}, events: map[string]int{}, open: map[uint64][]string{}}
	w.people, w.sims = randomPeople(w.r, crowd)
	w.plot = newPlot(&scene{t: t})
	w.chain = &chain{t: t, db: dbm.NewMemDB(), doc: randomGenesis(t, w.r, w.sims, 4+w.r.Intn(9), w.now), programs: toyPrograms{w.plot.truth}}
	w.chain.open()
	t.Cleanup(func() { w.app.Close() })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d; the last transactions:\n%s", seed, strings.Join(w.journal, "\n"))
		}
	})
	answer, err := w.app.InitChain(app.InitRequest(w.doc))
	if err != nil {
		t.Fatal(err)
	}
	w.enter(answer.Validators)
	w.ops = operations(w.app)
	for _, o := range w.ops {
		w.weights += o.weight
	}
	return w
}

// operations are all that people may do, in one order.
func operations(a *app.App) []operation {
	return slices.Concat(sdkOperations(a), ofSDK(), ofRules(), ofContracts())
}

// sdkOperations are those of the SDK's own simulations of its modules, and proposals of parameters that they would like to have changed.
func sdkOperations(a *app.App) []operation {
	f, weights := new(factories), simsx.WeightSourceFn(func(_ string, usual uint32) uint32 { return max(usual/3, 15) })
	bankModule := bank.NewAppModule(a.Codec(), a.Bank, a.Account, nil)
	stakingModule := staking.NewAppModule(a.Codec(), a.Staking, a.Account, a.Bank, nil)
	slashingModule := slashing.NewAppModule(a.Codec(), a.Slashing, a.Account, a.Bank, a.Staking, nil, a.InterfaceRegistry())
	proposals := simsx.NewUniqueTypeRegistry()
	bankModule.ProposalMsgsX(weights, proposals)
	stakingModule.ProposalMsgsX(weights, proposals)
	slashingModule.ProposalMsgsX(weights, proposals)
	bankModule.WeightedOperationsX(weights, f)
	stakingModule.WeightedOperationsX(weights, f)
	slashingModule.WeightedOperationsX(weights, f)
	feegrantmodule.NewAppModule(a.Codec(), a.Account, a.Bank, a.FeeGrant, a.InterfaceRegistry()).WeightedOperationsX(weights, f)
	gov.NewAppModule(a.Codec(), a.Gov, a.Account, a.Bank, nil).WeightedOperationsX(weights, f, proposals.Iterator(), nil)
	return f.list
}

// modest has the SDK's operations spend a part of what people have: they would be poor after a few.
type modest struct{ bankkeeper.Keeper }

// SpendableCoins is a twentieth.
func (m modest) SpendableCoins(ctx context.Context, of sdk.AccAddress) sdk.Coins {
	return m.Keeper.SpendableCoins(ctx, of).QuoInt(math.NewInt(20))
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
	if w.r.Intn(40) == 0 {
		w.now = w.now.Add(4 * 24 * time.Hour) // stake that has left comes free
	}
	req := &abci.RequestFinalizeBlock{Height: w.height, Time: w.now, Txs: txs}
	for _, address := range slices.Sorted(maps.Keys(w.votes)) {
		v := w.votes[address]
		flag := cmtproto.BlockIDFlagCommit
		if len(w.votes) > 3 && (w.r.Intn(10) == 0 || address[0]%4 == 0 && w.height%100 > 40) {
			flag = cmtproto.BlockIDFlagAbsent
		}
		req.DecidedLastCommit.Votes = append(req.DecidedLastCommit.Votes, abci.VoteInfo{Validator: v, BlockIdFlag: flag})
		req.ProposerAddress = v.Address
		if w.r.Intn(800) == 0 && w.height > 5 && len(w.votes) > 3 {
			req.Misbehavior = append(req.Misbehavior, abci.Misbehavior{Type: abci.MisbehaviorType_DUPLICATE_VOTE, Validator: v, Height: w.height - 2, Time: w.now.Add(-time.Minute), TotalVotingPower: v.Power})
		}
	}
	return req
}

// scene is what people see before the next block.
func (w *world) scene() *scene {
	return &scene{t: w.t, app: w.app, ctx: w.context().WithBlockTime(w.now), r: w.r, people: w.people, sims: w.sims, plot: w.plot}
}

// deeds draws what people do in a block; nobody does two things.
func (w *world) deeds() (list []*deed) {
	if w.height == 0 {
		return nil
	}
	s := w.scene()
	least := 2 + w.r.Intn(9)
	for tries := 0; tries < 40 && len(list) < least; tries++ {
		d := w.draw(s)
		if d == nil || slices.ContainsFunc(list, func(o *deed) bool { return o.from.Account() == d.from.Account() }) {
			continue
		}
		if d.call == nil && s.chance(15) {
			s.borrows(d)
		}
		list = append(list, d)
	}
	return list
}

// borrows lets somebody pay the fee who has allowed it.
func (s *scene) borrows(d *deed) {
	who := d.from.Account()
	for i := range s.people {
		granter := s.people[i].Account()
		if a, err := s.app.FeeGrant.GetAllowance(s.ctx, granter[:], who[:]); err == nil && a != nil {
			d.pays, d.labels = &s.people[i], append(d.labels, "fee of a granter")
			return
		}
	}
}

func (w *world) draw(s *scene) *deed {
	n := w.r.Intn(w.weights)
	for _, o := range w.ops {
		if n -= o.weight; n < 0 {
			return o.act(s)
		}
	}
	return nil
}

// step makes one block of what people do at random, and checks the books.
func (w *world) step() (*abci.RequestFinalizeBlock, *abci.ResponseFinalizeBlock) {
	w.t.Helper()
	deeds := w.deeds()
	var txs [][]byte
	if len(deeds) > 0 {
		s := w.scene()
		for _, d := range deeds {
			txs = append(txs, s.sign(d))
		}
	}
	req := w.request(txs)
	if w.upgrade() {
		w.ops = operations(w.app)
		w.events["the program was exchanged"]++
	}
	r := w.execute(req)
	for i, result := range r.TxResults {
		w.judge(deeds[i], result)
	}
	for _, e := range r.Events {
		w.events[e.Type]++
		w.decided(e)
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

// mustFail ends the label of a deed that no rule allows.
const mustFail = ", which must fail"

// judge counts a deed by what became of it.
func (w *world) judge(d *deed, r *abci.ExecTxResult) {
	w.t.Helper()
	ok, why := r.Code == 0, r.Log
	if ok && d.call != nil {
		answer, err := evmtypes.DecodeTxResponse(r.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		ok, why = !answer.Failed(), answer.VmError
	}
	who := d.from.Account()
	w.journal = append(w.journal, fmt.Sprintf("block %d: %s by %x: %t %.200s", w.height, strings.Join(d.labels, " + "), who[:4], ok, why))
	w.journal = w.journal[max(0, len(w.journal)-200):]
	for _, label := range d.labels {
		if ok {
			w.done[label]++
		} else {
			w.refused[label]++
			w.why[label] = why
		}
		if bare, forbidden := strings.CutSuffix(label, mustFail); forbidden && ok {
			w.t.Errorf("block %d: %s was carried out for somebody who may not send it", w.height, bare)
		}
	}
	if strings.Contains(r.Log, "panic") || strings.Contains(r.Log, "runtime error") {
		w.t.Errorf("block %d: %v: %s", w.height, d.labels, r.Log)
	}
	for _, m := range d.msgs {
		if p, put := m.(*govv1.MsgSubmitProposal); put && ok {
			w.submitted(p, r)
		}
	}
}

// submitted remembers what a proposal would do.
func (w *world) submitted(m *govv1.MsgSubmitProposal, r *abci.ExecTxResult) {
	w.t.Helper()
	id := ""
	for _, e := range r.Events {
		for _, a := range e.Attributes {
			if e.Type == "submit_proposal" && a.Key == "proposal_id" {
				id = a.Value
			}
		}
	}
	var labels []string
	for _, any := range m.Messages {
		inner := any.GetCachedValue().(sdk.Msg)
		if x, ours := inner.(interface{ GetKind() string }); ours {
			labels = append(labels, x.GetKind())
			continue
		}
		labels = append(labels, sdk.MsgTypeURL(inner))
	}
	var number uint64
	if _, err := fmt.Sscan(id, &number); err != nil {
		w.t.Fatalf("proposal %q: %v", id, err)
	}
	w.open[number] = labels
}

// decided counts what governance did.
func (w *world) decided(e abci.Event) {
	if e.Type != "active_proposal" {
		return
	}
	id, result := uint64(0), ""
	for _, a := range e.Attributes {
		switch a.Key {
		case "proposal_id":
			fmt.Sscan(a.Value, &id)
		case "proposal_result":
			result = a.Value
		}
	}
	for _, label := range w.open[id] {
		switch result {
		case "proposal_passed":
			w.done[label]++
		case "proposal_failed":
			w.refused[label]++
		}
	}
	w.events[result]++
}

// upgrade exchanges the program where an upgrade is due in the next block, as operators do.
func (c *chain) upgrade() bool {
	c.t.Helper()
	if c.app.LastBlockHeight() < 1 {
		return false
	}
	before, err := c.app.CreateQueryContext(c.app.LastBlockHeight(), false)
	if err != nil {
		c.t.Fatal(err)
	}
	plan, err := c.app.Upgrade.GetUpgradePlan(before)
	if err != nil || plan.Height != c.app.LastBlockHeight()+1 {
		return false
	}
	if err := c.app.Close(); err != nil {
		c.t.Fatal(err)
	}
	c.upgrades = append(c.upgrades, app.Upgrade{Name: plan.Name})
	c.open()
	return true
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
	bonded, leaving := math.ZeroInt(), math.ZeroInt()
	all, err := w.app.Staking.GetAllValidators(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, v := range all {
		if v.IsBonded() {
			bonded = bonded.Add(v.Tokens)
		} else {
			leaving = leaving.Add(v.Tokens)
		}
	}
	pool := func(name string) math.Int {
		return w.app.Bank.GetBalance(ctx, authtypes.NewModuleAddress(name), network.Denom).Amount
	}
	if !pool(stakingtypes.BondedPoolName).Equal(bonded) {
		w.t.Fatalf("block %d: validators have %s bonded, the pool holds %s", w.height, bonded, pool(stakingtypes.BondedPoolName))
	}
	err = w.app.Staking.IterateUnbondingDelegations(ctx, func(_ int64, u stakingtypes.UnbondingDelegation) bool {
		for _, e := range u.Entries {
			leaving = leaving.Add(e.Balance)
		}
		return false
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if !pool(stakingtypes.NotBondedPoolName).Equal(leaving) {
		w.t.Fatalf("block %d: %s is on its way out of stakes, the pool holds %s", w.height, leaving, pool(stakingtypes.NotBondedPoolName))
	}
	w.earned(ctx)
	for _, model := range w.scene().knownModels() {
		parts := uint32(0)
		for _, p := range append([]protocol.Account{named(network.TreasuryAccount)}, accountsOf(w.people)...) {
			h, err := w.app.Registry.Holding(ctx, model, p)
			if err != nil && !errors.Is(err, protocol.ErrNotFound) {
				w.t.Fatal(err)
			}
			parts += h.PPM
		}
		if parts != 1_000_000 {
			w.t.Fatalf("block %d: the holders of model %s have %d parts", w.height, model, parts)
		}
	}
}

// earned checks that the escrow of rewards holds what is owed, to the last part of an amut.
func (w *world) earned(ctx sdk.Context) {
	w.t.Helper()
	owed, exact, err := w.app.Rewards.Owed(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	if held := w.balance(named(rewards.ModuleName)); held != owed || !exact {
		w.t.Fatalf("block %d: stake is owed %s (a whole number: %v), the escrow holds %s", w.height, owed, exact, held)
	}
}

func accountsOf(people []person) (list []protocol.Account) {
	for _, p := range people {
		list = append(list, p.Account())
	}
	return list
}

func seedOf(t *testing.T) int64 {
	seed := *simSeed
	if seed == 0 {
		seed = rand.Int63()
	}
	t.Logf("-simulation-seed %d", seed)
	return seed
}

// The four simulations that chains of this kind pass: full (whatever people do, the books agree after each block and nothing stops the
// chain), non-determinism (the same again, in another process with another number of threads, gives the same hashes), import-export (a network from
// an export has the same state), after-import (it goes on in the same way).
func TestSimulations(t *testing.T) {
	seed := seedOf(t)
	twin := elsewhere(t, seed)
	w := newWorld(t, seed)
	for range *simulated {
		w.step()
	}
	w.report()
	w.audit() // stake, slashes and deposits of proposals among all else
	w.afterImport()
	twin(w.fingerprints())
}

// fingerprints are the hashes of the states after each block, shortened.
func (w *world) fingerprints() string {
	var b strings.Builder
	for _, h := range w.hashes[:*simulated] {
		short := sha256.Sum256(h)
		b.WriteString(hex.EncodeToString(short[:4]))
		b.WriteByte('\n')
	}
	return b.String()
}

const twinFile = "MUTIRAO_SIMULATION_TWIN"

// elsewhere runs the same blocks in a process of its own on one thread, and compares their hashes.
func elsewhere(t *testing.T, seed int64) func(here string) {
	t.Helper()
	path := t.TempDir() + "/hashes"
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestTwin$", "-test.timeout", "0", "-blocks", fmt.Sprint(*simulated), "-simulation-seed", fmt.Sprint(seed))
	c.Env = append(os.Environ(), twinFile+"="+path, "GOMAXPROCS=1")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return func(here string) {
		t.Helper()
		if err := c.Wait(); err != nil {
			t.Fatalf("in another process: %v\n%s", err, out.Bytes())
		}
		there, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a, b := strings.Split(here, "\n"), strings.Split(string(there), "\n")
		for i := range a {
			if i >= len(b) || a[i] != b[i] {
				t.Fatalf("the same seed gives two states after block %d", i+1)
			}
		}
	}
}

// TestTwin is the other process of TestSimulations.
func TestTwin(t *testing.T) {
	path := os.Getenv(twinFile)
	if path == "" {
		t.Skip("runs in a process of TestSimulations")
	}
	w := newWorld(t, *simSeed)
	for range *simulated {
		w.step()
	}
	if err := os.WriteFile(path, []byte(w.fingerprints()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Everything that was carried out in this process, which may run several seeds: one seed alone may not come to each rare deed.
var (
	everDone = map[string]int{}
	worlds   int
)

// report says what was carried out and what was not. In full, and over all seeds, nothing may be missing that can be carried out.
func (w *world) report() {
	w.t.Helper()
	for label, n := range w.done {
		everDone[label] += n
	}
	worlds++
	for _, event := range slices.Sorted(maps.Keys(w.events)) {
		w.t.Logf("event %-42s %6d", event, w.events[event])
	}
	must, missing := everything(w.t, w.app), 0
	for _, label := range slices.Sorted(maps.Keys(union(w.done, w.refused, must))) {
		note := ""
		if reason, never := impossible[label]; never {
			note = "  never: " + reason
			if w.done[label] > 0 {
				w.t.Errorf("%s was carried out, though %s", label, reason)
			}
		} else if must[label] > 0 && everDone[label] == 0 {
			note, missing = "  NOT CARRIED OUT, last refusal: "+w.why[label], missing+1
		}
		w.t.Logf("%-62s %6d carried out %6d refused%s", label, w.done[label], w.refused[label], note)
	}
	w.t.Logf("%d of %d messages and methods were not carried out", missing, len(must))
	if last := fmt.Sprint(worlds) == flag.Lookup("test.count").Value.String(); *simFull && last && missing > 0 {
		w.t.Error("the simulations do not do everything")
	}
	if !*simFull && len(w.done) < 25 {
		w.t.Errorf("only %d kinds of deeds were carried out", len(w.done))
	}
}

func union(list ...map[string]int) map[string]int {
	out := map[string]int{}
	for _, m := range list {
		maps.Copy(out, m)
	}
	return out
}

// afterImport exports the world, begins another chain from it, and lets both execute the same blocks.
func (w *world) afterImport() {
	w.t.Helper()
	doc, err := w.app.Export(w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	there := &chain{t: w.t, db: dbm.NewMemDB(), doc: doc, programs: w.programs, upgrades: slices.Clone(w.upgrades)}
	there.open()
	w.t.Cleanup(func() { there.app.Close() })
	if _, err := there.app.InitChain(app.InitRequest(doc)); err != nil {
		w.t.Fatal(err)
	}
	there.log.Before = &w.log
	for range *simulated / 2 {
		req, here := w.step()
		there.upgrade()
		r := there.execute(req)
		for i := range r.TxResults {
			// Events of staking name serial numbers that begin anew; what they did to the state is compared below.
			if a, b := here.TxResults[i], r.TxResults[i]; a.Code != b.Code || a.Codespace != b.Codespace {
				w.t.Fatalf("block %d, transaction %d: %s %d after the import, was %s %d: %s", req.Height, i, b.Codespace, b.Code, a.Codespace, a.Code, a.Log+b.Log)
			}
		}
		if w.same(there) > 0 {
			w.t.Fatalf("the states differ after block %d", req.Height)
		}
	}
	there.audit() // through both logs
}
