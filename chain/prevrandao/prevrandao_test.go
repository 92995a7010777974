package prevrandao

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
)

// BenchmarkNewEVM measures what the EIP costs each transaction: geth copies its table of opcodes to change one of them.
func BenchmarkNewEVM(b *testing.B) {
	Register()
	block := vm.BlockContext{BlockNumber: big.NewInt(1), Random: &common.MaxHash}
	for name, eips := range map[string][]int{"without": nil, "with": {EIP}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				vm.NewEVM(block, nil, params.MergedTestChainConfig, vm.Config{ExtraEips: eips})
			}
		})
	}
}
