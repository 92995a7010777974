package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

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
		Example: "  mutirao model inspect model.onnx\n  mutirao model run model.onnx --input x=x.npy --trace\n  mutirao model bench model.onnx\n  mutirao model verify here.json there.json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newModelInspect(), newModelRun(), newModelBench(), newModelVerify(), newModelTest(), newModelExport(), newModelQuantize())
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
	var p pictureFlags
	var trace string
	cmd := &cobra.Command{
		Use:   "run <file>",
		Short: "Run a model once",
		Long: `Run a model once.

An input is name=file, or a file alone if the model has one input or the file has inputs by name. Arrays of NumPy (.npy, .npz, numbers and
strings), lists or an object of lists in JSON, tables (.csv with names of columns in the first line; file.csv:a,b takes columns a and b; without a name
every input gets the column of its name), tensors of ONNX (.pb), and pictures (.png, .jpg, .gif; several for one input become rows).

Outputs are printed, or written with --output: as .npy into a folder, or into one .npz, .csv or .json. With --trace the roots of the tensors are
printed: two machines that agree on them agree on every bit. --trace=FILE.json writes the roots of every node, for mutirao model verify.`,
		Example: `  mutirao model run model.onnx --input x=x.npy
  mutirao model run model.onnx --input ids=ids.json --output results --trace
  mutirao model run forest.onnx --input people.csv:age,income --output answers.csv
  mutirao model run mobilenet.onnx --input cat.jpg --size 224x224 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --labels imagenet.txt
  mutirao model run model.onnx --input data.npz --trace=here.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			o.File, o.Notes = args[0], cmd.ErrOrStderr()
			if o.Picture, err = p.picture(); err != nil {
				return err
			}
			if o.Trace = trace == printTrace; !o.Trace {
				o.TraceTo = trace
			}
			return modelcmd.Run(o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.Inputs, "input", nil, "an input as name=file or file, once for each")
	f.StringVar(&o.Out, "output", "", "folder for the outputs as .npy, or a file .npz, .csv or .json")
	f.StringVar(&o.Out, "out", "", "the same as --output")
	_ = f.MarkHidden("out") // the flag is there
	f.IntVar(&o.Top, "top", 0, "print so many best classes of each row; 5 with --labels")
	f.StringVar(&o.Labels, "labels", "", "file with a class name on each line")
	f.StringVar(&trace, "trace", "", "print the roots of inputs and outputs, or write those of all nodes to a file")
	f.Lookup("trace").NoOptDefVal = printTrace
	p.add(cmd)
	return cmd
}

// printTrace is the value of --trace without a file.
const printTrace = "-"

// pictureFlags are the flags that say how pictures become tensors.
type pictureFlags struct {
	size, layout string
	mean, std    []float32
	stretch      bool
}

func (p *pictureFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.size, "size", "", "size of pictures as WIDTHxHEIGHT; the model's if it says one")
	f.Float32SliceVar(&p.mean, "mean", nil, "what is subtracted from pixels between 0 and 1, one number or one for each channel")
	f.Float32SliceVar(&p.std, "std", nil, "what the rest is divided by, likewise")
	f.BoolVar(&p.stretch, "stretch", false, "change a picture's proportions instead of cutting its edges off")
	f.StringVar(&p.layout, "layout", "", "order of a picture's axes, NCHW or NHWC; that of the model's input if it says one")
}

func (p *pictureFlags) picture() (modelcmd.Picture, error) {
	how := modelcmd.Picture{Stretch: p.stretch, Mean: p.mean, Std: p.std, Layout: p.layout}
	if p.size == "" {
		return how, nil
	}
	width, height, ok := strings.Cut(p.size, "x")
	var err [2]error
	how.Width, err[0] = strconv.Atoi(width)
	how.Height, err[1] = strconv.Atoi(height)
	if !ok || err[0] != nil || err[1] != nil || how.Width < 1 || how.Height < 1 {
		return how, failure.New(failure.Usage, "cannot use --size "+p.size, errors.New("want WIDTHxHEIGHT in pixels"), "mutirao model run --help")
	}
	return how, nil
}

func newModelBench() *cobra.Command {
	var o modelcmd.BenchOptions
	var p pictureFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench <file>",
		Short: "Measure how long a model takes",
		Long: `Measure how long a model takes: runs in the steady state, one after the other, after three that do not count. Without --input, inputs are random
numbers (float32) and zeros of the sizes that the file declares.`,
		Example: `  mutirao model bench model.onnx
  mutirao model bench model.onnx --batch 32 --threads 1 --time 10s --json
  mutirao model bench bert.onnx --dim batch=1 --dim sequence=128`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			o.File = args[0]
			if o.Picture, err = p.picture(); err != nil {
				return err
			}
			r, err := modelcmd.Measure(o)
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
	f.StringArrayVar(&o.Inputs, "input", nil, "an input as name=file or file, once for each, as for run")
	f.StringToIntVar(&o.Dims, "dim", nil, "size of a named dimension, as name=size; 1 if not given")
	f.IntVar(&o.Batch, "batch", 1, "size of the first dimension where the file leaves it open")
	f.IntVar(&o.Threads, "threads", 0, "threads; all processors if not given")
	f.DurationVar(&o.Time, "time", 3*time.Second, "how long to measure")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	p.add(cmd)
	return cmd
}

func newModelVerify() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify <a> <b>",
		Short: "Compare two runs bit by bit",
		Long: `Compare two runs bit by bit: outputs of two machines (folders of .npy, .npz archives, single .npy files), or two traces that run --trace=FILE.json
wrote. Equal, or the first difference: which output or which node, at which index, both values and how many float32 numbers lie between them. Runs
that differ make the command fail with exit code 9.`,
		Example: `  mutirao model verify here.json there.json
  mutirao model verify here/ there/`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := modelcmd.Verify(args[0], args[1])
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			} else {
				err = r.Print(cmd.OutOrStdout())
			}
			if err == nil && !r.Equal {
				return failure.New(failure.Unverified, "the runs differ", fmt.Errorf("first at %q", r.First.Tensor), "mutirao model run MODEL --trace=FILE.json on both machines, then verify the files")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
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
