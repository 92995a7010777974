package app_test

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	creditsprecompile "github.com/mutirao/mutirao/chain/precompile/credits"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	rules "github.com/mutirao/mutirao/protocol/work"
)

// spendable is what an account can send.
func (c *chain) spendable(p person) money.Amount {
	c.t.Helper()
	who := p.Account()
	a, err := network.Amount(c.app.Bank.SpendableCoin(c.context(), who[:], network.Denom).Amount)
	if err != nil {
		c.t.Fatal(err)
	}
	if got, err := money.Parse(c.app.EVM.SpendableCoin(c.context(), common.Address(who)).Dec()); err != nil || got != a {
		c.t.Errorf("to the EVM %s can be sent, to the bank %s: %v", got, a, err)
	}
	return a
}

// TestEarnedCreditIsUsableAtOnceAndSentLater: pay from work starts the earner's own jobs, is its bonds and pays its fees at once. Nothing
// sends it to others before it has vested: no message of the bank, no Ethereum transaction.
func TestEarnedCreditIsUsableAtOnceAndSentLater(t *testing.T) {
	const epoch, vest = 40, 2
	s := finishRunWith(t, func(g *genesis.Spec) {
		p := commons.DefaultParams([20]byte{})
		p.EpochBlocks, p.VestEpochs = epoch, vest
		g.Commons = &p
	})
	earned := money.MUT(85).Part(1, 10)
	has := s.balance(s.provider.Account())
	if got := s.spendable(s.provider); got != has.Minus(earned) {
		t.Fatalf("of %s it can send %s, it earned %s", has.Coins(), got.Coins(), earned.Coins())
	}
	from, to := s.provider.Account(), s.author.Account()
	address := common.Address(to)
	all := has.Minus(money.MUT(1)) // more than what is free, and enough for fees
	refused := func(how string, code uint32) {
		t.Helper()
		if code == 0 {
			t.Errorf("%s sent earned credit", how)
		}
	}
	refused("a message of the bank", s.native(s.provider, 300_000, banktypes.NewMsgSend(from[:], to[:], network.Coins(all))).Code)
	half := network.Coins(all.Part(1, 2))
	refused("a message to many", s.native(s.provider, 300_000, &banktypes.MsgMultiSend{
		Inputs:  []banktypes.Input{banktypes.NewInput(from[:], half.Add(half...))},
		Outputs: []banktypes.Output{banktypes.NewOutput(to[:], half), banktypes.NewOutput(to[:], half)},
	}).Code)
	refused("an Ethereum transaction", s.block(s.signedEthereum(s.provider, &address, all, 21_000, nil))[0].Code)
	if got := s.balance(s.provider.Account()); got.Compare(all) < 0 {
		t.Fatalf("the provider has %s", got.Coins())
	}

	// Free coins go as before, by either way; what is left is earned.
	if r := s.ethereum(s.provider, &address, money.MUT(500), 21_000, nil); r.Failed() {
		t.Fatal(r.VmError)
	}
	rest := s.spendable(s.provider).Minus(money.New(300_000 * network.MinGasPrice))
	if r := s.native(s.provider, 300_000, banktypes.NewMsgSend(from[:], to[:], network.Coins(rest))); r.Code != 0 {
		t.Fatal(r.Log)
	}
	if got := s.spendable(s.provider); got.Compare(money.MUT(1).Part(1, 1000)) > 0 {
		t.Fatalf("%s are left to send", got.Coins())
	}

	// With nothing but credit it pays fees, a run of its own and a bond; what comes back is credit again.
	spec := s.state().Spec
	spec.Price.PerUnit, spec.ProviderBond = money.MUT(5), money.MUT(1)
	s.must(s.provider, rules.CreateRun{Spec: spec, Nonce: 3})
	class := market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}
	s.must(s.provider, market.PlaceAsk{Class: class, Units: 1, Reserve: 1, Until: 10_000, UnitBond: money.MUT(2)})
	s.must(s.provider, market.WithdrawAsk{Ask: market.AskID(from, class)})
	if got := s.balance(from); got.Compare(money.MUT(2)) < 0 {
		t.Fatalf("%s are left", got.Coins())
	}
	refused("what came back of a bond", s.native(s.provider, 300_000, banktypes.NewMsgSend(from[:], to[:], network.Coins(money.MUT(2)))).Code)
	if amount, free := s.earnedBy(s.provider); amount.Compare(money.MUT(2)) < 0 || free <= uint64(s.height) {
		t.Errorf("contracts see %s earned, free from block %d", amount.Coins(), free)
	}
	jobs, err := s.app.Commons.Jobs(s.context())
	if err != nil || jobs.Count != 2 || jobs.FromCredit != 1 || jobs.Earned != money.MUT(5) || jobs.SharePPM() != 333_333 {
		t.Errorf("%+v, %v", jobs, err)
	}

	// After two whole epochs it is as free as any coin.
	for s.height%epoch != 0 || s.height < (vest+1)*epoch {
		s.block()
	}
	if r := s.native(s.provider, 300_000, banktypes.NewMsgSend(from[:], to[:], network.Coins(money.MUT(2)))); r.Code != 0 {
		t.Error(r.Log)
	}
	if amount, free := s.earnedBy(s.provider); !amount.IsZero() || free != 0 {
		t.Errorf("after two epochs contracts see %s earned, free from block %d", amount.Coins(), free)
	}
	s.audit()
}

// earnedBy is what contracts see of an account's credit.
func (c *chain) earnedBy(who person) (money.Amount, uint64) {
	c.t.Helper()
	credits := readABI(c.t, "ICredits")
	raw, err := c.ethCall(who, creditsprecompile.Address, pack(c.t, credits, "earned", common.Address(who.Account())))
	if err != nil {
		c.t.Fatal(err)
	}
	values, err := credits.Unpack("earned", raw)
	if err != nil {
		c.t.Fatal(err)
	}
	amount, err := money.Parse(values[0].(*big.Int).String())
	if err != nil {
		c.t.Fatal(err)
	}
	return amount, values[1].(uint64)
}
