// Package servecmd is `mutirao serve` and `mutirao ask`: to answer requests for models on the ledger, and to make them. It holds no rule.
package servecmd

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/agent/answerer"
	"github.com/mutirao/mutirao/chain/asks"
	"github.com/mutirao/mutirao/chain/dev"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// options are what both commands share.
type options struct {
	dir     string
	rpc     string
	network string
	account int
	json    bool
}

func (o *options) flags(cmd *cobra.Command, dir string) {
	f := cmd.PersistentFlags()
	f.StringVar(&o.dir, "dir", dir, "folder of the key that signs")
	f.StringVar(&o.rpc, "rpc", "", "JSON-RPC endpoint; the default is that of the network, or http://127.0.0.1:8545")
	f.StringVar(&o.network, "network", os.Getenv("MUTIRAO_NETWORK"), "folder of a network that runs on this machine with --json-rpc; default $MUTIRAO_NETWORK")
	f.IntVar(&o.account, "dev-account", -1, "sign with this account of mutirao dev, whose keys everybody knows, instead of the folder's key")
	f.BoolVar(&o.json, "json", false, "print JSON objects, one a line")
}

// localRPC is where `mutirao dev` listens.
const localRPC = "http://127.0.0.1:8545"

// connect finds the endpoint and the key.
func (o *options) connect(ctx context.Context) (*asks.Client, [32]byte, error) {
	var secret [32]byte
	url := o.rpc
	if url == "" && o.network != "" {
		var err error
		if url, err = running.JSONRPC(o.network); err != nil {
			return nil, secret, err
		}
	}
	if url == "" {
		url = localRPC
	}
	key, err := o.key()
	if err != nil {
		return nil, secret, err
	}
	copy(secret[:], key)
	c, err := asks.Dial(ctx, url, key)
	if err != nil {
		return nil, secret, failure.New(failure.Network, "no JSON-RPC answers at "+url, err, "start one with `mutirao dev` or name one with --rpc")
	}
	return c, secret, nil
}

var errAccount = errors.New("no such account")

func (o *options) key() ([]byte, error) {
	if o.account >= 0 {
		if o.account >= maxDevAccounts {
			return nil, failure.New(failure.Usage, "the key was not found", errAccount, fmt.Sprintf("--dev-account is 0 to %d", maxDevAccounts-1))
		}
		list, err := dev.Accounts(o.account + 1)
		if err != nil {
			return nil, err
		}
		return hex.DecodeString(strings.TrimPrefix(list[o.account].Secret(), "0x"))
	}
	secret, err := role.Secret(o.dir)
	if err != nil {
		return nil, err
	}
	key := role.Derive(secret, "account")
	return key[:], nil
}

// maxDevAccounts bounds the accounts of a development chain that a command signs with.
const maxDevAccounts = 1000

// NewServe is `mutirao serve`.
func NewServe(dir string) *cobra.Command {
	var o options
	var price string
	var models []string
	var poll time.Duration
	var once bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer requests for models on the ledger, for their price",
		Long: `Answer requests for models on the ledger. Whoever asks locks a price for each of 1 to 7 machines. This command runs the model on
this machine, seals its answer with a bond of twice the price, opens the seal when all seals are there, and is paid if its bits
equal those of the others. When a window has closed it calls the contract that waits, in the order of the seats, if what the request pays
covers the gas. Models whose bytes lie on the ledger are fetched from there; others are named with --model.
A killed serve goes on where it stood: answers are computed again and salts follow from the key.`,
		Example: `  mutirao serve --dev-account 9                        at mutirao dev
  mutirao serve --network ./network --price "0.01 MUT"
  mutirao serve --model 8f2c…=large.graph              a model whose bytes are not on the ledger`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			least, err := money.ParseMUT(price)
			if err != nil {
				return failure.New(failure.Usage, fmt.Sprintf("%q is no amount", price), err, `write it like "0.01 MUT"`)
			}
			files, err := readModels(models)
			if err != nil {
				return err
			}
			return o.serve(cmd.Context(), answerer.Config{Price: least, Models: files, Ledger: true}, poll, once, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd, dir)
	cmd.Flags().StringVar(&price, "price", "1 amut", "the least for an answer")
	cmd.Flags().StringArrayVar(&models, "model", nil, "ID=FILE: a model, as train alone writes it; may be repeated")
	cmd.Flags().DurationVar(&poll, "poll", 500*time.Millisecond, "how often to look for requests")
	cmd.Flags().BoolVar(&once, "once", false, "do what is to be done now, and end")
	return cmd
}

// maxModel bounds a model file.
const maxModel = 1 << 30

func readModels(list []string) (map[protocol.Hash][]byte, error) {
	out := map[protocol.Hash][]byte{}
	for _, entry := range list {
		name, file, found := strings.Cut(entry, "=")
		var id protocol.Hash
		err := id.UnmarshalText([]byte(strings.TrimPrefix(name, "0x")))
		if !found || err != nil {
			return nil, failure.New(failure.Usage, fmt.Sprintf("%q names no model", entry), errors.Join(err), "write it like --model ID=FILE")
		}
		info, err := os.Stat(file)
		if err == nil && info.Size() > maxModel {
			err = fmt.Errorf("%w: %d bytes", protocol.ErrTooLarge, info.Size())
		}
		if err != nil {
			return nil, failure.New(failure.NotFound, "the model "+file+" cannot be read", err, "mutirao model inspect "+file)
		}
		if out[id], err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (o *options) serve(ctx context.Context, c answerer.Config, poll time.Duration, once bool, out, progress io.Writer) error {
	ledger, secret, err := o.connect(ctx)
	if err != nil {
		return err
	}
	defer ledger.Close()
	balance, err := ledger.Balance(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "serving as %s, which has %s\n", ledger.Account(), balance.Coins())
	if balance.IsZero() {
		return failure.New(failure.Credit, "nothing can be served", errors.New("an answer needs a bond and gas, and the account is empty"), "send coins to "+ledger.Account().String())
	}
	c.Secret = secret
	c.Tell = func(e answerer.Event) { o.tell(out, e) }
	worker := answerer.New(ledger, c)
	silent := false
	clock := clock{ledger: ledger}
	for {
		err := worker.Step(ctx)
		if err == nil && worker.Waits() {
			err = clock.pass(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && once:
			return failure.New(failure.Network, "the ledger does not answer", err, "check that the network runs")
		case err != nil && !silent:
			fmt.Fprintf(progress, "the ledger does not answer, trying on: %v\n", err)
		}
		silent = err != nil
		if once {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(poll):
		}
	}
}

// clock lets time pass on a development chain, which makes blocks for transactions only: one a second, while somebody waits.
type clock struct {
	ledger *asks.Client
	height uint64
	last   time.Time
}

func (c *clock) pass(ctx context.Context) (err error) {
	if time.Since(c.last) < time.Second {
		return nil
	}
	c.last = time.Now()
	c.height, err = c.ledger.PassTime(ctx, c.height)
	return err
}

func (o *options) tell(out io.Writer, e answerer.Event) {
	if o.json {
		_ = json.NewEncoder(out).Encode(struct { // a closed stdout ends no work
			Schema string `json:"schema"`
			answerer.Event
		}{"mutirao.serve/v1", e})
		return
	}
	line := fmt.Sprintf("%s  request %s  model %s  %s", e.Kind, e.Request.String()[:8], e.Model.String()[:8], e.Price.Coins())
	if e.Why != "" {
		line += "  " + e.Why
	}
	fmt.Fprintln(out, line)
}
