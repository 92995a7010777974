package commonscmd

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/node/invite"
	"github.com/mutirao/mutirao/node/marketcmd"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/money"
)

// status is the answer of `mutirao commons status`.
type status struct {
	Schema string `json:"schema"` // "mutirao.commons-status/v1"
	commons.Summary
	Proposals []commons.View `json:"proposals"`
}

// shown is one proposal.
type shown struct {
	Schema string `json:"schema"` // "mutirao.commons-proposal/v1"
	commons.View
}

func newStatus(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Budget, treasury, what was burned and minted, and how far each proposal is", Args: cobra.NoArgs,
		Example: "  mutirao commons status\n  mutirao commons status --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			s, err := readStatus(cmd.Context(), c)
			if err != nil {
				return running.Refused("the commons cannot be read", err, "check that the network runs")
			}
			return o.Answer(cmd, s, s.print)
		},
	}
}

func readStatus(ctx context.Context, c *client.Client) (s status, err error) {
	s = status{Schema: "mutirao.commons-status/v1", Proposals: []commons.View{}}
	if s.Summary, err = c.Commons(ctx); err != nil {
		return s, err
	}
	list, err := c.Proposals(ctx, false)
	if err != nil {
		return s, err
	}
	for _, o := range list {
		v, err := c.Proposal(ctx, o.ID)
		if err != nil {
			return s, err
		}
		s.Proposals = append(s.Proposals, v)
	}
	return s, nil
}

func (s status) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range []struct {
		name   string
		amount money.Amount
		about  string
	}{
		{"budget", s.Budget, "what may be granted now: the next two together"},
		{"  treasury", s.Treasury, "its part of leases"},
		{"  burned lately", s.Free, "and promised to nobody; it may be minted for jobs"},
		{"burned", s.Burned, "since the beginning"},
		{"minted", s.Minted, "for jobs of the commons, when they spent it"},
		{"promised", s.Promised, "to jobs that go on"},
		{"supply", s.Supply, fmt.Sprintf("at block %d", s.Height)},
	} {
		fmt.Fprintf(t, "%s\t%s\t%s\n", row.name, row.amount.Coins(), row.about)
	}
	fmt.Fprintf(t, "jobs\t%d\t%d paid from earned credit alone; of all that jobs cost, %d.%d %% was earned\n",
		s.Jobs.Count, s.Jobs.FromCredit, s.EarnedPPM/10_000, s.EarnedPPM/1000%10)
	if len(s.Proposals) > 0 {
		fmt.Fprintln(t, "\nPROPOSAL\tNAME\tASKS\tCONVICTION\tNEEDS\tSTATE")
	}
	for _, v := range s.Proposals {
		fmt.Fprintf(t, "%.8s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Name, v.Asked.Coins(), v.Conviction.Coins(), needs(v.Proposal), state(v))
	}
	return t.Flush()
}

// needs says what passes a proposal.
func needs(o commons.Proposal) string {
	if o.Status != commons.Open {
		return "-"
	}
	if o.Needed.IsZero() {
		return "a smaller ask"
	}
	return o.Needed.Coins()
}

func state(v commons.View) string {
	switch {
	case v.Status == commons.Open && v.Passing:
		return fmt.Sprintf("passes, until block %d", v.Ends)
	case v.Status == commons.Open:
		return fmt.Sprintf("open until block %d", v.Ends)
	case v.Job != nil && v.Job.Ended:
		return fmt.Sprintf("done, spent %s", v.Job.Spent.Coins())
	case v.Job != nil:
		return fmt.Sprintf("at work, spent %s", v.Job.Spent.Coins())
	}
	return string(v.Status)
}

func newShow(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "show PROPOSAL", Short: "One proposal, and how to work for it", Args: cobra.ExactArgs(1),
		Example: "  mutirao commons show 3f9a\n  mutirao commons show 3f9a --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			v, err := find(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			urls, err := running.Endpoints(o.Network)
			if err != nil {
				return err
			}
			return o.Answer(cmd, shown{"mutirao.commons-proposal/v1", v}, func(w io.Writer) error { return printProposal(w, v, urls) })
		},
	}
}

func printProposal(w io.Writer, v commons.View, ledger []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, proposed by %s: %s\n", v.Name, v.Proposer, v.Purpose)
	who := fmt.Sprintf("hires %d", v.Hire.Providers)
	if v.Hire.Providers == 0 {
		who = "for newcomers,"
	}
	fmt.Fprintf(&b, "asks %s; %s of %s for at most %s a unit\n", v.Asked.Coins(), who, marketcmd.ClassText(v.Hire.Class), marketcmd.PriceText(v.Hire.Limit))
	if v.Status == commons.Open {
		fmt.Fprintf(&b, "%s stand behind it, convinced to %s; needed: %s; ", v.Stake.Coins(), v.Conviction.Coins(), needs(v.Proposal))
	}
	fmt.Fprintln(&b, state(v))
	if v.Job != nil {
		fmt.Fprintf(&b, "spent %s, of which %s were minted\n", v.Job.Spent.Coins(), v.Job.Minted.Coins())
		if !v.Job.Ended {
			fmt.Fprintf(&b, "to work for it: mutirao join %s\n", invite.Invite{Chain: network.ChainID, Ledger: ledger, Run: v.ID})
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
