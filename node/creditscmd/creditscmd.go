// Package creditscmd is `mutirao credits`: what an account has, what came and went, and why. It asks the ledger for what is, and
// package ledgeraudit for what was. It holds no rule.
package creditscmd

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
	"github.com/mutirao/mutirao/node/ledgeraudit"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
)

// answerTimeout is how long a ledger has to answer before the command fails with a reason.
const answerTimeout = 20 * time.Second

type options struct {
	dir     string
	network string
	account string
	json    bool
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
			return o.answer(cmd, s, s.print)
		},
	}
	f := cmd.PersistentFlags()
	f.StringVar(&o.dir, "dir", dir, "folder of the account's key")
	f.StringVar(&o.network, "network", os.Getenv("MUTIRAO_NETWORK"), "folder of a network on this machine, an invite, or http://HOST:PORT; default $MUTIRAO_NETWORK")
	f.StringVar(&o.account, "account", "", "account, 0x and 40 digits; default that of the key in --dir")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	cmd.AddCommand(newHistory(&o), newExplain(&o))
	return cmd
}

func (o *options) answer(cmd *cobra.Command, v any, print func(io.Writer) error) error {
	if o.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
	}
	return print(cmd.OutOrStdout())
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
	key, err := role.Key(o.dir)
	return key.Account(), err
}

// dial connects to a network that runs. Nothing is signed.
func (o *options) dial(ctx context.Context) (*client.Client, error) {
	urls, err := running.Endpoints(o.network)
	if err != nil {
		return nil, err
	}
	var nobody [32]byte
	rand.Read(nobody[:]) // never fails (crypto/rand)
	key, err := client.NewKey(nobody)
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

// log is where the blocks are read: a validator that runs, or the folder of one that does not.
func (o *options) log() (ledgeraudit.Options, error) {
	urls, err := running.Endpoints(o.network)
	if err == nil {
		return ledgeraudit.Options{RPC: urls[0]}, nil
	}
	var explained *failure.Error
	if info, e := os.Stat(o.network); e == nil && info.IsDir() && errors.As(err, &explained) && explained.Code == failure.NotFound {
		return ledgeraudit.Options{Dir: o.network}, nil
	}
	return ledgeraudit.Options{}, err
}
