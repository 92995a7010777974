package graph

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// Ref names a value of a graph that is being built.
type Ref string

// None leaves an optional input out.
const None Ref = ""

// Builder makes a valid graph node by node. The first mistake is kept, later calls do nothing, and Graph returns it. Names of
// nodes and values are counted per operator ("MatMul_0"), so the same calls always give the same graph.
type Builder struct {
	graph  Graph
	scope  *scope
	counts map[string]int
	avoid  map[string]bool // names that are still to come
	ints   map[string]Ref
	floats map[uint32]Ref
	err    error
}

// NewBuilder starts an empty graph.
func NewBuilder(name string) *Builder {
	return &Builder{
		graph: Graph{Name: name, Opset: Opset}, scope: newScope(),
		counts: map[string]int{}, ints: map[string]Ref{}, floats: map[uint32]Ref{},
	}
}

// Extend starts from the inputs, initializers, nodes and outputs of g, which it does not change; initializers are shared.
func Extend(g *Graph) *Builder {
	b := NewBuilder(g.Name)
	if _, b.err = Infer(g); b.err != nil {
		return b
	}
	for _, v := range g.Inputs {
		b.Input(v.Name, v.DType, v.Shape...)
	}
	for _, t := range g.Initializers {
		b.Initializer(t.Name, t.Tensor)
	}
	for _, n := range g.Nodes {
		b.Node(n)
	}
	b.graph.Outputs = slices.Clone(g.Outputs)
	return b
}

// Err is the first mistake so far.
func (b *Builder) Err() error { return b.err }

func (b *Builder) fail(err error) {
	if b.err == nil && err != nil {
		b.err = err
	}
}

// Nodes is the number of nodes so far.
func (b *Builder) Nodes() int { return len(b.graph.Nodes) }

// Value is the type of a value, empty after a mistake.
func (b *Builder) Value(r Ref) Value { return b.scope.values[string(r)] }

// Shape is the shape of a value, nil after a mistake. Do not change it.
func (b *Builder) Shape(r Ref) []int { return b.Value(r).Shape }

// Mark is a state of a builder to which Undo goes back.
type Mark struct {
	inputs, outputs, initializers, nodes int
	err                                  error
}

// Mark is the present state.
func (b *Builder) Mark() Mark {
	return Mark{len(b.graph.Inputs), len(b.graph.Outputs), len(b.graph.Initializers), len(b.graph.Nodes), b.err}
}

// Undo takes back what was added since m, the first mistake included. Names that were given are not given again.
func (b *Builder) Undo(m Mark) {
	forget := func(name string) {
		delete(b.scope.values, name)
		delete(b.scope.consts, name)
	}
	for _, v := range b.graph.Inputs[m.inputs:] {
		forget(v.Name)
	}
	for _, t := range b.graph.Initializers[m.initializers:] {
		forget(t.Name)
	}
	for _, n := range b.graph.Nodes[m.nodes:] {
		delete(b.scope.nodes, n.Name)
		for _, name := range n.Outputs {
			forget(name)
		}
	}
	unknown := func(r Ref) bool { _, ok := b.scope.values[string(r)]; return !ok }
	maps.DeleteFunc(b.ints, func(_ string, r Ref) bool { return unknown(r) })
	maps.DeleteFunc(b.floats, func(_ uint32, r Ref) bool { return unknown(r) })
	b.graph.Inputs, b.graph.Outputs = b.graph.Inputs[:m.inputs], b.graph.Outputs[:m.outputs]
	b.graph.Initializers, b.graph.Nodes = b.graph.Initializers[:m.initializers], b.graph.Nodes[:m.nodes]
	b.err = m.err
}

// Const is the contents of an initializer of int64, nil for other values. Do not change it.
func (b *Builder) Const(r Ref) []int {
	t := b.scope.consts[string(r)]
	if t == nil || t.DType() != tensor.Int64 {
		return nil
	}
	return toInts(t.Int64())
}

// Input declares a graph input.
func (b *Builder) Input(name string, dt tensor.DType, shape ...int) Ref {
	if b.err != nil {
		return None
	}
	v := Value{name, dt, slices.Clone(shape)}
	if err := b.scope.define(v); err != nil {
		b.fail(fmt.Errorf("%w: graph input %q: %w", ErrInvalid, name, err))
		return None
	}
	b.graph.Inputs = append(b.graph.Inputs, v)
	return Ref(name)
}

// Initializer adds a constant. The graph keeps t.
func (b *Builder) Initializer(name string, t *tensor.Tensor) Ref {
	if b.err != nil {
		return None
	}
	if err := b.scope.initializer(tensor.Named{Name: name, Tensor: t}); err != nil {
		b.fail(err)
		return None
	}
	b.graph.Initializers = append(b.graph.Initializers, tensor.Named{Name: name, Tensor: t})
	return Ref(name)
}

// Ints is an int64 list as an initializer: a shape, axes and the like. Equal lists share one.
func (b *Builder) Ints(list ...int) Ref {
	key := fmt.Sprint(list)
	if r, ok := b.ints[key]; ok {
		return r
	}
	data := make([]int64, len(list))
	for i, v := range list {
		data[i] = int64(v)
	}
	r := b.Initializer(b.fresh("ints"), tensor.FromInt64(data, len(data)))
	b.ints[key] = r
	return r
}

// Float is a float32 scalar as an initializer. Equal bits share one.
func (b *Builder) Float(v float32) Ref {
	key := math.Float32bits(v)
	if r, ok := b.floats[key]; ok {
		return r
	}
	r := b.Initializer(b.fresh("float"), tensor.Scalar(v))
	b.floats[key] = r
	return r
}

// Op adds a node with one output. The operator is looked up in ONNX's domain first, then in ours.
func (b *Builder) Op(op string, attrs Attrs, in ...Ref) Ref { return b.OpN(op, 1, attrs, in...)[0] }

// OpN adds a node with several outputs. After a mistake all of them are None.
func (b *Builder) OpN(op string, outputs int, attrs Attrs, in ...Ref) []Ref {
	refs := make([]Ref, outputs)
	if b.err != nil {
		return refs
	}
	list, err := attrs.list()
	n := Node{Op: op, Name: b.fresh(op), Attrs: list}
	if _, ok := operators[opKey{Domain, op}]; ok {
		n.Domain = Domain
	}
	for i, r := range in {
		if r == None && i < operators[opKey{n.Domain, op}].in.min {
			err = fmt.Errorf("input %d is missing", i)
		}
		n.Inputs = append(n.Inputs, string(r))
	}
	for i := range outputs {
		name := n.Name
		if outputs > 1 {
			name = fmt.Sprintf("%s.%d", n.Name, i)
		}
		n.Outputs = append(n.Outputs, name)
		refs[i] = Ref(name)
	}
	if err != nil {
		b.fail(nodeError(&n, err))
	}
	b.Node(n)
	if b.err != nil {
		return make([]Ref, outputs)
	}
	return refs
}

// Node adds a node as it is.
func (b *Builder) Node(n Node) {
	if b.err != nil {
		return
	}
	if len(b.graph.Nodes) == MaxNodes {
		b.fail(fmt.Errorf("%w: more than %d nodes", ErrInvalid, MaxNodes))
		return
	}
	if _, err := b.scope.call(&n); err != nil {
		b.fail(nodeError(&n, err))
		return
	}
	b.graph.Nodes = append(b.graph.Nodes, n)
}

// fresh is a name that neither a value nor a node has.
func (b *Builder) fresh(stem string) string {
	for {
		name := fmt.Sprintf("%s_%d", stem, b.counts[stem])
		b.counts[stem]++
		_, value := b.scope.values[name]
		_, first := b.scope.values[name+".0"]
		if !value && !first && !b.scope.nodes[name] && !b.avoid[name] && !b.avoid[name+".0"] {
			return name
		}
	}
}

// Avoid keeps the names of g from being given to nodes and values that this builder names itself.
func (b *Builder) Avoid(g *Graph) {
	b.avoid = map[string]bool{}
	for _, n := range g.Nodes {
		b.avoid[n.Name] = true
		for _, name := range n.Outputs {
			b.avoid[name] = true
		}
	}
	for _, t := range g.Initializers {
		b.avoid[t.Name] = true
	}
}

// Output declares r as the graph output of that name. If r is called otherwise, an Identity gives it the name.
func (b *Builder) Output(name string, r Ref) {
	if b.err != nil {
		return
	}
	v, ok := b.scope.values[string(r)]
	if !ok {
		b.fail(fmt.Errorf("%w: graph output %q: value %q is unknown", ErrInvalid, name, r))
		return
	}
	if string(r) != name {
		b.Node(Node{Op: "Identity", Name: b.fresh("Identity"), Inputs: []string{string(r)}, Outputs: []string{name}})
		v.Name = name
	}
	b.graph.Outputs = append(b.graph.Outputs, v)
}

// DropOutputs forgets the outputs declared so far; their values stay.
func (b *Builder) DropOutputs() { b.graph.Outputs = nil }

// Graph returns the graph, or the first mistake. The builder must not be used afterwards.
func (b *Builder) Graph() (*Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	if _, err := Infer(&b.graph); err != nil {
		return nil, err
	}
	return &b.graph, nil
}
