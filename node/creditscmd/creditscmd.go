// Package creditscmd is `mutirao credits`: what an account has, what came and went, and why. It asks the ledger for what is, and
// package ledgeraudit for what was. It holds no rule.
package creditscmd

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/ledgeraudit"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
)

type options struct {
	running.Flags
	account string
	noCache bool
}

// New is the command with its subcommands. dir is where the key lies unless --dir says otherwise.
func New(dir string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "credits",
		Short: "What an account has, what came and went, and why",
		Long: `What an account has: coins that it can spend, coins that lie in escrow for it and for what, what it will be paid, and what its shares
of models have earned. Everything counts to the last unit; the sum of a network's accounts and escrows is its supply.`,
		Example: `  export MUTIRAO_NETWORK=./network                 of mutirao demo --keep --dir ./network, for instance
  mutirao credits                                  of the key in --dir
  mutirao credits --account 0x54b2…                of anybody
  mutirao credits history --limit 20
  mutirao credits explain 512.3`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.summary(cmd.Context())
			if err != nil {
				return err
			}
			return o.Answer(cmd, s, s.print)
		},
	}
	o.Add(cmd, dir)
	cmd.PersistentFlags().StringVar(&o.account, "account", "", "account, 0x and 40 digits; default that of the key in --dir")
	cmd.AddCommand(newHistory(&o), newExplain(&o), newReceipts(&o))
	return cmd
}

// cache defines the flag of commands that read the blocks.
func (o *options) cache(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.noCache, "no-cache", false, "ask the node for every block, and keep none")
}

// who is the account that is meant.
func (o *options) who() (protocol.Account, error) {
	if o.account != "" {
		var a protocol.Account
		if err := a.UnmarshalText([]byte(strings.ToLower(o.account))); err != nil {
			return a, failure.New(failure.Usage, fmt.Sprintf("%.60q is no account", o.account), err, "write it as 0x and 40 hexadecimal digits")
		}
		return a, nil
	}
	key, err := role.Key(o.Dir)
	return key.Account(), err
}

// log is where the blocks are read: a validator that runs, or the folder of one that does not.
func (o *options) log() (ledgeraudit.Options, error) {
	urls, err := running.Endpoints(o.Network)
	if err == nil {
		return ledgeraudit.Options{RPC: urls[0]}, nil
	}
	var explained *failure.Error
	if info, e := os.Stat(o.Network); e == nil && info.IsDir() && errors.As(err, &explained) && explained.Code == failure.NotFound {
		return ledgeraudit.Options{Dir: o.Network}, nil
	}
	return ledgeraudit.Options{}, err
}
