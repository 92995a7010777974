package app_test

import (
	"errors"
	"testing"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	rules "github.com/mutirao/mutirao/protocol/work"
)

// TestANewcomerBeginsWithoutCoins: a fresh key that owns nothing joins a calibration run of the commons, works, is paid four fifths of the
// class's price, has a bond of a fifth of that, and then pays for what it does itself.
func TestANewcomerBeginsWithoutCoins(t *testing.T) {
	s := finishRunWith(t, commonsParams)
	class := market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}
	s.must(s.provider, market.PlaceAsk{Class: class, Units: 1, Reserve: 100_000_000, Until: 10_000, UnitBond: money.MUT(1)})

	m := commons.Propose{Spec: s.state().Spec, Purpose: "calibration"}
	m.Spec.Calibration, m.Spec.Market, m.Spec.Rounds, m.Spec.MaxUnits, m.Spec.Price.PerUnit = true, &rules.Market{Class: class}, 3, 1, part(1, 60)
	m.Spec.ProviderBond, m.Spec.VerifierBond, m.Spec.Vesting = money.MUT(1), money.MUT(1), rules.Vesting{Rounds: 1}
	if err := s.submit(s.author, m); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("a calibration run that does not audit every unit: %v", err)
	}
	m.Spec.Audit.FloorPPM = rules.PPM
	s.must(s.author, m)
	s.run = rules.RunID(named(network.TreasuryAccount), m.Run())
	s.must(s.author, commons.Vote{Proposal: s.run, Amount: money.MUT(40)})
	for s.proposal(s.run).Status == commons.Open && s.height < 200 {
		s.block()
	}
	s.in(rules.PhaseGather)

	newcomer, supply := newPerson(t, 9), s.supply()
	join := rules.Join{Run: s.run, Role: rules.Provider, Peer: "p", Newcomer: true}
	if err := s.submit(newcomer, registry.RegisterDataset{Root: hashOf(1), Blob: hashOf(2), Schema: hashOf(3), Records: 1, RecordSize: 1, Name: "n", Licence: "l"}); err == nil {
		t.Error("anything is free for an account without coins")
	}
	s.must(newcomer, join)
	if err := s.submit(newcomer, join); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("joining twice: %v", err)
	}
	s.must(s.verifier, rules.Join{Run: s.run, Role: rules.Verifier, Peer: "v"})
	s.provider = newcomer
	s.work(s.weights) // its pay is kept back for a round
	s.work(s.weights)

	state := s.in(rules.PhaseCompute) // of the third round
	self, _ := state.Member(newcomer.Account())
	joined, err := s.app.CreateQueryContext(int64(self.Joined), false)
	if err != nil {
		t.Fatal(err)
	}
	base, err := s.app.Market.Base(joined, class, escrow.Free) // it has fallen since the ask, which nobody takes
	if err != nil || base == 0 || base >= 100_000_000 {
		t.Fatal(base, err)
	}
	pay := self.Price.Part(85, 100) // less verifiers and burn
	if self.Price != part(1, 60) || market.Amount(base*4/5).Compare(self.Price) < 0 || self.Bond != pay.Part(1, 5) || s.balance(newcomer.Account()) != pay.Minus(pay.Part(1, 5)) {
		t.Errorf("price %s, bond %s, balance %s", self.Price.Coins(), self.Bond.Coins(), s.balance(newcomer.Account()).Coins())
	}
	if got := s.spendable(newcomer); !got.IsZero() {
		t.Errorf("it can send %s of what it has just earned", got.Coins())
	}
	if got := s.supply(); got.Compare(supply) <= 0 {
		t.Errorf("its pay was not minted: supply %s, was %s", got.Coins(), supply.Coins())
	}
	before := s.balance(newcomer.Account()) // what it does now costs a fee, of credit
	s.must(newcomer, market.PlaceAsk{Class: class, Units: 1, Reserve: 1, Until: 10_000, UnitBond: part(1, 1)})
	if got := s.balance(newcomer.Account()); got.Compare(before.Minus(part(1, 1))) >= 0 {
		t.Errorf("it has %s of %s: no fee", got.Coins(), before.Coins())
	}
	s.audit()
	s.work(s.weights)
	s.in(rules.PhaseFinished)
	if got := s.balance(newcomer.Account()); got.Plus(part(1, 2)).Compare(pay.Times(3)) < 0 {
		t.Errorf("after three units it has %s", got.Coins())
	}
	s.audit()
}
