package app_test

import (
	"encoding/json"
	"math/rand"
	"testing"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/crypto"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	authsim "github.com/cosmos/cosmos-sdk/x/auth/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banksim "github.com/cosmos/cosmos-sdk/x/bank/simulation"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	evidencesim "github.com/cosmos/cosmos-sdk/x/evidence/simulation"
	govsim "github.com/cosmos/cosmos-sdk/x/gov/simulation"
	slashingsim "github.com/cosmos/cosmos-sdk/x/slashing/simulation"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingsim "github.com/cosmos/cosmos-sdk/x/staking/simulation"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/evm/crypto/ethsecp256k1"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/encoding"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	paramrules "github.com/mutirao/mutirao/protocol/params"
)

// randomPeople makes n accounts with keys of this chain's kind; the SDK's own random accounts have others, which the app refuses.
func randomPeople(r *rand.Rand, n int) ([]person, []simtypes.Account) {
	network.Configure() // addresses are written in this chain's way
	people, accounts := make([]person, n), make([]simtypes.Account, n)
	for i := range people {
		var secret [32]byte
		for {
			r.Read(secret[:])
			key, err := client.NewKey(secret)
			if err != nil {
				continue // one of the few values that are no key
			}
			eth, err := crypto.ToECDSA(secret[:])
			if err != nil {
				continue
			}
			people[i] = person{key, eth}
			break
		}
		private := &ethsecp256k1.PrivKey{Key: secret[:]}
		address := sdk.AccAddress(private.PubKey().Address())
		accounts[i] = simtypes.Account{PrivKey: private, PubKey: private.PubKey(), Address: address, ConsKey: ed25519.GenPrivKeyFromSecret(secret[:]), AddressBech32: address.String()}
	}
	return people, accounts
}

// randomGenesis is a network with random parameters: of the SDK's modules as their own simulations draw them, of ours within the bounds of
// their rules. The first accounts are validators.
func randomGenesis(t testing.TB, r *rand.Rand, accounts []simtypes.Account, bonded int, start time.Time) *cmttypes.GenesisDoc {
	t.Helper()
	spec := genesis.Spec{Time: start, Validators: genesis.DeriveKeys([32]byte{1}, 1), Market: randomMarket(r), Commons: randomCommons(r),
		Changes: &paramrules.Terms{Delay: protocol.Height(1 + r.Intn(5)), Rest: protocol.Height(r.Intn(10)), Factor: uint64(2 + r.Intn(8))}}
	doc, err := genesis.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(doc.AppState, &state); err != nil {
		t.Fatal(err)
	}
	cdc := encoding.New().Codec
	metadata := banktypes.GetGenesisStateFromAppState(cdc, state).DenomMetadata
	sim := &module.SimulationState{
		AppParams: appParams(t, r, bonded), Cdc: cdc, Rand: r, GenState: state, Accounts: accounts, BondDenom: network.Denom, GenTimestamp: start,
		InitialStake: network.PowerReduction.MulRaw(1_000 + r.Int63n(20_000)).AddRaw(r.Int63n(1e12)), NumBonded: int64(bonded),
	}
	authsim.RandomizedGenState(sim, plainAccounts)
	banksim.RandomizedGenState(sim)
	stakingsim.RandomizedGenState(sim)
	slashingsim.RandomizedGenState(sim)
	govsim.RandomizedGenState(sim)
	evidencesim.RandomizedGenState(sim)

	// As in every genesis of this chain, who has the first stake is bonded.
	var stake stakingtypes.GenesisState
	cdc.MustUnmarshalJSON(state[stakingtypes.ModuleName], &stake)
	var slashing slashingtypes.GenesisState
	cdc.MustUnmarshalJSON(state[slashingtypes.ModuleName], &slashing)
	for i := range stake.Validators {
		stake.Validators[i].Status = stakingtypes.Bonded
		consensus := sdk.ConsAddress(accounts[i].ConsKey.PubKey().Address())
		slashing.SigningInfos = append(slashing.SigningInfos, slashingtypes.SigningInfo{
			Address: consensus.String(), ValidatorSigningInfo: slashingtypes.NewValidatorSigningInfo(consensus, 0, 0, time.Unix(0, 0).UTC(), false, 0),
		})
	}
	state[stakingtypes.ModuleName], state[slashingtypes.ModuleName] = cdc.MustMarshalJSON(&stake), cdc.MustMarshalJSON(&slashing)

	var bank banktypes.GenesisState
	cdc.MustUnmarshalJSON(state[banktypes.ModuleName], &bank)
	bank.Params.DefaultSendEnabled, bank.SendEnabled = true, nil // no genesis of this chain forbids sending, and no vote can
	bank.DenomMetadata = metadata                                // the EVM reads the coin's decimals there
	pool := sdk.NewCoins(sdk.NewCoin(network.Denom, sim.InitialStake.MulRaw(sim.NumBonded)))
	bank.Balances = append(bank.Balances, banktypes.Balance{Address: authtypes.NewModuleAddress(stakingtypes.BondedPoolName).String(), Coins: pool})
	state[banktypes.ModuleName] = cdc.MustMarshalJSON(&bank)
	doc.Validators = nil
	for _, a := range accounts[:bonded] {
		doc.Validators = append(doc.Validators, cmttypes.GenesisValidator{PubKey: cmted25519.PubKey(a.ConsKey.PubKey().Bytes()), Power: sim.InitialStake.Quo(network.PowerReduction).Int64()})
	}
	if doc.AppState, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	return doc
}

// plainAccounts: vesting accounts, of which the SDK would make some, are no part of this chain.
func plainAccounts(s *module.SimulationState) authtypes.GenesisAccounts {
	list := make(authtypes.GenesisAccounts, len(s.Accounts))
	for i, a := range s.Accounts {
		list[i] = authtypes.NewBaseAccount(a.Address, nil, uint64(i), 0)
	}
	return list
}

// appParams are the few that the SDK would draw so that nothing happens within a thousand blocks of half an hour, or one validator is left.
func appParams(t testing.TB, r *rand.Rand, bonded int) simtypes.AppParams {
	p := simtypes.AppParams{}
	set := func(name string, value any) {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		p[name] = raw
	}
	voting := time.Duration(4+r.Intn(20)) * time.Hour
	set(govsim.VotingPeriod, voting)
	set(govsim.ExpeditedVotingPeriod, voting/2)
	set(govsim.DepositPeriod, time.Duration(1+r.Intn(40))*time.Hour)
	set("max_validators", bonded+r.Intn(12))
	set(slashingsim.SignedBlocksWindow, 10+r.Intn(60))
	set(slashingsim.SlashFractionDoubleSign, math.LegacyNewDecWithPrec(1+r.Int63n(20), 2))
	set(slashingsim.SlashFractionDowntime, math.LegacyNewDecWithPrec(r.Int63n(100), 4))
	return p
}

func randomMarket(r *rand.Rand) *market.Params {
	p := market.DefaultParams(protocol.Account{}, protocol.Account{})
	p.BatchBlocks = uint64(6 + r.Intn(10))
	p.RevealBlocks = 2 + uint64(r.Intn(int(p.BatchBlocks)-4))
	p.AckBlocks, p.HoldbackBlocks = uint64(1+r.Intn(5)), uint64(r.Intn(40))
	p.Tenors = [4]uint64{uint64(2 + r.Intn(10)), uint64(20 + r.Intn(10)), uint64(40 + r.Intn(20)), uint64(100 + r.Intn(100))}
	p.Split.Provider, p.Split.Pool, p.Split.Treasury = uint64(5000+r.Intn(4000)), uint64(r.Intn(500)), uint64(r.Intn(500))
	p.SealFee, p.SilenceFee = uint64(r.Intn(2000)), uint64(r.Intn(2000))
	p.MinUnitBond = money.New(1 + r.Uint64()>>8)
	return &p
}

func randomCommons(r *rand.Rand) *commons.Params {
	p := commons.DefaultParams(protocol.Account{})
	p.StepBlocks, p.VoteSteps = uint64(1+r.Intn(3)), uint32(4+r.Intn(8))
	p.SwingSteps, p.MaxExtensions = uint32(r.Intn(3)), uint32(r.Intn(4))
	p.AskPPM, p.BasePPM, p.ElectoratePPM = 1_000_000-uint64(r.Intn(100_000)), uint64(1+r.Intn(100)), 1
	p.EpochBlocks, p.WindowEpochs, p.VestEpochs = uint64(5+r.Intn(100)), uint32(5+r.Intn(50)), uint32(r.Intn(6))
	p.Deposit = money.New(1 + r.Uint64()>>6)
	return &p
}
