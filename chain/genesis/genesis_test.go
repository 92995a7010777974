package genesis_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

func spec() genesis.Spec {
	return genesis.Spec{
		Time:       time.Unix(1_700_000_000, 999),
		Validators: genesis.DeriveKeys([32]byte{1}, 3),
		Accounts: []genesis.Balance{
			{Address: protocol.Account{2}, Amount: money.MUT(7)}, {Address: protocol.Account{1}, Amount: money.New(1)},
		},
	}
}

func document(t *testing.T, s genesis.Spec) []byte {
	t.Helper()
	doc, err := genesis.New(s)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSameSpecSameBytes(t *testing.T) {
	want := document(t, spec())
	swapped := spec()
	swapped.Accounts[0], swapped.Accounts[1] = swapped.Accounts[1], swapped.Accounts[0]
	if !bytes.Equal(want, document(t, swapped)) {
		t.Error("the order of accounts shows")
	}
	other := spec()
	other.Validators = genesis.DeriveKeys([32]byte{2}, 3)
	if bytes.Equal(want, document(t, other)) {
		t.Error("the seed does not show")
	}
}

func TestSupplyIsTheSum(t *testing.T) {
	doc, err := genesis.New(spec())
	if err != nil {
		t.Fatal(err)
	}
	type coins []struct{ Amount string }
	var state struct {
		Bank struct {
			Supply   coins
			Balances []struct{ Coins coins }
		}
		Staking struct{ Validators []struct{ Tokens string } }
	}
	if err := json.Unmarshal(doc.AppState, &state); err != nil {
		t.Fatal(err)
	}
	add := func(sum *money.Amount, text string) {
		a, err := money.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		*sum = sum.Plus(a)
	}
	var supply, balances, bonded money.Amount
	add(&supply, state.Bank.Supply[0].Amount)
	for _, b := range state.Bank.Balances {
		add(&balances, b.Coins[0].Amount)
	}
	for _, v := range state.Staking.Validators {
		add(&bonded, v.Tokens)
	}
	if supply != balances || supply != bonded.Plus(money.MUT(7)).Plus(money.New(1)) {
		t.Errorf("supply %s, balances %s, bonded %s", supply, balances, bonded)
	}
	if len(doc.Validators) != 3 {
		t.Errorf("%d validators", len(doc.Validators))
	}
}

func TestImpossibleSpecs(t *testing.T) {
	for name, change := range map[string]func(*genesis.Spec){
		"no validators": func(s *genesis.Spec) { s.Validators = nil },
		"funded twice":  func(s *genesis.Spec) { s.Accounts[1].Address = s.Accounts[0].Address },
		"nothing":       func(s *genesis.Spec) { s.Accounts[0].Amount = money.Amount{} },
		"too much":      func(s *genesis.Spec) { s.Accounts[0].Amount = money.MUT(1 << 62).Times(1 << 62).Times(1 << 62) },
	} {
		s := spec()
		change(&s)
		if _, err := genesis.New(s); !errors.Is(err, genesis.ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
