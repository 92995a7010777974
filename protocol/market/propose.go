package market

import (
	"encoding/binary"
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// Deal is units of an ask for a bid, as somebody proposes for the clearing of a batch.
type Deal struct {
	Bid   protocol.Hash `json:"bid"`
	Ask   protocol.Hash `json:"ask"`
	Units uint32        `json:"units"`
}

// dealBytes is the packed form: bid, ask, units (4 bytes, big endian). MaxDeals bounds a proposal, MaxProposal its JSON form in bytes.
const (
	dealBytes   = 32 + 32 + 4
	MaxDeals    = 5_000
	MaxProposal = 512 << 10
)

// Propose says how the batch that is being opened may be cleared better than by the built-in solver. Deals are packed by PackDeals.
// Rule: spec/market.md §7.
type Propose struct {
	Batch uint64 `json:"batch"`
	Deals []byte `json:"deals"`
}

// Kind is "market/propose".
func (Propose) Kind() string { return "market/propose" }

// Check validates the length.
func (m Propose) Check() error {
	if n := len(m.Deals); n == 0 || n%dealBytes != 0 || n/dealBytes > MaxDeals {
		return fmt.Errorf("%w: a proposal of %d bytes: 1 to %d deals of %d", protocol.ErrInvalid, n, MaxDeals, dealBytes)
	}
	return nil
}

// PackDeals is the form in which deals travel.
func PackDeals(list []Deal) []byte {
	out := make([]byte, 0, len(list)*dealBytes)
	for _, d := range list {
		out = append(append(out, d.Bid[:]...), d.Ask[:]...)
		out = binary.BigEndian.AppendUint32(out, d.Units)
	}
	return out
}

// deals unpacks a checked message.
func (m Propose) deals() []Deal {
	var list []Deal
	for raw := m.Deals; len(raw) >= dealBytes; raw = raw[dealBytes:] {
		list = append(list, Deal{protocol.Hash(raw[:32]), protocol.Hash(raw[32:64]), binary.BigEndian.Uint32(raw[64:])})
	}
	return list
}

// Proposal is the best proposal of a batch so far. The host keeps one.
type Proposal struct {
	By      protocol.Account `json:"by"`
	Propose Propose          `json:"propose"`
	Welfare auction.Wide     `json:"welfare"` // when it was made
}

// Judge applies Propose to the batch as it stands in this block; best is the proposal that the host holds, if there is one. A proposal is
// kept if what is possible of it is better than the built-in solver's allocation by a thousandth of the bound, and its welfare is more
// than that of best was. r need not have a draw. Errors: ErrPhase outside of the opening and for another batch, ErrExists for one that is
// no better. Rule: spec/market.md §7.
func Judge(m Propose, best *Proposal, r Round, from protocol.Account, p Params, env protocol.Env) (Proposal, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return Proposal{}, nil, err
	}
	if m.Batch != p.Batch(env.Height) || !p.Revealing(env.Height) {
		return Proposal{}, nil, fmt.Errorf("%w: proposals for batch %d are taken while it is opened", protocol.ErrPhase, m.Batch)
	}
	b := arrange(r, p, env)
	base := auction.Clear(b.book)
	built, err := auction.Check(b.book, base)
	if err != nil {
		return Proposal{}, nil, fmt.Errorf("the market's own allocation: %w", err)
	}
	_, worth, err := b.complete(m, base)
	if err != nil {
		return Proposal{}, nil, err
	}
	if !better(worth, built) {
		return Proposal{}, nil, fmt.Errorf("%w: the built-in allocation has a welfare of %s, the proposal's is %s; the bound is %s", protocol.ErrExists, built.Welfare, worth.Welfare, built.Bound)
	}
	if best != nil && !best.Welfare.Less(worth.Welfare) {
		return Proposal{}, nil, fmt.Errorf("%w: a proposal of welfare %s, this one's is %s", protocol.ErrExists, best.Welfare, worth.Welfare)
	}
	told := protocol.Event{Type: "market.proposed", Attributes: []protocol.Attribute{
		{Name: "batch", Value: fmt.Sprint(m.Batch)}, {Name: "by", Value: from.String()}, {Name: "welfare", Value: worth.Welfare.String()},
	}}
	return Proposal{from, m, worth.Welfare}, []protocol.Effect{told}, nil
}

// complete turns what is possible of a proposal into an allocation of the book and checks it.
func (b *batch) complete(m Propose, base auction.Allocation) (auction.Allocation, auction.Worth, error) {
	bids, asks := map[protocol.Hash]uint32{}, map[protocol.Hash]uint32{} // looked up, never walked over
	for i := range b.bids {
		bids[b.bids[i].ID] = uint32(i)
	}
	for i := range b.asks {
		asks[b.asks[i].Ask.ID] = uint32(i)
	}
	var deals []auction.Deal
	for _, d := range m.deals() {
		bid, open := bids[d.Bid]
		if !open {
			continue
		}
		ask, stands := asks[d.Ask]
		if !stands {
			ask = uint32(len(b.asks)) // none, so that the bid goes without
		}
		deals = append(deals, auction.Deal{Bid: bid, Ask: ask, Units: d.Units})
	}
	a := auction.Complete(b.book, base, deals)
	w, err := auction.Check(b.book, a)
	return a, w, err
}
