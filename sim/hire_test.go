package sim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/trainer"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/sim"
)

// paced is an author's ledger that lets one block pass when the author asks for the next.
type paced struct {
	*ledgertest.Client
	block func() error
}

func (p paced) Next(ctx context.Context, _ protocol.Height) (protocol.Height, error) {
	if err := p.block(); err != nil {
		return 0, err
	}
	return p.Height(ctx)
}

// hall is a network whose run hires through the market, its author, and machines that offer themselves and do not work.
type hall struct {
	*sim.Network
	*trainer.Trainer
	author *ledgertest.Client
	order  *trainer.Order
	lazy   []protocol.Account // they accept their leases, and that is all
	said   []string
}

func newHall(t *testing.T, reserves ...auction.Price) *hall {
	r, set := fruit(t)
	class := market.Class{Resource: "cpu", Region: "home", Tier: market.Audited, Tenor: 2}
	c := sim.Config{Seed: 9, Recipe: r, Data: set, Terms: work.DefaultSpec()}
	c.Terms.MinProviders, c.Terms.MinVerifiers, c.Terms.Market = 2, 3, &work.Market{Class: class}
	c.Terms.Windows.Wait = 400
	c.Terms.Price.PerUnit, c.Terms.ProviderBond, c.Terms.VerifierBond = market.Amount(100), money.MUT(50), money.MUT(50)
	for i, reserve := range reserves {
		c.Members = append(c.Members, sim.Member{Name: fmt.Sprint("p", i), Role: work.Provider, Reserve: reserve})
	}
	for _, v := range []string{"v", "w", "x"} {
		c.Members = append(c.Members, sim.Member{Name: v, Role: work.Verifier})
	}
	n, err := sim.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{Network: n, author: n.Ledger().Client(n.Account("author")), order: &trainer.Order{Class: class, Limit: 100, Want: 2, Offers: 3}}
	n.Ledger().Mint(n.Account("author"), money.MUT(1)) // the deposit of a bid
	h.Trainer = &trainer.Trainer{Config: trainer.Config{Identity: agent.Identity{Account: n.Account("author")}, Ledger: paced{h.author, func() error { return h.block(t) }}}}
	return h
}

// offer places an ask that nobody stands behind.
func (h *hall) offer(t *testing.T, who protocol.Account, reserve auction.Price) {
	h.Ledger().Mint(who, money.MUT(1))
	ask := market.PlaceAsk{Class: h.order.Class, Units: 1, Reserve: reserve, Until: 10_000, UnitBond: ledgertest.MarketParams.MinUnitBond}
	if err := h.Ledger().Submit(who, ask); err != nil {
		t.Fatal(err)
	}
}

func (h *hall) block(t *testing.T) error {
	for _, l := range h.Ledger().Leases() {
		for _, who := range h.lazy {
			if l.Provider == who && l.Status == market.Offered {
				if err := h.Ledger().Submit(who, market.AcceptLease{Lease: l.ID}); err != nil {
					t.Error(err)
				}
			}
		}
	}
	return h.Block(t.Context())
}

func (h *hall) hire(t *testing.T) error {
	return h.Hire(t.Context(), h.author, h.Network.State(), h.order, func(s string) { h.said = append(h.said, s) })
}

// Dead machines offer themselves for less than all that work, and one that accepts and does not come. The run hires them first, one after the
// other; they pay for it and are offered no more, and the run finishes with machines that work.
func TestDeadMachinesAreHiredFirst(t *testing.T) {
	h := newHall(t, 50, 60, 70)
	var dead []protocol.Account
	for i := range 6 {
		who := protocol.Account{0xdd, byte(i)}
		dead = append(dead, who)
		h.offer(t, who, auction.Price(10+i))
	}
	h.lazy = dead[5:]
	if err := h.hire(t); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(h.said, "\n"))
	}
	fee := ledgertest.MarketParams.MinUnitBond.Part(ledgertest.MarketParams.SilenceFee, 10_000)
	if err := h.Run(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	for i, who := range dead {
		if asks, err := h.author.OwnAsks(t.Context(), who); err != nil || len(asks) > 0 {
			t.Errorf("dead machine %d offers %+v: %v", i, asks, err)
		}
		if got, want := h.Ledger().Balance(who), money.MUT(1).Minus(fee); got != want {
			t.Errorf("dead machine %d has %s, want %s", i, got.Coins(), want.Coins())
		}
	}
	s := h.Network.State()
	if s.Phase != work.PhaseFinished {
		t.Fatalf("the run is %s\n%s", s.Phase, strings.Join(h.said, "\n"))
	}
	for _, name := range []string{"p0", "p1"} {
		if m, ok := s.Member(h.Account(name)); !ok || m.Price.Compare(market.Amount(60)) > 0 || m.Units == 0 {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if text := strings.Join(h.said, "\n"); !strings.Contains(text, "did not join") {
		t.Errorf("nobody was told:\n%s", text)
	}
	// The leases have ended with the run, and nothing but the offer of who was not hired was open until then.
	for range 30 {
		if err := h.block(t); err != nil {
			t.Fatal(err)
		}
	}
	if list := h.Ledger().Leases(); len(list) > 0 {
		t.Errorf("leases of a run that has ended: %+v", list)
	}
	if list := h.Ledger().Asks(); len(list) > 0 {
		t.Errorf("asks of machines that have gone home: %+v", list)
	}
}

// A run that nobody works for does not hang: it says what is missing.
func TestHiringEndsWithAReason(t *testing.T) {
	for name, c := range map[string]struct {
		reserves []auction.Price
		dead     int
		want     string
	}{
		"nobody":   {nil, 0, "no other is offered"},
		"too dear": {[]auction.Price{101, 102, 103}, 0, "the cheapest of 3 others costs 0.000000101 MUT, the limit is 0.0000001 MUT"},
		"too few":  {[]auction.Price{10}, 0, "1 are offered, and the run bids once 3 are"},
		"dead":     {nil, 3, "3 let their lease pass; no other is offered"},
	} {
		h := newHall(t, c.reserves...)
		for i := range c.dead {
			h.offer(t, protocol.Account{0xdd, byte(i)}, 5)
		}
		err := h.hire(t)
		if short := new(trainer.Shortage); !errors.As(err, &short) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\n%s", name, err, strings.Join(h.said, "\n"))
		}
		if h.Network.State().Phase != work.PhaseStopped || len(h.said) == 0 {
			t.Errorf("%s: the run is %s, said %v", name, h.Network.State().Phase, h.said)
		}
	}
}

// An idle machine that is up goes on offering itself; one that is gone does not.
func TestIdleMachinesRenewTheirAsks(t *testing.T) {
	h := newHall(t, 500) // it is too dear
	gone := protocol.Account{0xdd}
	h.offer(t, gone, 600)
	for range 2 * ledgertest.MarketParams.AskBlocks {
		if err := h.block(t); err != nil {
			t.Fatal(err)
		}
	}
	asks := h.Ledger().Asks()
	if len(asks) != 1 || asks[0].Owner != h.Account("p0") || !asks[0].Open() {
		t.Errorf("asks: %+v", asks)
	}
}
