package node

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/dryrun"
	"github.com/mutirao/mutirao/node/training"
)

func newTrain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a model that a run file describes",
		Long: `Train a model that a run file describes.

A run file says in TOML what is trained, on what data, for what pay, by how many, and how they are hired. The folders of examples/
hold three.`,
		Example: "  mutirao train dry-run examples/diagnosis/run.toml          what it would cost\n  mutirao train start examples/diagnosis/run.toml --network ./network",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStart(), newDryRun(), newAlone(), newExportStep())
	return cmd
}

func newStart() *cobra.Command {
	var o training.Options
	cmd := &cobra.Command{
		Use:   "start <run.toml>",
		Short: "Submit a run to a network: lock its budget, hire machines, follow it, publish the model",
		Long: `Submit a run to a network. Its budget is locked: the price of a unit for all units that it can have; what is not spent comes back. With
a section [market] the providers are hired in the next batch of the market, at the one price that it clears at and at most
market.limit; without one every provider has pay.unit_price.

The command gives data and model to the members, recomputes every round, and publishes the model at the end. After Ctrl-C or kill -9
the same command goes on; another --number makes another run of the same file.`,
		Example: "  mutirao train start examples/diagnosis/run.toml --network ./network\n  mutirao train start run.toml --network http://10.0.0.7:26657 --listen /ip4/0.0.0.0/tcp/4001 --model out.graph --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.File, o.Out, o.Err = args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			return training.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Network, "network", os.Getenv("MUTIRAO_NETWORK"), "folder of a network that runs on this machine, an invite, or http://HOST:PORT; default $MUTIRAO_NETWORK")
	f.StringVar(&o.Dir, "dir", defaultDir(), "folder of the author's key, and of what members fetch")
	f.StringVar(&o.Listen, "listen", "/ip4/127.0.0.1/tcp/0", "where members fetch data and model, as a multiaddr")
	f.Uint64Var(&o.Number, "number", 1, "which of your runs of this file; a new number is a new run")
	f.StringVar(&o.Model, "model", "", "write the trained model to this file, too")
	f.BoolVar(&o.JSON, "json", false, "print JSON objects, one a line")
	return cmd
}

func newDryRun() *cobra.Command {
	var o dryrun.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "dry-run <run.toml>",
		Short: "Try a run file on this machine: price, time, traffic, memory and first losses",
		Long: `Try a run file on this machine, without a network and without paying anything.

It computes one real unit to measure time and memory, then lets two providers and a verifier go through real rounds in
this process, and prints what the run would cost, how long it would take on machines like this one, what each provider
would send and receive, and how the model does on the records kept for testing, before and after.`,
		Example: `  mutirao train dry-run examples/diagnosis/run.toml
  mutirao train dry-run --rounds 2 --json run.toml > report.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.File, o.Progress = args[0], cmd.ErrOrStderr()
			report, err := dryrun.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
			}
			return report.Print(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Rounds, "rounds", 1, "rounds to simulate")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func newExportStep() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export-step <run.toml>",
		Short: "Write the training step of a run file as an ONNX file that other programs can run",
		Long: `Write the training step of a run file as an ONNX file: forward pass, backward pass, clipping and optimizer in one graph.

All operators are ONNX's own, so that any runtime of operator set 23 can run it; the numbers are those of a run up to
rounding. Inputs are a batch, the weights, the optimizer's state and the learning rate; an output next/NAME is what the
input NAME is in the next step, and the output loss is that of the batch.`,
		Example: "  mutirao train export-step examples/diagnosis/run.toml --out step.onnx",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := dryrun.ExportStep(args[0], out); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "wrote %s\n", out)
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "step.onnx", "name of the file")
	return cmd
}

func newAlone() *cobra.Command {
	var out, asONNX string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "alone <run.toml>",
		Short: "Train the model of a run file on this machine, without a network, and write it to a file",
		Long: `Train the model of a run file on this machine with all its training records, without a network and without paying
anybody, and write it with its weights to a file. The same run file gives the same bytes on every machine.

The file is what the ledger keeps of a model that contracts call: ` + "`mutirao dev --model FILE`" + ` puts it on a chain.`,
		Example: "  mutirao train alone examples/credit/run.toml --out credit.graph\n  mutirao dev --model credit.graph",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := dryrun.TrainAlone(cmd.Context(), args[0], out, asONNX, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "wrote %s, %d bytes: held-out accuracy %.1f %%, AUC %.3f\n", r.File, r.Bytes, 100*r.Accuracy, r.AUC)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "model.graph", "name of the file")
	f.StringVar(&asONNX, "onnx", "", "write the model as an ONNX file, too")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
