// Package commons owns the money that the network spends on work for everybody: proposals for training runs, voting on them by
// conviction, the budget that burned coins and the treasury make, and the jobs that it pays. A granted job is a run like any
// other, with the treasury as its author; it bids in the same auction, and what it spends beyond what the treasury had is minted
// when it is spent. A rule takes records, a message and the environment, and returns new records and effects. It imports
// protocol, protocol/money, protocol/market and protocol/work. Source: spec/commons.md, which the comments cite by section.
package commons

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Version numbers the rules in this package.
const Version = 1

// Bounds that no parameter changes.
const (
	MaxOpen    = 64         // proposals that are voted on at one time: the end of a step reads them all
	MaxPurpose = 500        // bytes of a proposal's reason
	maxEpochs  = 400        // of the window
	maxVest    = 30         // epochs for which credit is held
	maxBlocks  = 10_000_000 // of a step or an epoch
	maxHire    = 256        // providers of one job, as in a run
	maxTenors  = 1 << 16    // of a lease, as in the market
)

// PPM is the number of parts that make a whole in shares.
const PPM = 1_000_000

// Params are what governance may change, within Check's bounds. Rule: spec/commons.md §6.
type Params struct {
	StepBlocks    uint64           `json:"step_blocks"`    // from one step of conviction to the next; its half-life is 16 steps
	VoteSteps     uint32           `json:"vote_steps"`     // for which a proposal is voted on
	SwingSteps    uint32           `json:"swing_steps"`    // an outcome that changed so late extends the vote by as many
	MaxExtensions uint32           `json:"max_extensions"` //
	AskPPM        uint64           `json:"ask_ppm"`        // of the budget, which no proposal may reach
	BasePPM       uint64           `json:"base_ppm"`       // conviction that the least ask needs, of the electorate
	ElectoratePPM uint64           `json:"electorate_ppm"` // the least electorate, of the supply
	EpochBlocks   uint64           `json:"epoch_blocks"`   // what is burned in an epoch can be minted again
	WindowEpochs  uint32           `json:"window_epochs"`  // for so many epochs
	VestEpochs    uint32           `json:"vest_epochs"`    // for which what an account earned is not sent to others
	Newcomers     uint32           `json:"newcomers"`      // that begin calibration in an epoch
	FreeTxs       uint32           `json:"free_txs"`       // of a newcomer without coins, about a calibration run
	Deposit       money.Amount     `json:"deposit"`        // of who proposes
	Treasury      protocol.Account `json:"-"`              // author of the jobs
}

// DefaultParams are for blocks of a second: a half-life of a day, a vote of a week, a window of thirty days.
func DefaultParams(treasury protocol.Account) Params {
	return Params{
		StepBlocks: 5_400, VoteSteps: 112, SwingSteps: 16, MaxExtensions: 7, AskPPM: 200_000, BasePPM: 100_000, ElectoratePPM: 10_000,
		EpochBlocks: 86_400, WindowEpochs: 30, VestEpochs: 7, Newcomers: 100, FreeTxs: 16, Deposit: money.MUT(1), Treasury: treasury,
	}
}

// Check validates the bounds. The error wraps protocol.ErrInvalid.
func (p Params) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: parameters of the commons: %s", protocol.ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case p.StepBlocks < 1 || p.StepBlocks > maxBlocks || p.EpochBlocks < 1 || p.EpochBlocks > maxBlocks:
		return bad("steps of %d blocks, epochs of %d", p.StepBlocks, p.EpochBlocks)
	case p.VoteSteps < 1 || p.VoteSteps > 10_000 || p.SwingSteps > p.VoteSteps || p.MaxExtensions > 100:
		return bad("a vote of %d steps, %d of them late, %d extensions", p.VoteSteps, p.SwingSteps, p.MaxExtensions)
	case p.AskPPM < 1 || p.AskPPM > PPM || p.BasePPM < 1 || p.BasePPM > PPM || p.ElectoratePPM < 1 || p.ElectoratePPM > PPM:
		return bad("shares of %d, %d and %d parts of a million", p.AskPPM, p.BasePPM, p.ElectoratePPM)
	case p.WindowEpochs < 1 || p.WindowEpochs > maxEpochs:
		return bad("a window of %d epochs", p.WindowEpochs)
	case p.Newcomers > 100_000 || p.FreeTxs > 1000:
		return bad("%d newcomers, %d of their transactions free", p.Newcomers, p.FreeTxs)
	case p.VestEpochs > maxVest:
		return bad("credit that is held for %d epochs", p.VestEpochs)
	case p.Deposit.IsZero() || p.Deposit.BitLen() > 128:
		return bad("a deposit of %s", p.Deposit)
	case p.Treasury.IsZero():
		return bad("no account for the treasury")
	}
	return nil
}

// Steps reports whether a step ends with a block.
func (p Params) Steps(h protocol.Height) bool { return (uint64(h)+1)%p.StepBlocks == 0 }

// epoch is the epoch of a block.
func (p Params) epoch(h protocol.Height) uint64 { return uint64(h) / p.EpochBlocks }

// blocks is how long so many steps take.
func (p Params) blocks(steps uint32) protocol.Height {
	return protocol.Height(uint64(steps) * p.StepBlocks)
}

// pay, lock and burn leave out amounts of zero, which hosts need not support.
func pay(to protocol.Account, a money.Amount) []protocol.Effect {
	if a.IsZero() {
		return nil
	}
	return []protocol.Effect{protocol.Pay{To: to, Amount: a, Back: true}}
}

func lock(from protocol.Account, a money.Amount) []protocol.Effect {
	if a.IsZero() {
		return nil
	}
	return []protocol.Effect{protocol.Lock{From: from, Amount: a}}
}

func burn(a money.Amount) []protocol.Effect {
	if a.IsZero() {
		return nil
	}
	return []protocol.Effect{protocol.Burn{Amount: a}}
}

func least(a, b money.Amount) money.Amount {
	if a.Compare(b) <= 0 {
		return a
	}
	return b
}
