// Package market owns how idle machines meet jobs: standing asks, sealed bids, the clearing of a batch at one price a class,
// leases with their money from escrow to settlement, the base price between batches, and the reputation of providers. A rule
// takes records, a message and the environment, and returns new records and effects; it never searches a store, so its cost
// does not grow with the market. Which prices and matches come of a book is package auction's. It imports protocol,
// protocol/money and protocol/market/auction. Source: spec/market.md, which the comments cite by section.
package market

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// Version numbers the rules in this package.
const Version = 1

// Tick is the value of a price of 1, in amut: prices are whole nanoMUT.
const Tick = 1_000_000_000

// Params are what governance may change, within Check's bounds. Rule: spec/market.md §5.
type Params struct {
	BatchBlocks    uint64           `json:"batch_blocks"`    // blocks from one clearing to the next
	RevealBlocks   uint64           `json:"reveal_blocks"`   // the last blocks of a batch, in which bids are opened
	AckBlocks      uint64           `json:"ack_blocks"`      // for a provider to accept a lease
	JoinBlocks     uint64           `json:"join_blocks"`     // from accepting a metered lease to joining its run
	AskBlocks      uint64           `json:"ask_blocks"`      // for which an ask stands unless its machine renews it
	HoldbackBlocks uint64           `json:"holdback_blocks"` // from work to its pay: the window in which it can be challenged
	Tenors         [4]uint64        `json:"tenors"`          // blocks of each tenor
	Split          Split            `json:"split"`           //
	SealFee        uint64           `json:"seal_fee"`        // of a deposit whose bid stays sealed, in parts of 10,000; burned
	SilenceFee     uint64           `json:"silence_fee"`     // of the bond of units whose lease was not accepted, the same way
	MinUnitBond    money.Amount     `json:"min_unit_bond"`   // of an ask, for each unit
	Pool, Treasury protocol.Account `json:"-"`
}

// Split divides what buyers pay, in parts of 10,000. What is left over is burned.
type Split struct {
	Provider uint64 `json:"provider"`
	Pool     uint64 `json:"pool"` // validators and verifiers
	Treasury uint64 `json:"treasury"`
}

// parts of the whole that Split, SealFee and SilenceFee count in.
const parts = 10_000

// Check validates the bounds. The error wraps protocol.ErrInvalid.
func (p Params) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: market parameters: %s", protocol.ErrInvalid, fmt.Sprintf(format, args...))
	}
	const blocks = 10_000_000
	switch {
	case p.BatchBlocks < 2 || p.BatchBlocks > 10_000 || p.RevealBlocks < 1 || p.RevealBlocks >= p.BatchBlocks:
		return bad("a batch of %d blocks with %d to reveal", p.BatchBlocks, p.RevealBlocks)
	case p.AckBlocks < 1 || p.AckBlocks > 10_000 || p.HoldbackBlocks > blocks:
		return bad("%d blocks to accept, %d of holdback", p.AckBlocks, p.HoldbackBlocks)
	case p.JoinBlocks < 1 || p.JoinBlocks > 10_000 || p.AskBlocks < p.BatchBlocks || p.AskBlocks > blocks:
		return bad("%d blocks to join, an ask stands for %d", p.JoinBlocks, p.AskBlocks)
	case p.Split.Provider > parts || p.Split.Pool > parts || p.Split.Treasury > parts || p.Split.Provider+p.Split.Pool+p.Split.Treasury > parts:
		return bad("the split %+v is more than the whole", p.Split)
	case p.SealFee > parts || p.SilenceFee > parts:
		return bad("fees of %d and %d parts of %d", p.SealFee, p.SilenceFee, parts)
	case p.MinUnitBond.IsZero() || p.MinUnitBond.BitLen() > 128:
		return bad("a bond of %s", p.MinUnitBond)
	case p.Pool.IsZero() || p.Treasury.IsZero():
		return bad("no account for the pool or the treasury")
	}
	for i, t := range p.Tenors {
		if t < 1 || t > blocks || i > 0 && t <= p.Tenors[i-1] {
			return bad("tenors %v are not ascending", p.Tenors)
		}
	}
	return nil
}

// DefaultParams are the design's, for blocks of one second: batches of 10 blocks, tenors of a minute, ten minutes, an hour and
// six hours, 92 % to the provider, 5 % burned.
func DefaultParams(pool, treasury protocol.Account) Params {
	return Params{
		BatchBlocks: 10, RevealBlocks: 4, AckBlocks: 3, JoinBlocks: 20, AskBlocks: 1_800, HoldbackBlocks: 60, Tenors: [4]uint64{60, 600, 3_600, 21_600},
		Split: Split{9_200, 200, 100}, SealFee: 100, SilenceFee: 100, MinUnitBond: money.New(1_000_000 * Tick),
		Pool: pool, Treasury: treasury,
	}
}

// Bounds of messages.
const (
	maxName   = 32      // bytes of a resource or region
	maxTenors = 1 << 16 // of one lease
)

// Class is what is traded: so much of a resource in a region, at a level of trust, for a tenor. Everything else is a filter.
type Class struct {
	Resource string `json:"resource"` // such as "cpu", a GPU's model, or a model's tokens
	Region   string `json:"region"`
	Tier     Tier   `json:"tier"`
	Tenor    uint8  `json:"tenor"` // index into Params.Tenors
}

// Tier is how results are checked.
type Tier string

// The tiers.
const (
	Audited    Tier = "audited"    // recomputed at random
	Replicated Tier = "replicated" // always computed twice
)

// Check validates names. The error wraps protocol.ErrInvalid.
func (c Class) Check() error {
	if err := protocol.CheckText("resource", c.Resource, 1, maxName); err != nil {
		return err
	}
	if err := protocol.CheckText("region", c.Region, 1, maxName); err != nil {
		return err
	}
	if c.Tier != Audited && c.Tier != Replicated || int(c.Tenor) >= len(Params{}.Tenors) {
		return fmt.Errorf("%w: tier %.20q, tenor %d", protocol.ErrInvalid, c.Tier, c.Tenor)
	}
	return nil
}

// ID names a class.
func (c Class) ID() protocol.Hash {
	return new(protocol.Preimage).Text(c.Resource).Text(c.Region).Text(string(c.Tier)).Uint32(uint32(c.Tenor)).Digest("mutirao/market/class")
}

// Amount is a price in amut.
func Amount(p auction.Price) money.Amount { return cost(p, 1, 1) }

// cost is a price for units over tenors, in amut.
func cost(p auction.Price, units, tenors uint32) money.Amount {
	return money.New(uint64(p) * uint64(units)).Times(uint64(tenors)).Times(Tick)
}
