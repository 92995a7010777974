package commons

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Status is where a proposal stands.
type Status string

// The statuses of a proposal.
const (
	Open    Status = "open"    // voted on
	Granted Status = "granted" // its run is on the ledger
	Lapsed  Status = "lapsed"  // refused by the vote, or its run could not begin: final
)

// Proposal asks the commons to pay for a training run. Rule: spec/commons.md §2.
type Proposal struct {
	ID         protocol.Hash    `json:"id"` // also of the run that it becomes
	Name       string           `json:"name"`
	Purpose    string           `json:"purpose"`
	Peer       string           `json:"peer"` // where the proposer serves data and first model; may be empty
	Proposer   protocol.Account `json:"proposer"`
	Asked      money.Amount     `json:"asked"` // the budget of the run
	Hire       Hire             `json:"hire"`
	Deposit    money.Amount     `json:"deposit"`
	Opened     protocol.Height  `json:"opened"`
	Ends       protocol.Height  `json:"ends"` // decided with the first step from this block on
	Extensions uint32           `json:"extensions"`
	Stake      money.Amount     `json:"stake"`      // behind it, locked
	Conviction money.Amount     `json:"conviction"` // never above Stake
	Needed     money.Amount     `json:"needed"`     // at the last step; 0 if it asks too much of the budget
	Passing    bool             `json:"passing"`    // at the last step
	Flipped    protocol.Height  `json:"flipped"`    // when Passing changed
	Status     Status           `json:"status"`
}

// Hire is how a job gets its machines: in each batch it bids for those that it lacks. Rule: spec/commons.md §4.
type Hire struct {
	Class         market.Class  `json:"class"`
	Providers     uint32        `json:"providers"` // that it wants at one time
	Tenors        uint32        `json:"tenors"`    // of a lease
	Limit         auction.Price `json:"limit"`     // for a unit
	MinReputation uint32        `json:"min_reputation"`
}

// Propose puts a run to the vote. Rule: spec/commons.md §2.
type Propose struct {
	Spec          work.Spec `json:"spec"`
	Nonce         uint64    `json:"nonce"`
	Purpose       string    `json:"purpose"`
	Peer          string    `json:"peer"`
	Providers     uint32    `json:"providers"`
	Tenors        uint32    `json:"tenors"`
	MinReputation uint32    `json:"min_reputation"`
}

// Kind is "commons/propose".
func (Propose) Kind() string { return "commons/propose" }

// Check validates the run and what it wants to hire.
func (m Propose) Check() error {
	if err := m.Spec.Check(); err != nil {
		return err
	}
	if m.Spec.Market == nil {
		return fmt.Errorf("%w: a run of the commons hires through the market, and names a class", protocol.ErrInvalid)
	}
	if m.Spec.Calibration && (m.Providers != 0 || m.Tenors != 0) {
		return fmt.Errorf("%w: a calibration run hires nobody: newcomers join it", protocol.ErrInvalid)
	}
	if !m.Spec.Calibration && (m.Providers < max(1, m.Spec.MinProviders) || m.Tenors < 1) || m.Providers > maxHire || m.Tenors > maxTenors || m.MinReputation > market.MaxGrade {
		return fmt.Errorf("%w: %d providers for %d tenors of reputation %d", protocol.ErrInvalid, m.Providers, m.Tenors, m.MinReputation)
	}
	if m.limit() == 0 {
		return fmt.Errorf("%w: a unit for less than 1 nanoMUT", protocol.ErrInvalid)
	}
	if err := protocol.CheckText("peer", m.Peer, 0, work.MaxPeer); err != nil {
		return err
	}
	return protocol.CheckText("purpose", m.Purpose, 1, MaxPurpose)
}

// Run is the message that makes the run, when the proposal is granted.
func (m Propose) Run() work.CreateRun { return work.CreateRun{Spec: m.Spec, Nonce: m.Nonce} }

// limit is the most that a unit may cost, in the market's ticks.
func (m Propose) limit() auction.Price {
	ticks, err := m.Spec.Price.PerUnit.MulDiv(1, market.Tick)
	if n, ok := parse(ticks); err == nil && ok && n < uint64(auction.MaxPrice) {
		return auction.Price(n)
	}
	return auction.MaxPrice
}

// Put applies Propose. The host refuses an id that exists, more than MaxOpen open proposals, and a dataset or parents that do not.
// Effect: the deposit is locked. Rule: spec/commons.md §2.
func Put(m Propose, from protocol.Account, p Params, env protocol.Env) (Proposal, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return Proposal{}, nil, err
	}
	o := Proposal{
		ID: work.RunID(p.Treasury, m.Run()), Name: m.Spec.Name, Purpose: m.Purpose, Peer: m.Peer, Proposer: from, Asked: m.Spec.Budget(),
		Hire:    Hire{Class: m.Spec.Market.Class, Providers: m.Providers, Tenors: m.Tenors, Limit: m.limit(), MinReputation: m.MinReputation},
		Deposit: p.Deposit, Opened: env.Height, Ends: env.Height + p.blocks(p.VoteSteps), Flipped: env.Height, Status: Open,
	}
	return o, append(lock(from, o.Deposit), event("proposed", o, "proposer", from.String())), nil
}

// Step lets one step of conviction pass. Rule: spec/commons.md §3.
func (o Proposal) Step(budget, electorate money.Amount, p Params, env protocol.Env) Proposal {
	o.Conviction = grow(o.Conviction, o.Stake)
	return o.judge(budget, electorate, p, env)
}

// judge compares conviction with what the ask needs now.
func (o Proposal) judge(budget, electorate money.Amount, p Params, env protocol.Env) Proposal {
	needed, ok := p.Needs(o.Asked, budget, electorate)
	passing := ok && !o.Conviction.IsZero() && o.Conviction.Compare(needed) >= 0
	if passing != o.Passing {
		o.Flipped = env.Height
	}
	o.Needed, o.Passing = needed, passing
	return o
}

// Extend gives a proposal whose time is up another swing_steps if its outcome changed in the last ones, so that nobody decides by
// coming last; due is whether it has to be decided now. Rule: spec/commons.md §3.
func (o Proposal) Extend(p Params, env protocol.Env) (next Proposal, due bool) {
	if env.Height < o.Ends {
		return o, false
	}
	if o.Flipped+p.blocks(p.SwingSteps) > env.Height && o.Extensions < p.MaxExtensions {
		o.Extensions++
		o.Ends = env.Height + p.blocks(p.SwingSteps)
		return o, false
	}
	return o, true
}

// Decide ends the vote: a passing proposal becomes a job with money from the treasury, as far as that reaches, and a promise for
// the rest. treasury is what it has. The deposit returns, unless not even a tenth of the conviction that was needed stood behind
// the proposal: then it is burned. Rule: spec/commons.md §3 and §4.
func Decide(o Proposal, b Budget, treasury, electorate money.Amount, p Params, env protocol.Env) (Proposal, Budget, *Job, []protocol.Effect) {
	o = o.judge(treasury.Plus(b.Free()), electorate, p, env)
	if o.Passing {
		funded := least(o.Asked, treasury)
		job := &Job{Run: o.ID, Left: o.Asked, Funded: funded, Promised: o.Asked.Minus(funded)}
		o.Status = Granted
		return o, b.promise(job.Promised), job, append(pay(o.Proposer, o.Deposit), event("granted", o))
	}
	o.Status = Lapsed
	if ten := o.Conviction.Times(10); ten.IsZero() || ten.Compare(o.Needed) < 0 {
		return o, b, nil, append(burn(o.Deposit), event("lapsed", o, "deposit", "burned"))
	}
	return o, b, nil, append(pay(o.Proposer, o.Deposit), event("lapsed", o, "deposit", "returned"))
}

// event tells something about a proposal; pairs are attribute names and values in turn.
func event(what string, o Proposal, pairs ...string) protocol.Event {
	attributes := []protocol.Attribute{{Name: "proposal", Value: o.ID.String()}}
	for i := 0; i+1 < len(pairs); i += 2 {
		attributes = append(attributes, protocol.Attribute{Name: pairs[i], Value: pairs[i+1]})
	}
	return protocol.Event{Type: "commons." + what, Attributes: attributes}
}
