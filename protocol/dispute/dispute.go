// Package dispute owns the rules of a dispute over a claimed execution: who may open one and for what bond, how moves are made and
// proved, how long each side may think, and who gets what in the end. The game that is played is package verify/bisect's. A dispute
// is one State; Apply changes it by a message and Tick by the passing of a block. Both are pure: they return a new state and the effects
// that the host carries out. At every moment the escrow of a dispute equals Claims of its state; the defender's bond is package work's,
// which the host asks to slash when a dispute ends with its claim refuted. Integers only, no I/O, no clock. It imports protocol and the
// packages work, registry and money below it, and verify. Source: spec/dispute.md, which the comments cite by section.
package dispute

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/verify/bisect"
)

// Version numbers the rules in this package. It is in every record; changed rules get a new number.
const Version = 2

// Bounds. They keep a state, and the work of one transition, small. Rule: spec/dispute.md §1.
const (
	MaxBackers   = 16 // accounts that share a dispute with its opener
	MaxRise      = 10 // times that an opener's bond can double
	MaxClock     = 1_000_000
	MaxPrices    = 1_000 // of a unit, in a bond
	MaxSignature = 128
	MaxMessage   = 512 << 10 // bytes of a message in JSON
	amountBits   = 128
)

// Params are what a host fixes for all its disputes.
type Params struct {
	Bond   money.Amount `json:"bond"`   // the least of an opener who has lost none and has none open
	Prices uint32       `json:"prices"` // that bond is also at least so many times the price of the unit in question
	Clock  uint32       `json:"clock"`  // blocks that each side may think in all
}

// DefaultParams are those of a host that has fixed none. Half of a bond pays a defender for answers, which cost it several times the
// computing of the unit.
func DefaultParams() Params { return Params{Bond: money.MUT(1), Prices: 8, Clock: 300} }

// For are the params of disputes about units of a price.
func (p Params) For(price money.Amount) Params {
	if least := price.Times(uint64(p.Prices)); least.Compare(p.Bond) > 0 {
		p.Bond = least
	}
	return p
}

// Check validates the form. The error is ErrInvalid.
func (p Params) Check() error {
	if p.Bond.IsZero() || p.Bond.BitLen() > amountBits {
		return fmt.Errorf("%w: bond is %s", protocol.ErrInvalid, p.Bond)
	}
	if p.Clock < 1 || p.Clock > MaxClock {
		return fmt.Errorf("%w: a clock of %d blocks, allowed are 1 to %d", protocol.ErrInvalid, p.Clock, MaxClock)
	}
	if p.Prices > MaxPrices {
		return fmt.Errorf("%w: a bond of %d prices, allowed are %d", protocol.ErrInvalid, p.Prices, MaxPrices)
	}
	return nil
}

// Side is a player.
type Side string

// The sides.
const (
	Defender   Side = "defender"   // of the claim
	Challenger Side = "challenger" // who opened the dispute
)

// Claim is what a dispute is about: the execution that an account claims for a unit.
type Claim struct {
	Run      protocol.Hash    `json:"run"`
	Round    uint32           `json:"round"`
	Unit     uint32           `json:"unit"`
	Defender protocol.Account `json:"defender"`
	Shard    protocol.Hash    `json:"shard"` // seed of the unit's data order
	Terms    bisect.Terms     `json:"terms"`
}

// Digest names a claim.
func (c Claim) Digest() protocol.Hash {
	p := new(protocol.Preimage).Hash(c.Run).Uint32(c.Round).Uint32(c.Unit).Account(c.Defender).Hash(c.Shard)
	t := c.Terms
	p.Hash(t.Program).Hash(t.Model).Hash(t.Dataset).Uint64(uint64(t.Records)).Uint64(uint64(t.Steps)).Hash(t.Trace).Hash(t.Payload)
	return p.Digest("mutirao/dispute/claim")
}

// ID names the dispute that an account opens about a claim.
func ID(c Claim, opener protocol.Account, nonce uint64) protocol.Hash {
	return new(protocol.Preimage).Hash(c.Digest()).Account(opener).Uint64(nonce).Digest("mutirao/dispute/id")
}

// State is everything about one dispute while it lasts. It is JSON without maps, so its bytes are deterministic.
type State struct {
	ID         protocol.Hash    `json:"id"`
	Claim      Claim            `json:"claim"`
	Inputs     []protocol.Hash  `json:"inputs,omitempty"` // of an aggregate: AggregateInputs
	Challenger protocol.Account `json:"challenger"`
	Bond       money.Amount     `json:"bond"`
	Backers    []Backer         `json:"backers"`
	Opened     protocol.Height  `json:"opened"`
	Turn       uint32           `json:"turn"`  // moves made so far
	Since      protocol.Height  `json:"since"` // the block in which the side to move began to think
	Defends    uint32           `json:"defends"`
	Challenges uint32           `json:"challenges"`      // blocks left on each side's clock
	Clock      uint32           `json:"clock"`           // blocks that each has in one game
	Second     protocol.Account `json:"second,omitzero"` // the auditor that confirmed the claim, and defends it after its worker has lost
	Lost       *Loss            `json:"lost,omitempty"`  // the defender's, while the unit's audit is awaited
	Game       *bisect.Game     `json:"game"`
	Ended      bool             `json:"ended"`
}

// Backer shares the challenger's risk and bounty.
type Backer struct {
	Account protocol.Account `json:"account"`
	Bond    money.Amount     `json:"bond"`
}

// History is what a host knows about an opener.
type History struct {
	Lost uint32 `json:"lost"` // disputes that it opened and lost
	Open uint32 `json:"open"` // disputes that it has open
}

// Opened counts a dispute that begins, Closed one that has ended.
func (h History) Opened() History { return History{h.Lost, h.Open + 1} }

// Closed counts a dispute that has ended with a verdict.
func (h History) Closed(v bisect.Verdict) History {
	if v == bisect.Upheld {
		h.Lost++
	}
	h.Open--
	return h
}

// OpenerBond is the bond for an opener with a history: it doubles with each dispute lost, and is that much once more for each that is open. Were
// it to double for those too, a league that lies in many units at once would be too dear for one honest machine, whose disputes are
// won one day but open now. Rule: spec/dispute.md §2.
func OpenerBond(p Params, h History) money.Amount {
	bond := p.Bond.Times(1 + uint64(h.Open))
	for range min(uint64(h.Lost), MaxRise) {
		bond = bond.Plus(bond)
	}
	return bond
}

// Claims is the money that the state owes to somebody. It equals the dispute's escrow.
func (s *State) Claims() money.Amount {
	if s.Ended {
		return money.Amount{}
	}
	sum := s.Bond
	for _, b := range s.Backers {
		sum = sum.Plus(b.Bond)
	}
	return sum
}

// ToMove is the side whose clock runs.
func (s *State) ToMove() Side { return sideOf(s.Game.Stage) }

func sideOf(asked bisect.Stage) Side {
	if asked.Picks() {
		return Challenger
	}
	return Defender
}

// Player is who is to move; zero when the dispute has ended, or waits for the unit's audit.
func (s *State) Player() protocol.Account {
	if s.Ended || s.Lost != nil {
		return protocol.Account{}
	}
	return s.account(s.ToMove())
}

// account is who plays a side.
func (s *State) account(side Side) protocol.Account {
	if side == Challenger {
		return s.Challenger
	}
	if !s.Second.IsZero() {
		return s.Second
	}
	return s.Claim.Defender
}

// clock is what is left on a side's clock.
func (s *State) clock(side Side) *uint32 {
	if side == Challenger {
		return &s.Challenges
	}
	return &s.Defends
}

// Deadline is the last block in which the side to move can move; of a dispute that waits for an audit, the block in which it looks again.
func (s *State) Deadline() protocol.Height {
	if s.Lost != nil {
		return s.Since + adjourned
	}
	return s.Since + protocol.Height(*s.clock(s.ToMove()))
}

// Clone returns an independent copy.
func (s *State) Clone() *State {
	c := *s
	c.Backers, c.Game = slices.Clone(s.Backers), s.Game.Clone()
	return &c
}
