package commons

import (
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Job is the money of a granted run. The escrow of runs holds Funded of it; Promised is not there before it is spent. At every moment
// Left = Funded + Promised. Rule: spec/commons.md §4.
type Job struct {
	Run      protocol.Hash `json:"run"`
	Left     money.Amount  `json:"left"`     // of the run's budget
	Funded   money.Amount  `json:"funded"`   // of Left, from the treasury
	Promised money.Amount  `json:"promised"` // of Left, to be minted when it is spent
	Spent    money.Amount  `json:"spent"`
	Minted   money.Amount  `json:"minted"` // of Spent
	Ended    bool          `json:"ended"`
}

// Settle is what becomes of the effects of a transition after which a granted run has left of its budget. What it has spent comes
// from the treasury's money first; the rest is minted, which the host does before it carries out the effects that are returned. To
// create the run locks what the treasury gives; its end returns what is left of that, and no promise. Rule: spec/commons.md §5.
func Settle(j Job, b Budget, left money.Amount, ended bool, effects []protocol.Effect, p Params) (Job, Budget, money.Amount, []protocol.Effect) {
	var refund money.Amount
	for _, e := range effects {
		if f, ok := e.(protocol.Pay); ok && f.To == p.Treasury {
			refund = refund.Plus(f.Amount)
		}
	}
	spent := j.Left.Minus(left).Minus(refund)
	given := least(spent, j.Funded)
	minted := spent.Minus(given)
	b = b.mint(minted)
	j.Left, j.Funded, j.Promised = left, j.Funded.Minus(given), j.Promised.Minus(minted)
	j.Spent, j.Minted = j.Spent.Plus(spent), j.Minted.Plus(minted)
	back := j.Funded
	if ended {
		b = b.release(j.Promised)
		j.Funded, j.Promised, j.Ended = money.Amount{}, money.Amount{}, true
	}
	out := make([]protocol.Effect, 0, len(effects))
	for _, e := range effects {
		switch f := e.(type) {
		case protocol.Lock:
			if f.From == p.Treasury {
				out = append(out, lock(p.Treasury, j.Funded)...)
				continue
			}
		case protocol.Pay:
			if f.To == p.Treasury {
				out = append(out, pay(p.Treasury, back)...)
				continue
			}
		case protocol.Record:
			if r, ok := f.Value.(work.Receipt); ok && r.Kind == work.ForRefund {
				r.Amount = back
				e = protocol.Record{Value: r}
			}
		}
		out = append(out, e)
	}
	return j, b, minted, out
}

// Fail ends a proposal that passed but whose run cannot begin: nothing was promised. Effect: the deposit returns.
func Fail(o Proposal) (Proposal, []protocol.Effect) {
	o.Status = Lapsed
	return o, append(pay(o.Proposer, o.Deposit), event("failed", o))
}

// Wants is what a job bids for in the batch that is about to be cleared: machines, as many as it lacks. Nobody has to act for it.
// Rule: spec/commons.md §4.
func (h Hire) Wants(run *work.State, leases []market.Lease) (market.Terms, bool) {
	if run.Phase.Ended() || run.Spec.Market == nil || run.Spec.Calibration {
		return market.Terms{}, false
	}
	has := uint32(0)
	for i := range run.Members {
		if m := &run.Members[i]; m.Role == work.Provider && m.Status == work.Active && !m.Leaving {
			has++
		}
	}
	for i := range leases {
		l := &leases[i]
		if l.Status != market.Offered && l.Status != market.Running {
			continue
		}
		if m, ok := run.Member(l.Provider); !ok || m.Status != work.Active { // on its way
			has += l.Units
		}
	}
	if has >= h.Providers {
		return market.Terms{}, false
	}
	return market.Terms{
		Alternatives:  []market.Alternative{{Class: h.Class, Units: h.Providers - has, Limit: h.Limit}},
		MinReputation: h.MinReputation, Tenors: h.Tenors, Job: run.ID, Metered: true,
	}, true
}
