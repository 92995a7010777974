package node

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/modelcmd"
)

func newModel() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Look at model files, run them, test the engine with them",
		Long: `Look at model files, run them, test the engine with them.

A model is a file in ONNX's format, or a graph in the network's own encoding. A run gives the same bits on every machine.`,
		Example: "  mutirao model inspect model.onnx\n  mutirao model run model.onnx --input x=x.npy --trace",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newModelInspect(), newModelRun(), newModelTest(), newModelExport(), newModelQuantize())
	return cmd
}

func newModelInspect() *cobra.Command {
	var asJSON bool
	var dims map[string]int
	cmd := &cobra.Command{
		Use:   "inspect <file>",
		Short: "Print a model's operators, inputs, outputs, parameters, work and memory",
		Example: `  mutirao model inspect model.onnx
  mutirao model inspect model.onnx --dim batch=8`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := modelcmd.Inspect(args[0], dims)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			}
			return r.Print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().StringToIntVar(&dims, "dim", nil, "size of a named dimension, as name=size; 1 if not given")
	return cmd
}

func newModelRun() *cobra.Command {
	var o modelcmd.RunOptions
	cmd := &cobra.Command{
		Use:   "run <file>",
		Short: "Run a model once",
		Long: `Run a model once. Inputs are arrays of NumPy (.npy), lists in JSON (.json) or tensors of ONNX (.pb). Outputs are printed, or written
as .npy with --out. With --trace the roots of the tensors are printed: two machines that agree on them agree on every bit.`,
		Example: `  mutirao model run model.onnx --input x=x.npy
  mutirao model run model.onnx --input ids=ids.json --out results --trace`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.File, o.Notes = args[0], cmd.ErrOrStderr()
			return modelcmd.Run(o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.Inputs, "input", nil, "an input as name=file, once for each")
	f.StringVar(&o.Out, "out", "", "folder for the outputs as .npy")
	f.BoolVar(&o.Trace, "trace", false, "print the roots of inputs and outputs")
	return cmd
}

func newModelTest() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test <dir>...",
		Short: "Run tests in the layout of ONNX's backend tests",
		Long: `Run tests in the layout of ONNX's backend tests: folders with model.onnx and test_data_set_*/input_*.pb and output_*.pb, or folders of
such folders. A test passes within the tolerance of ONNX's own runner. Tests that differ make the command fail; what is not
supported is listed with its reason.`,
		Example: "  mutirao model test /usr/share/libonnx-testdata/data/node",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := modelcmd.Test(args)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			} else {
				err = r.Print(cmd.OutOrStdout())
			}
			if err == nil && r.Mismatched > 0 {
				return failure.New(failure.Unverified, fmt.Sprintf("%d tests differ", r.Mismatched), errors.New("outputs are outside the tolerance"), "mutirao model test --json <dir>")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func newModelExport() *cobra.Command {
	var dims map[string]int
	cmd := &cobra.Command{
		Use:   "export <file> <out.onnx>",
		Short: "Write a model as an ONNX file that other programs run",
		Long: `Write a model as an ONNX file that other programs run. Shapes are fixed and constants that decide shapes are computed. A file that exists is
not overwritten.`,
		Example: "  mutirao model export model.mutg model.onnx",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return modelcmd.Export(args[0], args[1], dims)
		},
	}
	cmd.Flags().StringToIntVar(&dims, "dim", nil, "size of a named dimension, as name=size; 1 if not given")
	return cmd
}

func newModelQuantize() *cobra.Command {
	var o modelcmd.QuantizeOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "quantize <file> <out.onnx>",
		Short: "Write a model that computes with 8-bit integers, and say what that costs",
		Long: `Write a model that computes with 8-bit integers, and say what that costs. Products and convolutions with constant weights become exact sums of
integers, a quarter of the bytes; the rest stays float32. Give records of every input, the more typical the better: the first half
calibrates the model, on the second half both models run and are compared. A file that exists is not overwritten.`,
		Example: `  mutirao model quantize model.onnx small.onnx --input x=records.npy
  mutirao model quantize model.onnx small.onnx --input x=records.npy --labels labels.npy --batch 8`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.File, o.Out = args[0], args[1]
			r, err := modelcmd.Quantize(o)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			}
			return r.Print(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.Inputs, "input", nil, "records of an input as name=file, once for each; the first axis counts them")
	f.StringVar(&o.Labels, "labels", "", "one integer for each record: the place of the greatest element that output 0 should have")
	f.IntVar(&o.Batch, "batch", 1, "records that the written model takes at a time")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
