// Package encoding knows how transactions and messages of this chain are written: the registry of message types and
// the transaction configuration, the same for the app, the genesis and the client. It must not import the app.
package encoding

import (
	"sync"

	"github.com/cosmos/cosmos-sdk/x/auth"
	"github.com/cosmos/cosmos-sdk/x/bank"
	"github.com/cosmos/cosmos-sdk/x/consensus"
	"github.com/cosmos/cosmos-sdk/x/evidence"
	feegrantmodule "github.com/cosmos/cosmos-sdk/x/feegrant/module"
	"github.com/cosmos/cosmos-sdk/x/gov"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	"github.com/cosmos/cosmos-sdk/x/staking"
	evmencoding "github.com/cosmos/evm/encoding"
	"github.com/cosmos/evm/x/feemarket"
	"github.com/cosmos/evm/x/vm"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/commons"
	"github.com/mutirao/mutirao/chain/x/dispute"
	"github.com/mutirao/mutirao/chain/x/market"
	"github.com/mutirao/mutirao/chain/x/params"
	"github.com/mutirao/mutirao/chain/x/registry"
	"github.com/mutirao/mutirao/chain/x/upgrade"
	"github.com/mutirao/mutirao/chain/x/work"
)

// making serialises New: cosmos/evm keeps the last codec in globals for EIP-712 signatures.
var making sync.Mutex

// New makes a fresh encoding configuration with the types of every module of the app. A fresh one per app, because
// apps seal and extend theirs.
func New() evmencoding.Config {
	network.Configure()
	making.Lock()
	defer making.Unlock()
	c := evmencoding.MakeConfig(network.EVMChainID)
	auth.AppModuleBasic{}.RegisterInterfaces(c.InterfaceRegistry)
	bank.AppModuleBasic{}.RegisterInterfaces(c.InterfaceRegistry)
	staking.AppModuleBasic{}.RegisterInterfaces(c.InterfaceRegistry)
	slashing.AppModuleBasic{}.RegisterInterfaces(c.InterfaceRegistry)
	evidence.AppModuleBasic{}.RegisterInterfaces(c.InterfaceRegistry)
	gov.AppModuleBasic{}.RegisterInterfaces(c.InterfaceRegistry)
	upgrade.RegisterInterfaces(c.InterfaceRegistry)
	feegrantmodule.AppModuleBasic{}.RegisterInterfaces(c.InterfaceRegistry)
	consensus.AppModuleBasic{}.RegisterInterfaces(c.InterfaceRegistry)
	feemarket.AppModuleBasic{}.RegisterInterfaces(c.InterfaceRegistry)
	vm.AppModuleBasic{}.RegisterInterfaces(c.InterfaceRegistry)
	registry.RegisterInterfaces(c.InterfaceRegistry)
	market.RegisterInterfaces(c.InterfaceRegistry)
	work.RegisterInterfaces(c.InterfaceRegistry)
	dispute.RegisterInterfaces(c.InterfaceRegistry)
	commons.RegisterInterfaces(c.InterfaceRegistry)
	params.RegisterInterfaces(c.InterfaceRegistry)
	c.TxConfig = strict{c.TxConfig}
	return c
}
