package app_test

import (
	"encoding/json"
	"errors"
	"math/rand"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/baseapp"
	sdkclient "github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	"github.com/cosmos/cosmos-sdk/x/bank"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	feegrantmodule "github.com/cosmos/cosmos-sdk/x/feegrant/module"
	"github.com/cosmos/cosmos-sdk/x/gov"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	"github.com/cosmos/cosmos-sdk/x/staking"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/network"
)

// simulator is the app as the SDK's simulation driver wants one.
type simulator struct {
	*app.App
	t     testing.TB
	crowd *crowdOf
}

// crowdOf is what the operations of our modules know of a simulation.
type crowdOf struct {
	people []person
	sims   []simtypes.Account
	plot   *plot
}

var errNotNeeded = errors.New("the driver does not need it")

func (*simulator) SetNotSigverifyTx()              {} // signatures are verified
func (s *simulator) GetBaseApp() *baseapp.BaseApp  { return s.BaseApp }
func (s *simulator) TxConfig() sdkclient.TxConfig  { return s.App.TxConfig() }
func (*simulator) LegacyAmino() *codec.LegacyAmino { return codec.NewLegacyAmino() }
func (*simulator) LoadHeight(int64) error          { return errNotNeeded }
func (*simulator) Close() error                    { return nil } // with the test
func (*simulator) BeginBlocker(sdk.Context) (sdk.BeginBlock, error) {
	return sdk.BeginBlock{}, errNotNeeded
}
func (*simulator) EndBlocker(sdk.Context) (sdk.EndBlock, error) { return sdk.EndBlock{}, errNotNeeded }
func (*simulator) InitChainer(sdk.Context, *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	return nil, errNotNeeded
}

func (s *simulator) ExportAppStateAndValidators(bool, []string, []string) (servertypes.ExportedApp, error) {
	doc, err := s.Export(time.Unix(1_700_000_000, 0))
	if err != nil {
		return servertypes.ExportedApp{}, err
	}
	return servertypes.ExportedApp{AppState: doc.AppState, Validators: doc.Validators, Height: doc.InitialHeight}, nil
}

// SimulationManager has the SDK's modules with their own operations, and one that stands for ours.
func (s *simulator) SimulationManager() *module.SimulationManager {
	a := s.App
	return module.NewSimulationManager(
		poor{bank.NewAppModule(a.Codec(), a.Bank, a.Account, nil)}, poor{staking.NewAppModule(a.Codec(), a.Staking, a.Account, a.Bank, nil)},
		poor{slashing.NewAppModule(a.Codec(), a.Slashing, a.Account, a.Bank, a.Staking, nil, a.InterfaceRegistry())},
		poor{feegrantmodule.NewAppModule(a.Codec(), a.Account, a.Bank, a.FeeGrant, a.InterfaceRegistry())},
		voting{poor{gov.NewAppModule(a.Codec(), a.Gov, a.Account, a.Bank, nil)}}, ours{s})
}

// poor is a module of the SDK on a chain on which gas has a price: its operations offer a random fee, which may be below that.
type poor struct{ module.AppModuleSimulation }

func (p poor) WeightedOperationsX(weights simsx.WeightSource, reg simsx.Registry) {
	if m, ok := p.AppModuleSimulation.(simsx.HasWeightedOperationsX); ok {
		m.WeightedOperationsX(weights, refusing{reg})
	}
}

// voting is governance, which takes the proposals of the other modules.
type voting struct{ poor }

func (v voting) WeightedOperationsX(weights simsx.WeightSource, reg simsx.Registry, list simsx.WeightedProposalMsgIter, old []simtypes.WeightedProposalContent) {
	v.AppModuleSimulation.(simsx.HasWeightedOperationsXWithProposals).WeightedOperationsX(weights, refusing{reg}, list, old)
}

// refusing takes it that a fee below the price of gas is refused.
type refusing struct{ simsx.Registry }

func (r refusing) Add(weight uint32, f simsx.SimMsgFactoryX) { r.Registry.Add(weight, cheap{f}) }

type cheap struct{ simsx.SimMsgFactoryX }

func (c cheap) SetFutureOpsRegistry(r simsx.FutureOpsRegistry) {
	if later, ok := c.SimMsgFactoryX.(simsx.HasFutureOpsRegistry); ok {
		later.SetFutureOpsRegistry(r)
	}
}

func (c cheap) DeliveryResultHandler() simsx.SimDeliveryResultHandler {
	return func(err error) error {
		if err != nil && (errors.Is(err, sdkerrors.ErrInsufficientFee) || errors.Is(err, sdkerrors.ErrInsufficientFunds)) {
			return nil
		}
		return c.SimMsgFactoryX.DeliveryResultHandler()(err)
	}
}

// ours are the operations of our own modules and of contracts.
type ours struct{ *simulator }

func (ours) GenerateGenesisState(*module.SimulationState)       {}
func (ours) RegisterStoreDecoder(simtypes.StoreDecoderRegistry) {}

func (o ours) WeightedOperations(module.SimulationState) (list []simtypes.WeightedOperation) {
	for _, op := range append(ofRules(), ofContracts()...) {
		list = append(list, timed{op, o.simulator})
	}
	return list
}

// timed is an operation for the SDK's driver.
type timed struct {
	operation
	on *simulator
}

func (t timed) Weight() int { return 2 * t.weight }

func (t timed) Op() simtypes.Operation {
	return func(r *rand.Rand, base *baseapp.BaseApp, ctx sdk.Context, _ []simtypes.Account, _ string) (simtypes.OperationMsg, []simtypes.FutureOperation, error) {
		c := t.on.crowd
		s := &scene{t: t.on.t, app: t.on.App, ctx: ctx, r: r, people: c.people, sims: c.sims, plot: c.plot}
		d := t.act(s)
		if d == nil {
			return simtypes.NoOpMsg("mutirao", t.name, "nothing to do"), nil, nil
		}
		tx, err := t.on.TxConfig().TxDecoder()(s.sign(d))
		if err != nil {
			return simtypes.NoOpMsg("mutirao", t.name, ""), nil, err
		}
		_, _, err = base.SimDeliver(t.on.TxConfig().TxEncoder(), tx)
		if err != nil && strings.Contains(err.Error(), "panic") {
			return simtypes.NoOpMsg("mutirao", t.name, ""), nil, err
		}
		return simtypes.NewOperationMsgBasic("mutirao", strings.Join(d.labels, " + "), "", err == nil, nil), nil, nil
	}
}

// jury is how many validators there are: the SDK's driver has many of them sign twice in each block, and gives up when none is left.
const jury = 150

// simulate runs the SDK's own driver on our app with one seed.
func simulate(t *testing.T, seed int64, after func(*simulator)) []byte {
	t.Helper()
	cfg := simtypes.Config{ChainID: network.ChainID, NumBlocks: *simulated / 4, BlockSize: 20, Commit: true, DBBackend: "memdb", InitialBlockHeight: 1, GenesisTime: 1_700_000_000, Lean: true}
	var s *simulator
	var last []byte
	simsx.RunWithSeedAndRandAcc(t, cfg,
		func(logger log.Logger, db dbm.DB, _ bool, _ servertypes.AppOptions, options ...func(*baseapp.BaseApp)) *simulator {
			c := &crowdOf{plot: newPlot(&scene{t: t})}
			a, err := app.New(logger, db, toyPrograms{c.plot.truth}, options...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { a.Close() })
			s = &simulator{a, t, c}
			return s
		},
		func(s *simulator) simsx.SimStateFactory {
			return simsx.SimStateFactory{
				Codec: s.Codec(), BlockedAddr: map[string]bool{}, AccountSource: s.Account, BalanceSource: modest{s.Bank},
				AppStateFn: func(r *rand.Rand, accounts []simtypes.Account, c simtypes.Config) (json.RawMessage, []simtypes.Account, string, time.Time) {
					start := time.Unix(c.GenesisTime, 0).UTC()
					return randomGenesis(t, r, accounts, jury, start).AppState, accounts, network.ChainID, start
				},
			}
		}, seed, nil,
		func(r *rand.Rand, _ int) []simtypes.Account {
			s.crowd.people, s.crowd.sims = randomPeople(r, jury+crowd)
			return s.crowd.sims
		},
		func(_ testing.TB, i simsx.TestInstance[*simulator], _ []simtypes.Account) {
			last = i.App.LastCommitID().Hash
			if after != nil {
				after(i.App)
			}
		})
	return last
}

// The SDK's own driver of simulations runs on this app: its operations of bank, staking, slashing, allowances and governance, and ours. Full
// and non-determinism are that the same seed leads to the same state twice; import-export and after-import that a network from the export
// has that state and that both make the next blocks alike.
func TestSDKSimulations(t *testing.T) {
	seed := seedOf(t)
	first := simulate(t, seed, func(s *simulator) {
		// The network after the import begins days after the simulated one, and within the year for which allowances are granted.
		c := &chain{t: t, app: s.App, height: s.LastBlockHeight(), programs: toyPrograms{s.crowd.plot.truth}, doc: &cmttypes.GenesisDoc{GenesisTime: time.Unix(1_701_000_000, 0)},
			but: consensustypes.StoreKey} // where the driver leaves fields out that every genesis has
		validators, err := s.Staking.GetBondedValidatorsByPower(c.context())
		if err != nil || len(validators) == 0 {
			t.Fatalf("%d validators: %v", len(validators), err)
		}
		if c.proposer, err = validators[0].GetConsAddr(); err != nil {
			t.Fatal(err)
		}
		c.block() // the driver delivers after the end of its blocks: powers are those of stakes only after another
		there := c.moved()
		for range 5 {
			c.block()
			there.block()
		}
		c.same(there)
	})
	if again := simulate(t, seed, nil); string(again) != string(first) {
		t.Errorf("the same seed gives %x and %x", first, again)
	}
}
