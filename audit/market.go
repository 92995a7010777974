package audit

import (
	"math/big"
	"strconv"
)

// MarketTerms are the parameters of the market. Rule: spec/market.md §5.
type MarketTerms struct {
	Escrow, Pool, Treasury Account
	Tenors                 [4]int64 // blocks
	Holdback               int64    // blocks
	Split                  [3]int64 // provider, pool, treasury, of 10,000
	SealFee, SilenceFee    int64    // of 10,000
	Batch                  uint64   // blocks
}

// nano is the value of a price of 1, in amut.
const nano = 1_000_000_000

// ask is the money of an offer. Rule: spec/market.md §6.
type ask struct {
	owner                  Account
	units, leased, watched int64
	notice                 uint64
	unitBond, bond         *big.Int
	closing                bool
}

// bid is a deposit in the batch that is open. Rule: spec/market.md §7.
type bid struct {
	owner   Account
	deposit *big.Int // less what its leases cost
	open    bool
	terms   marketTerms
}

// marketTerms are what an order says of the leases that come of it.
type marketTerms struct {
	Tenors  int64
	Job     Hash
	Metered bool
}

// lease is the money of a lease. Rule: spec/market.md §8, §9.
type lease struct {
	ask             Hash
	buyer, provider Account
	units           int64
	metered         bool
	job             Hash
	price           [2]int64 // buyer's and seller's
	start, end      uint64
	length          int64
	cost, earned    *big.Int
	back            *big.Int // of cost: returned when the time was up
	over, closed    bool
}

// trade is the market as these books know it.
type trade struct {
	asks   map[Hash]*ask
	bids   map[Hash]*bid
	leases map[Hash]*lease
	order  []Hash          // of bids
	ended  []Hash          // runs of the open batch; their leases end with it
	hires  map[Hash][]Hash // leases of a job
}

func newTrade() trade {
	return trade{asks: map[Hash]*ask{}, bids: map[Hash]*bid{}, leases: map[Hash]*lease{}, hires: map[Hash][]Hash{}}
}

// market reads a message of the market. Matches and their prices are verdicts: a clearing is not repeated here.
func (b *Books) market(m Message) {
	var body struct {
		Ask, Bid, Lease Hash
		Units           int64
		Notice          uint64
		UnitBond        Coins `json:"unit_bond"`
		Deposit         Coins
		Terms           marketTerms
		marketTerms
		Class struct{ Tenor int }
	}
	if !b.decode(m, &body) {
		return
	}
	t, g := &b.trade, b.genesis.Market
	switch m.Kind {
	case "market/place-ask":
		id, ok := b.announced("market.ask-placed", "ask", m.From)
		if !ok || body.UnitBond.Int == nil {
			return
		}
		a := t.asks[id]
		if a == nil {
			a = &ask{owner: m.From, bond: new(big.Int)}
			t.asks[id] = a
		}
		a.units, a.notice, a.unitBond, a.closing = body.Units, body.Notice, body.UnitBond.Int, false
		b.because("ask %.8s of %d units, with a bond of %s each", id, a.units, a.unitBond)
		b.rebond(a, new(big.Int).Mul(a.unitBond, big.NewInt(a.units)))
	case "market/withdraw-ask":
		if a := t.asks[body.Ask]; a != nil && a.owner == m.From {
			b.shut(a)
		} else {
			b.find("withdrawal by "+m.From.String(), "of an own ask", body.Ask.String())
		}
	case "market/seal-bid":
		if id, ok := b.announced("market.bid-sealed", "bid", m.From); ok && body.Deposit.Int != nil {
			t.bids[id] = &bid{owner: m.From, deposit: new(big.Int).Set(body.Deposit.Int)}
			t.order = append(t.order, id)
			b.because("deposit of the sealed bid %.8s; what its leases do not cost comes back when the batch is cleared", id)
			b.move(m.From, g.Escrow, body.Deposit.Int, "deposit of a bid")
		}
	case "market/open-bid":
		if o := t.bids[body.Bid]; o != nil && o.owner == m.From {
			o.open, o.terms = true, body.Terms
		} else {
			b.find("opening by "+m.From.String(), "of an own bid", body.Bid.String())
		}
	case "market/take-now":
		for e, ok := b.take("market.lease-offered", "buyer", m.From.String()); ok; e, ok = b.take("market.lease-offered", "buyer", m.From.String()) {
			if l := b.offered(e, body.marketTerms); l != nil {
				b.costNote(l)
				b.move(m.From, g.Escrow, l.cost, "cost of a lease")
			}
		}
	case "market/end-lease":
		if l := t.leases[body.Lease]; l != nil && l.start > 0 {
			end := b.height + 1
			if m.From == l.provider && m.From != l.buyer {
				end += b.notice(l)
			}
			l.end = min(l.end, end)
		}
	case "market/settle-lease":
		if l := t.leases[body.Lease]; l != nil {
			b.settle(body.Lease, l)
		}
	case "market/accept-lease", "market/propose", "market/renew-ask": // announced, or without money
	default:
		b.find("message "+m.Kind, "known to this audit", "unknown")
	}
}

func (b *Books) notice(l *lease) uint64 {
	if a := b.trade.asks[l.ask]; a != nil {
		return a.notice
	}
	return 0
}

// announced reads the id of what a message made.
func (b *Books) announced(kind, attribute string, owner Account) (id Hash, ok bool) {
	e, ok := b.take(kind, "owner", owner.String())
	if !ok || id.UnmarshalText([]byte(e.Attributes[attribute])) != nil {
		b.find(attribute+" of "+owner.String(), "announced", "not announced")
		return id, false
	}
	return id, true
}

// traded reads a verdict of the market.
func (b *Books) traded(e Event) {
	var id Hash
	t := &b.trade
	switch e.Kind {
	case "market.ask-lapsed":
		if id.UnmarshalText([]byte(e.Attributes["ask"])) == nil && t.asks[id] != nil {
			b.shut(t.asks[id])
		}
		return
	case "market.bid-entered":
		b.entered(e)
		return
	case "market.batch-cleared", "market.returned":
		b.cleared(e.Kind == "market.returned")
		return
	}
	if id.UnmarshalText([]byte(e.Attributes["lease"])) != nil {
		return
	}
	l := t.leases[id]
	switch {
	case e.Kind == "market.lease-offered" && l == nil:
		var from Hash
		o := t.bids[from]
		if from.UnmarshalText([]byte(e.Attributes["bid"])) == nil {
			o = t.bids[from]
		}
		if o == nil || !o.open {
			b.find("lease "+id.String(), "of an open bid", e.Attributes["bid"])
			return
		}
		if l = b.offered(e, o.terms); l != nil {
			o.deposit = minus(o.deposit, l.cost)
		}
	case l == nil:
		b.find("event "+e.Kind, "of a lease that exists", id.String())
	case e.Kind == "market.lease-offered":
		l.start, l.end = 0, 0 // it may have been accepted and not taken up
		b.silent(l)
		b.bind(l, e)
	case e.Kind == "market.lease-refused":
		b.silent(l)
		b.because("lease %.8s was accepted by nobody", id)
		b.move(b.genesis.Market.Escrow, l.buyer, l.cost, "lease that nobody took")
		l.closed = true
	case e.Kind == "market.lease-accepted":
		l.start = b.height
		l.end = l.start + uint64(l.length)
	case e.Kind == "market.lease-ended":
		if !b.jobEnded(l) {
			b.find("lease "+id.String(), "ended with the run that it was bought for", "ended")
		}
		l.end = min(l.end, b.height+1)
	case e.Kind == "market.lease-called-off":
		if !b.jobEnded(l) || l.start > 0 {
			b.find("lease "+id.String(), "an offer for a run that has ended", "called off")
			return
		}
		b.because("lease %.8s was offered when its run ended", id)
		b.move(b.genesis.Market.Escrow, l.buyer, l.cost, "lease of a run that has ended")
		l.closed = true
		if a := t.asks[l.ask]; a != nil {
			a.leased -= l.units
			b.shrink(a)
		}
	case e.Kind == "market.lease-void":
		b.void(id, l, e)
	case e.Kind == "market.lease-over":
		l.over, l.back = true, minus(l.cost, l.gross(l.end))
		b.because("lease %.8s ended after %d of its %d blocks: of %s the work was worth %s", id, l.end-l.start, l.length, l.cost, l.gross(l.end))
		b.move(b.genesis.Market.Escrow, l.buyer, minus(l.cost, l.gross(l.end)), "rest of a lease")
		if a := t.asks[l.ask]; a != nil {
			a.leased, a.watched = a.leased-l.units, a.watched+l.units
		}
	case e.Kind == "market.lease-closed":
		b.settle(id, l)
		l.closed = true
		if a := t.asks[l.ask]; a != nil {
			a.watched -= l.units
			b.shrink(a)
		}
	}
}

// entered is a bid of the commons: open, metered and without a deposit.
func (b *Books) entered(e Event) {
	var id, job Hash
	tenors, err := strconv.ParseInt(e.Attributes["tenors"], 10, 64)
	if err != nil || job.UnmarshalText([]byte(e.Attributes["job"])) != nil || id.UnmarshalText([]byte(e.Attributes["bid"])) != nil || e.Attributes["owner"] != b.genesis.Market.Treasury.String() {
		b.find("bid "+e.Attributes["bid"], "of the treasury", e.Attributes["owner"])
		return
	}
	b.trade.bids[id] = &bid{owner: b.genesis.Market.Treasury, deposit: new(big.Int), open: true, terms: marketTerms{Tenors: tenors, Job: job, Metered: true}}
	b.trade.order = append(b.trade.order, id)
}

// offered makes a lease.
func (b *Books) offered(e Event, terms marketTerms) *lease {
	l := &lease{metered: terms.Metered, job: terms.Job, earned: new(big.Int), cost: new(big.Int), back: new(big.Int)}
	var id Hash
	tenor, bad := strconv.Atoi(e.Attributes["tenor"])
	for i, name := range []string{"buyer_price", "seller_price"} {
		n, err := strconv.ParseInt(e.Attributes[name], 10, 64)
		if err != nil {
			bad = err
		}
		l.price[i] = n
	}
	units, err := strconv.ParseInt(e.Attributes["units"], 10, 64)
	if bad != nil || err != nil || tenor < 0 || tenor > 3 || id.UnmarshalText([]byte(e.Attributes["lease"])) != nil || l.buyer.UnmarshalText([]byte(e.Attributes["buyer"])) != nil {
		b.find("event "+e.Kind, "readable", e.Attributes["lease"])
		return nil
	}
	l.units, l.length = units, b.genesis.Market.Tenors[tenor]*terms.Tenors
	if !l.metered {
		l.cost.Mul(big.NewInt(l.price[0]), big.NewInt(l.units))
		l.cost.Mul(l.cost, big.NewInt(terms.Tenors)).Mul(l.cost, big.NewInt(nano))
	}
	b.trade.leases[id] = l
	if l.job != (Hash{}) {
		b.trade.hires[l.job] = append(b.trade.hires[l.job], id)
	}
	b.bind(l, e)
	return l
}

// costNote says what a lease costs.
func (b *Books) costNote(l *lease) {
	unit := new(big.Int).Mul(big.NewInt(l.price[0]), big.NewInt(nano))
	b.because("lease of %d units for %d blocks at %s for a unit and tenor", l.units, l.length, unit)
}

// bind gives a lease to the ask that an event names.
func (b *Books) bind(l *lease, e Event) {
	if l.ask.UnmarshalText([]byte(e.Attributes["ask"])) != nil || l.provider.UnmarshalText([]byte(e.Attributes["provider"])) != nil || b.trade.asks[l.ask] == nil {
		b.find("lease "+e.Attributes["lease"], "of an ask that exists", e.Attributes["ask"])
		return
	}
	b.trade.asks[l.ask].leased += l.units
}

// void ends a lease whose provider was expelled from the run that hired it: half of the bond of its units is for who proved it, half is
// burned, and what was not settled goes back. Rule: spec/market.md §9.
func (b *Books) void(id Hash, l *lease, e Event) {
	var to Account
	a := b.trade.asks[l.ask]
	if a == nil || l.closed || to.UnmarshalText([]byte(e.Attributes["to"])) != nil || !b.convicted(l, to) {
		b.find("lease "+id.String(), "void because its provider was expelled", "void")
		return
	}
	if l.over {
		a.watched -= l.units
	} else {
		a.leased -= l.units
	}
	bond := least(new(big.Int).Mul(a.unitBond, big.NewInt(l.units)), a.bond)
	half := part(bond, 1, 2)
	b.because("the provider of lease %.8s was proven wrong: half of the bond of %s of its units", id, bond)
	b.move(b.genesis.Market.Escrow, to, half, "bounty of a lease")
	b.move(b.genesis.Market.Escrow, Account{}, minus(bond, half), "burned of a lease's bond")
	a.bond = minus(a.bond, bond)
	b.shut(a)
	b.because("lease %.8s is void: what its provider had not been paid", id)
	b.move(b.genesis.Market.Escrow, l.buyer, minus(minus(l.cost, l.earned), l.back), "rest of a lease")
	l.closed = true
}

// convicted reports whether the member that a lease hired has been expelled, and somebody paid for proving it.
func (b *Books) convicted(l *lease, to Account) bool {
	for _, r := range b.runs {
		if m := r.members[l.provider]; m != nil && m.lease == l && m.expelled && m.provenBy == to {
			return true
		}
	}
	return false
}

// jobEnded reports whether a lease was bought for a run of its buyer that has ended.
func (b *Books) jobEnded(l *lease) bool {
	r := b.runs[l.job]
	return r != nil && r.ended && r.author == l.buyer
}

// maxEnded is how many leases of ended runs end in one block.
const maxEnded = 1000

// endJobs looks for leases that outlive their run, until the batch in which it ended is over. Rule: spec/market.md §8.
func (b *Books) endJobs() {
	for _, run := range b.trade.ended {
		list := b.trade.hires[run]
		if len(list) > maxEnded {
			continue // the rest ends in the next blocks
		}
		for _, id := range list {
			if l := b.trade.leases[id]; !l.over && !l.closed && l.buyer == b.runs[run].author && (l.start == 0 || l.end > b.height+1) {
				b.find("lease "+id.String(), "ended with its run", "offered or running")
			}
		}
	}
	if batch := b.genesis.Market.Batch; batch > 0 && (b.height+1)%batch == 0 {
		for _, run := range b.trade.ended {
			delete(b.trade.hires, run)
		}
		b.trade.ended = nil
	}
}

// silent burns a part of the bond of units whose offer was let pass, and closes their ask.
func (b *Books) silent(l *lease) {
	a := b.trade.asks[l.ask]
	if a == nil {
		return
	}
	fee := part(least(new(big.Int).Mul(a.unitBond, big.NewInt(l.units)), a.bond), b.genesis.Market.SilenceFee, 10_000)
	b.move(b.genesis.Market.Escrow, Account{}, fee, "burned for silence")
	a.bond = minus(a.bond, fee)
	a.leased -= l.units
	b.shut(a)
}

// shut closes an ask.
func (b *Books) shut(a *ask) {
	a.closing = true
	b.shrink(a)
}

// shrink pays the bonds of units that nothing binds any more.
func (b *Books) shrink(a *ask) {
	if !a.closing {
		return
	}
	a.units = max(a.leased, a.watched)
	if keep := new(big.Int).Mul(a.unitBond, big.NewInt(a.units)); a.bond.Cmp(keep) > 0 {
		b.rebond(a, keep)
	}
}

// rebond locks what is missing of a bond or pays back what is too much.
func (b *Books) rebond(a *ask, to *big.Int) {
	if d := minus(to, a.bond); d.Sign() > 0 {
		b.move(a.owner, b.genesis.Market.Escrow, d, "bond of an ask")
	} else {
		b.move(b.genesis.Market.Escrow, a.owner, d.Neg(d), "bond of an ask")
	}
	a.bond = to
}

// cleared ends the batch: what leases do not cost goes back; who did not open pays for it, unless the batch was returned.
func (b *Books) cleared(returned bool) {
	t := &b.trade
	for _, id := range t.order {
		o := t.bids[id]
		if !o.open && !returned {
			fee := part(o.deposit, b.genesis.Market.SealFee, 10_000)
			b.move(b.genesis.Market.Escrow, Account{}, fee, "burned of a sealed bid")
			b.because("bid %.8s was never opened: %s of its deposit are burned", id, fee)
			o.deposit = minus(o.deposit, fee)
		}
		b.move(b.genesis.Market.Escrow, o.owner, o.deposit, "deposit of a bid")
	}
	t.bids, t.order = map[Hash]*bid{}, nil
}

// gross is what of the cost belongs to the work of the blocks before h.
func (l *lease) gross(h uint64) *big.Int {
	if l.start == 0 || h <= l.start {
		return new(big.Int)
	}
	return part(l.cost, int64(min(h, l.end)-l.start), l.length)
}

// settle pays for work whose window has closed. Rule: spec/market.md §9.
func (b *Books) settle(id Hash, l *lease) {
	g := b.genesis.Market
	to := l.gross(b.height - min(b.height, uint64(g.Holdback)))
	if l.closed || l.start == 0 || to.Cmp(l.earned) <= 0 {
		return
	}
	rest := minus(to, l.earned)
	share := func(total *big.Int, n int64) *big.Int { return part(part(total, l.price[1], l.price[0]), n, 10_000) }
	for i, who := range []Account{l.provider, g.Pool, g.Treasury} {
		amount := minus(share(to, g.Split[i]), share(l.earned, g.Split[i]))
		b.because("lease %.8s: work worth %s of %s is past its window of %d blocks, of which %s were settled before", id, to, l.cost, g.Holdback, l.earned)
		b.because("of what is new the seller's part is %d / %d, and of that %d of 10,000: %s", l.price[1], l.price[0], g.Split[i], amount)
		b.move(g.Escrow, who, amount, "work of a lease")
		rest = minus(rest, amount)
	}
	b.move(g.Escrow, Account{}, rest, "burned of a lease")
	l.earned = to
}

// hired is what a unit costs of who joins a run with a lease. Rule: spec/work.md §3.
func (b *Books) hired(m Message, r *run, id Hash, price int64) *big.Int {
	l := b.trade.leases[id]
	if l == nil || !l.metered || l.start == 0 || l.provider != m.From || l.buyer != r.author || l.price[0] != price {
		b.find("hire of "+m.From.String(), "by a lease at its price", id.String())
	}
	return new(big.Int).Mul(big.NewInt(price), big.NewInt(nano))
}
