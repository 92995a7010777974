// Package dev is the command `mutirao dev`: what a person sees of chain/dev.
package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/mutirao/mutirao/chain/dev"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol/money"
)

// Options are the command's flags.
type Options struct {
	Host      string
	Port      uint16
	ChainID   uint64 // 0: that of the state file, or else dev.DefaultChainID
	Accounts  int
	Balance   uint64 // MUT
	BlockTime float64
	Manual    bool
	State     string
	Models    []string // files beside the preloaded ones
	JSON      bool
	Version   string
	Out, Err  io.Writer
}

// Schema names the form of the JSON answer.
const Schema = "mutirao.dev/v1"

// report is what the command prints once the chain is ready.
type report struct {
	Schema    string    `json:"schema"`
	Version   string    `json:"version"`
	HTTP      string    `json:"http"`
	WebSocket string    `json:"websocket"`
	ChainID   uint64    `json:"chain_id"`
	Block     int64     `json:"block"`
	State     string    `json:"state,omitempty"`
	Mnemonic  string    `json:"mnemonic"`
	Path      string    `json:"path"`
	Accounts  []account `json:"accounts"`
	Infer     string    `json:"infer"` // address of the precompile
	Models    []model   `json:"models"`
}

type account struct {
	Address string `json:"address"`
	Key     string `json:"key"`
	Balance string `json:"balance"`
}

type model struct {
	Name    string `json:"name"`
	ID      string `json:"id"`
	Inputs  int    `json:"inputs"`
	Outputs int    `json:"outputs"`
	MACs    uint64 `json:"macs"`
}

// Bounds of the flags.
const (
	maxAccounts = 1000
	maxBalance  = 1_000_000_000
)

// Run starts the chain, prints how to reach it, and ends it when ctx does.
func Run(ctx context.Context, o Options) error {
	if o.Accounts < 1 || o.Accounts > maxAccounts || o.Balance == 0 || o.Balance > maxBalance || o.BlockTime < 0 || o.BlockTime > 86400 {
		return failure.New(failure.Usage, "the command line was not understood",
			fmt.Errorf("accounts are 1 to %d, the balance 1 to %d, the block time 0 to 86400 seconds", maxAccounts, maxBalance), "mutirao help dev")
	}
	models, err := models(o.Models)
	if err != nil {
		return err
	}
	// The port first: to learn that it is taken should not take a second.
	address := net.JoinHostPort(o.Host, strconv.Itoa(int(o.Port)))
	if probe, err := net.Listen("tcp", address); err != nil {
		return taken(o, err)
	} else if err := probe.Close(); err != nil {
		return err
	}
	chain, err := dev.Open(dev.Config{
		ChainID: o.ChainID, Accounts: o.Accounts, Balance: money.MUT(o.Balance), Models: models, State: o.State,
		Manual: o.Manual, BlockTime: time.Duration(o.BlockTime * float64(time.Second)), Log: o.Err,
	})
	switch {
	case errors.Is(err, dev.ErrState):
		return failure.New(failure.General, "the chain in the state file cannot be continued", err,
			"mutirao dev --state ANOTHER-FILE begins a new one")
	case err != nil:
		return err
	}
	server, err := dev.Serve(chain, address, o.Version)
	if err != nil {
		return errors.Join(taken(o, err), chain.Close())
	}
	r, err := describe(chain, server, o)
	if err != nil {
		return errors.Join(err, server.Close(), chain.Close())
	}
	if o.JSON {
		err = json.NewEncoder(o.Out).Encode(r)
	} else {
		err = r.print(o.Out)
	}
	if err == nil {
		<-ctx.Done()
		fmt.Fprintf(o.Err, "stopped at block %d\n", chain.Height())
		if o.State != "" {
			fmt.Fprintf(o.Err, "the same command with --state %s goes on from there\n", o.State)
		}
	}
	return errors.Join(err, server.Close(), chain.Close())
}

func taken(o Options, err error) error {
	why := errors.New(err.Error())
	return failure.New(failure.Network, "the JSON-RPC cannot be served", why, fmt.Sprintf("mutirao dev --port %d", int(o.Port)%60000+1))
}

func describe(c *dev.Chain, s *dev.Server, o Options) (report, error) {
	r := report{
		Schema: Schema, Version: o.Version, HTTP: "http://" + s.Address(), WebSocket: "ws://" + s.Address(), ChainID: c.ChainID(), Block: c.Height(),
		State: o.State, Mnemonic: dev.Mnemonic, Path: dev.Path, Infer: "0x0000000000000000000000000000000000000901", Models: []model{},
	}
	for _, a := range c.Accounts() {
		r.Accounts = append(r.Accounts, account{common.Address(a.Address).Hex(), a.Secret(), money.MUT(o.Balance).String()})
	}
	models, err := c.Models()
	for _, m := range models {
		r.Models = append(r.Models, model{m.Name, "0x" + m.ID.String(), m.Callable.Inputs, m.Callable.Outputs, m.Callable.MACs})
	}
	return r, err
}

// print writes what anvil writes, in its order, and the models.
func (r report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "mutirao dev %s\n\nAvailable Accounts\n==================\n", r.Version)
	for i, a := range r.Accounts {
		balance, err := money.Parse(a.Balance)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "(%d)\t%s\t(%s)\n", i, a.Address, balance.Coins())
	}
	fmt.Fprint(w, "\nPrivate Keys\n==================\n")
	for i, a := range r.Accounts {
		fmt.Fprintf(w, "(%d)\t%s\n", i, a.Key)
	}
	fmt.Fprintf(w, "\nWallet\n==================\nMnemonic:\t%s\nDerivation path:\t%s\n", r.Mnemonic, r.Path)
	fmt.Fprint(w, "Everybody knows these keys: send them no money of another chain.\n")
	fmt.Fprintf(w, "\nModels, for INFER.infer(id, input) at %s\n==================\n", r.Infer)
	for _, m := range r.Models {
		fmt.Fprintf(w, "%s\t%s\t%d -> %d\t%d multiply-accumulates\n", m.Name, m.ID, m.Inputs, m.Outputs, m.MACs)
	}
	fmt.Fprintf(w, "\nChain ID\n==================\n%d\n", r.ChainID)
	if r.State != "" {
		fmt.Fprintf(w, "\nState\n==================\n%s, at block %d\n", r.State, r.Block)
	}
	fmt.Fprintf(w, "\nListening on %s\n", r.HTTP[len("http://"):])
	return w.Flush()
}
