package member

import (
	"context"
	"errors"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/work"
)

// standing is for how many blocks a provider's ask stands.
const standing = 100_000

var errNoMarket = errors.New("the run hires through the market, which this machine does not know")

// seekHire does what makes a provider a member of a run that hires through the market: it offers one unit, accepts the lease that
// the run's author buys, joins with it, and takes the offer back. What it has done already is on the ledger.
func (m *Member) seekHire(ctx context.Context, s *work.State) ([]protocol.Msg, error) {
	if m.Market == nil {
		return nil, errNoMarket
	}
	leases, err := m.Market.Leases(ctx, m.Identity.Account)
	if err != nil {
		return nil, err
	}
	for _, l := range leases {
		if l.Job != s.ID || l.Provider != m.Identity.Account || !l.Metered {
			continue
		}
		switch l.Status {
		case market.Offered:
			return []protocol.Msg{market.AcceptLease{Lease: l.ID}}, nil
		case market.Running:
			return []protocol.Msg{
				work.Join{Run: s.ID, Role: m.role, Peer: m.Peer(), Hire: &work.Hire{Lease: l.ID, Price: l.Quote.Buyer}},
				market.WithdrawAsk{Ask: l.Ask},
			}, nil
		}
	}
	return m.offer(ctx, s.Spec.Market.Class)
}

// retire takes back what was offered to a run that has ended without hiring this machine.
func (m *Member) retire(ctx context.Context, class market.Class) ([]protocol.Msg, error) {
	asks, err := m.Market.OwnAsks(ctx, m.Identity.Account)
	for _, a := range asks {
		if a.Class == class && a.Open() {
			return []protocol.Msg{market.WithdrawAsk{Ask: a.ID}}, err
		}
	}
	return nil, err
}

// offer has one unit on offer, and says now and then that this machine is there. What other runs have leased of the same ask stays leased.
func (m *Member) offer(ctx context.Context, class market.Class) ([]protocol.Msg, error) {
	asks, err := m.Market.OwnAsks(ctx, m.Identity.Account)
	if err != nil {
		return nil, err
	}
	p, err := m.Market.MarketParams(ctx)
	if err != nil {
		return nil, err
	}
	h, err := m.Ledger.Height(ctx)
	if err != nil {
		return nil, err
	}
	units, bond := uint32(1), p.MinUnitBond
	for _, a := range asks {
		switch {
		case a.Class != class:
		case a.Open() && a.Stale(p, h):
			return []protocol.Msg{market.RenewAsk{Ask: a.ID}}, nil
		case a.Open():
			return nil, nil
		default:
			units = max(a.Leased+1, a.Watched)
			if a.Leased > 0 || a.Watched > 0 {
				bond = a.UnitBond // that of bound units cannot change
			}
		}
	}
	return []protocol.Msg{market.PlaceAsk{Class: class, Units: units, Reserve: m.Reserve, Until: h + standing, UnitBond: bond}}, nil
}
