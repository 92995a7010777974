// Package prevrandao gives Ethereum's opcode PREVRANDAO (EIP-4399) its value: that of the chain's beacon for the block before. cosmos/evm
// sets a constant in the context of each block and has no hook for it, but an EIP of one's own may give an opcode another price, and the
// function of the price sees the EVM with its state before the opcode runs. So the price, which stays Ethereum's, looks the value up.
// It owns where the values lie. It must not import the app. Why: docs/adr/025.
package prevrandao

import (
	"encoding/binary"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
)

// Address is the account in whose storage the beacon's values lie, that of the precompile that reads them.
var Address = common.HexToAddress("0x0000000000000000000000000000000000000906")

// EIP is the number under which the parameters of a chain's EVM switch the opcode on.
const EIP = 4399

// Slot is the word of storage that keeps the value of a height.
func Slot(height protocol.Height) (slot common.Hash) {
	binary.BigEndian.PutUint64(slot[24:], beacon.Slot(height))
	return slot
}

var once sync.Once

// Register makes the EIP known to this process. Call it before the first EVM is made.
func Register() {
	once.Do(func() {
		if err := vm.ExtendActivators(map[int]func(*vm.JumpTable){EIP: enable}); err != nil {
			panic(err) // geth has taken the number
		}
	})
}

func enable(table *vm.JumpTable) { table[vm.PREVRANDAO].SetDynamicGas(lookUp) }

// lookUp sets the context's random value and costs nothing beyond the opcode's constant price. The state's own cache makes it one read of the
// store for each transaction. Where no value is kept, the constant stays.
func lookUp(evm *vm.EVM, _ *vm.Contract, _ *vm.Stack, _ *vm.Memory, _ uint64) (uint64, error) {
	if number := evm.Context.BlockNumber; number != nil && number.IsUint64() && number.Sign() > 0 {
		if value := evm.StateDB.GetState(Address, Slot(protocol.Height(number.Uint64()-1))); value != (common.Hash{}) {
			evm.Context.Random = &value
		}
	}
	return 0, nil
}
