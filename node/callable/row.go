package callable

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

var (
	errInputs  = errors.New("a model for contracts has one input, of float32 and of known dimensions but for the first")
	errOutputs = errors.New("a model for contracts has an output of float32")
)

// fromONNX reads an ONNX file as contracts call a model: a row of float32 in, a row of float32 out, one record at a time. An
// input or output of more dimensions is reshaped; of several outputs the first of float32 stays, which of a classifier are
// the probabilities.
func fromONNX(file []byte) (*graph.Graph, error) {
	m, err := onnx.Load(file)
	if err != nil {
		return nil, err
	}
	inputs := m.Inputs()
	if len(inputs) != 1 || inputs[0].DType != tensor.Float32 || len(inputs[0].Dims) == 0 {
		return nil, fmt.Errorf("%w: it has %d", errInputs, len(inputs))
	}
	shape := []int{1}
	for _, d := range inputs[0].Dims[1:] {
		if d.Size == 0 {
			return nil, fmt.Errorf("%w: %s is not known", errInputs, d.Symbol)
		}
		shape = append(shape, d.Size)
	}
	g, err := m.Specialise(map[string]onnx.Feed{inputs[0].Name: {DType: tensor.Float32, Shape: shape}})
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(g.Outputs, func(v graph.Value) bool { return v.DType == tensor.Float32 })
	if at < 0 {
		return nil, errOutputs
	}
	r := &rower{g: *g}
	r.g.Outputs = []graph.Value{g.Outputs[at]}
	r.input()
	r.output()
	return exec.Optimize(&r.g)
}

// rower makes rows of the input and the output of a graph.
type rower struct{ g graph.Graph }

// fresh returns a name that no value of the graph has.
func (r *rower) fresh(name string) string {
	taken := map[string]bool{}
	for _, list := range [][]graph.Value{r.g.Inputs, r.g.Outputs} {
		for _, v := range list {
			taken[v.Name] = true
		}
	}
	for _, t := range r.g.Initializers {
		taken[t.Name] = true
	}
	for _, n := range r.g.Nodes {
		for _, v := range n.Outputs {
			taken[v] = true
		}
	}
	for taken[name] {
		name += "'"
	}
	return name
}

func (r *rower) shape(dims ...int64) string {
	name := r.fresh("row shape")
	r.g.Initializers = append(slices.Clone(r.g.Initializers), tensor.Named{Name: name, Tensor: tensor.FromInt64(dims, len(dims))})
	return name
}

func (r *rower) input() {
	in := r.g.Inputs[0]
	if len(in.Shape) == 2 {
		return
	}
	dims := make([]int64, len(in.Shape))
	for i, d := range in.Shape {
		dims[i] = int64(d)
	}
	row := graph.Value{Name: r.fresh("row"), DType: tensor.Float32, Shape: []int{1, in.Len()}}
	r.g.Inputs = []graph.Value{row}
	r.g.Nodes = append([]graph.Node{{Op: "Reshape", Name: "row of the input", Inputs: []string{row.Name, r.shape(dims...)}, Outputs: []string{in.Name}}}, r.g.Nodes...)
}

func (r *rower) output() {
	out := r.g.Outputs[0]
	if len(out.Shape) == 2 && out.Shape[0] == 1 {
		return
	}
	row := graph.Value{Name: r.fresh("answer"), DType: tensor.Float32, Shape: []int{1, out.Len()}}
	r.g.Nodes = append(slices.Clone(r.g.Nodes), graph.Node{Op: "Reshape", Name: "row of the output", Inputs: []string{out.Name, r.shape(1, int64(out.Len()))}, Outputs: []string{row.Name}})
	r.g.Outputs = []graph.Value{row}
}
