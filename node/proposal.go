package node

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/validatorcmd"
)

func newProposal() *cobra.Command {
	var network, dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "proposal",
		Short: "Change the network's numbers and program by vote",
		Long: `Change the network by vote. Votes weigh by stake. A number changes within its bounds, by a factor at most, some time after the
decision; an upgrade of the program holds from a height on. simulate executes a proposal on a copy of the state and tells what
would change.`,
		Example: `  echo '{"title": "cheaper gas", "summary": "…", "deposit": "100", "set": {"feemarket.min_gas_price": 500}}' > p.json
  mutirao proposal simulate p.json --network ./v1
  mutirao proposal submit p.json --dir ./v1
  mutirao proposal vote 1 yes --dir ./v1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&network, "network", os.Getenv("MUTIRAO_NETWORK"), "folder of a network that runs on this machine, an invite, or http://HOST:PORT; default $MUTIRAO_NETWORK, or the node in --dir")
	f.StringVar(&dir, "dir", defaultDir(), "folder with the account's key, a node's for instance")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	sub := func(use, short string, args cobra.PositionalArgs, run func(*cobra.Command, *validatorcmd.Voter, []string) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			v, err := validatorcmd.OpenVoter(cmd.Context(), dir, network)
			if err != nil {
				return err
			}
			return run(cmd, v, args)
		}}
	}
	cmd.AddCommand(
		sub("simulate FILE", "What a proposal would change, tried on a copy of the state", cobra.ExactArgs(1), func(cmd *cobra.Command, v *validatorcmd.Voter, args []string) error {
			r, err := v.Try(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return errors.Join(show(cmd, asJSON, r), r.Failure())
		}),
		sub("submit FILE", "Put a proposal to the vote", cobra.ExactArgs(1), func(cmd *cobra.Command, v *validatorcmd.Voter, args []string) error {
			id, err := v.Submit(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
			return err
		}),
		sub("vote NUMBER yes|no|abstain|veto", "Vote with the stake of this account", cobra.ExactArgs(2), func(cmd *cobra.Command, v *validatorcmd.Voter, args []string) error {
			id, err := strconv.ParseUint(args[0], 10, 64)
			choice, known := client.Choices[args[1]]
			if err != nil || !known {
				return failure.New(failure.Usage, "the vote was not understood", fmt.Errorf("%q %q is no number and one of %s", args[0], args[1], strings.Join(slices.Sorted(maps.Keys(client.Choices)), ", ")), "mutirao proposal vote 1 yes")
			}
			if err := v.Vote(cmd.Context(), id, choice); err != nil {
				return failure.New(failure.General, "the ledger did not take the vote", err, "mutirao proposal list")
			}
			return nil
		}),
		sub("list", "Proposals, the latest first", cobra.NoArgs, func(cmd *cobra.Command, v *validatorcmd.Voter, _ []string) error {
			l, err := v.List(cmd.Context())
			if err != nil {
				return err
			}
			return show(cmd, asJSON, l)
		}),
		sub("numbers", "What can be changed by vote, and how far", cobra.NoArgs, func(cmd *cobra.Command, v *validatorcmd.Voter, _ []string) error {
			l, err := v.NumberList(cmd.Context())
			if err != nil {
				return err
			}
			return show(cmd, asJSON, l)
		}),
	)
	return cmd
}
