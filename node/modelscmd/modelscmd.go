// Package modelscmd is `mutirao models`: the models of a network, where they come from, whose they are and what they earn; their files with
// provenance, and their way to and from registries of containers. It holds no rule.
package modelscmd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
)

// answerTimeout is how long a ledger has to answer before a command fails with a reason.
const answerTimeout = 20 * time.Second

type options struct {
	network string
	dir     string
	json    bool
}

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
	f := cmd.PersistentFlags()
	f.StringVar(&o.network, "network", os.Getenv("MUTIRAO_NETWORK"), "folder of a network that runs on this machine, an invite, or http://HOST:PORT; default $MUTIRAO_NETWORK")
	f.StringVar(&o.dir, "dir", dir, "folder with the account's key")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	cmd.AddCommand(newList(&o), newShow(&o), newTransfer(&o), newClaim(&o), newDeposit(&o), newWithdraw(&o), newExport(&o), newVerify(&o), newPush(&o), newPull(&o))
	return cmd
}

// reader connects to read; nothing is signed, so the key is nobody's.
func (o *options) reader(ctx context.Context) (*client.Client, error) {
	var secret [32]byte
	rand.Read(secret[:]) // never fails (crypto/rand)
	key, err := client.NewKey(secret)
	if err != nil {
		return nil, err
	}
	return o.connect(ctx, key)
}

// writer connects in the name of the folder's account.
func (o *options) writer(ctx context.Context) (*client.Client, error) {
	key, err := role.Key(o.dir)
	if err != nil {
		return nil, err
	}
	return o.connect(ctx, key)
}

// connect waits until the ledger answers.
func (o *options) connect(ctx context.Context, key client.Key) (*client.Client, error) {
	urls, err := running.Endpoints(o.network)
	if err != nil {
		return nil, err
	}
	c, err := client.Dial(urls, key)
	if err != nil {
		return nil, failure.New(failure.Usage, "the network's address cannot be used", err, "write it like http://127.0.0.1:26657")
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if _, err := c.Next(ctx, 0); err != nil {
		return nil, failure.New(failure.Network, "the ledger does not answer", fmt.Errorf("%s: %w", strings.Join(urls, ", "), err), "check that the network runs")
	}
	return c, nil
}

// answer prints v as JSON or calls print.
func (o *options) answer(cmd *cobra.Command, v any, print func(io.Writer) error) error {
	if o.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
	}
	return print(cmd.OutOrStdout())
}

// refused gives the errors of the ledger an exit code and a next step.
func refused(what string, err error, next string) error {
	var explained *failure.Error
	code := failure.General
	switch {
	case err == nil, errors.As(err, &explained), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, protocol.ErrNotFound):
		code = failure.NotFound
	case errors.Is(err, protocol.ErrInsufficient):
		code = failure.Credit
	case errors.Is(err, protocol.ErrInvalid):
		code = failure.Usage
	case errors.Is(err, client.ErrUnreachable):
		code = failure.Network
	}
	return failure.New(code, what, err, next)
}

func newList(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "All models of the network", Args: cobra.NoArgs,
		Example: "  mutirao models list --network ./network\n  mutirao models list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.reader(cmd.Context())
			if err != nil {
				return err
			}
			list, err := List(cmd.Context(), c)
			if err != nil {
				return refused("the models cannot be read", err, "try again")
			}
			return o.answer(cmd, struct {
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
			c, err := o.reader(cmd.Context())
			if err != nil {
				return err
			}
			id, err := Find(cmd.Context(), c, args[0])
			if err != nil {
				return refused("the models cannot be read", err, "try again")
			}
			card, err := Read(cmd.Context(), c, id)
			if err != nil {
				return refused("model "+args[0]+" cannot be read", err, "mutirao models list")
			}
			if lineage && !o.json {
				return card.PrintLineage(cmd.OutOrStdout())
			}
			return o.answer(cmd, card, card.Print)
		},
	}
	cmd.Flags().BoolVar(&lineage, "lineage", false, "only the tree of what it comes from")
	return cmd
}
