// Package network holds what every part of the ledger must agree on before it can speak with another: the coin, the
// address prefix, the chain ids and the price of gas. It keeps no state apart from the SDK's process-wide
// configuration, which Configure sets once; it must not import the app.
package network

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"os"
	"sync"

	"github.com/ethereum/go-ethereum/core/vm"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

const (
	// ChainID names the chain to CometBFT and is part of every signature.
	ChainID = "mutirao-1"

	// EVMChainID is the EIP-155 id. It is cosmos/evm's default because that is the only id with which several apps can
	// live in one process.
	EVMChainID = 262144

	// Denom is the base coin; DisplayDenom is 10^Decimals of it.
	Denom        = "amut"
	DisplayDenom = "MUT"
	Decimals     = 18

	// AddressPrefix is the bech32 prefix of accounts. Ours are shown in hex; the SDK's own modules print this form.
	AddressPrefix = "mut"

	// PoolAccount and TreasuryAccount are the module accounts of validators and verifiers, and of the community. Nothing pays
	// out of the pool yet; the treasury is the author of the runs that the commons grants.
	PoolAccount     = "pool"
	TreasuryAccount = "treasury"

	// MinGasPrice is the floor of the base fee, in amut per gas. A million gas costs 10^-9 MUT at this price, so a
	// newcomer can work with almost nothing; blocks fuller than half raise the base fee by an eighth each (EIP-1559),
	// which is what makes spam expensive.
	MinGasPrice = 1000

	// BlockGas bounds the work of one block, so that whatever fills it is executed within a second, and what people do all day within half of
	// one (docs/infer-gas.md). It has room for the largest upload, redemption of vouchers or inference in one transaction.
	BlockGas = 40_000_000

	// MaxTxBytes bounds one transaction. It leaves room for the largest model artifact (256 KiB) with its envelope.
	MaxTxBytes = 1 << 20
)

// PowerReduction is the stake that counts as one unit of voting power: one MUT.
var PowerReduction = math.NewIntWithDecimal(1, Decimals)

// NoBlobs is the number under which the EVM's parameters switch on an opcode BLOBBASEFEE that answers 0. There are no blobs, and
// the EVM module leaves their fee out, at which the opcode of EIP-7516 would panic.
const NoBlobs = 1_007_516

var configured sync.Once

// Configure sets the process-wide globals of the SDK and the EVM: address prefixes, power reduction, and no extra
// opcodes (the activators must be empty before the first of several apps in a process). Calls after the first do
// nothing.
func Configure() {
	configured.Do(func() {
		// The SDK keeps a configuration for each scope, and unless the scope has a name it asks the kernel for the program and the host
		// at each address that it prints: a tenth of a transfer's time.
		if os.Getenv(sdk.EnvConfigScope) == "" {
			_ = os.Setenv(sdk.EnvConfigScope, ChainID) // it fails for malformed names alone
		}
		c := sdk.GetConfig()
		c.SetBech32PrefixForAccount(AddressPrefix, AddressPrefix+"pub")
		c.SetBech32PrefixForValidator(AddressPrefix+"valoper", AddressPrefix+"valoperpub")
		c.SetBech32PrefixForConsensusNode(AddressPrefix+"valcons", AddressPrefix+"valconspub")
		c.Seal()
		sdk.DefaultPowerReduction = PowerReduction
		sdk.DefaultBondDenom = Denom
		evmtypes.DefaultCosmosEVMActivators = nil
		if err := vm.ExtendActivators(map[int]func(*vm.JumpTable){NoBlobs: func(t *vm.JumpTable) { t[vm.BLOBBASEFEE] = t[vm.PUSH0] }}); err != nil {
			panic("network: " + err.Error()) // the number is taken by an EIP
		}
	})
}

// Coins writes an amount for the bank.
func Coins(a money.Amount) sdk.Coins {
	b := a.Bytes()
	return sdk.NewCoins(sdk.NewCoin(Denom, math.NewIntFromBigInt(new(big.Int).SetBytes(b[:]))))
}

// Amount reads a quantity of the native coin from the bank. The bank keeps it within 256 bits and never negative, which
// is also the range of money.Amount.
func Amount(i math.Int) (money.Amount, error) { return money.Parse(i.String()) }

// NewcomerNumber is the number of an account that its own first transaction makes: it must be known before, because it is signed. The first bit
// keeps it apart from those that count up; the SDK draws the numbers of other new accounts in the same range.
func NewcomerNumber(of protocol.Account) uint64 {
	digest := sha256.Sum256(append([]byte("mutirao/newcomer"), of[:]...))
	return binary.BigEndian.Uint64(digest[:8]) | 1<<63
}
