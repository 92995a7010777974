package exec

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Traced is a program that yields what every node put out: the trace of one run, which a dispute is about. It has memory of its
// own for each value. It is not safe for concurrent use.
type Traced struct {
	program *Program
	values  []string // graph inputs, then the outputs of all nodes in program order
	inputs  int
}

// CompileTraced validates g and plans a run that keeps all values. It returns graph.Infer's error. Nothing is planned
// differently otherwise, and no plan shows in the bits.
func CompileTraced(g *graph.Graph) (*Traced, error) {
	calls, err := graph.Calls(g)
	if err != nil {
		return nil, err
	}
	t := &Traced{inputs: len(g.Inputs)}
	for _, v := range g.Inputs {
		t.values = append(t.values, v.Name)
	}
	all := *g
	all.Outputs = nil
	for i := range calls {
		for _, v := range calls[i].Out {
			t.values = append(t.values, v.Name)
			all.Outputs = append(all.Outputs, v)
		}
	}
	t.program, err = Compile(&all)
	return t, err
}

// Run computes every value from the inputs, by name, and returns them in the order of verify/trace.Program: the inputs
// themselves, then new tensors with every NaN canonical. Errors are those of Program.Run.
func (t *Traced) Run(in map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	out, err := t.program.Run(in)
	if err != nil {
		return nil, err
	}
	list := make([]*tensor.Tensor, len(t.values))
	for i, name := range t.values {
		if i < t.inputs {
			list[i] = in[name]
		} else {
			list[i] = out[name]
		}
	}
	return list, nil
}

// Values lists the names of what Run returns. The list is the caller's.
func (t *Traced) Values() []string { return slices.Clone(t.values) }
