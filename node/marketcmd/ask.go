package marketcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
)

// Ask places an ask that stands for so many blocks.
func (m *Market) Ask(ctx context.Context, a market.PlaceAsk, blocks uint64) (market.Ask, error) {
	h, err := m.Height(ctx)
	if err != nil {
		return market.Ask{}, err
	}
	p, err := m.MarketParams(ctx)
	if err != nil {
		return market.Ask{}, err
	}
	a.Until = h + protocol.Height(blocks)
	if a.UnitBond.IsZero() {
		a.UnitBond = p.MinUnitBond
	}
	if err := m.submit(ctx, a); err != nil {
		return market.Ask{}, running.Refused("the ask was not placed", err, "mutirao market asks --mine  shows what you offer")
	}
	return m.ownAsk(ctx, market.AskID(m.Account(), a.Class))
}

func (m *Market) ownAsk(ctx context.Context, id protocol.Hash) (market.Ask, error) {
	list, err := m.OwnAsks(ctx, m.Account())
	if err != nil {
		return market.Ask{}, err
	}
	for _, a := range list {
		if a.ID == id {
			return a, nil
		}
	}
	return market.Ask{}, running.Refused("you have no such ask", fmt.Errorf("%w: ask %s", protocol.ErrNotFound, id), "mutirao market asks --mine")
}

// Serve accepts every lease that is offered to this account until ctx ends, and tells of each; it renews the account's asks. It returns nil then.
func (m *Market) Serve(ctx context.Context, tell func(market.Lease)) error {
	h := protocol.Height(0)
	p, err := m.MarketParams(ctx)
	if err != nil {
		return err
	}
	for {
		var err error
		if h, err = m.Next(ctx, h); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		list, err := m.Leases(ctx, m.Account())
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			continue // the next block is another attempt; an offer waits for a few
		}
		for _, l := range list {
			if l.Provider != m.Account() || l.Status != market.Offered {
				continue
			}
			if err := m.submit(ctx, market.AcceptLease{Lease: l.ID}); err == nil {
				l.Status = market.Running
				tell(l)
			}
		}
		m.renew(ctx, p, h)
	}
}

// renew says for every open ask of the account, when that is due, that its machine is there. What fails is tried again with the next block.
func (m *Market) renew(ctx context.Context, p market.Params, h protocol.Height) {
	if uint64(h)%max(1, p.AskBlocks/16) != 0 {
		return
	}
	asks, err := m.OwnAsks(ctx, m.Account())
	if err != nil {
		return
	}
	for _, a := range asks {
		if a.Open() && a.Stale(p, h) {
			m.submit(ctx, market.RenewAsk{Ask: a.ID})
		}
	}
}

// Renew lets an ask, which is named as for Withdraw, stand for as long again.
func (m *Market) Renew(ctx context.Context, name string) (market.Ask, error) {
	a, err := m.named(ctx, name)
	if err != nil {
		return a, err
	}
	if err := m.submit(ctx, market.RenewAsk{Ask: a.ID}); err != nil {
		return a, running.Refused("the ask was not renewed", err, "mutirao market asks --mine  shows what you offer; mutirao market ask places it again")
	}
	return m.ownAsk(ctx, a.ID)
}

// Withdraw closes an ask, which is named by its class or by its id or the beginning of it.
func (m *Market) Withdraw(ctx context.Context, name string) (market.Ask, error) {
	found, err := m.named(ctx, name)
	if err != nil {
		return found, err
	}
	if err := m.submit(ctx, market.WithdrawAsk{Ask: found.ID}); err != nil {
		return found, running.Refused("the ask was not withdrawn", err, "mutirao market asks --mine")
	}
	a, err := m.ownAsk(ctx, found.ID)
	if errors.Is(err, protocol.ErrNotFound) { // nothing of it was leased
		a, err = found, nil
		a.Closing, a.Units = true, 0
	}
	return a, err
}

// named finds an own ask by its class or by its id or the beginning of it.
func (m *Market) named(ctx context.Context, name string) (market.Ask, error) {
	list, err := m.OwnAsks(ctx, m.Account())
	if err != nil {
		return market.Ask{}, err
	}
	var found []market.Ask
	for _, a := range list {
		if ClassText(a.Class) == name || len(name) >= 4 && len(name) <= 64 && a.ID.String()[:len(name)] == name {
			found = append(found, a)
		}
	}
	if len(found) != 1 {
		return market.Ask{}, failure.New(failure.NotFound, fmt.Sprintf("%q is not one of your asks", name),
			fmt.Errorf("%d of your %d asks have this class or id", len(found), len(list)), "mutirao market asks --mine")
	}
	return found[0], nil
}

// Act sends one message about a lease and returns the lease afterwards.
func (m *Market) Act(ctx context.Context, id protocol.Hash, msg protocol.Msg) (market.Lease, error) {
	if err := m.submit(ctx, msg); err != nil {
		return market.Lease{}, running.Refused("the lease did not change", err, "mutirao market leases")
	}
	return m.Lease(ctx, id)
}
