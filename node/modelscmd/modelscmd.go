// Package modelscmd is `mutirao models`: the models of a network, where they come from, whose they are and what they earn; their files with
// provenance, and their way to and from registries of containers. It holds no rule.
package modelscmd

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/running"
)

type options struct{ running.Flags }

// New is the command with its subcommands. dir is where the key lies unless --dir says otherwise.
func New(dir string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "models",
		Short: "The models of a network: lineage, owners, income, files",
		Long: `The models of a network: lineage, owners, income, files.

A model is owned by who computed it, gave the data, wrote its recipe and verified it. Its 1,000,000 shares are an ERC-20 token. What an
edge of its lineage says is proven if the network recomputed it, and claimed if its author says so. (For files on this machine: mutirao model.)`,
		Example: `  export MUTIRAO_NETWORK=./network                    of mutirao demo --keep --dir ./network, for instance
  mutirao models list
  mutirao models show f673 --lineage`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.Add(cmd, dir)
	cmd.AddCommand(newList(&o), newShow(&o), newTransfer(&o), newClaim(&o), newDeposit(&o), newWithdraw(&o), newExport(&o), newVerify(&o), newPush(&o), newPull(&o))
	return cmd
}

func newList(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "All models of the network", Args: cobra.NoArgs,
		Example: "  mutirao models list --network ./network\n  mutirao models list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.Read(cmd.Context())
			if err != nil {
				return err
			}
			list, err := List(cmd.Context(), c)
			if err != nil {
				return running.Refused("the models cannot be read", err, "try again")
			}
			return o.Answer(cmd, struct {
				Schema string `json:"schema"`
				Models []Line `json:"models"`
			}{"mutirao.models/v1", list}, func(w io.Writer) error { return PrintList(w, list) })
		},
	}
}

func newShow(o *options) *cobra.Command {
	var lineage bool
	cmd := &cobra.Command{
		Use: "show MODEL", Short: "Where a model comes from, whose it is, what it earned", Args: cobra.ExactArgs(1),
		Long: `Where a model comes from, whose it is, what it earned. MODEL is its id, or how that begins. With --lineage only the tree of models, runs
and datasets that it comes from is printed.`,
		Example: "  mutirao models show f673 --network ./network\n  mutirao models show f673 --lineage",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := o.Read(cmd.Context())
			if err != nil {
				return err
			}
			id, err := Find(cmd.Context(), c, args[0])
			if err != nil {
				return running.Refused("the models cannot be read", err, "try again")
			}
			card, err := Read(cmd.Context(), c, id)
			if err != nil {
				return running.Refused("model "+args[0]+" cannot be read", err, "mutirao models list")
			}
			if lineage && !o.JSON {
				return card.PrintLineage(cmd.OutOrStdout())
			}
			return o.Answer(cmd, card, card.Print)
		},
	}
	cmd.Flags().BoolVar(&lineage, "lineage", false, "only the tree of what it comes from")
	return cmd
}
