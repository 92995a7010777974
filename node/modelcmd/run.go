package modelcmd

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/verify/trace"
)

// RunOptions say what to run on what.
type RunOptions struct {
	File   string
	Inputs []string // name=file.npy, name=file.json
	Out    string   // the folder for outputs as .npy, "" to print them
	Trace  bool     // print the roots of inputs and outputs
}

// Run runs a model once and writes its outputs.
func Run(o RunOptions, w io.Writer) error {
	m, err := load(o.File)
	if err != nil {
		return err
	}
	ports := m.inputs()
	in := map[string]*tensor.Tensor{}
	for _, arg := range o.Inputs {
		name, file, ok := strings.Cut(arg, "=")
		i := slices.IndexFunc(ports, func(p onnx.Port) bool { return p.Name == name })
		if !ok || i < 0 {
			return failure.New(failure.Usage, "cannot use --input "+arg, fmt.Errorf("want name=file with a name of %s", names(ports)), "mutirao model inspect "+o.File)
		}
		if in[name], err = readInput(file, ports[i].DType); err != nil {
			return failure.New(failure.General, "cannot read input "+name+" from "+file, err, "mutirao model inspect "+o.File)
		}
	}
	out, err := compute(m, in)
	if err != nil {
		return failure.New(failure.General, "cannot run "+o.File, err, "mutirao model inspect "+o.File)
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		if err := writeOutput(w, o, name, out[name]); err != nil {
			return err
		}
	}
	if o.Trace {
		for _, list := range []struct {
			title   string
			tensors map[string]*tensor.Tensor
		}{{"input", in}, {"output", out}} {
			var entries []trace.Entry
			for _, name := range slices.Sorted(maps.Keys(list.tensors)) {
				fmt.Fprintf(w, "root of %s %s  %v\n", list.title, name, trace.TensorRoot(list.tensors[name]))
				entries = append(entries, trace.Entry{Name: name, Tensor: list.tensors[name]})
			}
			fmt.Fprintf(w, "root of all %ss  %v\n", list.title, trace.StateRoot(entries))
		}
	}
	return nil
}

func names(ports []onnx.Port) string {
	var list []string
	for _, p := range ports {
		list = append(list, p.Name)
	}
	return strings.Join(list, ", ")
}

func readInput(file string, dt tensor.DType) (*tensor.Tensor, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	switch filepath.Ext(file) {
	case ".npy":
		return readNPY(b)
	case ".json":
		if dt == 0 {
			dt = tensor.Float32
		}
		return readJSON(b, dt)
	case ".pb":
		t, err := onnx.ReadTensor(b)
		return t.Tensor, err
	}
	return nil, fmt.Errorf("%s ends neither in .npy nor in .json or .pb", file)
}

// compute specialises, compiles and runs.
func compute(m *model, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	g, err := m.specialise(feedsOf(in))
	if err != nil {
		return nil, err
	}
	p, err := exec.Compile(g)
	if err != nil {
		return nil, err
	}
	given := map[string]*tensor.Tensor{} // inputs that are empty are not in the graph
	for _, v := range g.Inputs {
		if in[v.Name] != nil {
			given[v.Name] = in[v.Name]
		}
	}
	return p.Run(given)
}

const printed = 32 // elements of an output on the terminal

func writeOutput(w io.Writer, o RunOptions, name string, t *tensor.Tensor) error {
	if o.Out == "" {
		values := strings.Trim(fmt.Sprintf("%v", firstValues(t, printed)), "[]")
		if t.Len() > printed {
			values += " …"
		}
		_, err := fmt.Fprintf(w, "%s  %v%v  %s\n", name, t.DType(), t.Shape(), values)
		return err
	}
	file := filepath.Join(o.Out, strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' || r < ' ' {
			return '_'
		}
		return r
	}, name)+".npy")
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, writeNPY(t), 0o644); err != nil {
		return failure.New(failure.General, "cannot write "+file, err, "choose another folder with --out")
	}
	_, err := fmt.Fprintf(w, "%s  %v%v  %s\n", name, t.DType(), t.Shape(), file)
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
