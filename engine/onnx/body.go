package onnx

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
)

// body is a graph of the file, ready to be run: the model's own, or one within a node. Its values have numbers, called slots.
type body struct {
	s         *Session
	proto     *graphProto
	outer     *body // nil for the model's
	opset     int
	names     []string       // of slots
	slots     map[string]int // of names
	nodes     []inst
	inputs    []int // slots
	outputs   []int
	constants []constant
	captured  []capture
	start     *state
	states    map[string]*state // by the nodes that are left

	isConstant []bool // of slots: an initializer's, here or in a graph around
}

// constant is an initializer.
type constant struct {
	slot int
	v    Value
}

// capture is a value of the graph around that a node here, or in a graph within, reads.
type capture struct{ from, to int } // slots there and here

// inst is a node with slots for names.
type inst struct {
	p       *nodeProto
	in, out []int            // -1 where one is left out
	reads   []int            // in and what the graphs within capture, each once
	bodies  map[string]*body // by attribute
}

func (m *Model) usableOpset() (int, error) {
	v := m.Opset()
	if v == 0 && m.onlyML() {
		v = MaxOpset
	}
	if v < MinOpset || v > MaxOpset {
		return 0, fmt.Errorf("%w: operator set %d, want %d to %d", ErrUnsupported, v, MinOpset, MaxOpset)
	}
	return v, nil
}

func (s *Session) newBody(g *graphProto, outer *body, opset int) (*body, error) {
	b := &body{s: s, proto: g, outer: outer, opset: opset, slots: map[string]int{}, states: map[string]*state{}}
	if len(g.sparse) > 0 {
		return nil, fmt.Errorf("%w: sparse initializers", ErrUnsupported)
	}
	for i := range g.initializers {
		p := &g.initializers[i]
		v, err := p.value(s.open)
		if err != nil {
			return nil, fmt.Errorf("initializer %d: %w", i, err)
		}
		slot, err := b.define(p.name)
		if err != nil {
			return nil, fmt.Errorf("initializer %d: %w", i, err)
		}
		b.constants = append(b.constants, constant{slot, v})
		if v.Tensor != nil {
			s.weights.Share(v.Tensor)
		}
	}
	for i := range g.inputs {
		if slot, ok := b.slots[g.inputs[i].name]; ok && slot < len(b.constants) {
			continue // an initializer is listed as an input too
		}
		slot, err := b.define(g.inputs[i].name)
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
		b.inputs = append(b.inputs, slot)
	}
	for i := range g.nodes {
		if err := b.add(&g.nodes[i]); err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", nameOf(&g.nodes[i]), g.nodes[i].title(), err)
		}
	}
	for i := range g.outputs {
		slot, err := b.resolve(g.outputs[i].name)
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
		b.outputs = append(b.outputs, slot)
	}
	b.isConstant = make([]bool, len(b.names))
	for _, c := range b.constants {
		b.isConstant[c.slot] = true
	}
	for _, c := range b.captured {
		b.isConstant[c.to] = outer.constant(c.from)
	}
	b.start = b.state(b.live())
	return b, nil
}

// constant reports whether a slot is an initializer's, here or in a graph around.
func (b *body) constant(slot int) bool {
	if i := slices.IndexFunc(b.captured, func(c capture) bool { return c.to == slot }); i >= 0 {
		return b.outer.constant(b.captured[i].from)
	}
	return slot < len(b.constants)
}

// define gives a name a slot.
func (b *body) define(name string) (int, error) {
	if _, ok := b.slots[name]; ok || name == "" {
		return 0, fmt.Errorf("%w: value %q is defined twice", ErrInvalid, name)
	}
	b.slots[name] = len(b.names)
	b.names = append(b.names, name)
	return b.slots[name], nil
}

// resolve is the slot of a name that is defined so far, here or in a graph around.
func (b *body) resolve(name string) (int, error) {
	if slot, ok := b.slots[name]; ok {
		return slot, nil
	}
	if b.outer == nil || name == "" {
		return 0, fmt.Errorf("%w: value %q is unknown: nodes form a cycle or are out of order", ErrInvalid, name)
	}
	from, err := b.outer.resolve(name)
	if err != nil {
		return 0, err
	}
	to, err := b.define(name)
	b.captured = append(b.captured, capture{from, to})
	return to, err
}

func (b *body) add(p *nodeProto) error {
	n := inst{p: p, bodies: map[string]*body{}}
	read := func(slot int) {
		if !slices.Contains(n.reads, slot) {
			n.reads = append(n.reads, slot)
		}
	}
	for _, name := range p.inputs {
		if name == "" {
			n.in = append(n.in, -1)
			continue
		}
		slot, err := b.resolve(name)
		if err != nil {
			return err
		}
		n.in = append(n.in, slot)
		read(slot)
	}
	opset := b.opset
	if p.opset != 0 {
		opset = p.opset
	}
	for i := range p.attrs {
		if p.attrs[i].graph == nil {
			continue
		}
		inner, err := b.s.newBody(p.attrs[i].graph, b, opset)
		if err != nil {
			return err
		}
		n.bodies[p.attrs[i].name] = inner
		for _, c := range inner.captured {
			read(c.from)
		}
	}
	for _, name := range p.outputs {
		if name == "" {
			n.out = append(n.out, -1)
			continue
		}
		slot, err := b.define(name)
		if err != nil {
			return err
		}
		n.out = append(n.out, slot)
	}
	b.nodes = append(b.nodes, n)
	return nil
}

// live lists the nodes that an output depends on.
func (b *body) live() []int {
	needed := make([]bool, len(b.names))
	for _, slot := range b.outputs {
		needed[slot] = true
	}
	var list []int
	for i := len(b.nodes) - 1; i >= 0; i-- {
		n := &b.nodes[i]
		if !slices.ContainsFunc(n.out, func(slot int) bool { return slot >= 0 && needed[slot] }) {
			continue
		}
		list = append(list, i)
		for _, slot := range n.reads {
			needed[slot] = true
		}
	}
	slices.Reverse(list)
	return list
}

// entry is what a slot holds. What is fixed has contents that follow from the shapes of the inputs, so that programs may be made for them.
type entry struct {
	Value
	there, fixed bool
}

// frame is a body that is being run.
type frame struct {
	b     *body
	env   []entry
	lists []*[]Value // what control flow here has collected, so that it is counted
}

// run computes the outputs of b for these inputs. outer is the frame of the graph around.
func (b *body) run(r *run, in []Value, outer *frame) ([]Value, error) {
	if len(in) != len(b.inputs) {
		return nil, fmt.Errorf("%w: a graph has %d inputs, want %d", ErrInvalid, len(b.inputs), len(in))
	}
	f := &frame{b: b, env: make([]entry, len(b.names))}
	for _, c := range b.constants {
		f.env[c.slot] = entry{c.v, true, true}
	}
	for i, slot := range b.inputs {
		f.env[slot] = entry{in[i], true, false}
	}
	for _, c := range b.captured {
		f.env[c.to] = outer.env[c.from]
	}
	r.frames = append(r.frames, f)
	defer func() { r.frames = r.frames[:len(r.frames)-1] }()
	for st := b.start; len(st.todo) > 0; {
		g, err := st.segment(r, f)
		if err != nil {
			return nil, err
		}
		if err := g.run(r, f); err != nil {
			return nil, err
		}
		for _, i := range g.interpreted {
			if err := r.interpret(f, &b.nodes[i]); err != nil {
				return nil, err
			}
		}
		for _, slot := range g.dropped {
			f.env[slot] = entry{}
		}
		st = g.next
	}
	out := make([]Value, len(b.outputs))
	for i, slot := range b.outputs {
		out[i] = f.env[slot].Value
	}
	return out, nil
}

// state is how far a run of a body has come. Which slots hold something follows from the nodes that are done.
type state struct {
	b        *body
	todo     []int // live nodes that are not done, in order
	reads    []int // slots that hold something and that todo reads, without constants
	segments map[string]*segment
}

// state is that in which only these nodes are left.
func (b *body) state(todo []int) *state {
	left := make([]byte, (len(b.nodes)+7)/8)
	for _, i := range todo {
		left[i/8] |= 1 << (i % 8)
	}
	if st := b.states[string(left)]; st != nil {
		return st
	}
	st := &state{b: b, todo: todo, segments: map[string]*segment{}}
	missing := slices.Clone(b.isConstant) // these are no inputs of programs
	for _, i := range todo {
		for _, slot := range b.nodes[i].out {
			if slot >= 0 {
				missing[slot] = true
			}
		}
	}
	for _, i := range todo {
		for _, slot := range b.nodes[i].reads {
			if !missing[slot] {
				missing[slot] = true
				st.reads = append(st.reads, slot)
			}
		}
	}
	if len(b.states) >= maxStates {
		clear(b.states) // segments that are kept still lead to theirs
	}
	b.states[string(left)] = st
	return st
}

// maxStates bounds the states that a body remembers: a file may be such that each shape leaves other nodes.
const maxStates = 1024

// needed reports the slots that a run needs when only these nodes are left.
func (b *body) needed(todo []int) []bool {
	needed := make([]bool, len(b.names))
	for _, slot := range b.outputs {
		needed[slot] = true
	}
	for _, i := range todo {
		for _, slot := range b.nodes[i].reads {
			needed[slot] = true
		}
	}
	return needed
}

// value is what a rule knows of an entry before a run: a constant's contents, or an input of the builder.
func (e entry) value(b *graph.Builder, name string, lasting bool) *value {
	switch {
	case lasting:
		return &value{known: e.Tensor, element: e.Element, lasting: true}
	case e.fixed || e.Tensor.Len() == 0:
		return &value{known: e.Tensor, element: e.Element}
	}
	return &value{ref: b.Input(name, e.Tensor.DType(), e.Tensor.Shape()...), element: e.Element}
}
