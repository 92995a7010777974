// Package params holds the rules by which governance changes the numbers of the network: each has bounds, changes by a factor at most,
// rests after a change, and is announced a delay before it holds, so that who disagrees can leave first. It knows the numbers by name;
// their meaning is the host's. Source: spec/params.md.
package params

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
)

// MaxMessage bounds the JSON form of a message in bytes.
const MaxMessage = 1024

// Bound says how far a number may go, by whatever vote.
type Bound struct {
	Name string
	Min  uint64
	Max  uint64
	Unit string // for people
}

// Bounds are all numbers that governance may change, ordered by name. What the books of the ledger are recomputed from (splits, bonds,
// fees of the market) is not among them.
var Bounds = []Bound{
	{"consensus.block_bytes", 1 << 20, 16 << 20, "bytes"},
	{"consensus.block_gas", 40_000_000, 160_000_000, "gas"},
	{"dispute.clock_blocks", 50, 100_000, "blocks"},
	{"feemarket.change_denominator", 4, 64, "parts of the base fee by which it moves in a block at most"},
	{"feemarket.min_gas_price", 1, 1_000_000_000, "amut per gas"},
	{"gov.deposit_mut", 1, 1_000_000, "MUT"},
	{"gov.voting_seconds", 3600, 30 * 86400, "seconds"},
	{"slashing.double_sign_ppm", 10_000, 200_000, "millionths of the stake"},
	{"slashing.downtime_ppm", 0, 10_000, "millionths of the stake"},
	{"slashing.jail_seconds", 60, 30 * 86400, "seconds"},
	{"staking.max_validators", 4, 300, "validators"},
	{"staking.unbonding_seconds", 3 * 86400, 60 * 86400, "seconds"},
}

// BoundOf returns the bounds of a number, or protocol.ErrNotFound.
func BoundOf(name string) (Bound, error) {
	for _, b := range Bounds {
		if b.Name == name {
			return b, nil
		}
	}
	return Bound{}, fmt.Errorf("%w: number %.40q", protocol.ErrNotFound, name)
}

// Terms are the pace of all changes. They are set at genesis and nothing but an upgrade changes them.
type Terms struct {
	Delay  protocol.Height `json:"delay"`  // blocks from the decision until the new value holds
	Rest   protocol.Height `json:"rest"`   // least blocks between two changes of one number
	Factor uint64          `json:"factor"` // a change multiplies or divides by this much at most
}

// DefaultTerms are a day's notice and three days' rest at a block a second, and at most a doubling or halving.
func DefaultTerms() Terms { return Terms{Delay: 86_400, Rest: 3 * 86_400, Factor: 2} }

// Bounds on Terms.
const (
	maxBlocks = 1 << 32
	maxFactor = 16
)

// Check validates the form. The error is ErrInvalid.
func (t Terms) Check() error {
	if t.Delay < 1 || t.Delay > maxBlocks || t.Rest > maxBlocks || t.Factor < 2 || t.Factor > maxFactor {
		return fmt.Errorf("%w: terms of changes %+v", protocol.ErrInvalid, t)
	}
	return nil
}

// Change is a decided change that waits for its block.
type Change struct {
	Name  string          `json:"name"`
	From  uint64          `json:"from"` // value when it was decided
	Value uint64          `json:"value"`
	At    protocol.Height `json:"at"` // first block in which it holds
}

// Situation is what the host knows about one number.
type Situation struct {
	Value   uint64          // now
	Last    protocol.Height // block of the last change; 0 for none
	Pending bool            // a change waits
}

// Schedule decides a change. It returns ErrNotFound for a number that is not governed, ErrInvalid for a value out of its bounds, too far
// from the present one or equal to it, ErrDuplicate while another change of the number waits, and ErrPhase if the number would not have
// rested.
func Schedule(m Set, s Situation, t Terms, env protocol.Env) (Change, []protocol.Effect, error) {
	b, err := BoundOf(m.Name)
	if err != nil {
		return Change{}, nil, err
	}
	if m.Value < b.Min || m.Value > b.Max {
		return Change{}, nil, fmt.Errorf("%w: %s may be %d to %d %s, not %d", protocol.ErrInvalid, b.Name, b.Min, b.Max, b.Unit, m.Value)
	}
	if m.Value == s.Value {
		return Change{}, nil, fmt.Errorf("%w: %s is %d already", protocol.ErrInvalid, b.Name, s.Value)
	}
	if low, high := reach(s.Value, t.Factor); m.Value < low || m.Value > high {
		return Change{}, nil, fmt.Errorf("%w: %s is %d, a change may reach %d to %d, not %d", protocol.ErrInvalid, b.Name, s.Value, low, high, m.Value)
	}
	if s.Pending {
		return Change{}, nil, fmt.Errorf("%w: a change of %s waits already", protocol.ErrDuplicate, b.Name)
	}
	c := Change{Name: b.Name, From: s.Value, Value: m.Value, At: env.Height + t.Delay}
	if s.Last > 0 && c.At < s.Last+t.Rest {
		return Change{}, nil, fmt.Errorf("%w: %s changed at block %d and rests until %d", protocol.ErrPhase, b.Name, s.Last, s.Last+t.Rest)
	}
	return c, []protocol.Effect{c.event("params.scheduled")}, nil
}

// reach is how far a change may go from a value: zero counts as one.
func reach(value, factor uint64) (low, high uint64) {
	from := max(value, 1)
	high = from * factor
	if high/factor != from {
		high = ^uint64(0)
	}
	if low = value / factor; value%factor != 0 {
		low++
	}
	if value <= 1 {
		low = 0
	}
	return low, high
}

// Applied are the effects of a change that holds from now on.
func (c Change) Applied() []protocol.Effect { return []protocol.Effect{c.event("params.changed")} }

// Cancelled are the effects of a change that will not happen.
func (c Change) Cancelled() []protocol.Effect { return []protocol.Effect{c.event("params.cancelled")} }

func (c Change) event(kind string) protocol.Effect {
	return protocol.Event{Type: kind, Attributes: []protocol.Attribute{
		{Name: "name", Value: c.Name}, {Name: "from", Value: fmt.Sprint(c.From)}, {Name: "value", Value: fmt.Sprint(c.Value)}, {Name: "at", Value: fmt.Sprint(c.At)},
	}}
}
