package market

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/genesis"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	evmaddress "github.com/cosmos/evm/encoding/address"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/market/marketpb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// bank keeps balances, so that a test can see whether coins are conserved.
type bank struct {
	has    map[string]money.Amount
	burned money.Amount
}

func (b *bank) move(from, to string, c sdk.Coins) error {
	amount, err := network.Amount(c.AmountOf(network.Denom))
	if err != nil {
		return err
	}
	if b.has[from].Compare(amount) < 0 {
		return sdkerrors.ErrInsufficientFunds
	}
	b.has[from], b.has[to] = b.has[from].Minus(amount), b.has[to].Plus(amount)
	if from == to {
		b.has[to] = b.has[to].Plus(amount)
	}
	return nil
}

func (b *bank) SendCoinsFromAccountToModule(_ context.Context, from sdk.AccAddress, module string, c sdk.Coins) error {
	return b.move(string(from), module, c)
}

func (b *bank) SendCoinsFromModuleToAccount(_ context.Context, module string, to sdk.AccAddress, c sdk.Coins) error {
	return b.move(module, string(to), c)
}

func (b *bank) BurnCoins(_ context.Context, module string, c sdk.Coins) error {
	return b.move(module, "burned", c)
}

func (b *bank) sum() (all money.Amount) {
	for _, a := range b.has {
		all = all.Plus(a)
	}
	return all
}

// world is a keeper over an empty store, and people with coins.
type world struct {
	testing.TB
	k    *Keeper
	bank *bank
	ctx  sdk.Context
	h    protocol.Height
	runs map[protocol.Hash]*work.State
	open []func() // bids that their owners have yet to open
}

var pool, treasury = protocol.Account{2}, protocol.Account{3}

func (w *world) job(_ context.Context, id protocol.Hash, _ escrow.Charge) (*work.State, error) {
	if s := w.runs[id]; s != nil {
		return s, nil
	}
	return nil, protocol.ErrNotFound
}

func person(n int) protocol.Account { return protocol.Account{1, byte(n)} }

const people = 8

func newWorld(t testing.TB) *world {
	key := storetypes.NewKVStoreKey(ModuleName)
	w := &world{TB: t, bank: &bank{has: map[string]money.Amount{}}}
	var err error
	if w.k, err = NewKeeper(runtime.NewKVStoreService(key), w.bank, w.job, pool, treasury); err != nil {
		t.Fatal(err)
	}
	w.ctx = testutil.DefaultContext(key, storetypes.NewTransientStoreKey("t"))
	for i := range people {
		p := person(i)
		w.bank.has[string(p[:])] = money.MUT(1000)
	}
	p := market.DefaultParams(pool, treasury)
	p.Tenors, p.HoldbackBlocks, p.AskBlocks = [4]uint64{5, 20, 60, 200}, 15, 1<<20
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.k.params.Set(w.ctx, raw); err != nil {
		t.Fatal(err)
	}
	return w
}

// at is the context of the block that is open.
func (w *world) at() sdk.Context {
	return w.ctx.WithBlockHeight(int64(w.h)).WithHeaderHash([]byte{byte(w.h)})
}

// send hands a message to the module as a transaction does: nothing stays of a refused one.
func (w *world) send(from protocol.Account, m protocol.Msg) error {
	w.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		w.Fatal(err)
	}
	branch, write := w.at().CacheContext()
	before := map[string]money.Amount{}
	for k, v := range w.bank.has {
		before[k] = v
	}
	server := msgServer{w.k, evmaddress.NewEvmCodec(network.AddressPrefix)}
	if _, err := server.Execute(branch, &marketpb.MsgExecute{From: from.String(), Kind: m.Kind(), Body: body}); err != nil {
		w.bank.has = before
		return err
	}
	write()
	return nil
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("block %d: %v", w.h, err)
	}
}

func (w *world) next() {
	w.Helper()
	w.must(w.k.endBlock(w.at()))
	w.h++
}

func (w *world) until(h protocol.Height) {
	for w.h < h {
		w.next()
	}
}

// bid seals terms now and opens them when the batch does.
func (w *world) bid(who int, t market.Terms, deposit money.Amount) error {
	p, err := w.k.Params(w.ctx)
	w.must(err)
	salt := protocol.Hash{byte(who), byte(w.h), byte(len(w.open))}
	batch := p.Batch(w.h)
	seal := market.TermsSeal(t, person(who), batch, salt)
	if err := w.send(person(who), market.SealBid{Seal: seal, Deposit: deposit, Batch: batch}); err != nil {
		return err
	}
	w.open = append(w.open, func() {
		_ = w.send(person(who), market.OpenBid{Bid: market.BidID(person(who), batch, seal), Terms: t, Salt: salt})
	})
	return nil
}

func (w *world) openAll() {
	for _, f := range w.open {
		f()
	}
	w.open = nil
}

func stored[T any](w *world, from collections.Map[[]byte, []byte]) (list []T) {
	w.Helper()
	w.must(from.Walk(w.ctx, nil, func(_, raw []byte) (bool, error) {
		var v T
		err := json.Unmarshal(raw, &v)
		list = append(list, v)
		return false, err
	}))
	return list
}

func size[K any](w *world, index collections.KeySet[K]) (n int) {
	w.Helper()
	w.must(index.Walk(w.ctx, nil, func(K) (bool, error) { n++; return false, nil }))
	return n
}

// check compares the escrow with what is owed, and every index with the records that it is derived from.
func (w *world) check() {
	w.Helper()
	var owed money.Amount
	open, lapsing := 0, 0
	offered, leased := map[market.Class]uint64{}, map[market.Class]uint64{}
	asks := stored[market.Ask](w, w.k.asks)
	for _, a := range asks {
		owed = owed.Plus(a.Bond)
		if a.Open() {
			open++
		}
		if !a.Closing {
			lapsing++
			offered[a.Class] += uint64(a.Units)
		} else {
			offered[a.Class] += uint64(a.Leased)
		}
		leased[a.Class] += uint64(a.Leased)
		if has, err := w.k.offers.Has(w.ctx, offerKey(a)); err != nil || has != a.Open() {
			w.Fatalf("block %d: ask %+v listed: %v, %v", w.h, a, has, err)
		}
	}
	parties, due := 0, 0
	for _, l := range stored[market.Lease](w, w.k.leases) {
		owed = owed.Plus(l.Claims())
		parties += 2
		if l.Buyer == l.Provider {
			parties--
		}
		if l.Status != market.Closed {
			due++
		} else if !l.Claims().IsZero() {
			w.Fatalf("block %d: closed lease %+v", w.h, l)
		}
	}
	w.must(w.k.bids.Walk(w.ctx, nil, func(_ date, raw []byte) (bool, error) {
		var b market.Bid
		err := json.Unmarshal(raw, &b)
		owed = owed.Plus(b.Deposit)
		return false, err
	}))
	if has := w.bank.has[ModuleName]; has != owed {
		w.Fatalf("block %d: escrow %s, owed %s", w.h, has, owed)
	}
	if got := w.bank.sum(); got != money.MUT(1000*people) {
		w.Fatalf("block %d: %s in all", w.h, got)
	}
	for _, c := range []struct {
		name      string
		got, want int
	}{{"offers", size(w, w.k.offers), open}, {"lapses", size(w, w.k.lapses), lapsing}, {"owned", size(w, w.k.owned), len(asks)},
		{"parties", size(w, w.k.parties), parties}, {"due", size(w, w.k.due), due}} {
		if c.got != c.want {
			w.Fatalf("block %d: index %s has %d keys, want %d", w.h, c.name, c.got, c.want)
		}
	}
	for _, s := range stored[market.ClassState](w, w.k.classes) {
		if s.Offered != offered[s.Class] || s.Leased != leased[s.Class] {
			w.Fatalf("block %d: class %+v, want %d offered, %d leased", w.h, s, offered[s.Class], leased[s.Class])
		}
	}
}

func cpu(tenor uint8) market.Class {
	return market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited, Tenor: tenor}
}

var bond = money.New(1_000_000 * market.Tick)

func ask(tenor uint8, units uint32, reserve auction.Price) market.PlaceAsk {
	return market.PlaceAsk{Class: cpu(tenor), Units: units, Reserve: reserve, Until: 1 << 20, UnitBond: bond}
}

// One job from its bid to the last payment: 2 units for one tenor at 6.5 each.
func TestALeaseFromBidToPay(t *testing.T) {
	w := newWorld(t)
	w.must(w.send(person(0), ask(1, 2, 6_000_000)))
	terms := market.Terms{Alternatives: []market.Alternative{{Class: cpu(1), Units: 2, Limit: 7_000_000}}, Whole: true, Tenors: 1}
	w.must(w.bid(1, terms, terms.Most().Times(2)))
	w.until(6)
	w.openAll()
	w.until(10)
	leases := stored[market.Lease](w, w.k.leases)
	if len(leases) != 1 || leases[0].Quote.Buyer != 6_500_000 {
		t.Fatalf("%+v", leases)
	}
	w.must(w.send(person(0), market.AcceptLease{Lease: leases[0].ID}))
	w.until(100)
	w.check()
	cost := money.New(13_000_000 * market.Tick)
	provider, payer := person(0), person(1)
	for who, want := range map[string]money.Amount{
		string(provider[:]): money.MUT(1000).Minus(bond.Times(2)).Plus(cost.Part(92, 100)), string(payer[:]): money.MUT(1000).Minus(cost),
		string(pool[:]): cost.Part(2, 100), string(treasury[:]): cost.Part(1, 100), "burned": cost.Part(5, 100),
	} {
		if got := w.bank.has[who]; got != want {
			t.Errorf("%x has %s, want %s", who, got.Coins(), want.Coins())
		}
	}
	q := queryServer{w.k}
	id := cpu(1).ID()
	prices, err := q.Prices(w.at(), &marketpb.PricesRequest{Class: id[:]})
	w.must(err)
	var p market.ClassPrice
	if len(prices.Json) != 1 || json.Unmarshal(prices.Json[0], &p) != nil || p.Quote.Buyer != 6_500_000 || p.Units != 2 || p.Height != 9 {
		t.Errorf("prices %s", prices.Json)
	}
	mine, err := q.Leases(w.at(), &marketpb.LeasesRequest{Account: payer[:]})
	w.must(err)
	if len(mine.Json) != 1 {
		t.Errorf("leases of the buyer: %s", mine.Json)
	}
}

func TestTakeNowAndQuote(t *testing.T) {
	w := newWorld(t)
	w.must(w.send(person(0), ask(0, 2, 100)))
	w.must(w.send(person(1), ask(0, 2, 120)))
	class, err := json.Marshal(cpu(0))
	w.must(err)
	quote, err := queryServer{w.k}.Quote(w.at(), &marketpb.QuoteRequest{Class: class, Units: 3})
	w.must(err)
	if quote.Price != 120 || quote.Free != 3 {
		t.Fatalf("quote %+v", quote)
	}
	m := market.TakeNow{Class: cpu(0), Units: 3, Tenors: 2, Limit: 119}
	if err := w.send(person(2), m); !errors.Is(err, protocol.ErrFull) {
		t.Errorf("over the limit: %v", err)
	}
	m.Limit = 120
	w.must(w.send(person(2), m))
	if err := w.send(person(2), m); protocol.Code(err) == 0 {
		t.Error("the same again was accepted")
	}
	w.check()
	w.until(100)
	w.check()
}

// Random messages of a few people, many of them nonsense: coins are conserved, the escrow is what is owed, and every index is
// what its records say, after each block; and another keeper that imports what this one exports holds the same.
func TestRandomMessages(t *testing.T) {
	closed, ended := 0, 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		w := newWorld(t)
		for range 80 {
			for range r.IntN(4) {
				w.random(r)
			}
			ended += size(w, w.k.ended)
			w.next()
			w.check()
		}
		for _, l := range stored[market.Lease](w, w.k.leases) {
			if l.Status == market.Closed {
				closed++
			}
		}
		w.reimport()
	}
	if closed < 100 || ended < 100 {
		t.Errorf("only %d leases closed, jobs ended %d times: the test does not trade", closed, ended)
	}
}

func (w *world) random(r *rand.Rand) {
	who := r.IntN(people)
	tenor := uint8(r.IntN(2))
	switch r.IntN(9) {
	case 0, 1:
		m := ask(tenor, uint32(r.IntN(5)), auction.Price(r.IntN(300)))
		m.Until, m.Notice = w.h+protocol.Height(r.IntN(50)), uint64(r.IntN(10))
		_ = w.send(person(who), m)
	case 2, 3:
		t := market.Terms{Job: protocol.Hash{byte(r.IntN(3))}, Whole: r.IntN(2) == 0, Tenors: 1 + uint32(r.IntN(3)), Alternatives: []market.Alternative{
			{Class: cpu(0), Units: 1 + uint32(r.IntN(3)), Limit: auction.Price(r.IntN(400))},
			{Class: cpu(1), Units: 1 + uint32(r.IntN(3)), Limit: auction.Price(r.IntN(400))},
		}}
		_ = w.bid(who, t, t.Most().Plus(money.New(uint64(r.IntN(100)))))
	case 4:
		w.openAll()
	case 5, 6:
		for _, l := range stored[market.Lease](w, w.k.leases) {
			switch r.IntN(6) {
			case 0, 1, 2:
				_ = w.send(l.Provider, market.AcceptLease{Lease: l.ID})
			case 3:
				_ = w.send([]protocol.Account{l.Buyer, l.Provider, person(who)}[r.IntN(3)], market.EndLease{Lease: l.ID})
			case 4:
				w.must(w.send(person(who), market.SettleLease{Lease: l.ID}))
			}
		}
	case 7:
		_ = w.send(person(who), market.TakeNow{Class: cpu(tenor), Units: 1 + uint32(r.IntN(4)), Tenors: 1 + uint32(r.IntN(2)),
			Limit: auction.Price(r.IntN(400)), Job: protocol.Hash{byte(r.IntN(3))}, Nonce: r.Uint64()})
	case 8:
		if list := stored[market.Ask](w, w.k.asks); len(list) > 0 {
			a := list[r.IntN(len(list))]
			_ = w.send(a.Owner, market.WithdrawAsk{Ask: a.ID})
			_ = w.send(a.Owner, market.RenewAsk{Ask: list[r.IntN(len(list))].ID})
		}
		if r.IntN(4) == 0 {
			w.must(w.k.Ended(w.at(), protocol.Hash{byte(1 + r.IntN(2))}, person(who)))
		}
		w.must(w.k.Checked(w.at(), person(who), r.IntN(4) > 0))
	}
}

// reimport exports the state into another keeper, goes on with that one, and checks it.
func (w *world) reimport() {
	w.Helper()
	raw := new(genesis.RawJSONTarget)
	w.must(w.k.schema.ExportGenesis(w.ctx, raw.Target()))
	data, err := raw.JSON()
	w.must(err)
	again := newWorld(w.TB)
	source, err := genesis.SourceFromRawJSON(data)
	w.must(err)
	w.must(again.k.schema.ValidateGenesis(source))
	w.must(again.k.schema.InitGenesis(again.ctx, source))
	again.bank, again.h = w.bank, w.h
	again.k.escrow = escrow.New(w.bank, ModuleName)
	again.check()
	again.next()
	again.check()
}

func TestGenesisSetsParameters(t *testing.T) {
	w := newWorld(t)
	p := market.DefaultParams(pool, treasury)
	p.BatchBlocks, p.RevealBlocks = 6, 2
	data, err := Genesis(p)
	w.must(err)
	source, err := genesis.SourceFromRawJSON(data)
	w.must(err)
	w.must(w.k.schema.InitGenesis(w.ctx, source))
	if got, err := w.k.Params(w.ctx); err != nil || got != p {
		t.Errorf("%+v, %v", got, err)
	}
	p.RevealBlocks = 6
	if _, err := Genesis(p); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("nonsense: %v", err)
	}
}

// A metered lease costs nothing by itself, so the market wants to see the run that pays for the work.
func TestMeteredLeasesNeedARun(t *testing.T) {
	w := newWorld(t)
	w.must(w.send(person(0), ask(0, 4, 100)))
	job := protocol.Hash{5}
	spec := work.DefaultSpec()
	spec.Price.PerUnit, spec.Market = market.Amount(150), &work.Market{Class: cpu(0)}
	take := market.TakeNow{Class: cpu(0), Units: 1, Tenors: 1, Limit: 150, Job: job, Metered: true}
	if err := w.send(person(1), take); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("without a run: %v", err)
	}
	w.runs = map[protocol.Hash]*work.State{job: {ID: job, Author: person(1), Phase: work.PhaseGather, Spec: spec}}
	if err := w.send(person(2), take); !errors.Is(err, protocol.ErrNotAssigned) {
		t.Errorf("for somebody else's run: %v", err)
	}
	dear := take
	dear.Limit++
	if err := w.send(person(1), dear); !errors.Is(err, protocol.ErrInsufficient) {
		t.Errorf("for more than the run has locked: %v", err)
	}
	w.must(w.send(person(1), take))
	leases := stored[market.Lease](w, w.k.leases)
	if len(leases) != 1 || !leases[0].Cost.IsZero() || leases[0].Quote.Buyer != 100 {
		t.Fatalf("%+v", leases)
	}
	w.must(w.send(person(0), market.AcceptLease{Lease: leases[0].ID}))
	w.until(60)
	w.check()
	w.runs[job].Phase = work.PhaseFinished
	take.Nonce++
	if err := w.send(person(1), take); !errors.Is(err, protocol.ErrFinished) {
		t.Errorf("for a run that has ended: %v", err)
	}
}

// The leases of a run end when it does, a thousand in a block, and those that come of the batch that was open with that batch; leases for
// another's run and for no run go on. Nobody sends anything.
func TestLeasesEndWithTheirRun(t *testing.T) {
	w := newWorld(t)
	w.next()
	w.must(w.send(person(0), ask(3, 2000, 10)))
	job := protocol.Hash{7}
	take := func(who int, job protocol.Hash, units uint32) protocol.Hash {
		m := market.TakeNow{Class: cpu(3), Units: units, Tenors: 1, Limit: 100, Job: job, Nonce: uint64(w.h)}
		w.must(w.send(person(who), m))
		return market.LeaseID(market.TakeID(m, person(who)), market.AskID(person(0), cpu(3)))
	}
	running, other, none := take(1, job, 1), take(2, job, 1), take(1, protocol.Hash{}, 1)
	for _, id := range []protocol.Hash{running, other, none} {
		w.must(w.send(person(0), market.AcceptLease{Lease: id}))
	}
	w.next()
	many := 1500
	a, err := w.k.Ask(w.ctx, market.AskID(person(0), cpu(3)), escrow.Free)
	w.must(err)
	after := a
	after.Leased += uint32(many)
	p, err := w.k.Params(w.ctx)
	w.must(err)
	w.must(w.k.putAsk(w.at(), a, after, p))
	for i := range many {
		l, err := w.k.Lease(w.ctx, running, escrow.Free)
		w.must(err)
		l.ID, l.Cost, l.Metered, l.Taken = protocol.Hash{9, byte(i >> 8), byte(i)}, money.Amount{}, true, true
		w.must(w.k.putLease(w.at(), market.Lease{}, l))
	}
	terms := market.Terms{Alternatives: []market.Alternative{{Class: cpu(3), Units: 1, Limit: 100}}, Tenors: 1, Job: job}
	w.must(w.bid(1, terms, terms.Most()))
	w.until(7)
	w.openAll()
	offered, before := take(1, job, 1), w.h
	w.must(w.k.Ended(w.at(), job, person(1)))
	w.next()
	count := func(s market.LeaseStatus) (n int) {
		for _, l := range stored[market.Lease](w, w.k.leases) {
			if l.Status == s {
				n++
			}
		}
		return n
	}
	w.next()
	if n := count(market.Over); n < maxDue-2 || n > maxDue { // the offers that are called off count, too
		t.Errorf("%d are over with the block after the run", n)
	}
	w.until(before + 3)
	if n := len(stored[market.Lease](w, w.k.leases)); n != many+5 || count(market.Offered) != 0 { // that of the batch is called off with it
		t.Errorf("%d leases, %d are offered", n, count(market.Offered))
	}
	if l, err := w.k.Lease(w.ctx, offered, escrow.Free); err != nil || l.Status != market.Closed || l.Attempt != 0 {
		t.Errorf("the offer: %+v, %v", l, err)
	}
	if count(market.Running) != 2 || count(market.Offered) != 0 || size(w, w.k.ended) != 0 {
		t.Errorf("%d run, %d are offered, %d wait", count(market.Running), count(market.Offered), size(w, w.k.ended))
	}
	l, err := w.k.Lease(w.ctx, running, escrow.Free)
	if err != nil || l.Status != market.Over || l.End > before+2 || l.Back != l.Cost.Minus(l.Cost.Part(uint64(l.End-l.Start), l.Length)) {
		t.Errorf("the lease that ran: %+v, %v", l, err)
	}
	s, err := w.k.Class(w.at(), cpu(3).ID(), escrow.Free)
	if err != nil || s.Leased != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if n := size(w, w.k.jobs); n != 1 {
		t.Errorf("%d leases of jobs", n)
	}
	w.until(60)
	w.check()
}

// A batch that cannot be cleared gives all deposits back, and the chain goes on.
func TestABatchThatFailsIsGivenBack(t *testing.T) {
	w := newWorld(t)
	w.must(w.send(person(0), ask(0, 1, 10)))
	terms := market.Terms{Alternatives: []market.Alternative{{Class: cpu(0), Units: 1, Limit: 70}}, Tenors: 1}
	w.must(w.bid(1, terms, terms.Most()))
	w.until(6)
	w.openAll()
	id := market.AskID(person(0), cpu(0))
	w.must(w.k.asks.Set(w.ctx, id[:], []byte("damaged")))
	w.until(10)
	payer := person(1)
	if got := w.bank.has[string(payer[:])]; got != money.MUT(1000) {
		t.Errorf("the bidder has %s", got.Coins())
	}
	if n, err := w.k.batchBids(w.ctx, escrow.Free); err != nil || len(n) != 0 {
		t.Errorf("%d bids are left: %v", len(n), err)
	}
}

// A lease whose record is damaged rests; the others go on.
func TestARecordThatFailsRests(t *testing.T) {
	w := newWorld(t)
	w.must(w.send(person(0), ask(0, 2, 10)))
	for n := range uint64(2) {
		w.must(w.send(person(1), market.TakeNow{Class: cpu(0), Units: 1, Tenors: 1, Limit: 10, Nonce: n}))
	}
	leases := stored[market.Lease](w, w.k.leases)
	w.must(w.k.leases.Set(w.ctx, leases[0].ID[:], []byte("damaged")))
	w.until(20)
	if l, err := w.k.Lease(w.ctx, leases[1].ID, escrow.Free); err != nil || l.Status != market.Closed {
		t.Errorf("the other lease: %+v, %v", l, err)
	}
	if has, err := w.k.due.Has(w.ctx, collections.Join(uint64(leases[0].Due)+retryBlocks, leases[0].ID[:])); err != nil || !has {
		t.Errorf("the damaged lease does not rest: %v", err)
	}
}

// Gas is charged for what is read, before it is decoded.
func TestStateIsPaidBeforeItIsDecoded(t *testing.T) {
	w := newWorld(t)
	id := protocol.Hash{1}
	w.must(w.k.leases.Set(w.ctx, id[:], make([]byte, 800_000)))
	defer func() {
		if _, out := recover().(storetypes.ErrorOutOfGas); !out {
			t.Error("a lease of 800 kB was read for a million gas")
		}
	}()
	w.ctx = w.ctx.WithGasMeter(storetypes.NewGasMeter(1_000_000))
	w.Log(w.send(person(0), market.SettleLease{Lease: id}))
}

// A provider that was proven wrong loses the bond of the leased units, half of it to who proved it, and the buyer has back what was not
// settled; a second proof finds nothing left.
func TestForfeit(t *testing.T) {
	w := newWorld(t)
	w.must(w.send(person(0), ask(1, 3, 10)))
	take := market.TakeNow{Class: cpu(1), Units: 2, Tenors: 1, Limit: 100}
	w.must(w.send(person(1), take))
	lease := market.LeaseID(market.TakeID(take, person(1)), market.AskID(person(0), cpu(1)))
	w.must(w.send(person(0), market.AcceptLease{Lease: lease}))
	w.next()
	has := func(n int) money.Amount { p := person(n); return w.bank.has[string(p[:])] }
	buyer, seller, supply := has(1), has(0), w.bank.has["burned"]
	for range 2 {
		w.must(w.k.Forfeit(w.at(), lease, person(2), escrow.Free))
		w.check()
	}
	if got := has(2); got != money.MUT(1000).Plus(bond) {
		t.Errorf("who proved it has %s", got.Coins())
	}
	if got := w.bank.has["burned"].Minus(supply); got != bond {
		t.Errorf("%s were burned", got.Coins())
	}
	if got := has(1).Minus(buyer); got != money.New(20*market.Tick) {
		t.Errorf("the buyer has %s back", got.Coins())
	}
	if got := has(0).Minus(seller); got != bond { // of the unit that nobody had leased
		t.Errorf("the provider has %s back", got.Coins())
	}
	w.must(w.k.Forfeit(w.at(), protocol.Hash{1}, person(2), escrow.Free)) // no such lease
}

// Somebody packs whole bids better than the built-in solver: four units, one bid of three that is served first, two of two each.
func TestProposal(t *testing.T) {
	w := newWorld(t)
	w.h = 10
	w.must(w.send(person(0), ask(0, 4, 10)))
	var bids []protocol.Hash
	for i, b := range []struct {
		limit auction.Price
		units uint32
	}{{100, 3}, {99, 2}, {99, 2}} {
		who := 1 + i
		terms := market.Terms{Alternatives: []market.Alternative{{Class: cpu(0), Units: b.units, Limit: b.limit}}, Whole: true, Tenors: 1}
		seal := market.TermsSeal(terms, person(who), 1, protocol.Hash{1})
		w.must(w.send(person(who), market.SealBid{Seal: seal, Deposit: terms.Most(), Batch: 1}))
		bids = append(bids, market.BidID(person(who), 1, seal))
		w.open = append(w.open, func() {
			w.must(w.send(person(who), market.OpenBid{Bid: bids[i], Terms: terms, Salt: protocol.Hash{1}}))
		})
	}
	offer := market.AskID(person(0), cpu(0))
	propose := func(deals ...market.Deal) error {
		return w.send(person(7), market.Propose{Batch: 1, Deals: market.PackDeals(deals)})
	}
	both := []market.Deal{{Bid: bids[1], Ask: offer, Units: 2}, {Bid: bids[2], Ask: offer, Units: 2}}
	if err := propose(both...); !errors.Is(err, protocol.ErrPhase) {
		t.Errorf("before the opening: %v", err)
	}
	w.until(17)
	w.openAll()
	for name, deals := range map[string][]market.Deal{
		"what the built-in solver does": {{Bid: bids[0], Ask: offer, Units: 3}},
		"orders that nobody made":       {{Bid: protocol.Hash{1}, Ask: protocol.Hash{2}, Units: 1}},
		"too much":                      {{Bid: bids[1], Ask: offer, Units: 1 << 31}},
	} {
		if err := propose(deals...); !errors.Is(err, protocol.ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.send(person(7), market.Propose{Batch: 1, Deals: []byte{1}}); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("half a deal: %v", err)
	}
	w.must(propose(both...))
	if err := propose(both...); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("no better than the one before: %v", err)
	}
	w.until(21)
	w.check()
	if held, err := w.k.proposal(w.ctx, escrow.Free); err != nil || held != nil {
		t.Errorf("the proposal outlives its batch: %v, %v", held, err)
	}
	served := map[protocol.Hash]uint32{}
	for _, l := range stored[market.Lease](w, w.k.leases) {
		served[l.Bid] += l.Units
		if l.Quote != (auction.Quote{Buyer: 99, Seller: 99}) {
			t.Errorf("a lease at %+v", l.Quote)
		}
	}
	if served[bids[0]] != 0 || served[bids[1]] != 2 || served[bids[2]] != 2 {
		t.Errorf("served %v", served)
	}
}

// Who wants no reputation gets what it would get if all had been read, and who wants some gets only those that have it.
func TestReputationIsReadWhereItIsWanted(t *testing.T) {
	w := newWorld(t)
	w.must(w.send(person(0), ask(0, 1, 10)))
	w.must(w.send(person(1), ask(0, 1, 20)))
	for range 20 {
		w.must(w.k.Checked(w.at(), person(1), true))
	}
	for _, c := range []struct {
		grade uint32
		want  int
	}{{3, 1}, {0, 0}} {
		m := market.TakeNow{Class: cpu(0), Units: 1, Tenors: 1, Limit: 100, MinReputation: c.grade}
		w.must(w.send(person(2), m))
		id := market.LeaseID(market.TakeID(m, person(2)), market.AskID(person(c.want), cpu(0)))
		if l, err := w.k.Lease(w.ctx, id, escrow.Free); err != nil || l.Provider != person(c.want) {
			t.Errorf("grade %d: %+v, %v", c.grade, l, err)
		}
	}
}
