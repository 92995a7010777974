package market

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// LeaseStatus is where a lease stands.
type LeaseStatus string

// The statuses of a lease.
const (
	Offered LeaseStatus = "offered" // the provider has to accept it
	Running LeaseStatus = "running"
	Over    LeaseStatus = "over"   // its time is up or was cut short; pay is held back until the window closes
	Closed  LeaseStatus = "closed" // everything is paid: final
)

// Lease is units of an ask for a buyer, and the money for them.
type Lease struct {
	ID       protocol.Hash    `json:"id"`
	Bid      protocol.Hash    `json:"bid"`
	Ask      protocol.Hash    `json:"ask"`
	Buyer    protocol.Account `json:"buyer"`
	Provider protocol.Account `json:"provider"`
	Class    Class            `json:"class"`
	Units    uint32           `json:"units"`
	Tenors   uint32           `json:"tenors"`
	Quote    auction.Quote    `json:"quote"`
	Job      protocol.Hash    `json:"job"`
	Metered  bool             `json:"metered,omitempty"`
	Taken    bool             `json:"taken,omitempty"` // a metered one: its provider has joined the run
	Grade    uint32           `json:"grade"`           // least reputation of a provider that may take it over
	Attempt  uint32           `json:"attempt"`
	Status   LeaseStatus      `json:"status"`
	Due      protocol.Height  `json:"due"`    // the last block to accept it (offered), to take it up, its end (running), of the window (over)
	Start    protocol.Height  `json:"start"`  // 0 until accepted
	Length   uint64           `json:"length"` // blocks that Cost pays for
	End      protocol.Height  `json:"end"`    // work ends before this block; earlier than Start + Length if cut short
	Cost     money.Amount     `json:"cost"`   // locked by the buyer for Length blocks
	Earned   money.Amount     `json:"earned"` // of Cost, so far settled: paid out and burned
	Back     money.Amount     `json:"back"`   // of Cost, returned to the buyer
}

// maxAttempts is how many providers a lease is offered to.
const maxAttempts = 4

// Claims is what the lease still owes: to the provider or back to the buyer.
func (l Lease) Claims() money.Amount { return l.Cost.Minus(l.Earned).Minus(l.Back) }

// LeaseID names the lease of a bid at an ask.
func LeaseID(bid, ask protocol.Hash) protocol.Hash {
	return new(protocol.Preimage).Hash(bid).Hash(ask).Digest("mutirao/market/lease")
}

// AcceptLease begins a lease. Rule: spec/market.md §8.
type AcceptLease struct {
	Lease protocol.Hash `json:"lease"`
}

// SettleLease pays what is due by now; anybody may send it. Rule: spec/market.md §9.
type SettleLease struct {
	Lease protocol.Hash `json:"lease"`
}

// EndLease ends a lease early: the buyer at once, the provider after its notice. Rule: spec/market.md §8.
type EndLease struct {
	Lease protocol.Hash `json:"lease"`
}

// Kind is "market/accept-lease".
func (AcceptLease) Kind() string { return "market/accept-lease" }

// Kind is "market/settle-lease".
func (SettleLease) Kind() string { return "market/settle-lease" }

// Kind is "market/end-lease".
func (EndLease) Kind() string { return "market/end-lease" }

// Check has nothing to validate: the id is looked up.
func (AcceptLease) Check() error { return nil }

// Check has nothing to validate: the id is looked up.
func (SettleLease) Check() error { return nil }

// Check has nothing to validate: the id is looked up.
func (EndLease) Check() error { return nil }

// Accept applies AcceptLease: the lease begins in this block. Of a metered one the provider must then join the run (TakeUp). Errors: ErrNotAssigned, ErrPhase. Rule: spec/market.md §8.
func Accept(l Lease, from protocol.Account, p Params, env protocol.Env) (Lease, []protocol.Effect, error) {
	switch {
	case l.Provider != from:
		return l, nil, fmt.Errorf("%w: lease %s is offered to %s", protocol.ErrNotAssigned, l.ID, l.Provider)
	case l.Status != Offered || env.Height > l.Due:
		return l, nil, fmt.Errorf("%w: lease %s is %s", protocol.ErrPhase, l.ID, l.Status)
	}
	l.Status, l.Start = Running, env.Height
	l.End = l.Start + protocol.Height(l.Length)
	l.Due = l.End
	if l.Metered {
		l.Due = min(l.End, env.Height+protocol.Height(p.JoinBlocks))
	}
	return l, []protocol.Effect{leaseEvent("accepted", l)}, nil
}

// TakeUp notes that the provider of a metered lease has joined the run that hired it. Rule: spec/market.md §8.
func TakeUp(l Lease) Lease {
	if l.Status == Running && l.Metered && !l.Taken {
		l.Taken, l.Due = true, l.End
	}
	return l
}

// untaken reports whether the provider of a running lease has yet to join the run that hired it.
func (l *Lease) untaken() bool {
	return l.Metered && !l.Taken && l.End == l.Start+protocol.Height(l.Length)
}

// Cut applies EndLease. Errors: ErrNotAssigned, ErrPhase. Rule: spec/market.md §8.
func Cut(l Lease, ask Ask, from protocol.Account, env protocol.Env) (Lease, []protocol.Effect, error) {
	if from != l.Buyer && from != l.Provider {
		return l, nil, fmt.Errorf("%w: lease %s", protocol.ErrNotAssigned, l.ID)
	}
	if l.Status != Running {
		return l, nil, fmt.Errorf("%w: lease %s is %s", protocol.ErrPhase, l.ID, l.Status)
	}
	if from != l.Buyer && l.untaken() { // ending it would be a way out of what silence costs
		return l, nil, fmt.Errorf("%w: lease %s has not been taken up: join its run, or let it pass", protocol.ErrPhase, l.ID)
	}
	end := env.Height + 1
	if from != l.Buyer { // who leases its own machine is the buyer
		end = env.Height + 1 + protocol.Height(ask.Notice)
	}
	if end < l.End {
		l.End, l.Due = end, end
	}
	return l, []protocol.Effect{leaseEvent("cut", l)}, nil
}

// gross is what of Cost belongs to the work of the blocks before h.
func (l *Lease) gross(h protocol.Height) money.Amount {
	if l.Start == 0 || h <= l.Start {
		return money.Amount{}
	}
	return l.Cost.Part(uint64(min(h, l.End)-l.Start), l.Length)
}

// Settle pays the provider for work whose window has closed. Anybody may ask for it. Sums are cumulative, so the number
// of settlements changes nothing. Effects: pay to provider, pool and treasury, the rest burned. Rule: spec/market.md §9.
func Settle(l Lease, p Params, env protocol.Env) (Lease, []protocol.Effect) {
	if l.Status != Running && l.Status != Over {
		return l, nil
	}
	past := env.Height - min(env.Height, protocol.Height(p.HoldbackBlocks))
	to := l.gross(past)
	if to.Compare(l.Earned) <= 0 {
		return l, nil
	}
	effects := l.pay(l.Earned, to, p)
	l.Earned = to
	return l, effects
}

// Kept is what the provider has earned by the end of a block and not been paid yet, because it can still be challenged or because nobody
// has settled it. Rule: spec/market.md §9.
func (l Lease) Kept(p Params, env protocol.Env) money.Amount {
	if l.Status != Running && l.Status != Over {
		return money.Amount{}
	}
	return l.share(l.gross(env.Height+1), p.Split.Provider).Minus(l.share(l.Earned, p.Split.Provider))
}

// Unworked is what of the cost the end of a block has not been worked for: it is still the buyer's. Rule: spec/market.md §9.
func (l Lease) Unworked(env protocol.Env) money.Amount {
	return l.Cost.Minus(l.Back).Minus(l.gross(env.Height + 1))
}

// share is somebody's part, of 10,000, of a cumulative sum of Cost. Only the seller's price is divided.
func (l *Lease) share(total money.Amount, n uint64) money.Amount {
	if l.Quote.Buyer == 0 {
		return money.Amount{}
	}
	return total.Part(uint64(l.Quote.Seller), uint64(l.Quote.Buyer)).Part(n, parts)
}

// pay divides the money between two cumulative sums of Cost.
func (l *Lease) pay(from, to money.Amount, p Params) []protocol.Effect {
	rest := to.Minus(from)
	var effects []protocol.Effect
	for _, part := range []struct {
		to protocol.Account
		n  uint64
	}{{l.Provider, p.Split.Provider}, {p.Pool, p.Split.Pool}, {p.Treasury, p.Split.Treasury}} {
		amount := l.share(to, part.n).Minus(l.share(from, part.n))
		if !amount.IsZero() {
			effects = append(effects, protocol.Pay{To: part.to, Amount: amount})
			rest = rest.Minus(amount)
		}
	}
	if !rest.IsZero() {
		effects = append(effects, protocol.Burn{Amount: rest})
	}
	return effects
}

// leaseEvent tells that something happened to a lease.
func leaseEvent(what string, l Lease) protocol.Event {
	return protocol.Event{Type: "market.lease-" + what, Attributes: []protocol.Attribute{
		{Name: "lease", Value: l.ID.String()}, {Name: "buyer", Value: l.Buyer.String()}, {Name: "provider", Value: l.Provider.String()},
		{Name: "bid", Value: l.Bid.String()}, {Name: "ask", Value: l.Ask.String()}, {Name: "units", Value: fmt.Sprint(l.Units)}, {Name: "tenor", Value: fmt.Sprint(l.Class.Tenor)},
		{Name: "buyer_price", Value: fmt.Sprint(uint64(l.Quote.Buyer))}, {Name: "seller_price", Value: fmt.Sprint(uint64(l.Quote.Seller))},
	}}
}
