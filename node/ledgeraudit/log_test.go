package ledgeraudit

import (
	"bytes"
	"fmt"
	"math/big"
	"testing"

	evmtypes "github.com/cosmos/evm/x/vm/types"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/mutirao/mutirao/audit"
	"github.com/mutirao/mutirao/chain/precompile/infer"
	registryprecompile "github.com/mutirao/mutirao/chain/precompile/registry"
	"github.com/mutirao/mutirao/contracts"
)

// What contracts did to models is read from the precompiles' logs in their order, and from nobody else's.
func TestActsOfContracts(t *testing.T) {
	topic := func(contract, event string) string {
		parsed, err := abi.JSON(bytes.NewReader(contracts.Load(contract).ABI))
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Events[event].ID.Hex()
	}
	word := func(n int64) string { return common.BigToHash(big.NewInt(n)).Hex() }
	data := common.BigToHash(big.NewInt(1000)).Bytes()
	log := func(at common.Address, topics ...string) *evmtypes.Log {
		return &evmtypes.Log{Address: at.Hex(), Topics: topics, Data: data}
	}
	used, moved, paid := topic("IInfer", "Used"), topic("IRegistry", "SharesMoved"), topic("IRegistry", "DividendPaid")
	stranger := common.Address{9}
	short := log(registryprecompile.Address, paid, word(7), word(2))
	short.Data = data[:31]
	list := newDecoder().acts([]*evmtypes.Log{
		log(infer.Address, used, word(7), word(1)),
		log(stranger, moved, word(7), word(1), word(2)), // says so, and is not the precompile
		log(registryprecompile.Address, moved, word(7), word(1), word(2)),
		log(registryprecompile.Address, moved, word(7), word(1)),
		log(registryprecompile.Address, word(5), word(7), word(1)),
		short,
		log(registryprecompile.Address, paid, word(7), word(2)),
	})
	model, one, two := audit.Hash{31: 7}, audit.Account{19: 1}, audit.Account{19: 2}
	want := []audit.ContractAct{
		{Kind: audit.ActUse, Model: model, From: one, Fee: big.NewInt(1000)},
		{Kind: audit.ActMove, Model: model, From: one, To: two, Parts: 1000},
		{Kind: audit.ActClaim, Model: model, To: two},
	}
	if fmt.Sprint(list) != fmt.Sprint(want) {
		t.Errorf("read %v, want %v", list, want)
	}
}
