package node

import (
	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/demo"
)

func newDemo() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See the whole network at work on this machine",
		Long: `Start a network on this machine: validators in this process, providers in processes of their own. Strangers train a
model together; one lies and is caught, one copies and earns nothing, one is killed and replaced, one joins late. The run
is paid to the last unit, the model is registered with its owners, and a Solidity contract calls it.

Everything listens on loopback and ends with the demo. Every claim is checked; if one does not hold it is named and the
exit code is 9.`,
		Example: `  mutirao demo                          a diagnosis classifier, about a minute
  mutirao demo --run gocode             a small language model of Go, on this machine's own Go source
  mutirao demo --json > demo.json       one object for machines; progress still on the terminal
  mutirao demo --keep --dir ./network   leave the network running; the same command continues it later`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out, o.Err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return demo.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&o.Seed, "seed", 7, "seed of all keys and draws; the same seed tells the same story")
	f.StringVar(&o.Run, "run", "diagnosis", "example to run: diagnosis or gocode")
	f.StringVar(&o.Dir, "dir", "", "folder to keep everything in; default a temporary one")
	f.StringVar(&o.RPC, "json-rpc", "", "where Ethereum's JSON-RPC listens, host:port; default a free port on 127.0.0.1")
	f.BoolVar(&o.Keep, "keep", false, "leave the network running at the end, until Ctrl-C")
	f.BoolVar(&o.JSON, "json", false, "print one JSON object instead of the table")
	return cmd
}
