package node

import (
	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/dev"
)

func newDev() *cobra.Command {
	var o dev.Options
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "A chain on this machine for people who write contracts",
		Long: `Start a chain of one process with the conventions of anvil: Ethereum's JSON-RPC over HTTP and websockets at
127.0.0.1:8545, ten funded accounts of the test mnemonic, a block for every transaction, evm_snapshot, evm_increaseTime,
anvil_setBalance and the like, also as hardhat_. Models are preloaded and called by INFER.infer(id, input).

It is the app of the network without its consensus: what works here works there, but for what only a development chain
can do. A change by anvil_set… makes a block of its own, at the time of the last one.`,
		Example: `  mutirao dev                              then: forge, hardhat, ethers, viem at http://127.0.0.1:8545
  mutirao dev --state chain.jsonl          keep the chain; also kill -9 loses nothing that was mined
  mutirao dev --block-time 2               a block every two seconds instead of one for each transaction
  mutirao dev --port 0 --json              any free port; one JSON object says which`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out, o.Err, o.Version = cmd.OutOrStdout(), cmd.ErrOrStderr(), currentVersion().Version
			return dev.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Host, "host", "127.0.0.1", "address to listen at; whoever reaches it controls the chain")
	f.Uint16VarP(&o.Port, "port", "p", 8545, "port to listen at; 0 for a free one")
	f.Uint64Var(&o.ChainID, "chain-id", 0, "EIP-155 id (default 31337, or that of the state file; the network has 262144)")
	f.IntVarP(&o.Accounts, "accounts", "a", 10, "number of funded accounts")
	f.Uint64Var(&o.Balance, "balance", 10000, "MUT of each account")
	f.Float64VarP(&o.BlockTime, "block-time", "b", 0, "seconds between blocks; 0 for a block per transaction")
	f.BoolVar(&o.Manual, "no-mining", false, "make blocks only when asked to (evm_mine)")
	f.StringVar(&o.State, "state", "", "file that keeps the chain; made when missing, continued when there")
	f.StringArrayVar(&o.Models, "model", nil, "one more model to preload, an ONNX file or one that train alone wrote; may be repeated")
	f.BoolVar(&o.JSON, "json", false, "print one JSON object instead of the text")
	return cmd
}
