package ledgertest

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
)

// MarketParams are the terms of every ledger's market: short batches and windows.
var MarketParams = market.Params{
	BatchBlocks: 6, RevealBlocks: 2, AckBlocks: 3, JoinBlocks: 8, AskBlocks: 50, HoldbackBlocks: 10, Tenors: [4]uint64{5, 20, 60, 200},
	Split: market.Split{Provider: 9_200, Pool: 200, Treasury: 100}, SealFee: 100, SilenceFee: 100,
	MinUnitBond: market.DefaultParams(protocol.Account{}, protocol.Account{}).MinUnitBond,
	Pool:        protocol.Account{0xf1}, Treasury: protocol.Account{0xf2},
}

// trading is the market: what stands, is bid and runs, and the leases that are closed.
type trading struct {
	asks   []market.Ask
	bids   []market.Bid
	leases []market.Lease
	past   []market.Lease
}

func (t trading) clone() trading {
	return trading{slices.Clone(t.asks), slices.Clone(t.bids), slices.Clone(t.leases), slices.Clone(t.past)}
}

// params are those that the host uses: the ledger's, unless it is made to err.
func (l *Ledger) params() market.Params {
	if l.faults.Params != nil {
		return l.faults.Params(MarketParams)
	}
	return MarketParams
}

// market applies a message of the market.
func (l *Ledger) market(m protocol.Msg, from protocol.Account) error {
	p, env := l.params(), l.env()
	switch m := m.(type) {
	case market.PlaceAsk:
		var known *market.Ask
		if i := l.ask(market.AskID(from, m.Class)); i >= 0 {
			known = &l.trade.asks[i]
		}
		a, effects, err := market.Offer(m, known, from, p, env)
		return l.traded("offer", effects, err, a)
	case market.WithdrawAsk:
		i := l.ask(m.Ask)
		if i < 0 {
			return fmt.Errorf("%w: ask %s", protocol.ErrNotFound, m.Ask)
		}
		a, effects, err := market.Withdraw(l.trade.asks[i], from)
		return l.traded("withdraw", effects, err, a)
	case market.RenewAsk:
		i := l.ask(m.Ask)
		if i < 0 {
			return fmt.Errorf("%w: ask %s", protocol.ErrNotFound, m.Ask)
		}
		a, err := market.Renew(l.trade.asks[i], from, p, env)
		return l.traded("renew", nil, err, a)
	case market.SealBid:
		b, effects, err := market.Seal(m, from, p, env)
		if err == nil && l.bid(b.ID) >= 0 {
			err = fmt.Errorf("%w: bid %s", protocol.ErrExists, b.ID)
		}
		if err = l.traded("seal", effects, err); err == nil {
			l.trade.bids = append(l.trade.bids, b)
		}
		return err
	case market.OpenBid:
		i := l.bid(m.Bid)
		if i < 0 {
			return fmt.Errorf("%w: bid %s", protocol.ErrNotFound, m.Bid)
		}
		b, err := market.Reveal(m, l.trade.bids[i], from, p, env)
		if err == nil && m.Terms.Metered {
			err = l.metered(m.Terms.Job, from, m.Terms.Alternatives)
		}
		if err == nil {
			l.trade.bids[i] = b
		}
		return err
	case market.TakeNow:
		return l.take(m, from)
	case market.AcceptLease:
		return l.change(m.Lease, "accept", func(x market.Lease) (market.Lease, []protocol.Effect, error) { return market.Accept(x, from, p, env) })
	case market.SettleLease:
		return l.change(m.Lease, "settle", func(x market.Lease) (market.Lease, []protocol.Effect, error) {
			x, effects := market.Settle(l.faults.lease(x), p, env)
			return x, effects, nil
		})
	case market.EndLease:
		return l.change(m.Lease, "end", func(x market.Lease) (market.Lease, []protocol.Effect, error) {
			var a market.Ask
			if i := l.ask(x.Ask); i >= 0 {
				a = l.trade.asks[i]
			}
			return market.Cut(x, a, from, env)
		})
	}
	return fmt.Errorf("%w: unknown message %T", protocol.ErrInvalid, m)
}

func (l *Ledger) metered(job protocol.Hash, from protocol.Account, wants []market.Alternative) error {
	i := l.run(job)
	if i < 0 {
		return fmt.Errorf("%w: run %s", protocol.ErrNotFound, job)
	}
	return work.CheckMetered(l.runs[i], from, wants)
}

// take leases at once; a class has no base price here, so the price is the dearest reserve that is needed.
func (l *Ledger) take(m market.TakeNow, from protocol.Account) error {
	if m.Metered {
		if err := l.metered(m.Job, from, []market.Alternative{{Class: m.Class, Units: m.Units, Limit: m.Limit}}); err != nil {
			return err
		}
	}
	leases, changed, effects, err := market.Take(m, 0, l.candidates(), from, l.params(), l.env())
	for _, x := range leases {
		if l.lease(x.ID) >= 0 {
			return fmt.Errorf("%w: lease %s", protocol.ErrExists, x.ID)
		}
	}
	if err := l.traded("take", effects, err, changed...); err != nil {
		return err
	}
	l.trade.leases = append(l.trade.leases, leases...)
	return nil
}

// change applies a rule that changes one lease.
func (l *Ledger) change(id protocol.Hash, what string, rule func(market.Lease) (market.Lease, []protocol.Effect, error)) error {
	i := l.lease(id)
	if i < 0 {
		return fmt.Errorf("%w: lease %s", protocol.ErrNotFound, id)
	}
	next, effects, err := rule(l.trade.leases[i])
	if err := l.traded(what, effects, err); err != nil {
		return err
	}
	l.trade.leases[i] = next
	return nil
}

// traded carries out the effects of a rule of the market and keeps the asks that it changed.
func (l *Ledger) traded(what string, effects []protocol.Effect, err error, changed ...market.Ask) error {
	if err != nil {
		return err
	}
	if l.faults.Market != nil {
		effects = l.faults.Market(what, effects)
	}
	if err := l.execute(effects); err != nil {
		return err
	}
	for _, a := range changed {
		i := l.ask(a.ID)
		if i < 0 {
			i = len(l.trade.asks)
			l.trade.asks = append(l.trade.asks, a)
		}
		l.trade.asks[i] = a
		if a.Gone() {
			l.trade.asks = slices.Delete(l.trade.asks, i, i+1)
		}
	}
	return nil
}

// tickMarket does what is due with leases and asks, and clears the batch that ends.
func (l *Ledger) tickMarket() error {
	p, env := l.params(), l.env()
	for i := range l.trade.leases {
		x := l.trade.leases[i]
		at := l.ask(x.Ask)
		if env.Height < x.Due || at < 0 {
			continue
		}
		what := map[market.LeaseStatus]string{market.Offered: "silence", market.Running: "over", market.Over: "close"}[x.Status]
		if x.Status == market.Over {
			x = l.faults.lease(x)
		}
		if x.Status == market.Running && env.Height < x.End {
			what = "idle" // its provider has not joined the run
		}
		next, changed, effects := market.Expire(x, l.trade.asks[at], l.candidates(), p, env)
		if err := l.traded(what, effects, nil, changed...); err != nil {
			return err
		}
		l.trade.leases[i] = next
	}
	for _, x := range l.trade.leases {
		if x.Status == market.Closed {
			l.trade.past = append(l.trade.past, x)
		}
	}
	l.trade.leases = slices.DeleteFunc(l.trade.leases, func(x market.Lease) bool { return x.Status == market.Closed })
	for _, a := range slices.Clone(l.trade.asks) {
		if a.Closing || env.Height < a.Lapses {
			continue
		}
		next, effects := market.Lapse(a, env)
		if err := l.traded("lapse", effects, nil, next); err != nil {
			return err
		}
	}
	if p.Closes(env.Height) && len(l.trade.bids) > 0 {
		if err := l.clear(p, env); err != nil {
			return err
		}
	}
	return l.endJobs(p, env)
}

func (l *Ledger) clear(p market.Params, env protocol.Env) error {
	draw := merkle.Leaf([]byte(fmt.Sprint("draw", env.Height)))
	out, err := market.Clear(market.Round{Asks: l.candidates(), Bids: l.trade.bids, Draw: draw}, nil, p, env)
	if err := l.traded("clear", out.Effects, err, out.Asks...); err != nil {
		return err
	}
	l.trade.leases, l.trade.bids = append(l.trade.leases, out.Leases...), nil
	return nil
}

// forfeit voids the leases of members that a conviction has expelled.
func (l *Ledger) forfeit(before, after *work.State) error {
	for _, f := range work.Forfeits(before, after) {
		i := l.lease(f.Lease)
		if i < 0 {
			continue
		}
		next, a, effects := market.Void(l.trade.leases[i], l.trade.asks[l.ask(l.trade.leases[i].Ask)], f.To)
		if err := l.traded("void", effects, nil, a); err != nil {
			return err
		}
		l.trade.leases[i] = next
	}
	return nil
}

// endJobs ends the leases of runs that have ended in this block, and those that come of the batch in which they ended.
func (l *Ledger) endJobs(p market.Params, env protocol.Env) error {
	for _, run := range l.runs {
		if _, known := l.ended[run.ID]; !known && run.Phase.Ended() {
			l.ended[run.ID] = p.Batch(env.Height)
		}
	}
	for i, x := range l.trade.leases {
		run, batch := l.run(x.Job), p.Batch(env.Height)
		if ended, ok := l.ended[x.Job]; !ok || ended != batch || l.runs[run].Author != x.Buyer {
			continue
		}
		if at := l.ask(x.Ask); at >= 0 && (x.Start == 0 || x.End > env.Height+1) {
			next, changed, effects := market.EndOfJob(x, l.trade.asks[at], env)
			if err := l.traded("end of job", effects, nil, changed...); err != nil {
				return err
			}
			l.trade.leases[i] = next
		}
	}
	return nil
}

// absent closes the asks of hired machines that missed a duty.
func (l *Ledger) absent(before, after *work.State) error {
	for _, id := range work.Absences(before, after) {
		i := l.lease(id)
		if i < 0 || l.ask(l.trade.leases[i].Ask) < 0 {
			continue
		}
		a, effects := market.Absent(l.trade.asks[l.ask(l.trade.leases[i].Ask)])
		if err := l.traded("absent", effects, nil, a); err != nil {
			return err
		}
	}
	return nil
}

// hired compares a member's hire with its lease.
func (l *Ledger) hired(run *work.State, h work.Hire, from protocol.Account) error {
	i := l.lease(h.Lease)
	if i < 0 {
		return fmt.Errorf("%w: lease %s", protocol.ErrNotFound, h.Lease)
	}
	return work.CheckHire(run, h, from, l.trade.leases[i])
}

// candidates are all asks, the cheapest first, equals by id.
func (l *Ledger) candidates() []market.Candidate {
	var list []market.Candidate
	for _, a := range l.trade.asks {
		list = append(list, market.Candidate{Ask: a})
	}
	slices.SortFunc(list, func(a, b market.Candidate) int {
		if a.Ask.Reserve != b.Ask.Reserve {
			return int(int64(a.Ask.Reserve) - int64(b.Ask.Reserve))
		}
		return slices.Compare(a.Ask.ID[:], b.Ask.ID[:])
	})
	return list
}

func (l *Ledger) ask(id protocol.Hash) int {
	return slices.IndexFunc(l.trade.asks, func(a market.Ask) bool { return a.ID == id })
}

func (l *Ledger) bid(id protocol.Hash) int {
	return slices.IndexFunc(l.trade.bids, func(b market.Bid) bool { return b.ID == id })
}

func (l *Ledger) lease(id protocol.Hash) int {
	return slices.IndexFunc(l.trade.leases, func(x market.Lease) bool { return x.ID == id })
}

// Asks lists the asks that stand, Leases the leases that are not closed.
func (l *Ledger) Asks() []market.Ask {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.trade.asks)
}

// Leases lists the leases that are not closed.
func (l *Ledger) Leases() []market.Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.trade.leases)
}
