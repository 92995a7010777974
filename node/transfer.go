package node

import (
	"errors"
	"fmt"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/validator"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/validatorcmd"
)

func newLedgerExport() *cobra.Command {
	var home string
	cmd := &cobra.Command{
		Use: "export", Short: "Write the state of a node that does not run as the genesis of a network that goes on from it", Args: cobra.NoArgs,
		Long: `Write the last state of a node, all of it, as a genesis: accounts, contracts, runs and disputes under way, models, leases, channels,
votes and validators. A network that begins from it goes on with the next block. The node must not run.`,
		Example: "  mutirao ledger export --home ./v1 > genesis.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc, err := validator.Export(home)
			switch {
			case errors.Is(err, validator.ErrLocked):
				return failure.New(failure.Denied, "the node in "+home+" is running", err, "end it first; it goes on later with mutirao validator start --home "+home)
			case errors.Is(err, validator.ErrHome):
				return failure.New(failure.NotFound, "there is no state in "+home, err, "name a node's folder with --home")
			case err != nil:
				return err
			}
			raw, err := cmtjson.Marshal(doc)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", raw)
			return err
		},
	}
	cmd.Flags().StringVar(&home, "home", "", "folder of the node")
	cmd.MarkFlagRequired("home")
	return cmd
}

func newLedgerImport() *cobra.Command {
	var o validatorcmd.Init
	var asJSON bool
	cmd := &cobra.Command{
		Use: "import GENESIS", Short: "Try an exported state, and with --home make a node that begins from it", Args: cobra.ExactArgs(1),
		Long: `Try whether a network can begin from an exported state: every module reads its part. With --home a node's folder is made that begins from
it. The network makes blocks once validators of the exported state with two thirds of the votes run; copy their files "key"
into the new folders before, so that they keep their names.`,
		Example: "  mutirao ledger import genesis.json\n  mkdir v1b && cp v1/key v1b/ && mutirao ledger import genesis.json --home ./v1b",
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, err := cmttypes.GenesisDocFromFile(args[0])
			if err != nil {
				return failure.New(failure.Usage, args[0]+" is no genesis", err, "mutirao ledger export --home DIR > genesis.json")
			}
			hash, err := app.Import(doc)
			if err != nil {
				return failure.New(failure.Unverified, "no network can begin from "+args[0], err, "export it again with this version")
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "block %d and %d validators follow; the state has hash %X\n", doc.InitialHeight, len(doc.Validators), hash)
			if o.Home == "" {
				return nil
			}
			o.Genesis = args[0]
			m, err := o.Run()
			if err != nil {
				return err
			}
			return show(cmd, asJSON, m)
		},
	}
	addressFlags(cmd, &o.Addresses)
	cmd.Flags().StringVar(&o.Home, "home", "", "folder of the node to make; empty to try only")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
