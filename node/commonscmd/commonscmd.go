// Package commonscmd is `mutirao commons`: the budget of the commons, what is proposed for it, and voting. It holds no rule.
package commonscmd

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/money"
)

type options struct{ running.Flags }

// New is the command with its subcommands. dir is where the key lies unless --dir says otherwise.
func New(dir string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "commons",
		Short: "The budget for work that everybody wants: what it holds, what is proposed, your vote",
		Long: `The budget for work that everybody wants. It is what the treasury has and what was burned lately, and it is spent on training
runs that were proposed and voted for. Votes are coins that you lock behind a proposal and take back when you like; their
conviction grows with time. A granted run hires machines in the same auction as any other.`,
		Example: `  export MUTIRAO_NETWORK=./network                 of mutirao demo --keep --dir ./network, for instance
  mutirao commons status
  mutirao commons propose run.toml --class cpu/home/audited/2 --purpose "a model of credit risk for all"
  mutirao commons vote 3f9a… 30
  mutirao commons withdraw 3f9a…`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.Add(cmd, dir)
	cmd.AddCommand(newStatus(&o), newShow(&o), newPropose(&o), newVote(&o), newWithdraw(&o))
	return cmd
}

// find reads an id, or the beginning of the id of one proposal.
func find(ctx context.Context, c *client.Client, text string) (commons.View, error) {
	var id protocol.Hash
	if id.UnmarshalText([]byte(text)) != nil {
		all, err := c.Proposals(ctx, false)
		if err != nil {
			return commons.View{}, err
		}
		n := 0
		for _, o := range all {
			if text != "" && strings.HasPrefix(o.ID.String(), strings.ToLower(text)) {
				id = o.ID
				n++
			}
		}
		if n != 1 {
			return commons.View{}, failure.New(failure.NotFound, fmt.Sprintf("%.70q is no proposal", text), fmt.Errorf("%d ids of %d begin so", n, len(all)), "mutirao commons status  lists them")
		}
	}
	v, err := c.Proposal(ctx, id)
	return v, running.Refused("the proposal cannot be read", err, "mutirao commons status  lists them")
}

func newVote(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "vote PROPOSAL AMOUNT", Short: "Set how many coins you lock behind a proposal; they are yours and come back", Args: cobra.ExactArgs(2),
		Example: "  mutirao commons vote 3f9a 30\n  mutirao commons vote 3f9a \"12.5 MUT\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := money.ParseMUT(args[1])
			if err != nil {
				return failure.New(failure.Usage, "the amount cannot be read", err, "write it like 30 or \"12.5 MUT\"")
			}
			return o.vote(cmd, args[0], amount)
		},
	}
}

func newWithdraw(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "withdraw PROPOSAL", Short: "Take back the coins that you locked behind a proposal", Args: cobra.ExactArgs(1),
		Example: "  mutirao commons withdraw 3f9a",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.vote(cmd, args[0], money.Amount{})
		},
	}
}

func (o *options) vote(cmd *cobra.Command, text string, amount money.Amount) error {
	ctx := cmd.Context()
	c, err := o.Act(ctx)
	if err != nil {
		return err
	}
	v, err := find(ctx, c, text)
	if err != nil {
		return err
	}
	if err := c.Submit(ctx, commons.Vote{Proposal: v.ID, Amount: amount}); err != nil {
		return running.Refused("the vote was not counted", err, "mutirao credits  says what "+c.Account().String()+" has")
	}
	if v, err = c.Proposal(ctx, v.ID); err != nil {
		return err
	}
	return o.Answer(cmd, shown{"mutirao.commons-proposal/v1", v}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s of yours stand behind %s; all together %s\n", amount.Coins(), v.Name, v.Stake.Coins())
		return err
	})
}
