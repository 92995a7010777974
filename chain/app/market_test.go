package app_test

import (
	"errors"
	"testing"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	markethost "github.com/mutirao/mutirao/chain/x/market"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	rules "github.com/mutirao/mutirao/protocol/work"
)

// named is a module's account.
func named(module string) (a protocol.Account) {
	copy(a[:], authtypes.NewModuleAddress(module))
	return a
}

// TestMarketThroughTheChain leases a machine by transactions: an ask, a sealed bid, its opening, the batch, the lease to its
// last payment.
func TestMarketThroughTheChain(t *testing.T) {
	provider, buyer := newPerson(t, 1), newPerson(t, 2)
	s := &story{chain: newChain(t, provider, buyer)}
	class := market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}
	s.must(provider, market.PlaceAsk{Class: class, Units: 2, Reserve: 1_000_000_000, Until: 10_000, UnitBond: money.MUT(1)})

	terms := market.Terms{Whole: true, Tenors: 1, Alternatives: []market.Alternative{{Class: class, Units: 2, Limit: 3_000_000_000}}}
	params := market.DefaultParams(protocol.Account{}, protocol.Account{})
	for s.height%10 != 0 {
		s.block()
	}
	batch, salt := params.Batch(protocol.Height(s.height+1)), hashOf(7)
	seal := market.TermsSeal(terms, buyer.Account(), batch, salt)
	open := market.OpenBid{Bid: market.BidID(buyer.Account(), batch, seal), Terms: terms, Salt: salt}
	s.must(buyer, market.SealBid{Seal: seal, Deposit: money.MUT(10), Batch: batch})
	if err := s.submit(buyer, open); !errors.Is(err, protocol.ErrPhase) {
		t.Errorf("opened while bids are sealed: %v", err)
	}
	for s.height%10 != 5 {
		s.block()
	}
	s.must(buyer, open)
	for s.height%10 != 9 {
		s.block()
	}
	id := market.LeaseID(open.Bid, market.AskID(provider.Account(), class))
	s.must(provider, market.AcceptLease{Lease: id})
	lease := func() market.Lease {
		l, err := s.app.Market.Lease(s.context(), id, escrow.Free)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := lease(); l.Status != market.Running || l.Quote.Buyer != 2_000_000_000 || l.Cost != money.MUT(4) {
		t.Fatalf("lease %+v", l)
	}
	for lease().Status != market.Closed && s.height < 300 {
		s.block()
	}
	if got := s.balance(named(network.TreasuryAccount)); got != money.MUT(4).Part(1, 100) {
		t.Errorf("the treasury has %s", got.Coins())
	}
	if got := s.balance(named(network.PoolAccount)); got != money.MUT(4).Part(2, 100) {
		t.Errorf("the pool has %s", got.Coins())
	}
	if got := s.balance(named(markethost.ModuleName)); got != money.MUT(2) {
		t.Errorf("the escrow holds %s, the bond of the ask is 2 MUT", got.Coins())
	}
	earned := money.MUT(4).Part(92, 100)
	due, has := wealth.Minus(money.MUT(2)).Plus(earned), s.balance(provider.Account())
	if has.Compare(due) > 0 || due.Minus(has).Compare(money.MUT(1)) > 0 {
		t.Errorf("the provider has %s, due are %s less gas", has.Coins(), due.Coins())
	}
	s.moved()
}

// TestARunHiresThroughTheMarket: a provider becomes a member by a lease, at its price, and by nothing else.
func TestARunHiresThroughTheMarket(t *testing.T) {
	s := &story{author: newPerson(t, 1), provider: newPerson(t, 2), verifier: newPerson(t, 3)}
	s.chain = newChain(t, s.author, s.provider, s.verifier)
	class := market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}
	data := registry.RegisterDataset{Root: hashOf(1), Blob: hashOf(2), Schema: hashOf(3), Records: 1, RecordSize: 1, Name: "n", Licence: "l"}
	spec := rules.DefaultSpec()
	spec.Name, spec.Dataset, spec.Program, spec.InferenceProgram = "n", registry.DatasetID(s.author.Account(), data), hashOf(1), hashOf(1)
	spec.Params, spec.Initial = params, rules.StateRef{Model: hashOf(1), Outer: hashOf(1), Blob: hashOf(1)}
	spec.Rounds, spec.Steps, spec.MaxUnits = 1, 1, 1
	spec.Price.PerUnit, spec.ProviderBond, spec.VerifierBond = money.MUT(10), money.MUT(1), money.MUT(1)
	spec.Market = &rules.Market{Class: class}
	create := rules.CreateRun{Spec: spec}
	s.run = rules.RunID(s.author.Account(), create)
	s.must(s.author, data, create)
	s.must(s.provider, market.PlaceAsk{Class: class, Units: 1, Reserve: 4_000_000_000, Until: 10_000, UnitBond: money.MUT(1)})
	if err := s.submit(s.provider, rules.Join{Run: s.run, Role: rules.Provider, Peer: "p"}); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("joining without a lease: %v", err)
	}
	take := market.TakeNow{Class: class, Units: 1, Tenors: 1, Limit: 10_000_000_000, Job: s.run, Metered: true}
	if err := s.submit(s.verifier, take); !errors.Is(err, protocol.ErrNotAssigned) {
		t.Errorf("a stranger hires for the run: %v", err)
	}
	s.must(s.author, take)
	id := market.LeaseID(market.TakeID(take, s.author.Account()), market.AskID(s.provider.Account(), class))
	join := rules.Join{Run: s.run, Role: rules.Provider, Peer: "p", Hire: &rules.Hire{Lease: id, Price: 4_000_000_000}}
	if err := s.submit(s.provider, join); !errors.Is(err, protocol.ErrNotAssigned) {
		t.Errorf("joining before the lease runs: %v", err)
	}
	s.must(s.provider, market.AcceptLease{Lease: id})
	dear := join
	dear.Hire = &rules.Hire{Lease: id, Price: 9_000_000_000}
	if err := s.submit(s.provider, dear); !errors.Is(err, protocol.ErrNotAssigned) {
		t.Errorf("at another price: %v", err)
	}
	if err := s.submit(s.verifier, join); !errors.Is(err, protocol.ErrNotAssigned) {
		t.Errorf("with somebody else's lease: %v", err)
	}
	s.must(s.provider, join)
	s.must(s.verifier, rules.Join{Run: s.run, Role: rules.Verifier, Peer: "v"})
	state := s.in(rules.PhaseCompute)
	if m, ok := state.Member(s.provider.Account()); !ok || m.Price != money.MUT(4) {
		t.Errorf("member %+v", m)
	}
	if got := s.balance(named(markethost.ModuleName)); got != money.MUT(1) {
		t.Errorf("the market holds %s: a metered lease costs nothing by itself, the bond is 1 MUT", got.Coins())
	}
	s.moved()
}
