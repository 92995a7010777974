package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/agent/trainer"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/marketcmd"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// hire buys the first providers in a batch of the market, once all have offered their machines, so that the one that is not needed
// yet makes the price.
func (s *show) hire(ctx context.Context) error {
	state, err := s.machine.Client.Run(ctx, s.run)
	if err != nil {
		return err
	}
	err = s.trainer.Hire(ctx, s.machine.Client, state, s.order, func(what string) { s.say("%s", what) })
	if short := new(trainer.Shortage); errors.As(err, &short) {
		return failure.New(failure.Capacity, "the run could not hire its machines", err, "mutirao demo --keep --dir D, and look into D/*/log.txt")
	}
	if err != nil {
		return err
	}
	prices, err := s.machine.Client.Prices(ctx, s.spec.Market.Class)
	if err != nil {
		return err
	}
	for _, p := range prices {
		s.say("batch cleared: %d machines hired at %s a unit; the run would have paid %s", p.Units, marketcmd.PriceText(p.Quote.Buyer), s.spec.Price.PerUnit.Coins())
	}
	return nil
}

// hireLate hires one more machine at once, at the price of the moment.
func (s *show) hireLate(ctx context.Context, state *work.State) error {
	if s.lateHired || state.Phase.Ended() {
		return nil
	}
	joined, err := s.trainer.HireNow(ctx, s.machine.Client, state, uint32(len(s.cast.earners())), s.order.Limit)
	if errors.Is(err, protocol.ErrFull) {
		return nil // its offer is a block away
	}
	s.lateHired = joined
	return err
}

// unitPrice is what a provider's units cost.
func (s *show) unitPrice(who protocol.Account) money.Amount {
	if m, ok := s.final.Member(who); ok {
		return m.Price
	}
	return s.spec.Price.PerUnit
}

// hiredByMarket: the batch has one price, which nobody named: what the machine asked that was not needed.
func (s *show) hiredByMarket(ctx context.Context) (claim, error) {
	c := claim{Name: "hired-by-market"}
	prices, err := s.machine.Client.Prices(ctx, s.spec.Market.Class)
	if err != nil || len(prices) == 0 {
		c.Detail = "no batch was cleared"
		return c, err
	}
	cleared := market.Amount(prices[0].Quote.Buyer)
	c.Held = prices[0].Units == uint64(len(s.cast.providers)) && cleared.Compare(s.spec.Price.PerUnit) < 0
	for _, a := range s.cast.providers {
		c.Held = c.Held && s.unitPrice(a.account).Compare(cleared) == 0
	}
	c.Detail = fmt.Sprintf("%d of %d machines hired in one batch at %s a unit, at most %s was offered; %s at once for %s", prices[0].Units, len(s.cast.earners()),
		cleared.Coins(), s.spec.Price.PerUnit.Coins(), s.cast.late.name, s.unitPrice(s.cast.late.account).Coins())
	return c, nil
}
