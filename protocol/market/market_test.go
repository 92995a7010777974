package market

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// host keeps records and coins as a keeper would, and checks after each step that none is lost.
type host struct {
	t        *testing.T
	p        Params
	h        protocol.Height
	balance  map[protocol.Account]money.Amount
	escrow   money.Amount
	burned   money.Amount
	supply   money.Amount
	asks     map[protocol.Hash]Ask
	bids     map[protocol.Hash]Bid
	leases   map[protocol.Hash]Lease
	open     map[protocol.Hash]OpenBid // what a buyer has yet to open
	closed   int
	provider map[protocol.Account]Reputation
}

func account(n int) protocol.Account { return protocol.Account{1, byte(n >> 8), byte(n)} }

var (
	poolAccount     = protocol.Account{2}
	treasuryAccount = protocol.Account{3}
)

func newHost(t *testing.T, people int) *host {
	p := DefaultParams(poolAccount, treasuryAccount)
	p.Tenors, p.HoldbackBlocks, p.MinUnitBond = [4]uint64{5, 20, 60, 200}, 15, money.New(1000*Tick)
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	h := &host{
		t: t, p: p, balance: map[protocol.Account]money.Amount{}, asks: map[protocol.Hash]Ask{}, bids: map[protocol.Hash]Bid{},
		leases: map[protocol.Hash]Lease{}, open: map[protocol.Hash]OpenBid{}, provider: map[protocol.Account]Reputation{},
	}
	for i := range people {
		h.balance[account(i)] = money.MUT(1000)
		h.supply = h.supply.Plus(money.MUT(1000))
	}
	return h
}

func (h *host) env() protocol.Env { return protocol.Env{Height: h.h} }

// carry carries effects out, all or none.
func (h *host) carry(effects []protocol.Effect) error {
	for _, e := range effects {
		if l, ok := e.(protocol.Lock); ok && l.Amount.Compare(h.balance[l.From]) > 0 {
			return protocol.ErrInsufficient
		}
	}
	for _, e := range effects {
		switch e := e.(type) {
		case protocol.Lock:
			h.balance[e.From] = h.balance[e.From].Minus(e.Amount)
			h.escrow = h.escrow.Plus(e.Amount)
		case protocol.Pay:
			h.balance[e.To] = h.balance[e.To].Plus(e.Amount)
			h.escrow = h.escrow.Minus(e.Amount)
		case protocol.Burn:
			h.burned = h.burned.Plus(e.Amount)
			h.escrow = h.escrow.Minus(e.Amount)
		}
	}
	return nil
}

// check compares the escrow with the sum of claims, and all coins with the supply.
func (h *host) check() {
	h.t.Helper()
	var claims money.Amount
	for _, a := range h.asks {
		claims = claims.Plus(a.Bond)
		if a.Leased > a.Units || a.Watched > 1<<30 {
			h.t.Fatalf("block %d: ask %+v", h.h, a)
		}
	}
	for _, b := range h.bids {
		claims = claims.Plus(b.Deposit)
	}
	for _, l := range h.leases {
		claims = claims.Plus(l.Claims())
	}
	if claims.Compare(h.escrow) != 0 {
		h.t.Fatalf("block %d: escrow %s, claims %s", h.h, h.escrow, claims)
	}
	sum := h.escrow.Plus(h.burned)
	for _, b := range h.balance {
		sum = sum.Plus(b)
	}
	if sum.Compare(h.supply) != 0 {
		h.t.Fatalf("block %d: %s of %s left", h.h, sum, h.supply)
	}
}

func (h *host) keepAsk(a Ask) {
	if h.asks[a.ID] = a; a.Gone() {
		delete(h.asks, a.ID)
	}
}

func (h *host) keepLease(l Lease) {
	if h.leases[l.ID] = l; l.Status == Closed {
		delete(h.leases, l.ID)
		h.closed++
	}
}

// candidates are the asks by reserve, then by id.
func (h *host) candidates() []Candidate {
	var list []Candidate
	for _, id := range sorted(h.asks) {
		a := h.asks[id]
		list = append(list, Candidate{a, h.provider[a.Owner].Grade(h.h)})
	}
	slices.SortStableFunc(list, func(a, b Candidate) int { return int(int64(a.Ask.Reserve) - int64(b.Ask.Reserve)) })
	return list
}

func sorted[V any](m map[protocol.Hash]V) []protocol.Hash {
	var ids []protocol.Hash
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b protocol.Hash) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// endBlock does what is due and goes to the next block.
func (h *host) endBlock() auction.Worth {
	for _, id := range sorted(h.leases) {
		l := h.leases[id]
		next, asks, effects := Expire(l, h.asks[l.Ask], h.candidates(), h.p, h.env())
		h.must(h.carry(effects))
		for _, a := range asks {
			h.keepAsk(a)
		}
		h.keepLease(next)
	}
	var worth auction.Worth
	if h.p.Closes(h.h) {
		var bids []Bid
		for _, id := range sorted(h.bids) {
			bids = append(bids, h.bids[id])
		}
		out, err := Clear(Round{h.candidates(), bids, protocol.Hash{byte(h.h)}}, nil, h.p, h.env())
		h.must(err)
		h.must(h.carry(out.Effects))
		for _, a := range out.Asks {
			h.keepAsk(a)
		}
		for _, l := range out.Leases {
			h.keepLease(l)
		}
		clear(h.bids)
		clear(h.open)
		worth = out.Worth
	}
	h.check()
	h.h++
	return worth
}

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("block %d: %v", h.h, err)
	}
}

func (h *host) offer(who int, m PlaceAsk) error {
	var known *Ask
	if a, ok := h.asks[AskID(account(who), m.Class)]; ok {
		known = &a
	}
	a, effects, err := Offer(m, known, account(who), h.p, h.env())
	if err == nil {
		if err = h.carry(effects); err == nil {
			h.keepAsk(a)
		}
	}
	return err
}

func (h *host) bid(who int, t Terms, deposit money.Amount) (protocol.Hash, error) {
	salt := protocol.Hash{byte(who), byte(h.h), byte(len(h.bids))}
	b, effects, err := Seal(SealBid{TermsSeal(t, account(who), h.p.Batch(h.h), salt), deposit, h.p.Batch(h.h)}, account(who), h.p, h.env())
	if err == nil {
		if err = h.carry(effects); err == nil {
			h.bids[b.ID], h.open[b.ID] = b, OpenBid{b.ID, t, salt}
		}
	}
	return b.ID, err
}

func (h *host) reveal(id protocol.Hash) error {
	b, err := Reveal(h.open[id], h.bids[id], h.bids[id].Owner, h.p, h.env())
	if err == nil {
		h.bids[id] = b
	}
	return err
}

func cpu(tenor uint8) Class { return Class{"cpu", "eu", Audited, tenor} }

// One job from its bid to the last payment, in the numbers of a person: 2 units for one tenor at 6.5 each.
func TestALeaseFromBidToPay(t *testing.T) {
	h := newHost(t, 4)
	h.must(h.offer(0, PlaceAsk{Class: cpu(1), Units: 2, Reserve: 6_000_000, Until: 1000, UnitBond: money.New(1000 * Tick)}))
	terms := Terms{Alternatives: []Alternative{{cpu(1), 2, 7_000_000}}, Whole: true, Tenors: 1}
	id, err := h.bid(1, terms, terms.Most())
	h.must(err)
	if err := h.reveal(id); !errors.Is(err, protocol.ErrPhase) {
		t.Errorf("opened while bids are sealed: %v", err)
	}
	for h.h < 6 {
		h.endBlock()
	}
	h.must(h.reveal(id))
	for h.h < 10 {
		h.endBlock()
	}
	if len(h.leases) != 1 {
		t.Fatalf("%d leases", len(h.leases))
	}
	for _, l := range h.leases {
		if l.Quote != (auction.Quote{Buyer: 6_500_000, Seller: 6_500_000}) || l.Cost.Compare(money.New(13_000_000*Tick)) != 0 {
			t.Fatalf("lease %+v", l)
		}
		l, effects, err := Accept(l, account(0), h.p, h.env())
		h.must(err)
		h.must(h.carry(effects))
		h.keepLease(l)
	}
	for h.closed == 0 && h.h < 100 {
		h.endBlock()
	}
	want := money.MUT(1000).Minus(money.New(2000 * Tick)).Plus(money.New(13_000_000*Tick).Part(92, 100))
	if got := h.balance[account(0)]; got.Compare(want) != 0 {
		t.Errorf("the provider has %s, want %s", got.Coins(), want.Coins())
	}
	if h.balance[poolAccount].Compare(money.New(13_000_000*Tick).Part(2, 100)) != 0 || h.burned.Compare(money.New(13_000_000*Tick).Part(5, 100)) != 0 {
		t.Errorf("pool %s, burned %s", h.balance[poolAccount].Coins(), h.burned.Coins())
	}
	if h.h-1 != 10+20+15 {
		t.Errorf("closed after block %d, want work of 20 blocks and a window of 15 behind block 10", h.h-1)
	}
}

func TestAnOfferLetPassGoesToTheNextBest(t *testing.T) {
	h := newHost(t, 4)
	for who, reserve := range []auction.Price{100, 120} {
		h.must(h.offer(who, PlaceAsk{Class: cpu(0), Units: 1, Reserve: reserve, Until: 1000, UnitBond: money.New(1000 * Tick)}))
	}
	terms := Terms{Alternatives: []Alternative{{cpu(0), 1, 500}}, Tenors: 1}
	id, err := h.bid(2, terms, money.New(900*Tick))
	h.must(err)
	for h.h < 6 {
		h.endBlock()
	}
	h.must(h.reveal(id))
	for h.h < 14 {
		h.endBlock()
	}
	if len(h.leases) != 1 || len(h.asks) != 1 {
		t.Fatalf("%d leases, %d asks", len(h.leases), len(h.asks))
	}
	for _, l := range h.leases {
		if l.Provider != account(1) || l.Attempt != 1 || l.Quote.Seller != 120 {
			t.Errorf("lease %+v", l)
		}
	}
	if want := money.New(10 * Tick); h.burned.Compare(want) != 0 {
		t.Errorf("burned %s, want a hundredth of the bond, %s", h.burned, want)
	}
}

func TestAWrongProviderLosesPayAndBond(t *testing.T) {
	for _, when := range []protocol.Height{12, 20} { // while it works, and in the window behind it
		h := newHost(t, 4)
		h.must(h.offer(0, PlaceAsk{Class: cpu(0), Units: 2, Reserve: 100, Until: 1000, UnitBond: money.New(1000 * Tick)}))
		terms := Terms{Alternatives: []Alternative{{cpu(0), 1, 100}}, Tenors: 1}
		id, err := h.bid(1, terms, terms.Most())
		h.must(err)
		for h.h < 6 {
			h.endBlock()
		}
		h.must(h.reveal(id))
		for h.h < 10 {
			h.endBlock()
		}
		for _, l := range h.leases {
			l, effects, err := Accept(l, account(0), h.p, h.env())
			h.must(err)
			h.must(h.carry(effects))
			h.keepLease(l)
		}
		for h.h < when {
			h.endBlock()
		}
		for _, l := range h.leases {
			l, a, effects := Void(l, h.asks[l.Ask], account(3))
			h.must(h.carry(effects))
			h.keepLease(l)
			h.keepAsk(a)
		}
		h.check()
		if h.balance[account(1)].Compare(money.MUT(1000)) != 0 || h.balance[account(3)].Compare(money.MUT(1000).Plus(money.New(500*Tick))) != 0 {
			t.Errorf("block %d: buyer has %s, challenger %s", when, h.balance[account(1)].Coins(), h.balance[account(3)].Coins())
		}
	}
}

// 1,000 markets of random messages, many of them nonsense: coins are conserved, the escrow is the sum of what is owed, and in
// the end, when everybody has gone home, nothing is left in it.
func TestRandomMessages(t *testing.T) {
	trades := 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 11))
		h := newHost(t, 12)
		h.h = protocol.Height(r.IntN(20))
		for range 60 {
			for range r.IntN(4) {
				h.random(r)
			}
			h.endBlock()
		}
		trades += h.closed
		for _, a := range h.asks {
			a, effects, err := Withdraw(a, a.Owner)
			h.must(err)
			h.must(h.carry(effects))
			h.keepAsk(a)
		}
		for len(h.leases)+len(h.bids)+len(h.asks) > 0 && h.h < 10_000 {
			h.endBlock()
		}
		if !h.escrow.IsZero() || len(h.asks) > 0 {
			t.Fatalf("seed %d: %s and %d asks are left in block %d", seed, h.escrow, len(h.asks), h.h)
		}
	}
	if trades < 1000 {
		t.Errorf("only %d leases closed: the test does not trade", trades)
	}
}

// random sends one message that may or may not make sense.
func (h *host) random(r *rand.Rand) {
	who := r.IntN(12)
	class := cpu(uint8(r.IntN(2)))
	switch r.IntN(8) {
	case 0, 1:
		_ = h.offer(who, PlaceAsk{class, uint32(r.IntN(5)), auction.Price(r.IntN(300)), h.h + protocol.Height(r.IntN(50)), uint64(r.IntN(10)), money.New(uint64(800+r.IntN(400)) * Tick)})
	case 2, 3:
		t := Terms{Alternatives: []Alternative{{class, uint32(r.IntN(4)), auction.Price(r.IntN(400))}}, Whole: r.IntN(2) == 0, Tenors: uint32(r.IntN(3))}
		_, _ = h.bid(who, t, t.Most().Plus(money.New(uint64(r.IntN(100)))))
	case 4, 5:
		for _, id := range sorted(h.open) {
			_ = h.reveal(id)
		}
	case 6:
		for _, id := range sorted(h.leases) {
			l := h.leases[id]
			h.act(r, l, account(who))
		}
	case 7:
		m := TakeNow{Class: class, Units: uint32(r.IntN(4)), Tenors: uint32(r.IntN(3)), Limit: auction.Price(r.IntN(400)), Nonce: r.Uint64()}
		leases, asks, effects, err := Take(m, auction.Price(r.IntN(400)), h.candidates(), account(who), h.p, h.env())
		if err == nil && h.carry(effects) == nil {
			for _, a := range asks {
				h.keepAsk(a)
			}
			for _, l := range leases {
				h.keepLease(l)
			}
		}
	}
	h.check()
}

func (h *host) act(r *rand.Rand, l Lease, who protocol.Account) {
	switch r.IntN(6) {
	case 0, 1, 2:
		if next, effects, err := Accept(l, l.Provider, h.p, h.env()); err == nil {
			h.must(h.carry(effects))
			h.keepLease(next)
		}
	case 3:
		if next, effects, err := Cut(l, h.asks[l.Ask], []protocol.Account{who, l.Buyer, l.Provider}[r.IntN(3)], h.env()); err == nil {
			h.must(h.carry(effects))
			h.keepLease(next)
		}
	case 4:
		next, effects := Settle(l, h.p, h.env())
		h.must(h.carry(effects))
		h.keepLease(next)
	case 5:
		if r.IntN(4) == 0 {
			next, a, effects := Void(l, h.asks[l.Ask], who)
			h.must(h.carry(effects))
			h.keepLease(next)
			h.keepAsk(a)
		}
	}
}

func TestBasePriceSeeksItsTarget(t *testing.T) {
	for _, c := range []struct {
		p           auction.Price
		leased, all uint64
		want        auction.Price
	}{
		{6400, 65, 100, 6400}, {6400, 100, 100, 6500}, {6400, 0, 100, 6300}, {1, 100, 100, 2}, {0, 66, 100, 1}, {100, 0, 0, 100},
		{auction.MaxPrice, 1, 1, auction.MaxPrice},
	} {
		if got := BasePrice(c.p, c.leased, c.all); got != c.want {
			t.Errorf("base price %d at %d of %d: %d, want %d", c.p, c.leased, c.all, got, c.want)
		}
	}
}

func TestReputationIsEarned(t *testing.T) {
	var r Reputation
	if got := r.Grade(5); got != 0 {
		t.Errorf("a new key has grade %d", got)
	}
	last := uint64(0)
	for i := range 200 {
		r = r.Checked(true, protocol.Height(i))
		if s := r.Score(protocol.Height(i)); s < last {
			t.Fatalf("score fell from %d to %d after a good result", last, s)
		} else {
			last = s
		}
	}
	if r.Grade(200) != MaxGrade {
		t.Errorf("grade %d after 200 good results, score %d", r.Grade(200), last)
	}
	if s := r.Checked(false, 200).Score(200); s >= last {
		t.Errorf("a bad result does not lower %d: %d", last, s)
	}
	if a, b := r.at(200+halfLife).Good, r.Good/2; a > b+1 || a+1 < b-1 {
		t.Errorf("after a half-life %d of %d", a, r.Good)
	}
	if r.Grade(200+20*halfLife) != 0 {
		t.Error("an old reputation does not fade")
	}
}

func TestSealHidesNothingElse(t *testing.T) {
	a := Terms{Alternatives: []Alternative{{cpu(0), 1, 5}}, Tenors: 1}
	b := Terms{Alternatives: []Alternative{{cpu(0), 1, 6}}, Tenors: 1}
	seals := map[protocol.Hash]string{}
	for _, c := range []struct {
		t     Terms
		who   int
		batch uint64
		salt  protocol.Hash
	}{{a, 1, 1, protocol.Hash{}}, {b, 1, 1, protocol.Hash{}}, {a, 2, 1, protocol.Hash{}}, {a, 1, 2, protocol.Hash{}}, {a, 1, 1, protocol.Hash{1}}} {
		s := TermsSeal(c.t, account(c.who), c.batch, c.salt)
		if other, ok := seals[s]; ok {
			t.Errorf("%+v has the seal of %s", c, other)
		}
		seals[s] = fmt.Sprint(c)
	}
}

// Records go to the store as JSON and come back the same.
func TestRecordsSurviveJSON(t *testing.T) {
	a := Ask{Owner: account(1), Class: cpu(2), Units: 3, Reserve: 1 << 40, UnitBond: money.MUT(1), Bond: money.MUT(3)}
	var back Ask
	data, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &back); err != nil || back != a {
		t.Errorf("%+v became %+v: %v", a, back, err)
	}
}

// Who places an ask while bids are being opened has seen some of them, so the ask waits for the next batch.
func TestAnAskPlacedWhileBidsAreOpenedWaits(t *testing.T) {
	for _, c := range []struct {
		placed protocol.Height
		leases int
	}{{5, 1}, {6, 0}, {9, 0}} {
		h := newHost(t, 4)
		terms := Terms{Alternatives: []Alternative{{cpu(0), 1, 100}, {cpu(1), 1, 100}}, Tenors: 1}
		id, err := h.bid(1, terms, terms.Most())
		h.must(err)
		for h.h < 10 {
			if h.h == c.placed {
				h.must(h.offer(0, PlaceAsk{Class: cpu(0), Units: 1, Reserve: 50, Until: 1000, UnitBond: money.New(1000 * Tick)}))
			}
			if h.h == 6 {
				h.must(h.reveal(id))
			}
			h.endBlock()
		}
		if len(h.leases) != c.leases {
			t.Errorf("an ask of block %d: %d leases", c.placed, len(h.leases))
		}
	}
}

func TestAnAskLapses(t *testing.T) {
	h := newHost(t, 1)
	h.must(h.offer(0, PlaceAsk{Class: cpu(0), Units: 3, Reserve: 50, Until: 5, UnitBond: money.New(1000 * Tick)}))
	a := h.asks[AskID(account(0), cpu(0))]
	if same, effects := Lapse(a, protocol.Env{Height: 4}); same != a || effects != nil {
		t.Error("it lapsed in time")
	}
	a.Leased = 1
	a, effects := Lapse(a, protocol.Env{Height: 5})
	if want := money.New(2000 * Tick); a.Units != 1 || a.Open() || len(effects) != 2 || effects[0].(protocol.Pay).Amount != want {
		t.Errorf("%+v %v", a, effects)
	}
}

// The price of an instant lease is the base price or, if that buys too little, the reserve of the dearest ask in it.
func TestInstantPrice(t *testing.T) {
	offers := []Candidate{
		{Ask{Class: cpu(0), Units: 2, Reserve: 50, Lapses: 9}, 0}, {Ask{Class: cpu(0), Units: 2, Reserve: 60, Lapses: 9}, 3},
		{Ask{Class: cpu(1), Units: 9, Reserve: 1, Lapses: 9}, 7},
	}
	for _, c := range []struct {
		units, grade uint32
		base, price  auction.Price
		found        uint32
	}{{1, 0, 40, 50, 1}, {2, 0, 55, 55, 2}, {3, 0, 40, 60, 3}, {3, 0, 70, 70, 3}, {5, 0, 40, 60, 4}, {1, 1, 40, 60, 1}, {1, 4, 40, 40, 0}} {
		if price, found := Instant(cpu(0), c.units, c.grade, c.base, offers, protocol.Env{}); price != c.price || found != c.found {
			t.Errorf("%+v: %d units at %d", c, found, price)
		}
	}
}

// A class that is looked at once has the price of one that is looked at after every batch, however often it moves.
func TestClassCatchesUp(t *testing.T) {
	p := DefaultParams(poolAccount, treasuryAccount)
	for tenor, moves := range map[uint8]uint64{0: 200 - 3, 1: 200 / 7, 2: 200 / 45, 3: 0} {
		a := Ask{Class: cpu(tenor), Units: 10, Reserve: 1_000_000_000}
		for leased := range uint32(11) {
			b := a
			b.Leased = leased
			s := NewClass(a, p, 3).Changed(Ask{}, a).Changed(a, b)
			step := s
			for batch := uint64(3); batch <= 200; batch++ {
				step = step.At(p, batch)
			}
			if once := s.At(p, 200); once != step {
				t.Errorf("%d of 10 leased: %+v at once, %+v in steps", leased, once, step)
			}
			if gone := s.Changed(b, Ask{}); gone.Offered != 0 || gone.Leased != 0 {
				t.Errorf("%+v without asks", gone)
			}
		}
		want := a.Reserve
		full := a
		full.Leased = 10
		s := NewClass(a, p, 0).Changed(Ask{}, full)
		for range moves {
			want = BasePrice(want, 10, 10)
		}
		s.Batch, s.Used = 3, utilisation(10, 10)*(3%p.period(a.Class))
		if got := s.At(p, 200).Base; got != want {
			t.Errorf("tenor %d: %d after 200 batches, want %d moves, to %d", tenor, got, moves, want)
		}
	}
}

// What a class is used within a period counts as its mean, and batches in which nobody offers anything say nothing.
func TestClassMovesByTheMean(t *testing.T) {
	p := DefaultParams(poolAccount, treasuryAccount)
	a := Ask{Class: cpu(1), Units: 10, Reserve: 1_000_000_000} // a period of 7 batches
	b := a
	b.Leased = 10
	s := NewClass(a, p, 7).Changed(Ask{}, a).At(p, 9).Changed(a, b).At(p, 14) // 2 batches idle, 5 full
	if want := moved(a.Reserve, 5*1000/7); s.Base != want {
		t.Errorf("base price %d, want %d", s.Base, want)
	}
	empty := s.Changed(b, Ask{})
	if got := empty.At(p, 5000); got.Base != s.Base {
		t.Errorf("a class without offers moved from %d to %d", s.Base, got.Base)
	}
}

// A lease of a run ends with the batch in which the run has ended; what has been worked for is paid, the rest goes back, and the units are free.
func TestALeaseEndsWithItsJob(t *testing.T) {
	h := newHost(t, 4)
	h.must(h.offer(0, PlaceAsk{Class: cpu(1), Units: 2, Reserve: 100, Until: 1000, UnitBond: money.New(1000 * Tick)}))
	terms := Terms{Alternatives: []Alternative{{cpu(1), 1, 100}}, Tenors: 1, Job: protocol.Hash{1}}
	for range 2 {
		id, err := h.bid(1, terms, terms.Most())
		h.must(err)
		for !h.p.Revealing(h.h) {
			h.endBlock()
		}
		h.must(h.reveal(id))
		for h.p.Revealing(h.h) {
			h.endBlock()
		}
		if h.h == 10 {
			for _, l := range h.leases {
				l, effects, err := Accept(l, account(0), h.p, h.env())
				h.must(err)
				h.must(h.carry(effects))
				h.keepLease(l)
			}
		}
	}
	worked := h.h - 10 // blocks; the second lease is an offer
	if len(h.leases) != 2 {
		t.Fatalf("%d leases", len(h.leases))
	}
	for _, id := range sorted(h.leases) {
		l, asks, effects := EndOfJob(h.leases[id], h.asks[h.leases[id].Ask], h.env())
		h.must(h.carry(effects))
		for _, a := range asks {
			h.keepAsk(a)
		}
		h.keepLease(l)
	}
	h.check()
	h.endBlock()
	h.endBlock()
	a := h.asks[AskID(account(0), cpu(1))]
	if a.Leased != 0 || a.Watched != 1 || a.Closing || len(h.leases) != 1 {
		t.Errorf("ask %+v, %d leases", a, len(h.leases))
	}
	for h.closed < 2 {
		h.endBlock()
	}
	cost := money.New(100 * Tick)
	if want, got := money.MUT(1000).Minus(cost.Part(uint64(worked)+1, 20)), h.balance[account(1)]; got.Compare(want) != 0 {
		t.Errorf("the buyer has %s, want %s", got.Coins(), want.Coins())
	}
}

// Who accepts a metered lease and does not join its run pays as for silence, also if it ends the lease itself, and the next best ask has the offer.
func TestALeaseThatIsNotTakenUp(t *testing.T) {
	h := newHost(t, 4)
	for who, reserve := range []auction.Price{100, 100, 100} {
		h.must(h.offer(who, PlaceAsk{Class: cpu(3), Units: 1, Reserve: reserve, Until: 1000, UnitBond: money.New(1000 * Tick)}))
	}
	take := TakeNow{Class: cpu(3), Units: 1, Tenors: 1, Limit: 100, Metered: true}
	leases, asks, _, err := Take(take, 100, h.candidates(), account(3), h.p, h.env())
	h.must(err)
	h.keepAsk(asks[0])
	l := leases[0]
	first := l.Provider
	accept := func() {
		t.Helper()
		next, _, err := Accept(l, l.Provider, h.p, h.env())
		h.must(err)
		l = next
		h.keepLease(l)
	}
	accept()
	if _, _, err := Cut(l, h.asks[l.Ask], l.Provider, h.env()); !errors.Is(err, protocol.ErrPhase) {
		t.Errorf("its provider ended it: %v", err)
	}
	for due := l.Due; h.h <= due; {
		h.endBlock()
	}
	l = h.leases[l.ID]
	if l.Status != Offered || l.Provider == first || l.Start != 0 || l.Attempt != 1 || h.burned.Compare(money.New(10*Tick)) != 0 || len(h.asks) != 2 {
		t.Fatalf("%+v, %s burned, %d asks", l, h.burned, len(h.asks))
	}
	accept()
	l = TakeUp(l)
	h.keepLease(l)
	for range 60 {
		h.endBlock()
	}
	if got := h.leases[l.ID]; got.Status != Running || got.Due != got.End {
		t.Errorf("%+v", got)
	}
	if TakeUp(Lease{Status: Running}).Taken {
		t.Error("a lease that pays by time has been taken up")
	}
}

// An ask stands as long as its machine is heard of; to renew it changes nothing else.
func TestRenew(t *testing.T) {
	h := newHost(t, 2)
	h.p.AskBlocks = 10
	h.must(h.offer(0, PlaceAsk{Class: cpu(0), Units: 1, Reserve: 50, Until: 35, UnitBond: money.New(1000 * Tick)}))
	a := h.asks[AskID(account(0), cpu(0))]
	if a.Lapses != 10 || a.free(10) != 1 || a.free(11) != 0 {
		t.Errorf("%+v", a)
	}
	if _, err := Renew(a, account(1), h.p, h.env()); !errors.Is(err, protocol.ErrNotAssigned) {
		t.Errorf("by a stranger: %v", err)
	}
	for at, lapses := range map[protocol.Height]protocol.Height{7: 17, 30: 35} {
		b, err := Renew(a, account(0), h.p, protocol.Env{Height: at})
		h.must(err)
		if b.Lapses != lapses || b.Placed != a.Placed {
			t.Errorf("renewed in block %d: %+v", at, b)
		}
	}
	a, _ = Lapse(a, protocol.Env{Height: 10})
	if !a.Closing {
		t.Error("it outlives its machine")
	}
	if _, err := Renew(a, account(0), h.p, h.env()); !errors.Is(err, protocol.ErrPhase) {
		t.Errorf("a closed one: %v", err)
	}
}

// Messages come from strangers: what is accepted means the same when it is written again.
func FuzzDecodeMsg(f *testing.F) {
	terms := Terms{Alternatives: []Alternative{{cpu(0), 1, 5}}, Tenors: 1}
	for _, m := range []protocol.Msg{
		PlaceAsk{Class: cpu(0), Units: 1, Reserve: 2, Until: 3, UnitBond: money.New(4)}, WithdrawAsk{}, RenewAsk{}, SealBid{Deposit: money.New(1)},
		OpenBid{Terms: terms}, TakeNow{Class: cpu(1), Units: 1, Tenors: 1}, AcceptLease{}, SettleLease{}, EndLease{},
		Propose{Batch: 3, Deals: PackDeals([]Deal{{protocol.Hash{1}, protocol.Hash{2}, 3}})},
	} {
		body, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Kind(), body)
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		m, err := DecodeMsg(kind, body)
		if err != nil {
			if protocol.Code(err) == protocol.CodeUnknown {
				t.Errorf("error without a code: %v", err)
			}
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := DecodeMsg(kind, again); err != nil || fmt.Sprint(back) != fmt.Sprint(m) {
			t.Errorf("%s: %v became %v: %v", kind, m, back, err)
		}
	})
}
