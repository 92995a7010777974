package trainer

import (
	"fmt"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Terms reads the pay and the crowd of a recipe. The seed of all draws follows from seed. Windows are in blocks.
func Terms(r *recipe.Recipe, seed uint64, windows work.Windows) (work.Spec, error) {
	s := work.DefaultSpec()
	s.MaxUnits = uint32(r.Network.MaxUnits)
	s.MinProviders, s.MinVerifiers = uint32(r.Network.MinProviders), uint32(r.Network.MinVerifiers)
	s.LeastVerifiers = max(1, s.MinVerifiers/2+1)
	s.Windows = windows
	s.Seed = new(protocol.Preimage).Uint64(seed).Digest("mutirao/run-seed")
	for _, a := range []struct {
		name, text string
		into       *money.Amount
	}{
		{"unit_price", r.Pay.UnitPrice, &s.Price.PerUnit},
		{"provider_bond", r.Pay.ProviderBond, &s.ProviderBond},
		{"verifier_bond", r.Pay.VerifierBond, &s.VerifierBond},
	} {
		amount, err := money.ParseMUT(a.text)
		if err != nil {
			return work.Spec{}, fmt.Errorf("pay.%s: %w", a.name, err)
		}
		*a.into = amount
	}
	o, err := OrderOf(r)
	if err != nil || o == nil {
		return s, err
	}
	if market.Amount(o.Limit).Compare(s.Price.PerUnit) > 0 {
		return work.Spec{}, fmt.Errorf("%w: market.limit is %s, pay.unit_price, which is locked for a unit, is %s", protocol.ErrInvalid, market.Amount(o.Limit).Coins(), s.Price.PerUnit.Coins())
	}
	s.Market = &work.Market{Class: o.Class}
	return s, nil
}

// Order is how a run hires its providers through the market.
type Order struct {
	Class  market.Class
	Limit  auction.Price // the most that it bids for a unit
	Want   uint32        // providers to hire
	Offers int           // it bids once so many offer
}

// OrderOf reads the market section of a run file. It is nil if the run does not hire through the market.
func OrderOf(r *recipe.Recipe) (*Order, error) {
	if r.Market.Class == "" {
		return nil, nil
	}
	o := &Order{Want: uint32(r.Market.Providers), Offers: r.Market.Offers}
	var err error
	if o.Class, err = market.ParseClass(r.Market.Class); err != nil {
		return nil, fmt.Errorf("market.class: %w", err)
	}
	limit, err := money.ParseMUT(r.Market.Limit)
	if err != nil {
		return nil, fmt.Errorf("market.limit: %w", err)
	}
	o.Limit = market.Floor(limit)
	return o, nil
}

// Windows gives a unit time in proportion to its work, at a fifth of the pace of two busy cores, so that the draws of a seed do not
// depend on the speed of the machine.
func Windows(step *graph.Graph, steps int) (work.Windows, error) {
	macs, err := graph.MACs(step)
	if err != nil {
		return work.Windows{}, err
	}
	const macsPerBlock = 400_000_000
	compute := 20 + uint32(macs*uint64(steps)/macsPerBlock)
	return work.Windows{Compute: compute, Reveal: 16, AuditCommit: 2 * compute, AuditReveal: 30, Dispute: 30, Aggregate: 60, Wait: 1200,
		Challenge: work.DefaultSpec().Windows.Challenge}, nil
}
