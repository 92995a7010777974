package app_test

import (
	"errors"
	"testing"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	commonshost "github.com/mutirao/mutirao/chain/x/commons"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	rules "github.com/mutirao/mutirao/protocol/work"
)

// commonsParams have short steps, and let a third of the stakes of a small network decide.
func commonsParams(s *genesis.Spec) {
	p := commons.DefaultParams(protocol.Account{})
	p.StepBlocks, p.VoteSteps, p.SwingSteps, p.EpochBlocks, p.AskPPM, p.ElectoratePPM = 5, 16, 2, 1000, 900_000, 1
	s.Commons = &p
}

func (s *story) summary() commons.Summary {
	s.t.Helper()
	v, err := s.app.Commons.Status(s.context())
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *story) proposal(id protocol.Hash) commons.Proposal {
	s.t.Helper()
	o, err := s.app.Commons.Proposal(s.context(), id, escrow.Free)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func part(whole uint64, n uint64) money.Amount { return money.MUT(whole).Part(n, 1000) }

// TestTheCommonsPaysForARun: coins that a first run burned, and what the treasury has, pay for a second one that was voted for. It
// hires its provider in the auction, its pay is minted when the round closes, and what it did not spend never comes into being.
func TestTheCommonsPaysForARun(t *testing.T) {
	s := finishRunWith(t, commonsParams)
	budget := s.state().Spec.Price.PerUnit.Part(1, 20) // 5 % of 10 MUT were burned
	if got := s.summary(); got.Free != budget || got.Burned != budget || !got.Minted.IsZero() {
		t.Fatalf("%+v", got)
	}
	treasury, from := named(network.TreasuryAccount), s.author.Account()
	if r := s.native(s.author, 300_000, banktypes.NewMsgSend(from[:], treasury[:], network.Coins(part(1, 30)))); r.Code != 0 {
		t.Fatal(r.Log)
	}

	// A run of two units at most for 0.1 MUT each, of which one will be computed.
	class := market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}
	m := commons.Propose{Spec: s.state().Spec, Nonce: 7, Purpose: "a model for all", Providers: 1, Tenors: 1}
	m.Spec.MaxUnits, m.Spec.Price.PerUnit, m.Spec.Market = 2, part(1, 100), &rules.Market{Class: class}
	m.Spec.ProviderBond, m.Spec.VerifierBond = money.MUT(1), money.MUT(1)
	unknown := m
	unknown.Spec.Dataset = hashOf(99)
	if err := s.submit(s.author, unknown); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("a run on unknown data: %v", err)
	}
	s.must(s.author, m)
	id := rules.RunID(treasury, m.Run())
	if err := s.submit(s.verifier, m); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("the same proposal again: %v", err)
	}
	s.must(s.author, commons.Vote{Proposal: id, Amount: money.MUT(30)})
	s.must(s.provider, commons.Vote{Proposal: id, Amount: money.MUT(20)})
	s.must(s.provider, commons.Vote{Proposal: id, Amount: money.MUT(10)})
	if got := s.balance(named(commonshost.ModuleName)); got != money.MUT(41) {
		t.Errorf("votes and deposit lock %s", got.Coins())
	}
	for s.proposal(id).Status == commons.Open && s.height < 200 {
		s.block()
	}
	if o := s.proposal(id); o.Status != commons.Granted {
		t.Fatalf("%+v", o)
	}
	s.run = id
	s.block() // stakes come back
	if got := s.balance(named(commonshost.ModuleName)); !got.IsZero() {
		t.Errorf("after the vote %s are locked", got.Coins())
	}
	s.audit()
	if got := s.summary(); got.Promised != part(1, 170) || got.Free != part(1, 330) || !got.Treasury.IsZero() || !got.Minted.IsZero() {
		t.Errorf("%+v", got)
	}
	before := s.supply()

	// The provider's ask is taken by the treasury's bid, which nobody sent.
	s.must(s.provider, market.PlaceAsk{Class: class, Units: 1, Reserve: 50_000_000, Until: 10_000, UnitBond: money.MUT(1)})
	var lease market.Lease
	for range 25 {
		s.block()
		list, err := s.app.Market.JobLeases(s.context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 {
			lease = list[0]
			break
		}
	}
	if lease.Buyer != treasury || !lease.Metered {
		t.Fatalf("lease %+v", lease)
	}
	price := market.Amount(lease.Quote.Buyer)
	s.must(s.provider, market.AcceptLease{Lease: lease.ID})
	s.must(s.provider, rules.Join{Run: id, Role: rules.Provider, Peer: "p", Hire: &rules.Hire{Lease: lease.ID, Price: lease.Quote.Buyer}})
	s.must(s.verifier, rules.Join{Run: id, Role: rules.Verifier, Peer: "v"})
	s.work(s.weights)
	s.in(rules.PhaseFinished)

	// The treasury's 0.03 MUT were spent first, the rest of the price was minted, and a twentieth of it burned.
	minted := price.Minus(part(1, 30))
	if got := s.summary(); got.Minted != minted || !got.Promised.IsZero() || got.Burned != budget.Plus(price.Part(1, 20)) || got.Free != got.Burned.Minus(minted) {
		t.Errorf("unit for %s: %+v", price.Coins(), got)
	}
	if got := s.supply(); got != before.Plus(minted).Minus(price.Part(1, 20)) {
		t.Errorf("supply %s, was %s", got.Coins(), before.Coins())
	}
	job, err := s.app.Commons.Job(s.context(), id)
	if err != nil || !job.Ended || job.Spent != price || job.Minted != minted {
		t.Errorf("%+v, %v", job, err)
	}
	var escrow protocol.Account
	copy(escrow[:], authtypes.NewModuleAddress("work"))
	if left := s.balance(escrow); !left.IsZero() {
		t.Errorf("the escrow of runs still holds %s", left.Coins())
	}
	s.audit()
	s.moved()
}

// A proposal that nobody votes for lapses and loses its deposit; whoever voted has their coins back.
func TestAProposalLapses(t *testing.T) {
	s := finishRunWith(t, commonsParams)
	m := commons.Propose{Spec: s.state().Spec, Purpose: "too dear", Providers: 1, Tenors: 1}
	m.Spec.Market = &rules.Market{Class: market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}}
	s.must(s.author, m)
	id := rules.RunID(named(network.TreasuryAccount), m.Run())
	s.must(s.provider, commons.Vote{Proposal: id, Amount: money.MUT(20)})
	supply, has := s.supply(), s.balance(s.provider.Account())
	for s.proposal(id).Status == commons.Open && s.height < 200 {
		s.block()
	}
	s.block()
	if o := s.proposal(id); o.Status != commons.Lapsed || !o.Stake.IsZero() {
		t.Errorf("%+v", o)
	}
	if got := s.balance(s.provider.Account()); got != has.Plus(money.MUT(20)) {
		t.Errorf("the voter has %s of %s", got.Coins(), has.Coins())
	}
	if got := s.supply(); got != supply {
		t.Errorf("its conviction was a part of what is needed, so its deposit returns: supply %s of %s", got.Coins(), supply.Coins())
	}
	s.audit()
}
