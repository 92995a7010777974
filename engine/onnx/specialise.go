package onnx

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Feed says what an input will be: its type, and if its contents are known beforehand, those too. Known contents serve only where a shape
// depends on them (the target of a Reshape, the bounds of a Slice); the graph is then good for inputs that agree with them there.
type Feed struct {
	DType tensor.DType
	Shape []int
	Known *tensor.Tensor
}

// FeedOf is the feed of a tensor that will be given as it is.
func FeedOf(t *tensor.Tensor) Feed { return Feed{t.DType(), t.Shape(), t} }

// Specialise makes the graph for inputs of these types. An input may be left out if the file declares all of its dimensions.
// Shapes are computed, constants folded where a shape depends on them, control flow that is known beforehand is written out (see
// controlRules), and dead nodes are left out. Inputs and outputs keep their names. The error wraps ErrUnsupported or ErrInvalid and names node, operator and reason.
func (m *Model) Specialise(feeds map[string]Feed) (*graph.Graph, error) {
	v := m.Opset()
	if v == 0 && m.onlyML() {
		v = MaxOpset
	}
	if v < MinOpset || v > MaxOpset {
		return nil, fmt.Errorf("%w: operator set %d, want %d to %d", ErrUnsupported, v, MinOpset, MaxOpset)
	}
	l := newLowering(trim(m.proto.graph.name), v, m.open)
	l.unrolled, l.words = specialiseUnrolls, m.Vocabulary()
	if err := l.inputs(m, feeds); err != nil {
		return nil, err
	}
	if len(m.proto.graph.sparse) > 0 {
		return nil, fmt.Errorf("%w: sparse initializers", ErrUnsupported)
	}
	for i := range m.proto.graph.nodes {
		if err := l.node(&m.proto.graph.nodes[i]); err != nil {
			return nil, err
		}
	}
	return l.finish(m)
}

// value is what is known of a value of the file: where it is in the graph, what it contains, or both.
type value struct {
	ref     graph.Ref      // None while only the contents are known
	known   *tensor.Tensor // the contents, nil if a run decides them; it may be empty
	assumed bool           // the contents follow from a Feed's
	words   bool           // its int64 are numbers of strings, see Vocabulary
	element Element        // 0: the engine's own type
	lasting bool           // known, and the same in all programs of a session
}

// lowering turns the nodes of one graph of the file into nodes of a builder.
type lowering struct {
	*building
	values map[string]*value
	outer  *lowering // of the graph around this one, whose values its nodes see too; nil for the model's
}

// building is what the lowerings of a graph and of those within it share.
type building struct {
	b        *graph.Builder
	opset    int
	open     opener
	nested   bool                              // it evaluates a node whose inputs are known, and folds no further
	weights  int                               // initializers named so far
	spent    int                               // elements of constants made, see spend
	words    Vocabulary                        // of the whole file
	unrolled int                               // nodes of bodies that may still be added, see unroll
	bodies   map[*graphProto]map[string]*value // their initializers
	folds    *folds                            // of a session, else nil
}

func newLowering(name string, opset int, open opener) *lowering {
	return &lowering{
		building: &building{b: graph.NewBuilder(name), opset: opset, open: open, bodies: map[*graphProto]map[string]*value{}},
		values:   map[string]*value{},
	}
}

// value is what the name stands for in l's graph or one around it, nil if it is unknown.
func (l *lowering) value(name string) *value {
	for ; l != nil; l = l.outer {
		if v := l.values[name]; v != nil {
			return v
		}
	}
	return nil
}

func trim(s string) string { return s[:min(len(s), graph.MaxName)] }

// inputs defines inputs and initializers.
func (l *lowering) inputs(m *Model, feeds map[string]Feed) error {
	for i := range m.proto.graph.initializers {
		p := &m.proto.graph.initializers[i]
		v, err := l.constant(p)
		if err != nil {
			return fmt.Errorf("initializer %d: %w", i, err)
		}
		l.values[p.name] = v
	}
	ports := m.Inputs()
	for i, p := range ports {
		if l.values[p.Name] != nil {
			return fmt.Errorf("%w: input %q is declared twice", ErrInvalid, p.Name)
		}
		f, given := feeds[p.Name]
		if !given {
			f = Feed{DType: p.DType}
			if p.Dims == nil {
				return fmt.Errorf("%w: input %q: its shape must be given", ErrUnsupported, p.Name)
			}
			if p.DType == 0 {
				return fmt.Errorf("%w: input %q: %s", ErrUnsupported, p.Name, p.Type)
			}
			for _, d := range p.Dims {
				if d.Size == 0 {
					return fmt.Errorf("%w: input %q: dimension %q must be given", ErrUnsupported, p.Name, d.Symbol)
				}
				f.Shape = append(f.Shape, d.Size)
			}
		}
		v := &value{known: f.Known, assumed: true, element: p.Element, words: p.Element == String}
		if p.DType != f.DType {
			v.element = Element(f.DType)
		}
		if n, err := tensor.Elements(f.Shape, graph.MaxElements); err != nil || n > 0 {
			if v.ref = l.b.Input(fmt.Sprintf("input %d", i), f.DType, f.Shape...); l.b.Err() != nil {
				return fmt.Errorf("%w: input %q: %w", ErrUnsupported, p.Name, l.b.Err())
			}
		} else if f.Known == nil {
			v.known = tensor.New(f.DType, f.Shape...) // nothing is known of no elements
		}
		l.values[p.Name] = v
	}
	for _, name := range slices.Sorted(maps.Keys(feeds)) {
		if !slices.ContainsFunc(ports, func(p Port) bool { return p.Name == name }) {
			return fmt.Errorf("%w: the model has no input %q", ErrInvalid, name)
		}
	}
	return nil
}

// initializer puts contents into the graph.
func (l *lowering) initializer(t *tensor.Tensor) graph.Ref {
	if t.Len() == 0 {
		unsupported("an empty tensor of shape %v", t.Shape())
	}
	l.weights++
	return l.b.Initializer(fmt.Sprintf("constant %d", l.weights), t)
}

// refOf is the place of v in the graph.
func (l *lowering) refOf(v *value) graph.Ref {
	if v.ref == graph.None || v.known != nil && l.b.Err() == nil && l.b.Value(v.ref).Name == "" { // not there yet, or undone
		v.ref = l.initializer(v.known)
	}
	return v.ref
}

// node adds the nodes that compute p, or only what is known of its outputs. An error names p.
func (l *lowering) node(p *nodeProto) error {
	if err := l.apply(p); err != nil {
		return fmt.Errorf("node %q (%s): %w", nameOf(p), p.title(), err)
	}
	return nil
}

// apply is node without the name in an error.
func (l *lowering) apply(p *nodeProto) error {
	do := rules[p.title()]
	if p.domain == contribDomain {
		do = contribRules[p.op]
	}
	if do == nil {
		if p.domain != graph.Domain {
			return fmt.Errorf("%w: operator %s", ErrUnsupported, p.title())
		}
		do = own
	}
	n := &node{l: l, p: p, in: make([]*value, len(p.inputs))}
	for i, name := range p.inputs {
		if name == "" {
			continue
		}
		if n.in[i] = l.value(name); n.in[i] == nil {
			return fmt.Errorf("%w: input %d %q is unknown: nodes form a cycle or are out of order", ErrInvalid, i, name)
		}
	}
	if p.opset != 0 {
		defer func(was int) { l.opset = was }(l.opset)
		l.opset = p.opset
	}
	if err := n.checkWords(); err != nil {
		return err
	}
	out, err := n.run(do)
	if err != nil {
		return err
	}
	n.passWords(out)
	for i, name := range p.outputs {
		switch {
		case name == "":
			continue
		case i >= len(out) || out[i] == nil:
			return fmt.Errorf("%w: output %d", ErrUnsupported, i)
		case l.values[name] != nil:
			return fmt.Errorf("%w: output %q is defined twice", ErrInvalid, name)
		}
		l.values[name] = out[i]
	}
	return nil
}

func nameOf(p *nodeProto) string {
	if p.name == "" && len(p.outputs) > 0 {
		return p.outputs[0]
	}
	return p.name
}

// finish declares the outputs and gives inputs, outputs and what the file names their names back.
func (l *lowering) finish(m *Model) (g *graph.Graph, err error) {
	defer catch(&err)
	names := map[string]string{} // in the builder -> in the file
	for i, p := range m.Inputs() {
		names[fmt.Sprintf("input %d", i)] = p.Name
	}
	for _, p := range m.proto.graph.outputs {
		v := l.values[p.name]
		if v == nil {
			return nil, fmt.Errorf("%w: output %q is not a value of the graph", ErrInvalid, p.name)
		}
		ref := l.refOf(v)
		if name, taken := names[string(ref)]; taken && name != p.name {
			ref = l.b.Op("Identity", nil, ref) // an input or an earlier output has its own name
		}
		names[string(ref)] = p.name
		l.b.Output(string(ref), ref)
	}
	g, err = l.b.Graph()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	used := map[string]bool{}
	for _, name := range names {
		used[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(l.values)) {
		ref := string(l.values[name].ref)
		if _, has := names[ref]; ref != "" && !has && !used[name] && name != "" && len(name) <= graph.MaxName {
			names[ref], used[name] = name, true
		}
	}
	rename(g, names, used)
	prune(g)
	if _, err := graph.Infer(g); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return g, nil
}
