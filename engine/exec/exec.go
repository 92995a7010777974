// Package exec runs graphs on the kernels. Compiling validates a graph, folds what is free (reshapes, transposed factors),
// plans which values share memory and allocates it once; running then walks a list of steps. The bits of a result are those
// that spec/numerics.md defines: they depend neither on the number of threads nor on the plan. It imports kernel, tensor and
// graph only.
package exec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// ErrInput is wrapped by errors about the tensors given to Run: one missing, unknown, of another type or shape.
var ErrInput = errors.New("wrong input")

// ErrIndex is wrapped by errors about an index or label that is outside of what it points into.
var ErrIndex = errors.New("index out of range")

// Program is a compiled graph with the memory to run it. It is not safe for concurrent use.
type Program struct {
	inputs, outputs []port
	steps           []step
	values          []*tensor.Tensor // by storage; nil between runs for inputs and outputs
	f32             [][]float32      // the same as slices, for storages of float32
	scratch         []float32        // shared by the steps, which run one after the other
	planned         int              // bytes of the values that are neither inputs, outputs nor initializers
	// Of a program of CompileUpdate: what is replaced, the storage of the guard (else -1), and the first step that replaces something.
	state         []replacement
	guard, commit int
	images        *images // what is done image by image before the steps; nil for nothing
}

// port is a graph input or output.
type port struct {
	graph.Value
	storage int
	copied  bool // output only: its storage is something else's, so its contents are copied out
	// canonical says that the step which computes the output makes its NaN canonical.
	canonical bool
}

// step is one node, ready to run.
type step struct {
	node *graph.Node
	run  func(*Program) error
}

// Run computes the outputs from the inputs, by name. Inputs are only read; outputs are new tensors that the caller owns, with
// every NaN canonical. An error wraps ErrInput, or ErrIndex and names the node.
func (p *Program) Run(in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	out := make(map[string]*tensor.Tensor, len(p.outputs))
	for _, o := range p.outputs {
		out[o.Name] = tensor.New(o.DType, o.Shape...)
	}
	return out, p.RunInto(in, out)
}

// RunInto is Run into tensors of the caller, one for each output; it allocates next to nothing. No output may share storage
// with an input or another output, but for those that a program of CompileUpdate replaces, and the result of a TensorScatter, which may
// be the tensor of the cache that it updates if no other node reads that cache: then only the update is written. After an error the
// contents of out are undefined.
func (p *Program) RunInto(in, out map[string]*tensor.Tensor) error {
	defer p.unbind()
	if err := p.bind(in, out); err != nil {
		return err
	}
	defer kernel.StartRun().End()
	if p.images != nil {
		if err := p.images.run(p); err != nil {
			return err
		}
	}
	for i := range p.steps {
		if i == p.commit && !kernel.Finite(p.f32[p.guard]) {
			return ErrSkipped
		}
		if err := p.steps[i].run(p); err != nil {
			return fmt.Errorf("node %q (%s): %w", p.steps[i].node.Name, p.steps[i].node.Op, err)
		}
	}
	if p.guard >= 0 && p.commit == len(p.steps) && !kernel.Finite(p.f32[p.guard]) {
		return ErrSkipped
	}
	for _, o := range p.outputs {
		t := out[o.Name]
		if o.copied {
			t.CopyFrom(p.values[o.storage])
		}
		if o.DType == tensor.Float32 && !o.canonical {
			kernel.Canonicalize(t.Float32())
		}
	}
	p.finish()
	return nil
}

// bind checks the caller's tensors and makes them the storage of inputs and outputs.
func (p *Program) bind(in, out map[string]*tensor.Tensor) error {
	for i := range p.inputs {
		if err := p.bindPort(&p.inputs[i], "input", in); err != nil {
			return err
		}
	}
	for i := range p.outputs {
		if err := p.bindPort(&p.outputs[i], "output", out); err != nil {
			return err
		}
	}
	for _, r := range p.state {
		if !r.copied {
			p.set(r.out, p.values[r.in])
		}
	}
	if len(in) > len(p.inputs) {
		for _, name := range sortedNames(in) {
			if !slices.ContainsFunc(p.inputs, func(b port) bool { return b.Name == name }) {
				return fmt.Errorf("%w: the graph has no input %q", ErrInput, name)
			}
		}
	}
	return nil
}

func (p *Program) bindPort(b *port, role string, from map[string]*tensor.Tensor) error {
	t := from[b.Name]
	if t == nil {
		return fmt.Errorf("%w: %s %q is missing", ErrInput, role, b.Name)
	}
	if t.DType() != b.DType || !slices.Equal(t.Shape(), b.Shape) {
		return fmt.Errorf("%w: %s %q is %v%v, want %v%v", ErrInput, role, b.Name, t.DType(), t.Shape(), b.DType, b.Shape)
	}
	if !b.copied {
		p.set(b.storage, t)
	}
	return nil
}

func sortedNames(m map[string]*tensor.Tensor) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (p *Program) set(storage int, t *tensor.Tensor) {
	p.values[storage] = t
	if t.DType() == tensor.Float32 {
		p.f32[storage] = t.Float32()
	}
}

// unbind lets go of the caller's tensors.
func (p *Program) unbind() {
	for _, list := range [][]port{p.inputs, p.outputs} {
		for i := range list {
			if !list[i].copied {
				p.values[list[i].storage], p.f32[list[i].storage] = nil, nil
			}
		}
	}
	for _, r := range p.state {
		if !r.copied {
			p.values[r.out], p.f32[r.out] = nil, nil
		}
	}
}
