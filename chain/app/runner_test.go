package app_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/ethereum/go-ethereum/common"

	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/network"
)

// TestCoresAndMemoryChangeNothing executes the same blocks on one core and on several, by nodes that have seen the transactions before and by
// some that have not: answers and states are the same, also of bytes that are no transaction and of one whose sender is not its signer.
func TestCoresAndMemoryChangeNothing(t *testing.T) {
	people := []person{newPerson(t, 1), newPerson(t, 2), newPerson(t, 3)}
	to := common.Address{7}
	var txs [][]byte
	maker := newChain(t, people...)
	for i := range 30 {
		txs = append(txs, maker.sign(people[i%3], uint64(i/3), &to, 21_000, nil))
	}
	garbage, forged := 5, 11
	txs[garbage] = []byte("no transaction")
	honest := maker.sign(people[0], 0, &to, 21_000, nil)
	txs[forged] = forge(t, maker, honest, people[1])

	run := func(cores int, seen bool) *abci.ResponseFinalizeBlock {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		c := newChain(t, people...)
		if seen {
			for _, raw := range append(txs, honest) {
				_, _ = c.app.TxDecode(raw)
			}
		}
		c.height++
		return c.execute(&abci.RequestFinalizeBlock{Height: c.height, Time: c.doc.GenesisTime.Add(time.Duration(c.height) * time.Second), Txs: txs, ProposerAddress: c.proposer})
	}
	want := run(1, false)
	for i, r := range want.TxResults {
		switch {
		case i == garbage:
			if r.Codespace != sdkerrors.RootCodespace || r.Code != sdkerrors.ErrTxDecode.ABCICode() {
				t.Errorf("garbage: %s %d", r.Codespace, r.Code)
			}
		case i == forged:
			if r.Code == 0 {
				t.Error("a transaction in another's name was executed")
			}
		case r.Code != 0 && i < forged && i%3 != garbage%3: // whose nonces have no gap
			t.Errorf("%d: %s", i, r.Log)
		}
	}
	for _, cores := range []int{1, 2, 8} {
		for _, seen := range []bool{false, true} {
			got := run(cores, seen)
			if !bytes.Equal(got.AppHash, want.AppHash) {
				t.Errorf("%d cores, seen %v: another state", cores, seen)
			}
			for i := range got.TxResults {
				if got.TxResults[i].String() != want.TxResults[i].String() {
					t.Errorf("%d cores, seen %v: transaction %d: %v, want %v", cores, seen, i, got.TxResults[i], want.TxResults[i])
				}
			}
		}
	}
}

// forge puts another's name on a signed transaction.
func forge(t *testing.T, c *chain, raw []byte, by person) []byte {
	t.Helper()
	tx, err := c.app.TxDecode(raw)
	if err != nil {
		t.Fatal(err)
	}
	msg, who := new(evmtypes.MsgEthereumTx), by.Account()
	msg.FromEthereumTx(tx.GetMsgs()[0].(*evmtypes.MsgEthereumTx).Raw.Transaction)
	msg.From = who[:]
	built, err := msg.BuildTx(c.app.TxConfig().NewTxBuilder(), network.Denom)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.app.TxConfig().TxEncoder()(built)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
