package market

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// Bid is a buyer's order in one batch: sealed, and open once it is revealed.
type Bid struct {
	ID      protocol.Hash    `json:"id"`
	Owner   protocol.Account `json:"owner"`
	Batch   uint64           `json:"batch"`
	Seal    protocol.Hash    `json:"seal"`
	Deposit money.Amount     `json:"deposit"` // locked; it hides the limit, so it may be more than the job can cost
	Open    *Terms           `json:"open,omitempty"`
}

// Terms are what a sealed bid wants. It wants one of its alternatives.
type Terms struct {
	Alternatives  []Alternative `json:"alternatives"`
	Whole         bool          `json:"whole"` // all units or none
	MinReputation uint32        `json:"min_reputation"`
	Tenors        uint32        `json:"tenors"` // for how many tenors of the class
	Job           protocol.Hash `json:"job"`    // digest of what is to be done, for the provider
	// Metered leases cost nothing by themselves: the job, a training run, pays their price for each piece of work that it admits,
	// out of money that it has locked. The host refuses one for a job that does not. Rule: spec/market.md §8.
	Metered bool `json:"metered,omitempty"`
}

// Alternative is units of a class and the most that the bid pays for one during one tenor.
type Alternative struct {
	Class Class         `json:"class"`
	Units uint32        `json:"units"`
	Limit auction.Price `json:"limit"`
}

// SealBid locks a deposit for a bid in the batch that is open. Rule: spec/market.md §7.
type SealBid struct {
	Seal    protocol.Hash `json:"seal"` // TermsSeal
	Deposit money.Amount  `json:"deposit"`
	Batch   uint64        `json:"batch"` // the batch inside the seal: in another it could never be opened
}

// OpenBid reveals what SealBid sealed. Rule: spec/market.md §7.
type OpenBid struct {
	Bid   protocol.Hash `json:"bid"`
	Terms Terms         `json:"terms"`
	Salt  protocol.Hash `json:"salt"`
}

// Kind is "market/seal-bid".
func (SealBid) Kind() string { return "market/seal-bid" }

// Kind is "market/open-bid".
func (OpenBid) Kind() string { return "market/open-bid" }

// Check validates the deposit.
func (m SealBid) Check() error {
	if m.Deposit.IsZero() || m.Deposit.BitLen() > 128 {
		return fmt.Errorf("%w: deposit of %s", protocol.ErrInvalid, m.Deposit)
	}
	return nil
}

// Check validates ranges.
func (m OpenBid) Check() error { return m.Terms.Check() }

// Check validates ranges. The error wraps protocol.ErrInvalid.
func (t Terms) Check() error {
	if n := len(t.Alternatives); n == 0 || n > auction.MaxAlternatives || t.Tenors == 0 || t.Tenors > maxTenors || t.MinReputation > MaxGrade {
		return fmt.Errorf("%w: %d alternatives for %d tenors, reputation %d", protocol.ErrInvalid, n, t.Tenors, t.MinReputation)
	}
	for i, a := range t.Alternatives {
		if err := a.Class.Check(); err != nil {
			return err
		}
		if a.Units == 0 || a.Units > auction.MaxUnits || a.Limit > auction.MaxPrice {
			return fmt.Errorf("%w: alternative %d is %d units at %d", protocol.ErrInvalid, i, a.Units, a.Limit)
		}
		for _, b := range t.Alternatives[:i] {
			if a.Class == b.Class {
				return fmt.Errorf("%w: alternative %d repeats a class", protocol.ErrInvalid, i)
			}
		}
	}
	return nil
}

// Most is what the terms can cost at most.
func (t Terms) Most() money.Amount {
	var most money.Amount
	for _, a := range t.Alternatives {
		if c := cost(a.Limit, a.Units, t.Tenors); c.Compare(most) > 0 {
			most = c
		}
	}
	return most
}

// TermsSeal is what SealBid carries. The owner and the batch inside make a copy of it worthless.
func TermsSeal(t Terms, owner protocol.Account, batch uint64, salt protocol.Hash) protocol.Hash {
	p := new(protocol.Preimage).Account(owner).Uint64(batch).Bool(t.Whole).Uint32(t.MinReputation).Uint32(t.Tenors).Hash(t.Job)
	p.Uint32(uint32(len(t.Alternatives)))
	for _, a := range t.Alternatives {
		p.Hash(a.Class.ID()).Uint32(a.Units).Uint64(uint64(a.Limit))
	}
	return p.Bool(t.Metered).Hash(salt).Digest("mutirao/market/seal")
}

// BidID names a bid: one owner can have several in a batch, under different seals.
func BidID(owner protocol.Account, batch uint64, seal protocol.Hash) protocol.Hash {
	return new(protocol.Preimage).Account(owner).Uint64(batch).Hash(seal).Digest("mutirao/market/bid")
}

// Batch is the number of the batch that is open in a block.
func (p Params) Batch(h protocol.Height) uint64 { return uint64(h) / p.BatchBlocks }

// Revealing reports whether bids are opened in a block rather than sealed.
func (p Params) Revealing(h protocol.Height) bool {
	return uint64(h)%p.BatchBlocks >= p.BatchBlocks-p.RevealBlocks
}

// Closes reports whether a batch is cleared at the end of a block.
func (p Params) Closes(h protocol.Height) bool { return uint64(h)%p.BatchBlocks == p.BatchBlocks-1 }

// Seal applies SealBid. The host refuses an id that exists. Effect: the deposit is locked. Errors: ErrPhase while bids are
// being opened and in another batch. Rule: spec/market.md §7.
func Seal(m SealBid, from protocol.Account, p Params, env protocol.Env) (Bid, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return Bid{}, nil, err
	}
	if p.Revealing(env.Height) {
		return Bid{}, nil, fmt.Errorf("%w: bids of batch %d are being opened; the next batch begins in block %d", protocol.ErrPhase, p.Batch(env.Height), (p.Batch(env.Height)+1)*p.BatchBlocks)
	}
	batch := p.Batch(env.Height)
	if m.Batch != batch {
		return Bid{}, nil, fmt.Errorf("%w: the seal is for batch %d, batch %d is open", protocol.ErrPhase, m.Batch, batch)
	}
	b := Bid{ID: BidID(from, batch, m.Seal), Owner: from, Batch: batch, Seal: m.Seal, Deposit: m.Deposit}
	sealed := protocol.Event{Type: "market.bid-sealed", Attributes: []protocol.Attribute{{Name: "bid", Value: b.ID.String()}, {Name: "owner", Value: from.String()}}}
	return b, []protocol.Effect{protocol.Lock{From: from, Amount: m.Deposit, Job: true}, sealed}, nil
}

// Reveal applies OpenBid. Errors: ErrNotAssigned, ErrPhase before the opening and after the batch, ErrDuplicate,
// ErrSealMismatch, ErrInsufficient if the deposit is below what the terms can cost. Rule: spec/market.md §7.
func Reveal(m OpenBid, b Bid, from protocol.Account, p Params, env protocol.Env) (Bid, error) {
	if err := m.Check(); err != nil {
		return b, err
	}
	switch {
	case b.Owner != from:
		return b, fmt.Errorf("%w: bid %s", protocol.ErrNotAssigned, b.ID)
	case p.Batch(env.Height) != b.Batch || !p.Revealing(env.Height):
		return b, fmt.Errorf("%w: batch %d is opened in its last %d blocks", protocol.ErrPhase, b.Batch, p.RevealBlocks)
	case b.Open != nil:
		return b, fmt.Errorf("%w: bid %s", protocol.ErrDuplicate, b.ID)
	case TermsSeal(m.Terms, from, b.Batch, m.Salt) != b.Seal:
		return b, fmt.Errorf("%w: bid %s", protocol.ErrSealMismatch, b.ID)
	}
	if most := m.Terms.Most(); most.Compare(b.Deposit) > 0 {
		return b, fmt.Errorf("%w: the bid can cost %s, its deposit is %s", protocol.ErrInsufficient, most, b.Deposit)
	}
	terms := m.Terms
	terms.Alternatives = append([]Alternative(nil), terms.Alternatives...)
	b.Open = &terms
	return b, nil
}
