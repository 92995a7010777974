package modelcmd

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/verify/trace"
)

// RunOptions say what to run on what.
type RunOptions struct {
	File    string
	Inputs  []string // name=file or file, see readInputs
	Picture Picture
	Out     string    // where outputs go: a folder, .npz, .csv or .json; "" to print them
	Top     int       // print so many best classes of each row; 0 for none
	Labels  string    // a file with the names of the classes
	Trace   bool      // print the roots of inputs and outputs
	TraceTo string    // a file for the roots of all nodes
	Notes   io.Writer // where to say what a user should know, nil for nowhere
}

// Run runs a model once and writes its outputs.
func Run(o RunOptions, w io.Writer) error {
	m, err := load(o.File)
	if err != nil {
		return err
	}
	if m.onnx != nil && m.onnx.Float64() && o.Notes != nil {
		fmt.Fprintln(o.Notes, "note: the model has values of float64; they are computed in float32")
	}
	in, err := readInputs(m, o.File, o.Inputs, o.Picture)
	if err != nil {
		return err
	}
	out, err := compute(m, in)
	if err != nil {
		return failure.New(failure.General, "cannot run "+o.File, err, "mutirao model inspect "+o.File)
	}
	ports := m.outputs()
	list := []part{}
	for _, name := range sortedKeys(out) {
		if out[name].None() || out[name].Sequence != nil {
			fmt.Fprintf(w, "%s  %v\n", name, out[name])
		}
		list = append(list, parts(name, out[name])...)
	}
	if err := writeOutputs(w, o.Out, list, ports); err != nil {
		return err
	}
	if err := o.best(w, list, ports); err != nil {
		return err
	}
	if o.Trace {
		printRoots(w, "input", in)
		printRoots(w, "output", out)
	}
	if o.TraceTo == "" {
		return nil
	}
	return o.saveTrace(m, in, w)
}

// best prints the best classes.
func (o RunOptions) best(w io.Writer, list []part, ports []onnx.Port) error {
	var labels []string
	if o.Labels != "" {
		var err error
		if labels, err = readLabels(o.Labels); err != nil {
			return err
		}
		if o.Top == 0 {
			o.Top = 5
		}
	}
	if o.Top > 0 {
		for _, p := range list {
			printTop(w, p, o.Top, labels, keysOf(ports, p.name))
		}
	}
	return nil
}

// saveTrace runs the model's graph once more, with all values kept.
func (o RunOptions) saveTrace(m *model, in map[string]onnx.Value, w io.Writer) error {
	t, err := m.traceRun(in)
	if err != nil {
		return failure.New(failure.General, "cannot trace "+o.File, err, "use --trace without a file for the roots of inputs and outputs")
	}
	b, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return err
	}
	if err := writeFile(o.TraceTo, append(b, '\n')); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "trace  %d nodes  %s\n", len(t.Nodes), o.TraceTo)
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// printRoots prints the roots of all tensors of numbers; strings have none.
func printRoots(w io.Writer, title string, values map[string]onnx.Value) {
	var entries []trace.Entry
	for _, name := range sortedKeys(values) {
		for _, p := range parts(name, values[name]) {
			if p.Tensor != nil {
				fmt.Fprintf(w, "root of %s %s  %v\n", title, p.name, trace.TensorRoot(p.Tensor))
				entries = append(entries, trace.Entry{Name: p.name, Tensor: p.Tensor})
			}
		}
	}
	fmt.Fprintf(w, "root of all %ss  %v\n", title, trace.StateRoot(entries))
}

func names(ports []onnx.Port) string {
	var list []string
	for _, p := range ports {
		list = append(list, p.Name)
	}
	return strings.Join(list, ", ")
}

func firstValues(t *tensor.Tensor, n int) any {
	n = min(n, t.Len())
	switch t.DType() {
	case tensor.Float32:
		return t.Float32()[:n]
	case tensor.Uint8:
		return widen(tensor.Data[uint8](t)[:n])
	case tensor.Int8:
		return tensor.Data[int8](t)[:n]
	case tensor.Int32:
		return tensor.Data[int32](t)[:n]
	case tensor.Int64:
		return t.Int64()[:n]
	}
	return t.Bool()[:n]
}

func widen(list []uint8) []int {
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = int(v)
	}
	return out
}
