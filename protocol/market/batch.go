package market

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// Round is what a clearing sees: every ask that stands, every bid of the batch, and the draw that orders equals.
type Round struct {
	Asks []Candidate
	Bids []Bid
	Draw protocol.Hash // nobody could know it when the bids were sealed
}

// Outcome is what a clearing changes. Every bid of the batch is gone afterwards.
type Outcome struct {
	Asks    []Ask // those that changed
	Leases  []Lease
	Prices  []ClassPrice // of the classes in which something was traded, by class id
	Worth   auction.Worth
	Effects []protocol.Effect
}

// ClassPrice is what a class cost in a batch. It is a record: final.
type ClassPrice struct {
	Class  Class           `json:"class"`
	Quote  auction.Quote   `json:"quote"`
	Units  uint64          `json:"units"`
	Batch  uint64          `json:"batch"`
	Height protocol.Height `json:"height"`
}

// RecordKind is "price".
func (ClassPrice) RecordKind() string { return "price" }

// RecordKey is the number of the batch, so that keys sort in time.
func (c ClassPrice) RecordKey() string { return fmt.Sprintf("%016x", c.Batch) }

// Draw is what sorts the orders of a batch: the hash of the block that ends it, which nobody knew when the bids were sealed and
// the asks of the batch were placed. Rule: spec/market.md §7.
func Draw(block []byte, batch uint64) protocol.Hash {
	return new(protocol.Preimage).Bytes(block).Uint64(batch).Digest("mutirao/market/draw")
}

// Clear ends a batch. Effects: deposits go back less what leases cost; a bid that stayed sealed loses part of its deposit.
// A proposal by somebody else is taken instead of the built-in solver's allocation if it is valid and better by a thousandth
// of the bound or more; pass nil for none. Rule: spec/market.md §7.
func Clear(r Round, proposal *Proposal, p Params, env protocol.Env) (Outcome, error) {
	b := arrange(r, p, env)
	allocation := auction.Clear(b.book)
	worth, err := auction.Check(b.book, allocation)
	if err != nil {
		return Outcome{}, fmt.Errorf("the market's own allocation: %w", err)
	}
	if proposal != nil {
		if a, w, err := b.complete(proposal.Propose, allocation); err == nil && better(w, worth) {
			out := b.outcome(r, a, w, p, env)
			out.Effects = append(out.Effects, protocol.Event{Type: "market.proposal-taken", Attributes: []protocol.Attribute{
				{Name: "batch", Value: fmt.Sprint(p.Batch(env.Height))}, {Name: "by", Value: proposal.By.String()},
				{Name: "welfare", Value: w.Welfare.String()}, {Name: "instead_of", Value: worth.Welfare.String()},
			}})
			return out, nil
		}
	}
	return b.outcome(r, allocation, worth, p, env), nil
}

// better compares against the smaller of both bounds.
func better(w, than auction.Worth) bool {
	bound := than.Bound
	if w.Bound.Less(bound) {
		bound = w.Bound
	}
	return w.Welfare.Permille(bound) > than.Welfare.Permille(bound)
}

// batch is a book and what its numbers stand for.
type batch struct {
	book    auction.Book
	classes []Class
	asks    []Candidate // by the book's number
	bids    []Bid       // open ones, by the book's number
}

// arrange makes the book. Orders are sorted by their digest with the draw; owners and classes are numbered as they appear.
// Classes are those of asks; what bids want of others cannot be had, and takes no part.
func arrange(r Round, p Params, env protocol.Env) *batch {
	b := &batch{}
	classes, owners := map[Class]uint32{}, map[protocol.Account]uint32{}
	class := func(c Class) uint32 {
		n, ok := classes[c]
		if !ok {
			n = uint32(len(classes))
			classes[c], b.classes = n, append(b.classes, c)
		}
		return n
	}
	owner := func(a protocol.Account) uint32 {
		n, ok := owners[a]
		if !ok {
			n = uint32(len(owners))
			owners[a] = n
		}
		return n
	}
	for _, c := range drawn(r.Asks, r.Draw, func(c Candidate) protocol.Hash { return c.Ask.ID }) {
		units := c.Ask.free(env.Height)
		if units == 0 || !c.Ask.joins(p, env.Height) {
			continue
		}
		b.asks = append(b.asks, c)
		b.book.Asks = append(b.book.Asks, auction.Ask{
			Owner: owner(c.Ask.Owner), Class: class(c.Ask.Class), Units: units, Reserve: c.Ask.Reserve, Reputation: c.Grade,
		})
	}
	for _, bid := range drawn(r.Bids, r.Draw, func(b Bid) protocol.Hash { return b.ID }) {
		if bid.Open == nil {
			continue
		}
		out := auction.Bid{Owner: owner(bid.Owner), Whole: bid.Open.Whole, MinReputation: bid.Open.MinReputation}
		for _, a := range bid.Open.Alternatives {
			if c, ok := classes[a.Class]; ok {
				out.Alternatives = append(out.Alternatives, auction.Alternative{Class: c, Units: a.Units, Limit: a.Limit})
			}
		}
		if len(out.Alternatives) == 0 {
			continue
		}
		b.bids, b.book.Bids = append(b.bids, bid), append(b.book.Bids, out)
	}
	b.book.Classes = len(b.classes)
	return b
}

// drawn sorts by the digest of id and draw.
func drawn[T any](list []T, draw protocol.Hash, id func(T) protocol.Hash) []T {
	type keyed struct {
		key protocol.Hash
		v   T
	}
	keys := make([]keyed, len(list))
	for i, v := range list {
		keys[i] = keyed{new(protocol.Preimage).Hash(draw).Hash(id(v)).Digest("mutirao/market/order"), v}
	}
	slices.SortFunc(keys, func(a, b keyed) int { return bytes.Compare(a.key[:], b.key[:]) })
	out := make([]T, len(list))
	for i := range keys {
		out[i] = keys[i].v
	}
	return out
}

// outcome turns matches into leases and returns what is left of each deposit.
func (b *batch) outcome(r Round, a auction.Allocation, w auction.Worth, p Params, env protocol.Env) Outcome {
	out := Outcome{Worth: w}
	spent := map[protocol.Hash]money.Amount{}
	asks := map[uint32]*Ask{}
	units := make([]uint64, len(b.classes))
	for _, m := range a.Matches {
		ask := asks[m.Ask]
		if ask == nil {
			copied := b.asks[m.Ask].Ask
			ask = &copied
			asks[m.Ask] = ask
		}
		bid := b.bids[m.Bid]
		class := b.book.Asks[m.Ask].Class
		l := newLease(bid, *ask, m.Units, a.Quotes[class], p, env)
		ask.Leased += m.Units
		units[class] += uint64(m.Units)
		spent[bid.ID] = spent[bid.ID].Plus(l.Cost)
		out.Leases = append(out.Leases, l)
		out.Effects = append(out.Effects, leaseEvent("offered", l))
	}
	for i := range b.asks {
		if ask := asks[uint32(i)]; ask != nil {
			out.Asks = append(out.Asks, *ask)
		}
	}
	for _, bid := range r.Bids {
		left := bid.Deposit.Minus(spent[bid.ID])
		if bid.Open == nil {
			fee := left.Part(p.SealFee, parts)
			left = left.Minus(fee)
			out.Effects = append(out.Effects, burned(fee)...)
		}
		out.Effects = append(out.Effects, paid(bid.Owner, left)...)
	}
	out.Effects = append(out.Effects, protocol.Event{Type: "market.batch-cleared", Attributes: []protocol.Attribute{{Name: "batch", Value: fmt.Sprint(p.Batch(env.Height))}}})
	for c, n := range units {
		if n > 0 {
			out.Prices = append(out.Prices, ClassPrice{b.classes[c], a.Quotes[c], n, p.Batch(env.Height), env.Height})
		}
	}
	slices.SortFunc(out.Prices, func(a, b ClassPrice) int {
		x, y := a.Class.ID(), b.Class.ID()
		return bytes.Compare(x[:], y[:])
	})
	return out
}

// newLease offers units of an ask to a bid at a price.
func newLease(bid Bid, ask Ask, units uint32, q auction.Quote, p Params, env protocol.Env) Lease {
	l := Lease{
		ID: LeaseID(bid.ID, ask.ID), Bid: bid.ID, Ask: ask.ID, Buyer: bid.Owner, Provider: ask.Owner, Class: ask.Class, Units: units,
		Tenors: bid.Open.Tenors, Quote: q, Job: bid.Open.Job, Grade: bid.Open.MinReputation, Status: Offered,
		Due: env.Height + protocol.Height(p.AckBlocks), Length: p.Tenors[ask.Class.Tenor] * uint64(bid.Open.Tenors),
		Metered: bid.Open.Metered,
	}
	if !l.Metered {
		l.Cost = cost(q.Buyer, units, bid.Open.Tenors)
	}
	return l
}
