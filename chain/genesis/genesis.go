// Package genesis writes the first state of a network: its validators with their stake, funded accounts, and the
// parameters of every module. The same Spec gives the same bytes. It must not import the app.
package genesis

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"cosmossdk.io/math"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	feemarkettypes "github.com/cosmos/evm/x/feemarket/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/mutirao/mutirao/chain/encoding"
	"github.com/mutirao/mutirao/chain/network"
	beaconreads "github.com/mutirao/mutirao/chain/precompile/beacon"
	"github.com/mutirao/mutirao/chain/precompile/credits"
	"github.com/mutirao/mutirao/chain/precompile/infer"
	marketreads "github.com/mutirao/mutirao/chain/precompile/market"
	"github.com/mutirao/mutirao/chain/precompile/registry"
	"github.com/mutirao/mutirao/chain/precompile/request"
	"github.com/mutirao/mutirao/chain/prevrandao"
	beaconhost "github.com/mutirao/mutirao/chain/x/beacon"
	commonshost "github.com/mutirao/mutirao/chain/x/commons"
	markethost "github.com/mutirao/mutirao/chain/x/market"
	paramshost "github.com/mutirao/mutirao/chain/x/params"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/params"
)

// ErrSpec reports a Spec that cannot make a network.
var ErrSpec = errors.New("genesis spec")

// defaultStake is what each validator has bonded, in MUT.
const defaultStake = 1_000_000

// maxStake bounds it: CometBFT's votes are of 63 bits in all.
const maxStake = 1_000_000_000_000

// maxAmountBits bounds one account's coins so that no sum of them can leave the bank's 256 bits.
const maxAmountBits = 192

// maxBlockBytes bounds a block: room for several of the largest model artifacts.
const maxBlockBytes = 4 << 20

// Balance funds one account.
type Balance struct {
	Address protocol.Account
	Amount  money.Amount
}

// Spec is what a genesis is made from.
type Spec struct {
	Time       time.Time // when the first block may be made; kept to the second, in UTC
	Validators []Keys
	Stake      uint64          // of each validator, in MUT; 0 for a million
	Accounts   []Balance       // distinct addresses, amounts above zero
	Market     *market.Params  // nil for the rules' default; its accounts are filled in
	Commons    *commons.Params // the same
	Changes    *params.Terms   // pace of changes that governance decides; nil for the rules' default
	Voting     time.Duration   // how long a proposal is voted about; 0 for three days

	// Numbers of the network that begin with another value, by name: those of Settable.
	Numbers map[string]uint64
}

// New makes the genesis document. Validators have equal stake; the bonded pool and the supply are the exact sums. It
// returns ErrSpec for no validators, a repeated address or an amount of zero.
func New(s Spec) (*cmttypes.GenesisDoc, error) {
	enc := encoding.New()
	if len(s.Validators) == 0 {
		return nil, fmt.Errorf("%w: no validators", ErrSpec)
	}
	stake := int64(min(cmp.Or(s.Stake, defaultStake), maxStake))
	tokens := math.NewInt(stake).Mul(network.PowerReduction)
	doc := &cmttypes.GenesisDoc{
		ChainID:         network.ChainID,
		GenesisTime:     s.Time.UTC().Truncate(time.Second),
		InitialHeight:   1,
		ConsensusParams: cmttypes.DefaultConsensusParams(),
	}
	doc.ConsensusParams.Block.MaxBytes = maxBlockBytes
	doc.ConsensusParams.Block.MaxGas = network.BlockGas
	doc.ConsensusParams.Evidence.MaxBytes = maxBlockBytes / 4

	var signing []slashingtypes.SigningInfo
	var validators []stakingtypes.Validator
	var delegations []stakingtypes.Delegation
	for i, keys := range s.Validators {
		pub, err := cryptocodec.FromCmtPubKeyInterface(keys.Consensus.PubKey())
		if err != nil {
			return nil, fmt.Errorf("validator %d: %w", i, err)
		}
		packed, err := codectypes.NewAnyWithValue(pub)
		if err != nil {
			return nil, fmt.Errorf("validator %d: %w", i, err)
		}
		name := fmt.Sprintf("validator-%d", i)
		validators = append(validators, stakingtypes.Validator{
			OperatorAddress:   sdk.ValAddress(keys.Operator[:]).String(),
			ConsensusPubkey:   packed,
			Status:            stakingtypes.Bonded,
			Tokens:            tokens,
			DelegatorShares:   math.LegacyNewDecFromInt(tokens),
			Description:       stakingtypes.NewDescription(name, "", "", "", ""),
			UnbondingTime:     time.Unix(0, 0).UTC(),
			Commission:        stakingtypes.NewCommission(math.LegacyZeroDec(), math.LegacyZeroDec(), math.LegacyZeroDec()),
			MinSelfDelegation: math.OneInt(),
		})
		delegations = append(delegations, stakingtypes.NewDelegation(sdk.AccAddress(keys.Operator[:]).String(),
			sdk.ValAddress(keys.Operator[:]).String(), math.LegacyNewDecFromInt(tokens)))
		doc.Validators = append(doc.Validators, cmttypes.GenesisValidator{
			PubKey: keys.Consensus.PubKey(), Power: stake, Name: name,
		})
		consensus := sdk.ConsAddress(keys.Consensus.PubKey().Address())
		signing = append(signing, slashingtypes.SigningInfo{
			Address:              consensus.String(),
			ValidatorSigningInfo: slashingtypes.NewValidatorSigningInfo(consensus, 0, 0, time.Unix(0, 0).UTC(), false, 0),
		})
	}

	accounts, balances, supply, err := fund(s, tokens.MulRaw(int64(len(s.Validators))))
	if err != nil {
		return nil, err
	}

	begin := settings{stakingtypes.DefaultParams(), slashingParams(), doc.ConsensusParams}
	begin.staking.BondDenom = network.Denom
	if err := begin.setNumbers(s.Numbers); err != nil {
		return nil, err
	}
	states := map[string]proto.Message{
		authtypes.ModuleName: authtypes.NewGenesisState(authtypes.DefaultParams(), accounts),
		banktypes.ModuleName: banktypes.NewGenesisState(banktypes.DefaultParams(), balances, supply,
			[]banktypes.Metadata{coinMetadata()}, nil),
		stakingtypes.ModuleName:   stakingtypes.NewGenesisState(begin.staking, validators, delegations),
		slashingtypes.ModuleName:  slashingtypes.NewGenesisState(begin.slashing, signing, nil),
		govtypes.ModuleName:       govv1.NewGenesisState(1, govParams(s.Voting)),
		feemarkettypes.ModuleName: feeMarket(),
		evmtypes.ModuleName:       evm(),
	}
	raw := make(map[string]json.RawMessage, len(states)+4)
	for name, state := range states {
		if raw[name], err = enc.Codec.MarshalJSON(state); err != nil {
			return nil, fmt.Errorf("genesis of %s: %w", name, err)
		}
	}
	raw[beaconhost.ModuleName] = beaconhost.NewGenesis()
	if s.Market != nil {
		p := *s.Market
		p.Pool = protocol.Account(authtypes.NewModuleAddress(network.PoolAccount))
		p.Treasury = protocol.Account(authtypes.NewModuleAddress(network.TreasuryAccount))
		if raw[markethost.ModuleName], err = markethost.Genesis(p); err != nil {
			return nil, fmt.Errorf("genesis of the market: %w", err)
		}
	}
	if s.Commons != nil {
		p := *s.Commons
		p.Treasury = protocol.Account(authtypes.NewModuleAddress(network.TreasuryAccount))
		if raw[commonshost.ModuleName], err = commonshost.Genesis(p); err != nil {
			return nil, fmt.Errorf("genesis of the commons: %w", err)
		}
	}
	if s.Changes != nil {
		if raw[paramshost.ModuleName], err = paramshost.Genesis(*s.Changes); err != nil {
			return nil, fmt.Errorf("genesis of governed numbers: %w", err)
		}
	}
	if doc.AppState, err = json.Marshal(raw); err != nil { // maps are written in the order of their keys
		return nil, err
	}
	return doc, doc.ValidateAndComplete()
}

// fund lists the accounts and balances of s and of the bonded pool, ordered by address, with their sum.
func fund(s Spec, bonded math.Int) (authtypes.GenesisAccounts, []banktypes.Balance, sdk.Coins, error) {
	sorted := slices.Clone(s.Accounts)
	slices.SortFunc(sorted, func(a, b Balance) int { return a.Address.Compare(b.Address) })
	pool := sdk.NewCoins(sdk.NewCoin(network.Denom, bonded))
	accounts := authtypes.GenesisAccounts{}
	balances := []banktypes.Balance{{Address: authtypes.NewModuleAddress(stakingtypes.BondedPoolName).String(), Coins: pool}}
	supply := pool
	for i, b := range sorted {
		if i > 0 && b.Address == sorted[i-1].Address {
			return nil, nil, nil, fmt.Errorf("%w: account %s is funded twice", ErrSpec, b.Address)
		}
		if b.Amount.IsZero() {
			return nil, nil, nil, fmt.Errorf("%w: account %s has nothing", ErrSpec, b.Address)
		}
		if b.Amount.BitLen() > maxAmountBits {
			return nil, nil, nil, fmt.Errorf("%w: account %s has more than %d bits of coins", ErrSpec, b.Address, maxAmountBits)
		}
		address, coins := sdk.AccAddress(b.Address[:]), network.Coins(b.Amount)
		accounts = append(accounts, authtypes.NewBaseAccount(address, nil, uint64(i), 0))
		balances = append(balances, banktypes.Balance{Address: address.String(), Coins: coins})
		supply = supply.Add(coins...)
	}
	return accounts, balances, supply, nil
}

// coinMetadata describes the coin. The EVM reads the exponent of the display unit and refuses a chain without it.
func coinMetadata() banktypes.Metadata {
	return banktypes.Metadata{
		Description: "The coin of Mutirão",
		DenomUnits: []*banktypes.DenomUnit{
			{Denom: network.Denom, Exponent: 0},
			{Denom: network.DisplayDenom, Exponent: network.Decimals},
		},
		Base: network.Denom, Display: network.DisplayDenom, Name: "Mutirão", Symbol: network.DisplayDenom,
	}
}

func feeMarket() *feemarkettypes.GenesisState {
	state := feemarkettypes.DefaultGenesisState()
	state.Params.NoBaseFee = false
	state.Params.BaseFee = math.LegacyNewDec(network.MinGasPrice)
	state.Params.MinGasPrice = math.LegacyNewDec(network.MinGasPrice)
	// The default charges half of the gas limit whatever was used.
	state.Params.MinGasMultiplier = math.LegacyZeroDec()
	return state
}

func evm() *evmtypes.GenesisState {
	state := evmtypes.DefaultGenesisState()
	state.Params.EvmDenom = network.Denom
	state.Params.ExtendedDenomOptions = &evmtypes.ExtendedDenomOptions{ExtendedDenom: network.Denom}
	state.Params.ActiveStaticPrecompiles = []string{ // in ascending order
		infer.Address.Hex(), registry.Address.Hex(), marketreads.Address.Hex(), credits.Address.Hex(), request.Address.Hex(), beaconreads.Address.Hex(),
	}
	state.Params.ExtraEIPs = []int64{network.NoBlobs, prevrandao.EIP}
	// Contracts that Ethereum's tools expect at fixed addresses (CREATE2 deployer, Multicall3).
	state.Preinstalls = evmtypes.DefaultPreinstalls
	return state
}

// slashingParams give a validator three quarters of an hour of absence at a block a second before it is set aside, for ten minutes and
// without much cost: who signs two blocks at one height loses a twentieth of its stake and never comes back.
func slashingParams() slashingtypes.Params {
	p := slashingtypes.DefaultParams()
	p.SignedBlocksWindow = 5400
	p.SlashFractionDowntime = math.LegacyNewDecWithPrec(1, 4)
	return p
}

// govParams are the SDK's with a deposit of 100 MUT, which comes back unless a third vetoes.
func govParams(voting time.Duration) govv1.Params {
	p := govv1.DefaultParams()
	if voting == 0 {
		voting = 72 * time.Hour
	}
	urgent := voting / 2
	p.VotingPeriod, p.ExpeditedVotingPeriod = &voting, &urgent
	deposit := network.PowerReduction.MulRaw(100)
	p.MinDeposit = sdk.NewCoins(sdk.NewCoin(network.Denom, deposit))
	p.ExpeditedMinDeposit = sdk.NewCoins(sdk.NewCoin(network.Denom, deposit.MulRaw(5)))
	return p
}
