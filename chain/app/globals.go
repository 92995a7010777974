package app

import (
	"sync"

	"github.com/cosmos/evm/x/vm"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/prevrandao"
)

var globals sync.Once

// setGlobals tells the EVM its coin and its opcodes before the first block. The module would read it from state in the first block
// after a restart, but JSON-RPC and the mempool ask earlier, and several apps in one process would write it at once.
func setGlobals() {
	prevrandao.Register()
	globals.Do(func() {
		vm.SetGlobalConfigVariables(evmtypes.EvmCoinInfo{
			Denom: network.Denom, ExtendedDenom: network.Denom, DisplayDenom: network.DisplayDenom, Decimals: network.Decimals,
		})
	})
}
