package creditscmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Summary is what an account has.
type Summary struct {
	Schema    string           `json:"schema"` // "mutirao.credits/v1"
	Account   protocol.Account `json:"account"`
	Height    protocol.Height  `json:"height"`
	Spendable money.Amount     `json:"spendable"`
	Earned    commons.Earnings `json:"earned"` // of Spendable: for own jobs, bonds, votes and fees at once, to others later
	Locked    []Item           `json:"locked"` // in escrow, from this account
	Owed      []Item           `json:"owed"`   // in escrow, from others, and this account's by now
	Together  money.Amount     `json:"together"`
}

// Item is coins in escrow, and what they are for.
type Item struct {
	Kind   string       `json:"kind"` // bid, ask-bond, lease, budget, bond, dispute, channel, upload, deposit; kept-pay, dividend; vote, proposal
	ID     string       `json:"id"`
	Amount money.Amount `json:"amount"`
	Detail string       `json:"detail"`
}

// reader collects the items of one account.
type reader struct {
	*client.Client
	who     protocol.Account
	summary Summary
}

func (o *options) summary(ctx context.Context) (Summary, error) {
	who, err := o.who()
	if err != nil {
		return Summary{}, err
	}
	c, err := o.Read(ctx)
	if err != nil {
		return Summary{}, err
	}
	r := reader{c, who, Summary{Schema: "mutirao.credits/v1", Account: who, Locked: []Item{}, Owed: []Item{}}}
	if r.summary.Height, err = c.Height(ctx); err == nil {
		r.summary.Spendable, err = c.Balance(ctx, who)
	}
	for _, read := range []func(context.Context) error{r.bids, r.asks, r.leases, r.runs, r.channels, r.uploads, r.models, r.commons} {
		if err == nil {
			err = read(ctx)
		}
	}
	if err != nil {
		return Summary{}, failure.New(failure.Network, "the account cannot be read", err, "try again; a block may have passed in between")
	}
	s := r.summary
	s.Together = s.Spendable.Plus(sum(s.Locked)).Plus(sum(s.Owed))
	return s, nil
}

func sum(list []Item) (total money.Amount) {
	for _, i := range list {
		total = total.Plus(i.Amount)
	}
	return total
}

func (r *reader) lock(kind string, id fmt.Stringer, amount money.Amount, format string, args ...any) {
	add(&r.summary.Locked, kind, id, amount, format, args)
}

func (r *reader) owe(kind string, id fmt.Stringer, amount money.Amount, format string, args ...any) {
	add(&r.summary.Owed, kind, id, amount, format, args)
}

func add(to *[]Item, kind string, id fmt.Stringer, amount money.Amount, format string, args []any) {
	if !amount.IsZero() {
		*to = append(*to, Item{kind, id.String(), amount, fmt.Sprintf(format, args...)})
	}
}

func (r *reader) bids(ctx context.Context) error {
	list, err := r.Bids(ctx)
	for _, b := range list {
		if b.Owner == r.who {
			r.lock("bid", b.ID, b.Deposit, "deposit in batch %d", b.Batch)
		}
	}
	return err
}

func (r *reader) asks(ctx context.Context) error {
	list, err := r.OwnAsks(ctx, r.who)
	for _, a := range list {
		r.lock("ask-bond", a.ID, a.Bond, "%d units of %s on offer, %d leased", a.Units, a.Class.Resource, a.Leased)
	}
	return err
}

func (r *reader) leases(ctx context.Context) error {
	params, err := r.MarketParams(ctx)
	if err != nil {
		return err
	}
	list, err := r.Leases(ctx, r.who)
	env := protocol.Env{Height: r.summary.Height}
	for _, l := range list {
		if l.Status == market.Closed {
			continue
		}
		if l.Buyer == r.who {
			r.lock("lease", l.ID, l.Unworked(env), "%d units of %s, %s: what is not worked off yet", l.Units, l.Class.Resource, l.Status)
		}
		if l.Provider == r.who {
			r.owe("kept-pay", l.ID, l.Kept(params, env), "work of a lease that is %s, within its window of %d blocks or not settled yet", l.Status, params.HoldbackBlocks)
		}
	}
	return err
}

func (r *reader) runs(ctx context.Context) error {
	ids, err := r.Runs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		s, err := r.Run(ctx, id)
		if err != nil {
			return err
		}
		if s.Author == r.who {
			r.lock("budget", id, s.Budget, "of run %s, for units to come", s.Spec.Name)
		}
		if m, ok := s.Member(r.who); ok {
			r.lock("bond", id, m.Bond, "as %s in run %s", m.Role, s.Spec.Name)
			r.owe("kept-pay", id, m.Kept.Sum(), "units of run %s, paid %d rounds after theirs unless a claim is refuted", s.Spec.Name, s.Spec.Vesting.Rounds)
		}
		if !s.Phase.Ended() {
			if err := r.disputes(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) disputes(ctx context.Context, s *work.State) error {
	list, err := r.Disputes(ctx, s.ID)
	for _, d := range list {
		if d.Challenger == r.who {
			r.lock("dispute", d.ID, d.Bond, "bond of a dispute in run %s", s.Spec.Name)
		}
		for _, b := range d.Backers {
			if b.Account == r.who {
				r.lock("dispute", d.ID, b.Bond, "backing of a dispute in run %s", s.Spec.Name)
			}
		}
	}
	return err
}

func (r *reader) channels(ctx context.Context) error {
	list, err := r.Channels(ctx, r.who)
	for _, c := range list {
		r.lock("channel", c.ID, c.Left(), "left of %s for uses of model %.8s", c.Deposit.Coins(), c.Model)
	}
	return err
}

func (r *reader) uploads(ctx context.Context) error {
	list, err := r.Uploads(ctx)
	for _, u := range list {
		if u.Owner == r.who {
			r.lock("upload", u.ID, u.Deposit, "for model %s, of which %d of %d bytes have come, until block %d", u.Name, u.Received, u.Size, u.Until)
		}
	}
	return err
}

func (r *reader) models(ctx context.Context) error {
	ids, err := r.Models(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		m, err := r.Model(ctx, id)
		if err != nil {
			return err
		}
		if m.Author == r.who {
			r.lock("deposit", id, m.Deposit, "for the bytes of model %s", m.Name)
		}
		switch h, err := r.Holding(ctx, id, r.who); {
		case errors.Is(err, protocol.ErrNotFound):
		case err != nil:
			return err
		default:
			r.owe("dividend", id, m.Owed(h), "%d of 1,000,000 parts of model %s", h.PPM, m.Name)
		}
	}
	return nil
}

func (r *reader) commons(ctx context.Context) (err error) {
	if r.summary.Earned, err = r.Earnings(ctx, r.who); err != nil {
		return err
	}
	votes, err := r.Stakes(ctx, r.who)
	for _, v := range votes {
		r.lock("vote", v.Proposal, v.Amount, "behind a proposal for the commons; mutirao commons withdraw takes it back")
	}
	if err != nil {
		return err
	}
	open, err := r.Proposals(ctx, true)
	for _, o := range open {
		if o.Proposer == r.who {
			r.lock("proposal", o.ID, o.Deposit, "deposit of proposal %s, until block %d", o.Name, o.Ends)
		}
	}
	return err
}

// print writes the summary for people.
func (s Summary) print(w io.Writer) error {
	fmt.Fprintf(w, "%s · block %d\n", s.Account, s.Height)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "spendable\t%s\t\n", s.Spendable.Coins())
	for _, p := range s.Earned.Parts {
		fmt.Fprintf(t, "  earned\t%s\tpays for own jobs now; can be sent from block %d\n", p.Amount.Coins(), p.Free)
	}
	for _, part := range []struct {
		name string
		list []Item
	}{{"locked", s.Locked}, {"owed", s.Owed}} {
		fmt.Fprintf(t, "%s\t%s\t\n", part.name, sum(part.list).Coins())
		for _, i := range part.list {
			fmt.Fprintf(t, "  %s\t%s\t%s (%.10s)\n", i.Kind, i.Amount.Coins(), i.Detail, i.ID)
		}
	}
	fmt.Fprintf(t, "together\t%s\t\n", s.Together.Coins())
	return t.Flush()
}
