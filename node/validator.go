package node

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/child"
	"github.com/mutirao/mutirao/node/event"
	"github.com/mutirao/mutirao/node/validatorcmd"
)

// printed is an answer that can be shown to people.
type printed interface{ Print(io.Writer) error }

// show prints an answer as JSON or for people.
func show(cmd *cobra.Command, asJSON bool, v printed) error {
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
	}
	return v.Print(cmd.OutOrStdout())
}

func newValidator() *cobra.Command {
	var home string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validator",
		Short: "Run a node of the ledger, with or without a vote",
		Long: `Run a node of the ledger. init begins a network; join makes a node of one that runs, which becomes a validator when it bonds a stake.
Everything of a node is in its folder; the file validator.toml there can be edited while it does not run. Nothing listens
beyond this machine unless an address says so.`,
		Example: `  mutirao validator init --home ./v1                                   a network of one
  mutirao validator start --home ./v1
  mutirao validator join --network http://127.0.0.1:26657 --home ./v2 --p2p 127.0.0.1:26666 --rpc 127.0.0.1:26667
  mutirao validator start --home ./v2
  mutirao validator join --home ./v2 --stake 1000                      with coins in its account
  mutirao validator status --home ./v2`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&home, "home", filepath.Join(defaultDir(), "validator"), "folder of the node")
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.AddCommand(validatorInit(&home, &asJSON), validatorJoin(&home, &asJSON), validatorStart(&home, &asJSON), validatorStatus(&home, &asJSON), validatorUnjail(&home, &asJSON), validatorSend(&home, &asJSON))
	return cmd
}

// addressFlags are those of init and join.
func addressFlags(cmd *cobra.Command, a *validatorcmd.Addresses) {
	f := cmd.Flags()
	f.StringVar(&a.Moniker, "moniker", "", "a name for people")
	f.StringVar(&a.P2P, "p2p", "", "where other nodes reach this one (default 127.0.0.1:26656)")
	f.StringVar(&a.External, "external", "", "how others reach it if not at that address")
	f.StringVar(&a.RPC, "rpc", "", "where CometBFT's RPC answers (default 127.0.0.1:26657)")
	f.StringVar(&a.JSONRPC, "json-rpc", "", "where Ethereum's JSON-RPC answers (default none)")
	f.StringVar(&a.Metrics, "metrics", "", "where /metrics, /healthz and /readyz answer (default none)")
	f.StringVar(&a.BlockTime, "block-time", "", "pause after each block (default 1s)")
	f.StringVar(&a.Pruning, "pruning", "", "old states that go: nothing, default, everything, or KEEP:EVERY in blocks (default nothing)")
	f.Uint64Var(&a.Snapshots, "snapshot-every", 0, "blocks between snapshots of the state (default 1000)")
}

func validatorInit(home *string, asJSON *bool) *cobra.Command {
	var o validatorcmd.Init
	cmd := &cobra.Command{
		Use: "init", Short: "Begin a network: keys, genesis and configuration of its first validator", Args: cobra.NoArgs,
		Example: `  mutirao validator init --home ./v1 --fund 0x70997970c51812dc3a010c7d01b50e0d17dc79c8=1000
  mutirao validator init --home ./v1 --block-time 200ms --set slashing.window_blocks=50 --set slashing.jail_seconds=10   an impatient network for tests`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Home = *home
			m, err := o.Run()
			if err != nil {
				return err
			}
			return show(cmd, *asJSON, m)
		},
	}
	addressFlags(cmd, &o.Addresses)
	f := cmd.Flags()
	f.StringArrayVar(&o.Fund, "fund", nil, "ADDRESS=MUT: coins that an account begins with; may be repeated")
	f.Uint64Var(&o.Stake, "stake", 1_000_000, "MUT that this validator has bonded")
	f.DurationVar(&o.Voting, "voting", 0, "how long proposals are voted about (default 72h)")
	f.Uint64Var(&o.Delay, "change-delay", 0, "blocks between a decision about a number and its change (default a day of them)")
	f.StringArrayVar(&o.Set, "set", nil, "NAME=VALUE: a number that the network begins with, such as slashing.window_blocks=100; may be repeated")
	f.StringVar(&o.Genesis, "genesis", "", "begin from this exported state instead of a new one")
	return cmd
}

func validatorJoin(home *string, asJSON *bool) *cobra.Command {
	var o validatorcmd.Join
	cmd := &cobra.Command{
		Use: "join", Short: "Make a node of a network that runs; with --stake, make it a validator", Args: cobra.NoArgs,
		Long: `Make a node of a network that runs: its genesis and peers come from the node that --network names. Then start it. Once it follows
the chain, the same command with --stake bonds coins of its account and makes it a validator.

With --trust-height and --trust-hash, of a header that you trust (mutirao validator status shows them, ask several people), the
node takes the state from a snapshot instead of executing all blocks.`,
		Example: `  mutirao validator join --network http://HOST:26657 --home ./v2
  mutirao validator join --home ./v2 --stake 1000 --commission 5`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Home = *home
			m, err := o.Run(cmd.Context(), func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), s) })
			if err != nil {
				return err
			}
			return show(cmd, *asJSON, m)
		},
	}
	addressFlags(cmd, &o.Addresses)
	f := cmd.Flags()
	f.StringVar(&o.Network, "network", os.Getenv("MUTIRAO_NETWORK"), "folder of a node that runs on this machine, an invite, or http://HOST:PORT; default $MUTIRAO_NETWORK")
	f.StringSliceVar(&o.Peers, "peer", nil, "ID@HOST:PORT of a node to connect to (default those that the network names)")
	f.Int64Var(&o.Height, "trust-height", 0, "height of a header that you trust")
	f.StringVar(&o.Hash, "trust-hash", "", "its hash")
	f.StringVar(&o.Stake, "stake", "", "MUT to bond")
	f.StringVar(&o.Commission, "commission", "", "percent that you take of what the stake of others behind your validator earns (default 0)")
	cmd.MarkFlagsRequiredTogether("trust-height", "trust-hash")
	return cmd
}

func validatorStart(home *string, asJSON *bool) *cobra.Command {
	var supervised, takeOver bool
	cmd := &cobra.Command{
		Use: "start", Short: "Run the node until Ctrl-C; it goes on from its last block, also after kill -9", Args: cobra.NoArgs,
		Long: `Run the node until Ctrl-C. It goes on from its last block, also after kill -9.

It does not sign if the last thousand blocks have a signature of its key that this folder did not make: two nodes with one key sign two
blocks at one height sooner or later, which costs a twentieth of the stake and the place among the validators for good. If the other
node is gone for good, --take-over says so.`,
		Example: `  mutirao validator start --home ./v1
  mutirao validator start --home ./v1 --json           one JSON object for each change of state
  mutirao validator start --home ./v1 --take-over      from an old copy of the folder, after the machine with the newer one broke`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if supervised {
				ctx = child.UntilParentEnds(ctx, os.Stdin)
			}
			return validatorcmd.Start(ctx, *home, takeOver, event.NewWriter(cmd.OutOrStdout(), *asJSON))
		},
	}
	cmd.Flags().BoolVar(&takeOver, "take-over", false, "sign although another node has signed with this key, which is gone")
	cmd.Flags().BoolVar(&supervised, "supervised", false, "stop when standard input ends, as it does when the starting process is gone")
	return cmd
}

func validatorStatus(home *string, asJSON *bool) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Height, peers, votes, missed blocks, what was earned, the beacon, and what to do next", Args: cobra.NoArgs,
		Example: `  mutirao validator status --home ./v2
  mutirao validator status --home ./v2 --json | jq -r .reason`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := validatorcmd.Ask(cmd.Context(), *home)
			if err != nil {
				return err
			}
			return show(cmd, *asJSON, s)
		},
	}
}

func validatorUnjail(home *string, asJSON *bool) *cobra.Command {
	return &cobra.Command{
		Use: "unjail", Short: "Bring a validator back that was set aside for its absence", Args: cobra.NoArgs,
		Long: `Bring a validator back that was set aside because it missed more than half of the blocks of its window. Its node must run and follow the
chain; mutirao validator status says from when on.`,
		Example: "  mutirao validator unjail --home ./v2",
		RunE: func(cmd *cobra.Command, _ []string) error {
			u, err := validatorcmd.Unjail(cmd.Context(), *home)
			if err != nil {
				return err
			}
			return show(cmd, *asJSON, u)
		},
	}
}

func validatorSend(home *string, asJSON *bool) *cobra.Command {
	return &cobra.Command{
		Use: "send ACCOUNT MUT", Short: "Send coins of the operator's account", Args: cobra.ExactArgs(2),
		Example: "  mutirao validator send 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 1001 --home ./v1",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := validatorcmd.Send(cmd.Context(), *home, args[0], args[1])
			if err != nil {
				return err
			}
			return show(cmd, *asJSON, s)
		},
	}
}
