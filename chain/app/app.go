// Package app wires the ledger by hand: accounts, bank, staking with slashing and evidence, governance, upgrades, allowances for
// fees, consensus parameters, the fee market, the EVM and our own modules, and nothing else. It owns the order of modules within a block and the app-side mempool. It starts
// no network; package validator does.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/ethereum/go-ethereum/common"
	corevm "github.com/ethereum/go-ethereum/core/vm"

	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/grpc/cmtservice"
	nodeservice "github.com/cosmos/cosmos-sdk/client/grpc/node"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/server/api"
	"github.com/cosmos/cosmos-sdk/server/config"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authante "github.com/cosmos/cosmos-sdk/x/auth/ante"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/bank"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/consensus"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	"github.com/cosmos/cosmos-sdk/x/evidence"
	evidencekeeper "github.com/cosmos/cosmos-sdk/x/evidence/keeper"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	feegrantkeeper "github.com/cosmos/cosmos-sdk/x/feegrant/keeper"
	feegrantmodule "github.com/cosmos/cosmos-sdk/x/feegrant/module"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1beta1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1beta1"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradekeeper "github.com/cosmos/cosmos-sdk/x/upgrade/keeper"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
	evmante "github.com/cosmos/evm/ante"
	evmaddress "github.com/cosmos/evm/encoding/address"
	evmmempool "github.com/cosmos/evm/mempool"
	"github.com/cosmos/evm/x/feemarket"
	feemarketkeeper "github.com/cosmos/evm/x/feemarket/keeper"
	feemarkettypes "github.com/cosmos/evm/x/feemarket/types"
	"github.com/cosmos/evm/x/vm"
	evmkeeper "github.com/cosmos/evm/x/vm/keeper"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/encoding"
	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	beaconprecompile "github.com/mutirao/mutirao/chain/precompile/beacon"
	creditsprecompile "github.com/mutirao/mutirao/chain/precompile/credits"
	"github.com/mutirao/mutirao/chain/precompile/infer"
	marketprecompile "github.com/mutirao/mutirao/chain/precompile/market"
	registryprecompile "github.com/mutirao/mutirao/chain/precompile/registry"
	requestprecompile "github.com/mutirao/mutirao/chain/precompile/request"
	"github.com/mutirao/mutirao/chain/x/beacon"
	"github.com/mutirao/mutirao/chain/x/commons"
	"github.com/mutirao/mutirao/chain/x/dispute"
	"github.com/mutirao/mutirao/chain/x/market"
	"github.com/mutirao/mutirao/chain/x/params"
	"github.com/mutirao/mutirao/chain/x/registry"
	"github.com/mutirao/mutirao/chain/x/request"
	"github.com/mutirao/mutirao/chain/x/rewards"
	"github.com/mutirao/mutirao/chain/x/upgrade"
	"github.com/mutirao/mutirao/chain/x/work"
	"github.com/mutirao/mutirao/protocol"
	workrules "github.com/mutirao/mutirao/protocol/work"
)

// Name is the name of the application in CometBFT's handshake.
const Name = "mutirao"

// permissions lists the module accounts and what each may do.
var permissions = map[string][]string{
	authtypes.FeeCollectorName:     nil,
	stakingtypes.BondedPoolName:    {authtypes.Burner, authtypes.Staking},
	stakingtypes.NotBondedPoolName: {authtypes.Burner, authtypes.Staking},
	govtypes.ModuleName:            {authtypes.Burner},
	evmtypes.ModuleName:            {authtypes.Minter, authtypes.Burner},
	feemarkettypes.ModuleName:      nil,
	work.ModuleName:                {authtypes.Burner},
	dispute.ModuleName:             {authtypes.Burner},
	registry.ModuleName:            {authtypes.Burner},
	market.ModuleName:              {authtypes.Burner},
	commons.ModuleName:             {authtypes.Minter, authtypes.Burner},
	request.ModuleName:             {authtypes.Burner},
	rewards.ModuleName:             nil,
	network.PoolAccount:            nil,
	network.TreasuryAccount:        nil,
}

// App is the replicated state machine of one node.
type App struct {
	*baseapp.BaseApp

	solo *Solo // nil on a network
	home string
	keys map[string]*storetypes.KVStoreKey

	codec    codec.Codec
	txConfig client.TxConfig
	registry types.InterfaceRegistry
	mempool  *evmmempool.Mempool
	manager  *module.Manager
	migrate  module.Configurator
	pending  []evmante.PendingTxListener
	senders  *senders

	deductFee authante.DeductFeeDecorator
	feeBank   authtypes.BankKeeper // of the fees of native transactions

	Account   authkeeper.AccountKeeper
	Bank      bankkeeper.Keeper
	Staking   *stakingkeeper.Keeper
	Slashing  slashingkeeper.Keeper
	Evidence  *evidencekeeper.Keeper
	Gov       *govkeeper.Keeper
	Upgrade   *upgradekeeper.Keeper
	FeeGrant  feegrantkeeper.Keeper
	Consensus consensuskeeper.Keeper
	FeeMarket feemarketkeeper.Keeper
	EVM       *evmkeeper.Keeper
	Work      *work.Keeper
	Registry  *registry.Keeper
	Dispute   *dispute.Keeper
	Market    *market.Keeper
	Commons   *commons.Keeper
	Params    *params.Keeper
	Requests  *request.Keeper
	Rewards   *rewards.Keeper
	Beacon    *beacon.Keeper

	reveal  Reveal // nil for a node that proposes no blocks
	reveals reveals
}

var _ servertypes.Application = (*App)(nil)

// New builds the app over db and loads its latest state. What the referee of disputes knows of units is programs, the same on every
// validator. Apps of one process must be built one after the other, because the EVM writes globals while it is built.
func New(logger log.Logger, db dbm.DB, programs dispute.Programs, options ...func(*baseapp.BaseApp)) (*App, error) {
	return NewNode(logger, db, Options{Programs: programs, Base: options})
}

// Options are what a node decides about its app. None of them changes the state that a block leads to, except that a node without an
// upgrade stops where the others upgrade.
type Options struct {
	Programs dispute.Programs         // what the referee of disputes knows of units, the same on every validator
	Home     string                   // folder for the note that an upgrade is needed; empty for none
	Upgrades []Upgrade                // nil for Upgrades
	Base     []func(*baseapp.BaseApp) // pruning, snapshots
	Reveal   Reveal                   // what this node reveals in the blocks that it proposes; nil for one that proposes none

	bare bool // our modules do nothing, as a measure of what they cost
}

// NewNode is New with options.
func NewNode(logger log.Logger, db dbm.DB, o Options) (*App, error) { return build(logger, db, o, nil) }

func build(logger log.Logger, db dbm.DB, o Options, solo *Solo) (*App, error) {
	enc := encoding.New()
	signed := newSenders()
	decode := signed.decoder(enc.TxConfig.TxDecoder())
	base := baseapp.NewBaseApp(Name, logger, db, decode,
		append([]func(*baseapp.BaseApp){baseapp.SetChainID(network.ChainID)}, o.Base...)...)
	base.SetInterfaceRegistry(enc.InterfaceRegistry)
	base.SetTxEncoder(enc.TxConfig.TxEncoder())
	a := &App{BaseApp: base, solo: solo, home: o.Home, reveal: o.Reveal, codec: enc.Codec, txConfig: enc.TxConfig, registry: enc.InterfaceRegistry, senders: signed}
	base.SetBlockSTMTxRunner(runner{decode}) // the SDK's name for whatever runs the transactions of a block

	names := []string{authtypes.StoreKey, banktypes.StoreKey, stakingtypes.StoreKey, slashingtypes.StoreKey, evidencetypes.StoreKey,
		govtypes.StoreKey, upgradetypes.StoreKey, feegrant.StoreKey, consensustypes.StoreKey, feemarkettypes.StoreKey, evmtypes.StoreKey,
		work.ModuleName, registry.ModuleName, dispute.ModuleName,
		market.ModuleName, commons.ModuleName, params.ModuleName, request.ModuleName, rewards.ModuleName}
	keys := storetypes.NewKVStoreKeys(names...)
	a.keys = keys
	objects := storetypes.NewObjectStoreKeys(banktypes.ObjectStoreKey, evmtypes.ObjectKey)
	// The EVM snapshots these stores around calls to precompiles; names keeps their order fixed.
	snapshotted := make([]storetypes.StoreKey, 0, len(names)+2)
	for _, name := range names {
		snapshotted = append(snapshotted, keys[name])
	}
	snapshotted = append(snapshotted, objects[banktypes.ObjectStoreKey], objects[evmtypes.ObjectKey])

	if err := a.addKeepers(logger, keys, objects, snapshotted, o.Programs); err != nil {
		return nil, err
	}
	if err := a.addModules(o.bare); err != nil {
		return nil, err
	}

	a.MountKVStores(keys)
	a.MountObjectStores(objects)
	a.SetInitChainer(a.initChain)
	a.SetPreBlocker(a.preBlock)
	a.SetBeginBlocker(a.manager.BeginBlock)
	a.SetEndBlocker(a.manager.EndBlock)
	a.deductFee = a.newDeductFee()
	a.SetAnteHandler(a.anteHandler)
	if solo == nil {
		a.mempool = newMempool(a, logger)
	}
	if err := a.addUpgrades(o.Upgrades); err != nil {
		return nil, err
	}
	if err := a.LoadLatestVersion(); err != nil {
		return nil, fmt.Errorf("load state: %w", err)
	}
	return a, nil
}

func (a *App) addKeepers(logger log.Logger, keys map[string]*storetypes.KVStoreKey,
	objects map[string]*storetypes.ObjectStoreKey, snapshotted []storetypes.StoreKey, programs dispute.Programs) error {
	store := func(name string) corestore.KVStoreService { return runtime.NewKVStoreService(keys[name]) }
	// Nobody holds the keys of these addresses. Parameters of the SDK's modules change only through module params, within its bounds
	// and after its delay; upgrades by governance.
	authority := authtypes.NewModuleAddress(params.ModuleName)
	governance := authtypes.NewModuleAddress(govtypes.ModuleName)

	a.Consensus = consensuskeeper.NewKeeper(a.codec, store(consensustypes.StoreKey), authority.String(), runtime.EventService{})
	a.SetParamStore(a.Consensus.ParamsStore)

	prefix := sdk.GetConfig()
	fast := &quick{Codec: a.codec}
	a.Account = authkeeper.NewAccountKeeper(fast, store(authtypes.StoreKey), authtypes.ProtoBaseAccount, permissions,
		evmaddress.NewEvmCodec(prefix.GetBech32AccountAddrPrefix()), prefix.GetBech32AccountAddrPrefix(), authority.String())
	credits := commons.NewCredits(store(commons.ModuleName), moduleAccount(network.PoolAccount), moduleAccount(network.TreasuryAccount))
	bankKeeper := bankkeeper.NewBaseKeeper(a.codec, store(banktypes.StoreKey), commons.Holders{AccountKeeper: a.Account, Credits: credits, Balance: a.coins}, blocked(), authority.String(), logger)
	a.Bank = bankKeeper.WithObjStoreKey(objects[banktypes.ObjectStoreKey])
	paying := commons.Paying{Keeper: a.Bank, Credits: credits} // for escrows that earned credit may enter
	a.feeBank = commons.Fees{BankKeeper: a.Bank, Credits: credits, Balance: a.coins}
	a.Staking = stakingkeeper.NewKeeper(a.codec, store(stakingtypes.StoreKey), a.Account, a.Bank, authority.String(),
		evmaddress.NewEvmCodec(prefix.GetBech32ValidatorAddrPrefix()), evmaddress.NewEvmCodec(prefix.GetBech32ConsensusAddrPrefix()))
	a.Slashing = slashingkeeper.NewKeeper(a.codec, codec.NewLegacyAmino(), store(slashingtypes.StoreKey), a.Staking, authority.String())
	var err error
	if a.Rewards, err = rewards.NewKeeper(store(rewards.ModuleName), a.Bank, func() rewards.Staking { return a.Staking }); err != nil {
		return err
	}
	a.Staking.SetHooks(stakingtypes.NewMultiStakingHooks(a.Slashing.Hooks(), a.Rewards.Hooks()))
	a.Evidence = evidencekeeper.NewKeeper(a.codec, store(evidencetypes.StoreKey), a.Staking, a.Slashing, a.Account.AddressCodec(), runtime.ProvideCometInfoService())
	a.Evidence.SetRouter(evidencetypes.NewRouter()) // transactions bring no evidence; without a router each that tries would be a panic
	a.FeeGrant = feegrantkeeper.NewKeeper(a.codec, store(feegrant.StoreKey), a.Account).SetBankKeeper(a.Bank)
	a.Upgrade = upgradekeeper.NewKeeper(nil, store(upgradetypes.StoreKey), a.codec, a.home, a.BaseApp, governance.String())
	a.Gov = govkeeper.NewKeeper(a.codec, store(govtypes.StoreKey), a.Account, a.Bank, treasury{a.Bank}, a.MsgServiceRouter(), govtypes.DefaultConfig(),
		authority.String(), govkeeper.NewDefaultCalculateVoteResultsAndVotingPower(a.Staking))
	// Of the contents of governance's first version only texts are taken; without a router each of them would be a panic.
	a.Gov.SetLegacyRouter(govv1beta1.NewRouter().AddRoute(govtypes.RouterKey, govv1beta1.ProposalHandler))
	a.FeeMarket = feemarketkeeper.NewKeeper(a.codec, authority, keys[feemarkettypes.StoreKey])

	a.Registry, err = registry.NewKeeper(store(registry.ModuleName), a.Bank,
		func(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*workrules.State, error) {
			return a.Work.Run(ctx, id, charge)
		},
		func(ctx sdk.Context, model protocol.Hash) error { return registryprecompile.Plant(ctx, a.EVM, model) })
	if err != nil {
		return err
	}
	if a.Market, err = market.NewKeeper(store(market.ModuleName), paying, func(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*workrules.State, error) {
		return a.Work.Run(ctx, id, charge)
	}, moduleAccount(network.PoolAccount), moduleAccount(network.TreasuryAccount)); err != nil {
		return err
	}
	if a.Work, err = work.NewKeeper(store(work.ModuleName), paying, a.Registry, a.Market,
		func() work.Commons { return a.Commons }); err != nil {
		return err
	}
	if a.Commons, err = commons.NewKeeper(credits, paying, func() commons.Runs { return a.Work }, a.Market, work.ModuleName,
		moduleAccount(network.TreasuryAccount)); err != nil {
		return err
	}
	if a.Dispute, err = dispute.NewKeeper(store(dispute.ModuleName), paying, a.Work, a.Registry, programs); err != nil {
		return err
	}

	if a.Params, err = params.NewKeeper(store(params.ModuleName), governance, a.registry, a.MsgServiceRouter(), a.numbers()); err != nil {
		return err
	}

	if a.Requests, err = request.NewKeeper(store(request.ModuleName), a.Bank, a.Registry); err != nil {
		return err
	}

	a.Beacon = beacon.NewKeeper(a.Staking, func() beacon.World { return a.EVM })

	engine := infer.New(a.Registry, a.Bank)
	a.EVM = evmkeeper.NewKeeper(fast, keys[evmtypes.StoreKey], objects[evmtypes.ObjectKey], snapshotted, authority,
		a.Account, commons.Contracts{Keeper: a.Bank, Credits: credits}, proposers{a.Staking, store(stakingtypes.StoreKey)}, a.FeeMarket, &a.Consensus, nil, a.evmChainID(), "").
		WithStaticPrecompiles(precompiles(engine, registryprecompile.New(a.Registry, a.Bank), requestprecompile.New(a.Requests, engine, a.Bank),
			marketprecompile.New(a.Market), creditsprecompile.New(a.Bank, a.Market, a.Registry, a.Requests, a.Commons), beaconprecompile.New(a.Beacon)))
	setGlobals()
	return nil
}

// coins is what an account has, whether it can send it or not.
func (a *App) coins(ctx context.Context, of sdk.AccAddress) sdk.Coin {
	return a.Bank.GetBalance(ctx, of, network.Denom)
}

// open are the module accounts that receive payments.
var open = []string{network.PoolAccount, network.TreasuryAccount}

// moduleAccount is the address of a module account, whose key nobody has.
func moduleAccount(name string) protocol.Account {
	return protocol.Account(authtypes.NewModuleAddress(name))
}

// modExp is priced by Ethereum so low before EIP-7883 that a block full of it would take more than a second.
var modExp = common.BytesToAddress([]byte{0x05})

// precompiles are Ethereum's own, which the EVM module leaves to the app, and ours.
func precompiles(own ...corevm.PrecompiledContract) map[common.Address]corevm.PrecompiledContract {
	list := maps.Clone(corevm.PrecompiledContractsPrague)
	list[modExp] = corevm.PrecompiledContractsOsaka[modExp]
	for _, p := range own {
		list[p.Address()] = p
	}
	return list
}

// blocked lists the module accounts but those that are open, and the precompiles: nobody may send coins there directly.
func blocked() map[string]bool {
	out := make(map[string]bool, len(permissions))
	for name := range permissions {
		if slices.Contains(open, name) {
			continue
		}
		out[authtypes.NewModuleAddress(name).String()] = true
	}
	for _, at := range []common.Address{infer.Address, registryprecompile.Address, requestprecompile.Address, marketprecompile.Address, creditsprecompile.Address, beaconprecompile.Address} {
		out[sdk.AccAddress(at[:]).String()] = true
	}
	return out
}

// own are our modules, which the SDK's and the EVM's do without.
var own = []string{registry.ModuleName, work.ModuleName, dispute.ModuleName, market.ModuleName, commons.ModuleName, params.ModuleName, request.ModuleName, rewards.ModuleName, beacon.ModuleName}

func (a *App) addModules(bare bool) error {
	modules := []module.AppModule{
		auth.NewAppModule(a.codec, a.Account, nil, nil),
		bank.NewAppModule(a.codec, a.Bank, a.Account, nil),
		staking.NewAppModule(a.codec, a.Staking, a.Account, a.Bank, nil),
		slashing.NewAppModule(a.codec, a.Slashing, a.Account, a.Bank, a.Staking, nil, a.registry),
		evidence.NewAppModule(*a.Evidence),
		gov.NewAppModule(a.codec, a.Gov, a.Account, a.Bank, nil),
		upgrade.NewModule(a.Upgrade, runtime.NewKVStoreService(a.keys[upgradetypes.StoreKey])),
		feegrantmodule.NewAppModule(a.codec, a.Account, a.Bank, a.FeeGrant, a.registry),
		consensus.NewAppModule(a.codec, a.Consensus),
		feemarket.NewAppModule(a.FeeMarket),
		vm.NewAppModule(a.EVM, a.Account, a.Bank, a.Account.AddressCodec()),
		registry.NewModule(a.Registry, a.Account.AddressCodec()),
		market.NewModule(a.Market, a.Account.AddressCodec()),
		work.NewModule(a.Work, a.Account.AddressCodec()),
		dispute.NewModule(a.Dispute, a.Account.AddressCodec()),
		commons.NewModule(a.Commons, a.Account.AddressCodec()),
		params.NewModule(a.Params, a.Account.AddressCodec()),
		request.NewModule(a.Requests),
		rewards.NewModule(a.Rewards),
		beacon.NewModule(a.Beacon),
	}
	if bare {
		modules = slices.DeleteFunc(modules, func(m module.AppModule) bool { return slices.Contains(own, m.Name()) })
	}
	a.manager = module.NewManager(modules...)
	a.manager.SetOrderPreBlockers(upgradetypes.ModuleName, evmtypes.ModuleName, authtypes.ModuleName)
	// The base fee must be known before the EVM begins its block.
	// The fees of the blocks before are divided before stake is slashed.
	a.manager.SetOrderBeginBlockers(rewards.ModuleName, params.ModuleName, slashingtypes.ModuleName, evidencetypes.ModuleName, stakingtypes.ModuleName, feemarkettypes.ModuleName, evmtypes.ModuleName)
	// The fee market comes last to see all gas of the block.
	// A run goes on in the block in which the last dispute that it waits for ends; the commons bids before the market clears.
	a.manager.SetOrderEndBlockers(dispute.ModuleName, work.ModuleName, request.ModuleName, registry.ModuleName, commons.ModuleName, market.ModuleName, banktypes.ModuleName, govtypes.ModuleName,
		stakingtypes.ModuleName, feegrant.ModuleName, evmtypes.ModuleName, feemarkettypes.ModuleName)
	// The EVM reads the coin's metadata from the bank; staking checks its pools against balances.
	order := []string{authtypes.ModuleName, banktypes.ModuleName, stakingtypes.ModuleName, slashingtypes.ModuleName, govtypes.ModuleName,
		evidencetypes.ModuleName, feegrant.ModuleName, upgradetypes.ModuleName, evmtypes.ModuleName,
		feemarkettypes.ModuleName, consensustypes.ModuleName, registry.ModuleName, work.ModuleName, dispute.ModuleName,
		market.ModuleName, commons.ModuleName, params.ModuleName, request.ModuleName, rewards.ModuleName, beacon.ModuleName}
	a.manager.SetOrderInitGenesis(order...)
	a.manager.SetOrderExportGenesis(order...)
	a.migrate = module.NewConfigurator(a.codec, a.MsgServiceRouter(), a.GRPCQueryRouter())
	return a.manager.RegisterServices(a.migrate)
}

func (a *App) preBlock(ctx sdk.Context, req *abci.RequestFinalizeBlock) (*sdk.ResponsePreBlock, error) {
	response, err := a.manager.PreBlock(ctx)
	if err == nil {
		a.advanceBeacon(ctx, req)
	}
	if err == nil && a.solo != nil {
		err = a.solo.Edit(ctx)
	}
	return response, err
}

func (a *App) initChain(ctx sdk.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	var state map[string]json.RawMessage
	if err := json.Unmarshal(req.AppStateBytes, &state); err != nil {
		return nil, fmt.Errorf("genesis app state: %w", err)
	}
	if err := a.Upgrade.SetModuleVersionMap(ctx, a.manager.GetVersionMap()); err != nil {
		return nil, err
	}
	answer, err := a.manager.InitGenesis(ctx, a.codec, state)
	if err != nil {
		return nil, err
	}
	for _, name := range open { // before a payment would make an ordinary account there
		a.Account.GetModuleAccount(ctx, name)
	}
	return answer, nil
}

func (a *App) onPendingTx(hash common.Hash) {
	for _, listen := range a.pending {
		listen(hash)
	}
}

// RegisterPendingTxListener lets the JSON-RPC server see transactions that enter the mempool. Call it before the
// node starts.
func (a *App) RegisterPendingTxListener(listen func(common.Hash)) {
	a.pending = append(a.pending, listen)
}

// Mempool is the app-side pool; nil in a solo app.
func (a *App) Mempool() *evmmempool.Mempool { return a.mempool }

// TxConfig says how transactions are encoded and signed.
func (a *App) TxConfig() client.TxConfig { return a.txConfig }

// Codec encodes the messages of all modules.
func (a *App) Codec() codec.Codec { return a.codec }

// InterfaceRegistry knows the message types of all modules.
func (a *App) InterfaceRegistry() types.InterfaceRegistry { return a.registry }

// RegisterAPIRoutes does nothing: the SDK's REST gateway is not offered.
func (a *App) RegisterAPIRoutes(*api.Server, config.APIConfig) {}

// RegisterTxService answers queries about transactions through c.
func (a *App) RegisterTxService(c client.Context) {
	authtx.RegisterTxService(a.GRPCQueryRouter(), c, a.Simulate, a.registry)
}

// RegisterTendermintService answers queries about blocks through c.
func (a *App) RegisterTendermintService(c client.Context) {
	cmtservice.RegisterTendermintService(c, a.GRPCQueryRouter(), a.registry, server.NewCometABCIWrapper(a).Query)
}

// RegisterNodeService answers queries about the node's configuration.
func (a *App) RegisterNodeService(c client.Context, cfg config.Config) {
	nodeservice.RegisterNodeService(c, a.GRPCQueryRouter(), cfg, a.LastBlockHeight)
}

// Close stops the mempool's goroutines and closes the database. The consensus node must have stopped before.
func (a *App) Close() error {
	var err error
	if a.mempool != nil {
		err = a.mempool.Close()
	}
	return errors.Join(err, a.BaseApp.Close())
}
