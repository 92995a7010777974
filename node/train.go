package node

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/dryrun"
)

func newTrain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a model that a run file describes",
		Long: `Train a model that a run file describes.

A run file says in TOML what is trained, on what data, for what pay and by how many. The folders of examples/ hold two.`,
		Example: "  mutirao train dry-run examples/diagnosis/run.toml",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDryRun(), newAlone(), newExportStep())
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
