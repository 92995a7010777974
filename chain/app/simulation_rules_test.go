package app_test

import (
	"encoding/json"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/dispute/disputepb"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	rulesof "github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
	rules "github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/sim/books"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/bisect/bisecttest"
	"github.com/mutirao/mutirao/verify/trace"
)

// plot is what actors of a simulation remember. What became of it they read from the chain.
type plot struct {
	truth, lie *bisecttest.Toy
	artifact   []byte

	nonce     uint64
	data      []protocol.Hash
	toys      []protocol.Hash // datasets of the toy unit
	runs      []protocol.Hash // the latest
	ended     []protocol.Hash
	models    []protocol.Hash
	deposits  map[protocol.Hash]protocol.Account // owner of a model with its bytes on the chain
	uploads   []protocol.Hash
	channels  []protocol.Hash
	proposals []protocol.Hash
	sealed    []sealedBid
	packing   struct {
		batch uint64
		done  int
	}
	contractPlot
}

type sealedBid struct {
	owner person
	open  market.OpenBid
	batch uint64
}

// toys of a simulation: the referee knows the truth, and some workers lie about it in one step.
func newPlot(s *scene) *plot {
	truth := bisecttest.New(s.t, plain, bisecttest.Fault{}, -1)
	lie := bisecttest.New(s.t, plain, bisecttest.Fault{Kind: "flip", Step: 15, Value: truth.Inputs(), Element: 3}, -1)
	return &plot{truth: truth, lie: lie, artifact: graph.Encode(artifact(s.t)), deposits: map[protocol.Hash]protocol.Account{}}
}

// runsAtOnce are few, so that they come to an end.
const runsAtOnce = 5

func (s *scene) next() uint64 { s.nonce++; return s.nonce }

// remember adds to a list that keeps the latest few.
func remember(list *[]protocol.Hash, id protocol.Hash) {
	const most = 12
	if slices.Contains(*list, id) {
		return
	}
	if *list = append(*list, id); len(*list) > most {
		*list = (*list)[1:]
	}
}

// known keeps what the chain has.
func (s *scene) known(list []protocol.Hash, has func(protocol.Hash) bool) []protocol.Hash {
	return slices.DeleteFunc(slices.Clone(list), func(id protocol.Hash) bool { return !has(id) })
}

func (s *scene) knownModels() []protocol.Hash {
	return s.known(s.models, func(id protocol.Hash) bool { ok, err := s.app.Registry.HasModel(s.ctx, id); return err == nil && ok })
}

func (s *scene) knownData(list []protocol.Hash) []protocol.Hash {
	return s.known(list, func(id protocol.Hash) bool { ok, err := s.app.Registry.HasDataset(s.ctx, id); return err == nil && ok })
}

// ofRules are the operations of our own modules.
func ofRules() []operation {
	return []operation{
		{"registry: data", 12, (*scene).registersData},
		{"registry: deposit", 12, (*scene).depositsModel},
		{"registry: withdraw", 4, (*scene).withdraws},
		{"registry: upload", 25, (*scene).uploadsModel},
		{"registry: publish", 30, (*scene).publishes},
		{"registry: owners", 60, (*scene).owns},
		{"voucher", 50, (*scene).paysByVoucher},
		{"market", 140, (*scene).trades},
		{"market: accept", 60, (*scene).accepts},
		{"market: pack", 110, (*scene).packs},
		{"commons", 25, (*scene).proposes},
		{"work: create", 15, (*scene).creates},
		{"work: duty", 650, (*scene).works},
		{"work: leave", 6, (*scene).leaves},
		{"dispute", 140, (*scene).disputes},
		{"governance", 20, (*scene).governs},
		{"governance: yes", 120, (*scene).agrees},
	}
}

func (s *scene) registersData() *deed {
	who := s.person()
	m := registry.RegisterDataset{Root: s.hash(), Blob: s.hash(), Schema: s.hash(), Records: 100, RecordSize: 8, Name: "data", Licence: "CC0-1.0"}
	if s.chance(40) {
		claim := s.truth.Terms(s.t)
		m.Root, m.Records = claim.Dataset, uint64(claim.Records)
		remember(&s.toys, registry.DatasetID(who.Account(), m))
		return s.rules(who, m)
	}
	remember(&s.data, registry.DatasetID(who.Account(), m))
	return s.rules(who, m)
}

func (s *scene) depositsModel() *deed {
	who := s.person()
	id, err := registry.DepositID(s.artifact, who.Account())
	if err != nil {
		s.t.Fatal(err)
	}
	remember(&s.models, id)
	s.plot.deposits[id] = who.Account()
	return s.rules(who, registry.DepositModel{Name: "risk", Artifact: s.artifact})
}

func (s *scene) withdraws() *deed {
	list := s.knownModels()
	if len(list) == 0 {
		return nil
	}
	id := some(s, list)
	who, ok := s.owner(s.plot.deposits[id])
	if !ok {
		return nil
	}
	return s.rules(who, registry.WithdrawModel{Model: id})
}

// uploadsModel opens an upload of the small model, sends its only chunk, or drops it.
func (s *scene) uploadsModel() *deed {
	var open []registry.Upload
	for _, id := range s.uploads {
		if u, err := s.app.Registry.Upload(s.ctx, id, escrow.Free); err == nil {
			open = append(open, u)
		}
	}
	if len(open) == 0 || s.chance(30) {
		who := s.person()
		content := trace.PayloadRoot(s.artifact)
		remember(&s.uploads, registry.UploadID(who.Account(), content))
		return s.rules(who, registry.OpenUpload{Name: "uploaded", Content: content, Size: uint64(len(s.artifact))})
	}
	u := some(s, open)
	who, ok := s.owner(u.Owner)
	if !ok {
		return nil
	}
	if s.chance(30) {
		return s.rules(who, registry.AbortUpload{Upload: u.ID})
	}
	if id, err := registry.DepositID(s.artifact, who.Account()); err == nil {
		remember(&s.models, id)
		s.plot.deposits[id] = who.Account()
	}
	return s.rules(who, registry.AddChunk{Upload: u.ID, Index: 0, Data: s.artifact})
}

func (s *scene) publishes() *deed {
	for _, id := range slices.Clone(s.ended) {
		state, err := s.app.Work.Run(s.ctx, id, escrow.Free)
		if err != nil || state.Phase != rules.PhaseFinished {
			continue
		}
		model := registry.ModelID(state.Spec.InferenceProgram, state.Current.Model, id)
		if has, err := s.app.Registry.HasModel(s.ctx, model); err != nil || has {
			continue
		}
		remember(&s.models, model)
		return s.rules(s.person(), registry.PublishModel{Run: id})
	}
	return nil
}

// owns is what people do with models and their shares.
func (s *scene) owns() *deed {
	list := s.knownModels()
	if len(list) == 0 {
		return nil
	}
	id := some(s, list)
	holders := s.holders(id)
	if len(holders) == 0 || s.chance(30) {
		who := s.person()
		return s.rules(who, registry.Use{Model: id, Fee: s.amount(who, 1000)})
	}
	holder := some(s, holders)
	switch s.r.Intn(4) {
	case 0:
		return s.rules(s.person(), registry.DivideIncome{Model: id})
	case 1:
		return s.rules(holder, registry.TransferShares{Model: id, To: s.person().Account(), PPM: uint32(1 + s.r.Intn(300_000))})
	default:
		return s.rules(s.person(), registry.ClaimDividend{Model: id, Holder: holder.Account()})
	}
}

func (s *scene) holders(model protocol.Hash) (list []person) {
	for _, p := range s.people {
		if h, err := s.app.Registry.Holding(s.ctx, model, p.Account()); err == nil && h.PPM > 0 {
			list = append(list, p)
		}
	}
	return list
}

// paysByVoucher is what happens to channels of vouchers.
func (s *scene) paysByVoucher() *deed {
	var open []voucher.Channel
	for _, id := range s.channels {
		if c, err := s.app.Registry.Channel(s.ctx, id, escrow.Free); err == nil {
			open = append(open, c)
		}
	}
	if models := s.knownModels(); len(open) == 0 || s.chance(25) {
		if len(models) == 0 {
			return nil
		}
		who := s.person()
		m := voucher.Open{Model: some(s, models), Deposit: s.amount(who, 500), Blocks: uint32(1 + s.r.Intn(300)), Nonce: s.next()}
		remember(&s.channels, voucher.ChannelID(who.Account(), m.Model, m.Nonce))
		return s.rules(who, m)
	}
	c := some(s, open)
	payer, ok := s.owner(c.Payer)
	if !ok {
		return nil
	}
	switch s.r.Intn(6) {
	case 0:
		return s.rules(payer, voucher.Fund{Channel: c.ID, Amount: s.amount(payer, 1000)})
	case 1:
		return s.rules(payer, voucher.Close{Channel: c.ID})
	}
	var list []voucher.Voucher
	for range 1 + s.r.Intn(4) {
		signer := payer
		if s.chance(10) {
			signer = s.person() // forged
		}
		v, err := signer.SignVoucher(c.ID, c.Uses+uint64(1+s.r.Intn(5)), c.Amount.Plus(money.New(s.r.Uint64()>>uint(8+s.r.Intn(40)))))
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, v)
	}
	return s.rules(s.person(), voucher.Redeem{Vouchers: voucher.Pack(list)})
}

// classOf is one of a few classes. Runs hire in the last.
func classOf(n int) market.Class {
	return market.Class{Resource: []string{"cpu", "gpu"}[n/4%2], Region: "eu", Tier: market.Audited, Tenor: uint8(n % 4)}
}

var hiring = market.Class{Resource: "cpu", Region: "home", Tier: market.Audited, Tenor: 1}

func (s *scene) terms() market.Params {
	p, err := s.app.Market.Params(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *scene) leases(of person) []market.Lease {
	who := of.Account()
	list, err := s.app.Market.LeasesOf(s.ctx, who, protocol.Hash{}, 50, escrow.Free)
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(l market.Lease) bool { return l.Status == market.Closed })
}

// accepts begins a lease that was offered.
func (s *scene) accepts() *deed {
	for _, i := range s.r.Perm(len(s.people)) {
		who := s.people[i]
		for _, l := range s.leases(who) {
			if l.Status == market.Offered && l.Provider == who.Account() {
				return s.rules(who, market.AcceptLease{Lease: l.ID})
			}
		}
	}
	return nil
}

// trades is what people do on the market.
func (s *scene) trades() *deed {
	p, now := s.terms(), protocol.Height(s.height())
	batch := p.Batch(now)
	s.sealed = slices.DeleteFunc(s.sealed, func(b sealedBid) bool { return b.batch != batch })
	if p.Revealing(now) && len(s.sealed) > 0 && s.chance(70) {
		b := s.sealed[0]
		s.sealed = s.sealed[1:]
		return s.rules(b.owner, b.open)
	}
	who, class := s.person(), classOf(s.r.Intn(8))
	price := auction.Price(1 + s.r.Int63n(1<<30))
	leases := s.leases(who)
	switch n := s.r.Intn(100); {
	case n < 35:
		bond := p.MinUnitBond.Plus(money.New(s.r.Uint64() >> 10))
		if s.chance(30) {
			class = hiring
		}
		return s.rules(who, market.PlaceAsk{Class: class, Units: uint32(1 + s.r.Intn(5)), Reserve: price, Until: now + protocol.Height(1+s.r.Intn(200)), Notice: uint64(s.r.Intn(5)), UnitBond: bond})
	case n < 42:
		for _, i := range s.r.Perm(len(s.people)) {
			seller := s.people[i]
			if a, err := s.app.Market.Ask(s.ctx, market.AskID(seller.Account(), class), escrow.Free); err == nil && !a.Closing {
				if s.chance(50) {
					return s.rules(seller, market.RenewAsk{Ask: a.ID})
				}
				return s.rules(seller, market.WithdrawAsk{Ask: a.ID})
			}
		}
		return nil
	case n < 65:
		return s.bids(who, class, price)
	case n < 78:
		return s.rules(who, market.TakeNow{Class: class, Units: uint32(1 + s.r.Intn(3)), Tenors: uint32(1 + s.r.Intn(3)), Limit: 4 * price, Nonce: s.next()})
	case len(leases) == 0:
		return nil
	case n < 88:
		return s.rules(who, market.EndLease{Lease: some(s, leases).ID})
	default:
		return s.rules(s.person(), market.SettleLease{Lease: some(s, leases).ID})
	}
}

func (s *scene) bids(who person, class market.Class, price auction.Price) *deed {
	t := market.Terms{Whole: s.chance(30), Tenors: uint32(1 + s.r.Intn(3)), Alternatives: []market.Alternative{{Class: class, Units: uint32(1 + s.r.Intn(4)), Limit: 4 * price}}}
	if other := classOf(s.r.Intn(8)); other != class {
		t.Alternatives = append(t.Alternatives, market.Alternative{Class: other, Units: uint32(1 + s.r.Intn(4)), Limit: 3 * price})
	}
	return s.seals(who, t)
}

func (s *scene) seals(who person, t market.Terms) *deed {
	batch, salt := s.terms().Batch(protocol.Height(s.height())), s.hash()
	seal := market.TermsSeal(t, who.Account(), batch, salt)
	s.sealed = append(s.sealed, sealedBid{who, market.OpenBid{Bid: market.BidID(who.Account(), batch, seal), Terms: t, Salt: salt}, batch})
	return s.rules(who, market.SealBid{Seal: seal, Deposit: t.Most().Plus(money.New(s.r.Uint64() >> 20)), Batch: batch})
}

// packs plays a batch of a class of its own that the built-in solver does not serve best: four units, a whole bid of three that is served first,
// and two of two each.
func (s *scene) packs() *deed {
	class := market.Class{Resource: "whole", Region: "eu", Tier: market.Audited}
	seller := s.people[0]
	p, now := s.terms(), protocol.Height(s.height())
	ask, err := s.app.Market.Ask(s.ctx, market.AskID(seller.Account(), class), escrow.Free)
	if err != nil || ask.Closing || ask.Until <= now {
		return s.rules(seller, market.PlaceAsk{Class: class, Units: 4, Reserve: 10, Until: now + 1000, UnitBond: p.MinUnitBond})
	}
	bids := []struct {
		limit auction.Price
		units uint32
	}{{100, 3}, {99, 2}, {99, 2}}
	batch, buyer := p.Batch(now), s.people[1]
	if s.packing.batch != batch {
		s.packing.batch, s.packing.done = batch, 0
	}
	var ids []protocol.Hash
	var seal, open []protocol.Msg
	for i, b := range bids {
		t := market.Terms{Alternatives: []market.Alternative{{Class: class, Units: b.units, Limit: b.limit}}, Whole: true, Tenors: 1}
		sealed := market.TermsSeal(t, buyer.Account(), batch, protocol.Hash{byte(i)})
		ids = append(ids, market.BidID(buyer.Account(), batch, sealed))
		open = append(open, market.OpenBid{Bid: ids[i], Terms: t, Salt: protocol.Hash{byte(i)}})
		seal = append(seal, market.SealBid{Seal: sealed, Deposit: t.Most(), Batch: batch})
	}
	n := &s.packing.done
	switch {
	case !p.Revealing(now) && *n == 0:
		*n++
		return s.rules(buyer, seal...)
	case p.Revealing(now) && *n == 1:
		*n++
		return s.rules(buyer, open...)
	case p.Revealing(now) && *n == 2:
		return s.rules(s.people[2], market.Propose{Batch: batch, Deals: market.PackDeals([]market.Deal{{Bid: ids[1], Ask: ask.ID, Units: 2}, {Bid: ids[2], Ask: ask.ID, Units: 2}})})
	}
	return nil
}

// proposes puts runs to the vote of the commons, and votes.
func (s *scene) proposes() *deed {
	var open []commons.Proposal
	for _, id := range s.proposals {
		if o, err := s.app.Commons.Proposal(s.ctx, id, escrow.Free); err == nil && o.Status == commons.Open {
			open = append(open, o)
		}
	}
	if len(open) > 0 && s.chance(75) {
		who := s.person()
		return s.rules(who, commons.Vote{Proposal: some(s, open).ID, Amount: s.amount(who, 4)})
	}
	spec, ok := s.spec(false)
	if !ok {
		return nil
	}
	spec.Price.PerUnit, spec.Market = money.New(uint64(1+s.r.Int63n(1000))*market.Tick), &rules.Market{Class: hiring}
	spec.Rounds, spec.MaxUnits = 1, 2
	m := commons.Propose{Spec: spec, Nonce: s.next(), Purpose: "for all", Providers: spec.MinProviders, Tenors: 2}
	remember(&s.proposals, rules.RunID(named(network.TreasuryAccount), m.Run()))
	return s.rules(s.person(), m)
}

// spec is a run whose terms divide nothing evenly; a toy run is one of the unit that the referee knows.
func (s *scene) spec(toy bool) (rules.Spec, bool) {
	spec := rules.DefaultSpec()
	list := s.knownData(s.data)
	if toy {
		list = s.knownData(s.toys)
	}
	if len(list) == 0 {
		return spec, false
	}
	spec.Name, spec.Dataset, spec.InferenceProgram, spec.Params, spec.Seed = "run", some(s, list), hashOf(4), []string{"w"}, s.hash()
	spec.Program, spec.Initial = hashOf(5), rules.StateRef{Model: s.hash(), Outer: s.hash(), Blob: s.hash()}
	spec.Rounds, spec.Steps, spec.MaxUnits, spec.MinProviders, spec.MinVerifiers = uint32(1+s.r.Intn(3)), 1, uint32(1+s.r.Intn(3)), uint32(1+s.r.Intn(2)), uint32(1+s.r.Intn(3))
	spec.Price.PerUnit = money.New(s.r.Uint64() >> 4)
	spec.ProviderBond, spec.VerifierBond = money.New(s.r.Uint64()>>3), money.New(s.r.Uint64()>>3)
	spec.Split.Provider, spec.Split.Verifiers = uint32(8000+s.r.Intn(1000)), uint32(700+s.r.Intn(200))
	spec.Split.Burn = 10_000 - spec.Split.Provider - spec.Split.Verifiers
	spec.Windows = rules.Windows{Compute: 12, Reveal: 12, AuditCommit: 12, AuditReveal: 12, Dispute: 8, Aggregate: 12, Wait: 40, Challenge: uint32(s.r.Intn(6)), Contest: uint32(s.r.Intn(4))}
	spec.Vesting.Rounds = uint32(s.r.Intn(3))
	if models := s.knownModels(); len(models) > 0 && s.chance(30) {
		spec.Parents = []rules.Parent{{Model: some(s, models), PPM: rules.PPM}}
	}
	if toy {
		claim := s.truth.Terms(s.t)
		spec.Program, spec.Recipe, spec.Initial.Model, spec.Steps, spec.Rounds, spec.MaxUnits = claim.Program, []byte(toyRecipe), claim.Model, uint32(claim.Steps), 1, 1
		spec.Windows.AuditCommit, spec.MinProviders, spec.MinVerifiers, spec.Parents = 60, 1, 1, nil
		spec.Price.PerUnit = money.New(s.r.Uint64() >> 12)
	}
	return spec, true
}

func (s *scene) creates() *deed {
	if len(s.runs) >= runsAtOnce {
		return nil
	}
	toy := s.chance(50)
	spec, ok := s.spec(toy)
	if !ok {
		return nil
	}
	if !toy && s.chance(30) {
		spec.Price.PerUnit, spec.Market = money.New(uint64(1+s.r.Int63n(1<<31))*market.Tick), &rules.Market{Class: hiring}
	}
	who, create := s.person(), rules.CreateRun{Spec: spec, Nonce: s.next()}
	remember(&s.runs, rules.RunID(who.Account(), create))
	return s.rules(who, create)
}

// works is a task of a member of a run, or somebody joins it.
func (s *scene) works() *deed {
	if len(s.runs)+len(s.proposals) == 0 {
		return nil
	}
	id := some(s, slices.Concat(s.runs, s.proposals))
	run, err := s.app.Work.Run(s.ctx, id, escrow.Free)
	if err == nil && run.Phase.Ended() {
		remember(&s.ended, id)
	}
	if err != nil || run.Phase.Ended() {
		s.runs = slices.DeleteFunc(s.runs, func(r protocol.Hash) bool { return r == id })
		return nil // it was never made, or is over
	}
	if run.Round == nil || s.chance(3) {
		if d := s.joins(id, run); d != nil {
			return d
		}
	}
	order := s.r.Perm(len(s.people))
	for _, i := range order {
		who := s.people[i].Account()
		how := temper(id, who)
		for _, task := range rules.Duty(run, who) {
			if how == "mute" && s.chance(50) {
				continue
			}
			if m := s.answer(run, id, who, task, how); m != nil {
				return s.rules(s.people[i], m)
			}
		}
	}
	return nil
}

// temper is how somebody behaves in a run.
func temper(run protocol.Hash, who protocol.Account) string {
	switch (run[0] ^ who[0]) % 16 {
	case 0, 1, 2:
		return "liar"
	case 3:
		return "contrarian"
	case 4:
		return "mute"
	}
	return ""
}

// answer does a task. In a run of the toy a worker claims an execution that can be disputed, and verifiers audit nothing.
func (s *scene) answer(run *rules.State, id protocol.Hash, who protocol.Account, task rules.Task, how string) protocol.Msg {
	if string(run.Spec.Recipe) != toyRecipe {
		return books.Answer(run, id, who, task, how)
	}
	r := run.Round
	claim := s.claimed(id, who).Terms(s.t)
	result := rules.Result{Payload: rules.PayloadRef{Root: claim.Payload, Blob: hashOf(11), Size: 100}, Trace: claim.Trace}
	switch task.Kind {
	case rules.TaskCompute:
		u := r.Units[task.Units[0]]
		return rules.Commit{Run: id, Round: r.Number, Unit: u.Index, Seal: rules.CommitSeal(id, r.Number, u.Index, u.Shard, who, result, hashOf(12))}
	case rules.TaskReveal:
		return rules.Reveal{Run: id, Round: r.Number, Unit: task.Units[0], Result: result, Salt: hashOf(12)}
	case rules.TaskReady:
		return rules.Ready{Run: id}
	}
	return nil
}

// claimed is the execution of the toy that a worker claims.
func (s *scene) claimed(run protocol.Hash, who protocol.Account) *bisecttest.Toy {
	if temper(run, who) == "liar" || run[1]%3 == 0 {
		return s.lie
	}
	return s.truth
}

func (s *scene) joins(id protocol.Hash, run *rules.State) *deed {
	who := s.person()
	if _, ok := run.Member(who.Account()); ok {
		return nil
	}
	join := rules.Join{Run: id, Role: rules.Verifier, Peer: "v"}
	if s.chance(55) {
		join.Role = rules.Provider
	}
	if join.Role == rules.Verifier || run.Spec.Market == nil {
		return s.rules(who, join)
	}
	list, err := s.app.Market.JobLeases(s.ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range list {
		provider, ok := s.owner(l.Provider)
		if _, member := run.Member(l.Provider); !ok || member {
			continue
		}
		if l.Status == market.Offered {
			return s.rules(provider, market.AcceptLease{Lease: l.ID})
		}
		join.Hire = &rules.Hire{Lease: l.ID, Price: l.Quote.Buyer}
		return s.rules(provider, join)
	}
	author, ok := s.owner(run.Author)
	if !ok {
		return nil // the treasury bids by itself
	}
	return s.rules(author, market.TakeNow{Class: hiring, Units: 1, Tenors: 5, Limit: market.Floor(run.Spec.Price.PerUnit), Job: id, Metered: true, Nonce: s.next()})
}

func (s *scene) leaves() *deed {
	if len(s.runs) == 0 {
		return nil
	}
	id := some(s, s.runs)
	run, err := s.app.Work.Run(s.ctx, id, escrow.Free)
	if err != nil || len(run.Members) == 0 {
		return nil
	}
	who, ok := s.owner(some(s, run.Members).Account)
	if !ok {
		return nil
	}
	return s.rules(who, rules.Leave{Run: id})
}

// disputes opens a dispute over a unit of a run of the toy, backs one, or makes a move.
func (s *scene) disputes() *deed {
	for _, i := range s.r.Perm(len(s.runs)) {
		id := s.runs[i]
		run, err := s.app.Work.Run(s.ctx, id, escrow.Free)
		if err != nil || string(run.Spec.Recipe) != toyRecipe || run.Round == nil {
			continue
		}
		open := s.openDisputes(id)
		if len(open) == 0 || len(open) < 3 && s.chance(5) {
			who := s.person()
			return s.rules(who, rulesof.Open{Run: id, Round: run.Round.Number, Nonce: s.next()})
		}
		d := some(s, open)
		if d.Turn == 0 && s.chance(20) {
			who := s.person()
			return s.rules(who, rulesof.Back{Dispute: d.ID, Amount: s.amount(who, 100)})
		}
		return s.plays(d)
	}
	return nil
}

func (s *scene) openDisputes(run protocol.Hash) (list []*rulesof.State) {
	request := &disputepb.OpenRequest{Run: run[:]}
	raw, err := request.Marshal()
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.app.Query(s.t.Context(), &abci.RequestQuery{Path: "/mutirao.dispute.v1.Query/Open", Data: raw})
	if err != nil || r.Code != 0 {
		return nil // before the first block
	}
	var answer disputepb.OpenResponse
	if err := answer.Unmarshal(r.Value); err != nil {
		s.t.Fatal(err)
	}
	for _, raw := range answer.Json {
		d := new(rulesof.State)
		if err := json.Unmarshal(raw, d); err != nil {
			s.t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

// plays makes the move that is due, or now and then two of them.
func (s *scene) plays(d *rulesof.State) *deed {
	player := d.Player()
	who, ok := s.owner(player)
	if !ok {
		return nil
	}
	m := rulesof.Move{Dispute: d.ID, Turn: d.Turn, Side: d.ToMove()}
	if m.Side == rulesof.Challenger {
		choice, differs, err := bisect.Challenge(d.Game, s.truth)
		if err != nil || !differs && s.chance(50) {
			return nil // an honest challenger of an honest worker has nothing to say, and loses by its clock
		}
		m.Choice, m.Answer = uint32(choice.Part), choice.Shown
	} else {
		var err error
		if m.Answer, err = bisect.Defend(d.Game, s.claimed(d.Claim.Run, d.Claim.Defender)); err != nil {
			return nil
		}
	}
	one := signed(s.t, who, m)
	if s.chance(5) {
		m.Answer = append(slices.Clone(m.Answer), 1)
		return s.rules(s.person(), rulesof.Equivocation(one, signed(s.t, who, m)))
	}
	return s.rules(who, one)
}
