package node

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/marketcmd"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// marketFlags are those of every market command.
type marketFlags struct{ running.Flags }

func newMarket() *cobra.Command {
	f := &marketFlags{}
	cmd := &cobra.Command{
		Use:   "market",
		Short: "Offer machines and lease them",
		Long: `Offer machines and lease them. What is traded are units of a class: a resource in a region, at a level of trust, for a tenor.
Every few blocks a batch of sealed bids is cleared against all asks, at one price a class; between batches units can be taken
at once. Prices are for one unit during one tenor.`,
		Example: `  mutirao demo --keep --dir ./network                      a network on this machine, for instance
  export MUTIRAO_NETWORK=./network
  mutirao market book                                      what is traded, and what it costs
  mutirao market ask cpu/eu/audited/0 --units 4 --reserve 0.2
  mutirao market bid cpu/eu/audited/0:2@0.5                two units, at most 0.5 MUT each a tenor`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.Add(cmd, defaultDir())
	cmd.AddCommand(marketBook(f), marketQuote(f), marketAsks(f), marketBids(f), marketLeases(f), marketAsk(f), marketServe(f), marketRenew(f), marketWithdraw(f),
		marketBid(f), marketOpen(f), marketPropose(f), marketTake(f), marketLease(f, "accept", "Begin a lease that is offered to you", func(id protocol.Hash) protocol.Msg { return market.AcceptLease{Lease: id} }),
		marketLease(f, "end", "End a running lease: the buyer at once, the provider after its notice", func(id protocol.Hash) protocol.Msg { return market.EndLease{Lease: id} }),
		marketLease(f, "settle", "Pay what a lease owes its provider by now", func(id protocol.Hash) protocol.Msg { return market.SettleLease{Lease: id} }))
	return cmd
}

// listOf is a list for machines.
type listOf[T any] struct {
	Schema string `json:"schema"`
	List   []T    `json:"list"`
}

func list[T any](schema string, l []T) listOf[T] {
	if l == nil {
		l = []T{}
	}
	return listOf[T]{schema, l}
}

// line prints a sentence.
func line(format string, args ...any) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		return err
	}
}

func marketBook(f *marketFlags) *cobra.Command {
	return &cobra.Command{
		Use: "book", Short: "What is traded: base price, units offered and leased, the last clearing", Args: cobra.NoArgs,
		Example: "  mutirao market book\n  mutirao market book --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			b, err := m.Book(cmd.Context())
			if err != nil {
				return err
			}
			return f.Answer(cmd, b, b.Print)
		},
	}
}

func marketQuote(f *marketFlags) *cobra.Command {
	var units, tenors, grade uint32
	cmd := &cobra.Command{
		Use: "quote CLASS", Short: "What units cost that are taken now", Args: cobra.ExactArgs(1),
		Example: "  mutirao market quote cpu/eu/audited/0 --units 4",
		RunE: func(cmd *cobra.Command, args []string) error {
			class, err := marketcmd.ParseClass(args[0])
			if err != nil {
				return err
			}
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			q, err := m.Quote(cmd.Context(), class, units, tenors, grade)
			if err != nil {
				return err
			}
			return f.Answer(cmd, q, q.Print)
		},
	}
	orderFlags(cmd, &units, &tenors, &grade)
	return cmd
}

func orderFlags(cmd *cobra.Command, units, tenors, grade *uint32) {
	cmd.Flags().Uint32Var(units, "units", 1, "units of the class")
	cmd.Flags().Uint32Var(tenors, "tenors", 1, "for how many tenors of the class")
	cmd.Flags().Uint32Var(grade, "min-reputation", 0, "least grade of the providers, 0 to 7")
}

func marketAsks(f *marketFlags) *cobra.Command {
	var mine bool
	cmd := &cobra.Command{
		Use: "asks [CLASS]", Short: "Offers of a class, the cheapest first, or your own", Args: cobra.MaximumNArgs(1),
		Example: "  mutirao market asks cpu/eu/audited/0\n  mutirao market asks --mine",
		RunE: func(cmd *cobra.Command, args []string) error {
			if mine == (len(args) == 1) {
				return failure.New(failure.Usage, "which asks are meant", errOne, "mutirao market asks CLASS, or mutirao market asks --mine")
			}
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			var asks []market.Ask
			if mine {
				asks, err = m.OwnAsks(cmd.Context(), m.Account())
			} else {
				var class market.Class
				if class, err = marketcmd.ParseClass(args[0]); err == nil {
					asks, err = m.ClassAsks(cmd.Context(), class)
				}
			}
			if err != nil {
				return err
			}
			return f.Answer(cmd, list("mutirao.market-asks/v1", asks), func(w io.Writer) error { return marketcmd.PrintAsks(w, asks) })
		},
	}
	cmd.Flags().BoolVar(&mine, "mine", false, "asks of this account")
	return cmd
}

var errOne = fmt.Errorf("name a class or --mine, not both")

func marketBids(f *marketFlags) *cobra.Command {
	return &cobra.Command{
		Use: "bids", Short: "Bids of the batch that is open; those that are sealed stay hidden", Args: cobra.NoArgs,
		Example: "  mutirao market bids --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			bids, err := m.Bids(cmd.Context())
			if err != nil {
				return err
			}
			return f.Answer(cmd, list("mutirao.market-bids/v1", bids), func(w io.Writer) error { return marketcmd.PrintBids(w, bids) })
		},
	}
}

func marketLeases(f *marketFlags) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "leases", Short: "What you lease and provide", Args: cobra.NoArgs,
		Example: "  mutirao market leases\n  mutirao market leases --all --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			leases, err := m.Leases(cmd.Context(), m.Account())
			if err != nil {
				return err
			}
			var shown []market.Lease
			for _, l := range leases {
				if all || l.Status != market.Closed {
					shown = append(shown, l)
				}
			}
			return f.Answer(cmd, list("mutirao.market-leases/v1", shown), func(w io.Writer) error { return marketcmd.PrintLeases(w, shown, m.Account()) })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "closed leases too")
	return cmd
}

func marketAsk(f *marketFlags) *cobra.Command {
	var units uint32
	var reserve, bond string
	var blocks, notice uint64
	var detach bool
	cmd := &cobra.Command{
		Use:   "ask CLASS",
		Short: "Offer units of a class, and accept the leases that come of it",
		Long: `Offer units of a class for a reserve or more. A bond for each unit is locked; it comes back when the offer closes. A lease must be
accepted within a few blocks or a part of the bond is burned, so the command goes on and accepts them until Ctrl-C, which
withdraws what is free; leases that run go on. An offer whose machine is not heard of lapses; the command renews it. With --detach it only
places the offer: accept and renew by mutirao market serve.`,
		Example: "  mutirao market ask cpu/eu/audited/0 --units 4 --reserve 0.2\n  mutirao market ask cpu/eu/audited/0 --units 4 --reserve 0.2 --detach --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a := market.PlaceAsk{Units: units, Notice: notice}
			var err error
			if a.Class, err = marketcmd.ParseClass(args[0]); err != nil {
				return err
			}
			if a.Reserve, err = marketcmd.ParsePrice(reserve); err != nil {
				return err
			}
			if bond != "" {
				if a.UnitBond, err = money.ParseMUT(bond); err != nil {
					return failure.New(failure.Usage, "the bond cannot be read", err, "write it like --bond 0.5")
				}
			}
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			ask, err := m.Ask(cmd.Context(), a, blocks)
			if err != nil {
				return err
			}
			if err := f.Answer(cmd, ask, line("ask %s: %d × %s for %s or more until block %d, unless renewed; %s locked", ask.ID, ask.Units, marketcmd.ClassText(ask.Class), marketcmd.PriceText(ask.Reserve), ask.Lapses, ask.Bond.Coins())); err != nil || detach {
				return err
			}
			if err := f.serve(cmd, m); err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "withdrawing what is free; leases that run go on (mutirao market leases)")
			_, err = m.Withdraw(context.WithoutCancel(cmd.Context()), marketcmd.ClassText(a.Class))
			return err
		},
	}
	fl := cmd.Flags()
	fl.Uint32Var(&units, "units", 1, "units on offer")
	fl.StringVar(&reserve, "reserve", "", "least price of a unit during a tenor, in MUT")
	fl.StringVar(&bond, "bond", "", "bond of a unit, in MUT; default the least that the market takes")
	fl.Uint64Var(&blocks, "blocks", 100_000, "for how many blocks the offer stands")
	fl.Uint64Var(&notice, "notice", 0, "blocks of notice after which you may take units back")
	fl.BoolVar(&detach, "detach", false, "place the offer and return")
	if err := cmd.MarkFlagRequired("reserve"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// serve accepts leases until Ctrl-C.
func (f *marketFlags) serve(cmd *cobra.Command, m *marketcmd.Market) error {
	fmt.Fprintln(cmd.ErrOrStderr(), "accepting leases until Ctrl-C")
	return m.Serve(cmd.Context(), func(l market.Lease) {
		f.Answer(cmd, l, line("lease %s: %d × %s at %s for %d blocks, of %s", l.ID, l.Units, marketcmd.ClassText(l.Class), marketcmd.PriceText(l.Quote.Seller), l.Length, l.Buyer))
	})
}

func marketServe(f *marketFlags) *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Accept the leases that are offered to you, until Ctrl-C", Args: cobra.NoArgs,
		Example: "  mutirao market serve --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			return f.serve(cmd, m)
		},
	}
}

func marketRenew(f *marketFlags) *cobra.Command {
	return &cobra.Command{
		Use: "renew ASK", Short: "Say that the machine behind an offer is there, so that it stands for as long again", Args: cobra.ExactArgs(1),
		Example: "  mutirao market renew cpu/eu/audited/0",
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			a, err := m.Renew(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return f.Answer(cmd, a, line("ask %s stands until block %d", a.ID, a.Lapses))
		},
	}
}

func marketWithdraw(f *marketFlags) *cobra.Command {
	return &cobra.Command{
		Use: "withdraw ASK", Short: "Take an offer back; leases that run go on", Args: cobra.ExactArgs(1),
		Example: "  mutirao market withdraw cpu/eu/audited/0",
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			a, err := m.Withdraw(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return f.Answer(cmd, a, line("ask %s is closed; %d units are bound by leases", a.ID, a.Units))
		},
	}
}

func marketBid(f *marketFlags) *cobra.Command {
	var t market.Terms
	var deposit, job string
	cmd := &cobra.Command{
		Use:   "bid CLASS:UNITS@LIMIT…",
		Short: "Bid in the next batch, sealed; one of the alternatives is bought",
		Long: `Bid in the next batch: seal the bid, open it when the batch does, and wait for the clearing. Several alternatives are a choice: one
is bought, at the one price of its class, at most at its limit. A deposit is locked until then; it can be more than the bid
may cost, so that it does not show the limit. What opens the bid is kept in the folder: after Ctrl-C or kill -9,
mutirao market open goes on. A bid that is never opened loses a part of its deposit.`,
		Example: "  mutirao market bid cpu/eu/audited/0:4@0.5\n  mutirao market bid cpu/eu/audited/0:4@0.5 gpu-l4/eu/audited/0:1@3 --whole --tenors 10",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, text := range args {
				a, err := marketcmd.ParseAlternative(text)
				if err != nil {
					return err
				}
				t.Alternatives = append(t.Alternatives, a)
			}
			var d money.Amount
			var err error
			if deposit != "" {
				if d, err = money.ParseMUT(deposit); err != nil {
					return failure.New(failure.Usage, "the deposit cannot be read", err, "write it like --deposit 20")
				}
			}
			if job != "" {
				if err := t.Job.UnmarshalText([]byte(job)); err != nil {
					return failure.New(failure.Usage, "the job cannot be read", err, "64 hexadecimal digits")
				}
			}
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			p, err := m.Bid(cmd.Context(), t, d)
			if err != nil {
				return err
			}
			return f.finish(cmd, m, p)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&t.Whole, "whole", false, "all units or none")
	fl.Uint32Var(&t.Tenors, "tenors", 1, "for how many tenors of the class")
	fl.Uint32Var(&t.MinReputation, "min-reputation", 0, "least grade of the providers, 0 to 7")
	fl.StringVar(&deposit, "deposit", "", "what to lock, in MUT; default what the bid can cost at most")
	fl.StringVar(&job, "job", "", "digest of what is to be done, for the providers")
	return cmd
}

// finish sees a sealed bid through.
func (f *marketFlags) finish(cmd *cobra.Command, m *marketcmd.Market, p marketcmd.Pending) error {
	fill, err := m.Finish(cmd.Context(), p, func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), s) })
	if cmd.Context().Err() != nil {
		return failure.New(failure.Interrupted, "the bid is sealed and not yet through", cmd.Context().Err(), "mutirao market open  goes on")
	}
	if err != nil {
		return err
	}
	return f.Answer(cmd, fill, line("%s", fill.Summary()))
}

func marketOpen(f *marketFlags) *cobra.Command {
	return &cobra.Command{
		Use: "open", Short: "Go on with the bids that an interrupted command has sealed", Args: cobra.NoArgs,
		Example: "  mutirao market open",
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			pending, err := m.Pending()
			if err != nil {
				return err
			}
			if len(pending) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "no bid is waiting")
			}
			for _, p := range pending {
				if err := f.finish(cmd, m, p); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func marketPropose(f *marketFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "propose FILE",
		Short: "Propose a better allocation of the batch that is being opened",
		Long: `Propose who gets what in the batch that is being opened, better than the built-in solver does. The file is JSON:

  {"batch": 12, "deals": [{"bid": "…", "ask": "…", "units": 2}]}

Prices are the built-in solver's, whoever proposes. The best proposal is taken if what is possible of it at the end of the batch has a
greater welfare by a thousandth of the bound of linear-programming duality.`,
		Example: "  mutirao market bids --json\n  mutirao market asks cpu/eu/audited/0 --json\n  mutirao market propose deals.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := marketcmd.ReadProposal(args[0])
			if err != nil {
				return err
			}
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			if err := m.Propose(cmd.Context(), p); err != nil {
				return err
			}
			p.Schema = "mutirao.market-proposal/v1"
			return f.Answer(cmd, p, line("%d deals are the best proposal for batch %d so far", len(p.Deals), p.Batch))
		},
	}
}

func marketTake(f *marketFlags) *cobra.Command {
	var t market.TakeNow
	var limit string
	cmd := &cobra.Command{
		Use: "take CLASS", Short: "Lease units at once, without waiting for a batch", Args: cobra.ExactArgs(1),
		Example: "  mutirao market quote cpu/eu/audited/0 --units 2\n  mutirao market take cpu/eu/audited/0 --units 2 --limit 0.5",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if t.Class, err = marketcmd.ParseClass(args[0]); err != nil {
				return err
			}
			if t.Limit, err = marketcmd.ParsePrice(limit); err != nil {
				return err
			}
			if t.Units == 0 || t.Units > auction.MaxUnits {
				return failure.New(failure.Usage, "so many units cannot be leased", fmt.Errorf("%d, allowed are 1 to %d", t.Units, auction.MaxUnits), "mutirao market take --help")
			}
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			fill, err := m.Take(cmd.Context(), t)
			if err != nil {
				return err
			}
			return f.Answer(cmd, fill, line("%d leases of %d units; they begin when their providers accept (mutirao market leases)", len(fill.Leases), t.Units))
		},
	}
	orderFlags(cmd, &t.Units, &t.Tenors, &t.MinReputation)
	cmd.Flags().StringVar(&limit, "limit", "", "most that a unit may cost during a tenor, in MUT")
	if err := cmd.MarkFlagRequired("limit"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// marketLease is a command that sends one message about a lease.
func marketLease(f *marketFlags, name, short string, msg func(protocol.Hash) protocol.Msg) *cobra.Command {
	return &cobra.Command{
		Use: name + " LEASE", Short: short, Args: cobra.ExactArgs(1),
		Example: "  mutirao market " + name + " LEASE",
		RunE: func(cmd *cobra.Command, args []string) error {
			var id protocol.Hash
			if err := id.UnmarshalText([]byte(args[0])); err != nil {
				return failure.New(failure.Usage, "the lease cannot be read", err, "mutirao market leases  lists yours")
			}
			m, err := marketcmd.Open(cmd.Context(), f.Flags)
			if err != nil {
				return err
			}
			l, err := m.Act(cmd.Context(), id, msg(id))
			if err != nil {
				return err
			}
			return f.Answer(cmd, l, line("lease %s is %s; %s of %s settled", l.ID, l.Status, l.Earned.Coins(), l.Cost.Coins()))
		},
	}
}
