package modelcmd

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/verify/trace"
)

// RunOptions say what to run on what.
type RunOptions struct {
	File   string
	Inputs []string  // name=file.npy, name=file.json
	Out    string    // the folder for outputs as .npy, "" to print them
	Trace  bool      // print the roots of inputs and outputs
	Notes  io.Writer // where to say what a user should know, nil for nowhere
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
	ports := m.inputs()
	in := map[string]onnx.Value{}
	for _, arg := range o.Inputs {
		name, file, ok := strings.Cut(arg, "=")
		i := slices.IndexFunc(ports, func(p onnx.Port) bool { return p.Name == name })
		if !ok || i < 0 {
			return failure.New(failure.Usage, "cannot use --input "+arg, fmt.Errorf("want name=file with a name of %s", names(ports)), "mutirao model inspect "+o.File)
		}
		if in[name], err = readInput(file, ports[i]); err != nil {
			return failure.New(failure.General, "cannot read input "+name+" from "+file, err, "mutirao model inspect "+o.File)
		}
	}
	out, err := compute(m, in)
	if err != nil {
		return failure.New(failure.General, "cannot run "+o.File, err, "mutirao model inspect "+o.File)
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		if out[name].None() || out[name].Sequence != nil {
			fmt.Fprintf(w, "%s  %v\n", name, out[name])
		}
		for _, p := range parts(name, out[name]) {
			if err := writeOutput(w, o, p); err != nil {
				return err
			}
		}
	}
	if o.Trace {
		printRoots(w, "input", in)
		printRoots(w, "output", out)
	}
	return nil
}

// printRoots prints the roots of all tensors of numbers; strings have none.
func printRoots(w io.Writer, title string, values map[string]onnx.Value) {
	var entries []trace.Entry
	for _, name := range slices.Sorted(maps.Keys(values)) {
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

const printed = 32 // elements of an output on the terminal

func writeOutput(w io.Writer, o RunOptions, p part) error {
	if o.Out == "" || p.Tensor == nil {
		_, err := fmt.Fprintf(w, "%s  %v  %s\n", p.name, p.Value, shown(p.Value, printed))
		return err
	}
	file := filepath.Join(o.Out, strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' || r < ' ' {
			return '_'
		}
		return r
	}, p.name)+".npy")
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, writeNPY(p.Tensor), 0o644); err != nil {
		return failure.New(failure.General, "cannot write "+file, err, "choose another folder with --out")
	}
	_, err := fmt.Fprintf(w, "%s  %v  %s\n", p.name, p.Value, file)
	return err
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
