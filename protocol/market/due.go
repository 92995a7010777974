package market

import (
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Expire does what is due with a lease at the end of a block, by default and without anybody's consent: an offer that nobody
// accepted, and a metered lease whose provider did not join the run, goes to the next best ask or is taken back; a lease whose time is up is over; one whose window has closed is paid
// out and closed. next are the other asks of the class in the order of the book, cheapest first; the host passes as many as it
// likes. Asks that change are returned. Rule: spec/market.md §8 and §9.
func Expire(l Lease, ask Ask, next []Candidate, p Params, env protocol.Env) (Lease, []Ask, []protocol.Effect) {
	if env.Height < l.Due {
		return l, nil, nil
	}
	switch l.Status {
	case Offered:
		return refused(l, ask, next, p, env)
	case Running:
		if l.untaken() {
			return refused(l, ask, next, p, env)
		}
		// Cost of the blocks that the lease was cut short by goes back at once: nobody can dispute them.
		back := l.Cost.Minus(l.gross(l.End))
		l.Status, l.Back = Over, back
		l.Due = l.End + protocol.Height(p.HoldbackBlocks)
		ask.release(l.Units)
		return l, []Ask{ask}, append(paid(l.Buyer, back), leaseEvent("over", l))
	case Over:
		l, effects := Settle(l, p, env)
		l.Status = Closed
		ask.Watched -= l.Units
		return l, []Ask{ask}, append(append(effects, ask.shrink()...), leaseEvent("closed", l))
	}
	return l, nil, nil
}

// Candidate is an ask that may take a lease over, with the grade of its owner's reputation.
type Candidate struct {
	Ask   Ask
	Grade uint32
}

// refused handles an offer that its provider let pass, or accepted and did not take up: part of the bond of these units is burned, the ask closes, and the
// next best ask gets the offer at the same price. Without one the buyer has its money back.
func refused(l Lease, ask Ask, next []Candidate, p Params, env protocol.Env) (Lease, []Ask, []protocol.Effect) {
	bond := ask.forfeit(l.Units)
	fee := bond.Part(p.SilenceFee, parts)
	ask.Bond = ask.Bond.Plus(bond.Minus(fee))
	ask.Leased -= l.Units
	l.Status, l.Start, l.End = Offered, 0, 0
	effects := append(burned(fee), ask.shrink()...)
	changed := []Ask{ask}
	for _, c := range next {
		a := c.Ask
		if l.Attempt+1 == maxAttempts {
			break
		}
		if a.ID == ask.ID || a.Class != l.Class || a.Reserve > l.Quote.Seller || a.free(env.Height) < l.Units || c.Grade < l.Grade {
			continue
		}
		a.Leased += l.Units
		l.Ask, l.Provider = a.ID, a.Owner
		l.Attempt++
		l.Due = env.Height + protocol.Height(p.AckBlocks)
		return l, append(changed, a), append(effects, leaseEvent("offered", l))
	}
	l.Back, l.Status = l.Cost, Closed
	return l, changed, append(append(effects, paid(l.Buyer, l.Back)...), leaseEvent("refused", l))
}

// EndOfJob ends a lease of a run that has ended, in the block that ends the batch: an offer is taken back, which is nobody's fault, and work
// ends with the block, as if the buyer had ended it. Rule: spec/market.md §8.
func EndOfJob(l Lease, ask Ask, env protocol.Env) (Lease, []Ask, []protocol.Effect) {
	switch l.Status {
	case Offered:
		ask.Leased -= l.Units
		l.Back, l.Status = l.Cost, Closed
		return l, []Ask{ask}, append(append(ask.shrink(), paid(l.Buyer, l.Back)...), leaseEvent("called-off", l))
	case Running:
		if end := env.Height + 1; end < l.End {
			l.End = end
		}
		l.Due = l.End
		return l, nil, []protocol.Effect{leaseEvent("ended", l)}
	}
	return l, nil, nil
}

// Void ends a lease whose provider was proven wrong before it closed: what is not settled goes back to the buyer, and the
// bond of the leased units is forfeited, half to whoever proved it, half burned. Errors: none; a closed lease is final and
// stays as it is. Rule: spec/market.md §9.
func Void(l Lease, ask Ask, challenger protocol.Account) (Lease, Ask, []protocol.Effect) {
	switch l.Status {
	case Closed:
		return l, ask, nil
	case Over:
		ask.Watched -= l.Units
	default:
		ask.Leased -= l.Units
	}
	bond := ask.forfeit(l.Units)
	half := bond.Part(1, 2)
	var effects []protocol.Effect
	if !half.IsZero() {
		effects = append(effects, protocol.Pay{To: challenger, Amount: half})
	}
	effects = append(effects, burned(bond.Minus(half))...)
	effects = append(effects, ask.shrink()...)
	rest := l.Claims()
	l.Back, l.Status = l.Back.Plus(rest), Closed
	void := leaseEvent("void", l)
	void.Attributes = append(void.Attributes, protocol.Attribute{Name: "to", Value: challenger.String()})
	return l, ask, append(append(effects, paid(l.Buyer, rest)...), void)
}

// paid returns what an account had locked itself.
func paid(to protocol.Account, amount money.Amount) []protocol.Effect {
	if amount.IsZero() {
		return nil
	}
	return []protocol.Effect{protocol.Pay{To: to, Amount: amount, Back: true}}
}

func burned(amount money.Amount) []protocol.Effect {
	if amount.IsZero() {
		return nil
	}
	return []protocol.Effect{protocol.Burn{Amount: amount}}
}
