package registry

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/trace"
)

// RoleWeights is the role of the trained tensors in the state root that a run commits to.
const RoleWeights = trace.RoleWeights

// SplitArtifact takes a model apart: weights are the initializers named in params, program is the graph with those turned
// into its first inputs, in the order of params, which is ascending. All other constants stay in the program, whose hash
// thus does not depend on the weights. The results share tensors with g. It returns ErrArtifact if a name is not an
// initializer. Rule: spec/registry.md §2.
func SplitArtifact(g *graph.Graph, params []string) (program *graph.Graph, weights []trace.Entry, err error) {
	p := *g
	p.Inputs, p.Initializers = nil, nil
	byName := make(map[string]*tensor.Tensor, len(g.Initializers)) // looked up, never walked
	for _, t := range g.Initializers {
		if _, isParam := slices.BinarySearch(params, t.Name); isParam {
			byName[t.Name] = t.Tensor
		} else {
			p.Initializers = append(p.Initializers, t)
		}
	}
	for _, name := range params {
		t := byName[name]
		if t == nil {
			return nil, nil, fmt.Errorf("%w: no initializer has the name of parameter %q", protocol.ErrArtifact, name)
		}
		weights = append(weights, trace.Entry{Name: name, Role: RoleWeights, Tensor: t})
		p.Inputs = append(p.Inputs, graph.Value{Name: name, DType: t.DType(), Shape: t.Shape()})
	}
	p.Inputs = append(p.Inputs, g.Inputs...)
	return &p, weights, nil
}

// JoinArtifact is the inverse of SplitArtifact: the weights, in their order, become the last initializers. It returns
// ErrArtifact unless the program's first inputs are the weights. Rule: spec/registry.md §2.
func JoinArtifact(program *graph.Graph, weights []trace.Entry) (*graph.Graph, error) {
	if len(program.Inputs) < len(weights) {
		return nil, fmt.Errorf("%w: %d weights for %d inputs", protocol.ErrArtifact, len(weights), len(program.Inputs))
	}
	g := *program
	g.Inputs = slices.Clone(program.Inputs[len(weights):])
	g.Initializers = slices.Clone(program.Initializers)
	for i, w := range weights {
		in := program.Inputs[i]
		if in.Name != w.Name || in.DType != w.Tensor.DType() || !slices.Equal(in.Shape, w.Tensor.Shape()) {
			return nil, fmt.Errorf("%w: input %d is %q, the weight is %q", protocol.ErrArtifact, i, in.Name, w.Name)
		}
		g.Initializers = append(g.Initializers, tensor.Named{Name: w.Name, Tensor: w.Tensor})
	}
	return &g, nil
}

// Callable is what a host must know to run a model inside a transaction.
type Callable struct {
	Input   string `json:"input"` // name of the one input, float32 [1, Inputs]
	Inputs  int    `json:"inputs"`
	Output  string `json:"output"` // name of the one output, float32 [1, Outputs]
	Outputs int    `json:"outputs"`
	MACs    uint64 `json:"macs"` // of one call: what its fee is counted by
	Gas     uint64 `json:"gas"`  // of one call: what it costs every validator, loading and compiling included
}

// effortPerGas is how many picoseconds of graph.Effort a unit of gas pays for.
const effortPerGas = 2_500

// artifact is a decoded artifact and what a run's terms are compared with.
type artifact struct {
	program, weights protocol.Hash
	callable         Callable
}

// openArtifact decodes and validates an artifact. Bytes that split and join do not reproduce are refused, so a model has one
// artifact. Errors: ErrTooLarge, ErrArtifact, ErrShape. Rule: spec/registry.md §3.
func openArtifact(data []byte, params []string) (artifact, error) {
	if len(data) > MaxUpload {
		return artifact{}, fmt.Errorf("%w: artifact of %d bytes, allowed are %d", protocol.ErrTooLarge, len(data), MaxUpload)
	}
	g, err := graph.Decode(data)
	if err != nil {
		return artifact{}, fmt.Errorf("%w: %w", protocol.ErrArtifact, err)
	}
	if n, most := parts(g), max(len(data), MaxArtifact)/BytesPerPart; n > most {
		return artifact{}, fmt.Errorf("%w: %d parts, a model of %d bytes may have %d: nodes, their attributes, inputs and outputs, and constants", protocol.ErrTooLarge, n, len(data), most)
	}
	callable, err := inspect(g, len(data))
	if err != nil {
		return artifact{}, err
	}
	program, weights, err := SplitArtifact(g, params)
	if err != nil {
		return artifact{}, err
	}
	joined, err := JoinArtifact(program, weights)
	if err != nil {
		return artifact{}, err
	}
	if !bytes.Equal(graph.Encode(joined), data) {
		return artifact{}, fmt.Errorf("%w: the weights are not its last initializers in ascending order", protocol.ErrArtifact)
	}
	return artifact{trace.ProgramHash(program), trace.StateRoot(weights), callable}, nil
}

// parts counts what takes time to read and compile beside its bytes.
func parts(g *graph.Graph) int {
	n := len(g.Nodes) + len(g.Initializers)
	for _, node := range g.Nodes {
		n += len(node.Inputs) + len(node.Outputs) + len(node.Attrs)
	}
	return n
}

// inspect bounds the cost of a model before anything is allocated for it, then compiles it.
func inspect(g *graph.Graph, encoded int) (Callable, error) {
	elements, err := graph.Elements(g)
	if err != nil {
		return Callable{}, fmt.Errorf("%w: %w", protocol.ErrArtifact, err)
	}
	if elements > MaxElements {
		return Callable{}, fmt.Errorf("%w: the model's values have %d elements, allowed are %d", protocol.ErrTooLarge, elements, MaxElements)
	}
	macs, err := graph.MACs(g)
	if err != nil {
		return Callable{}, fmt.Errorf("%w: %w", protocol.ErrArtifact, err)
	}
	if macs > MaxMACs {
		return Callable{}, fmt.Errorf("%w: one call takes %d multiply-accumulates, allowed are %d", protocol.ErrTooLarge, macs, MaxMACs)
	}
	effort, err := graph.Effort(g, encoded)
	if err != nil {
		return Callable{}, fmt.Errorf("%w: %w", protocol.ErrArtifact, err)
	}
	gas := effort/effortPerGas + 1
	if gas > MaxGas {
		return Callable{}, fmt.Errorf("%w: one call takes %d gas, allowed are %d", protocol.ErrTooLarge, gas, MaxGas)
	}
	in, err := row("input", g.Inputs, MaxInputs)
	if err != nil {
		return Callable{}, err
	}
	out, err := row("output", g.Outputs, MaxOutputs)
	if err != nil {
		return Callable{}, err
	}
	if _, err := exec.Compile(g); err != nil {
		return Callable{}, fmt.Errorf("%w: %w", protocol.ErrArtifact, err)
	}
	return Callable{Input: in.Name, Inputs: in.Len(), Output: out.Name, Outputs: out.Len(), MACs: macs, Gas: gas}, nil
}

// row returns the only value of a list if it is float32 [1, n] with n up to max. The error is ErrShape.
func row(what string, list []graph.Value, max int) (graph.Value, error) {
	if len(list) != 1 {
		return graph.Value{}, fmt.Errorf("%w: %d %ss, a callable model has one", protocol.ErrShape, len(list), what)
	}
	v := list[0]
	if v.DType != tensor.Float32 || len(v.Shape) != 2 || v.Shape[0] != 1 || v.Shape[1] > max {
		return graph.Value{}, fmt.Errorf("%w: %s %q is %v %v, a callable model's is float32 [1, n] with n up to %d", protocol.ErrShape, what, v.Name, v.DType, v.Shape, max)
	}
	return v, nil
}
