package ledgertest

import (
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// Faults are mistakes in a host's bookkeeping, made on purpose so that an audit can be shown to find them. The rules are as
// they are. A function that is nil makes no mistake.
type Faults struct {
	Effect   func(protocol.Effect) []protocol.Effect  // what is carried out instead of an effect
	Use      func(registry.Model) registry.Model      // a model after a use
	Transfer func(sender, receiver *registry.Holding) // holdings after a transfer
	Params   func(market.Params) market.Params        // terms of the market
	Lease    func(market.Lease) market.Lease          // a lease before it is settled

	// Market is what is carried out instead of the effects of a rule of the market: offer, withdraw, seal, take, accept, settle, end; at the
	// end of a block silence, over, close, lapse, clear; and void.
	Market func(what string, list []protocol.Effect) []protocol.Effect
}

// Fail makes mistakes from now on.
func (l *Ledger) Fail(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

func (f Faults) effects(list []protocol.Effect) []protocol.Effect {
	if f.Effect == nil {
		return list
	}
	var out []protocol.Effect
	for _, e := range list {
		out = append(out, f.Effect(e)...)
	}
	return out
}

func (f Faults) use(m registry.Model) registry.Model {
	if f.Use == nil {
		return m
	}
	return f.Use(m)
}

func (f Faults) lease(l market.Lease) market.Lease {
	if f.Lease == nil {
		return l
	}
	return f.Lease(l)
}

func (f Faults) transfer(sender, receiver *registry.Holding) {
	if f.Transfer != nil {
		f.Transfer(sender, receiver)
	}
}

// Balances calls each with every account that has ever had coins and what it owns now, in ascending order of accounts; then with
// the zero account and what is in escrow.
func (l *Ledger) Balances(each func(protocol.Account, money.Amount)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.books.balances {
		each(b.account, b.amount)
	}
	each(protocol.Account{}, l.books.escrow)
}

// EventsFrom lists all events but the first n.
func (l *Ledger) EventsFrom(n int) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Event(nil), l.events[n:]...)
}

// Records lists everything that the rules recorded, in the order of time.
func (l *Ledger) Records() []protocol.Recorded {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]protocol.Recorded(nil), l.records...)
}
