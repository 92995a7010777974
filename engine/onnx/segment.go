package onnx

import (
	"container/list"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// segment is what a run does next from a state when the values there have certain shapes: a program of as many nodes as can be, then the
// nodes that must be interpreted before another program can follow.
type segment struct {
	program     *exec.Program // nil if no node has to be computed
	names       []string      // of the file's nodes that its nodes come from, before it is compiled
	work        uint64        // of the program, in multiply-accumulates
	elements    uint64        // that the program holds
	in, out     []plug
	fixed       []constant // outputs that follow from the shapes
	copies      []capture  // outputs that are other slots
	interpreted []int      // nodes
	dropped     []int      // slots that are not needed afterwards
	next        *state
}

// plug is an input or output of a program.
type plug struct {
	name  string
	slot  int
	value *value // what the rules say of an output
}

// segment finds or makes the segment for the values in f.
func (st *state) segment(r *run, f *frame) (*segment, error) {
	key := st.key(f)
	c := &r.s.cache
	if g := st.segments[string(key)]; g != nil {
		c.use(st, string(key))
		return g, nil
	}
	g, err := st.make(r, f)
	if err != nil {
		return nil, err
	}
	st.segments[string(key)] = g
	c.add(st, string(key), g.elements)
	return g, nil
}

// maxFixed is how many elements a value may have for programs to depend on its contents.
const maxFixed = 64

// key describes the values that the state's nodes read: kinds and shapes, and contents of what is fixed.
func (st *state) key(f *frame) []byte {
	var key []byte
	for _, slot := range st.reads {
		e := &f.env[slot]
		if e.Tensor == nil {
			key = append(key, 0)
			continue
		}
		if e.fixed = e.fixed && e.Tensor.Len() <= maxFixed; e.fixed {
			key = append(key, 1)
		}
		key = append(key, 2+byte(e.Tensor.DType()), byte(e.element()), byte(len(e.Tensor.Shape())))
		for _, d := range e.Tensor.Shape() {
			key = binary.AppendUvarint(key, uint64(d))
		}
		if e.fixed {
			key = e.Tensor.Append(key, 0, e.Tensor.Len())
		}
	}
	return key
}

// make lowers as many nodes as it can.
func (st *state) make(r *run, f *frame) (*segment, error) {
	b := st.b
	l := r.s.newLowering(b.opset)
	l.unrolled, l.folds = r.s.unrolls, r.s.folds
	inputs := map[graph.Ref]int{}
	where := make([]place, len(b.names))
	for slot, e := range f.env {
		if !e.there {
			continue
		}
		where[slot] = present
		if e.Tensor == nil || !b.isConstant[slot] && !slices.Contains(st.reads, slot) {
			continue
		}
		v := e.value(l.b, fmt.Sprintf("input %d", slot), b.isConstant[slot])
		if v.ref != graph.None {
			inputs[v.ref] = slot
		}
		l.values[b.names[slot]] = v
	}
	if err := l.b.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	g := &segment{}
	var left []int
	for _, i := range st.todo {
		n := &b.nodes[i]
		if err := r.spend(workOfCompile); err != nil {
			return nil, err
		}
		is := soon
		switch read := n.place(where); {
		case read == nowhere || read == soon && !alwaysInterpreted(n.p):
			left = append(left, i)
			is = nowhere
		case read != soon && l.try(n, b):
			is = inProgram
			for len(g.names) < l.b.Nodes() {
				g.names = append(g.names, nameOf(n.p))
			}
		default:
			g.interpreted = append(g.interpreted, i)
		}
		for _, slot := range n.out {
			if slot >= 0 {
				where[slot] = is
			}
		}
	}
	if len(left) == len(st.todo) {
		n := b.nodes[left[0]].p
		return nil, fmt.Errorf("%w: node %q (%s) cannot be reached", ErrInvalid, nameOf(n), n.title())
	}
	g.next = b.state(left)
	return g, g.finish(r, l, st, inputs)
}

// place says where a value is while a segment is made.
type place uint8

const (
	nowhere   place = iota
	soon            // what an interpreted node of the segment gives
	inProgram       // the program computes it
	present
)

// place is the worst place of what n reads.
func (n *inst) place(where []place) place {
	worst := present
	for _, slot := range n.reads {
		worst = min(worst, where[slot])
	}
	return worst
}

func (s *Session) newLowering(opset int) *lowering {
	l := newLowering("session", opset, s.open)
	l.words = s.words
	return l
}

// try adds a node, or leaves l as it was.
func (l *lowering) try(n *inst, b *body) bool {
	if alwaysInterpreted(n.p) {
		return false
	}
	for _, slot := range n.reads {
		if l.values[b.names[slot]] == nil {
			return false
		}
	}
	mark, unrolled, spent := l.b.Mark(), l.unrolled, l.spent
	if err := l.node(n.p); err != nil {
		l.b.Undo(mark)
		l.unrolled, l.spent = unrolled, spent
		for _, name := range n.p.outputs {
			delete(l.values, name)
		}
		return false
	}
	return true
}

// finish makes the program and says where its results go.
func (g *segment) finish(r *run, l *lowering, st *state, inputs map[graph.Ref]int) error {
	b := st.b
	after := slices.Concat(g.interpreted, g.next.todo)
	needed := b.needed(after)
	later := make([]bool, len(b.nodes))
	for _, i := range after {
		later[i] = true
	}
	results := map[graph.Ref]int{}
	for _, i := range st.todo {
		if later[i] {
			continue
		}
		for _, slot := range b.nodes[i].out {
			if slot < 0 || !needed[slot] {
				continue
			}
			v := l.values[b.names[slot]]
			if v.known != nil {
				fixed, err := r.s.decoded(v.known, v)
				if err != nil {
					return err
				}
				g.fixed = append(g.fixed, constant{slot, fixed})
				continue
			}
			if from, ok := inputs[v.ref]; ok {
				g.copies = append(g.copies, capture{from, slot})
				continue
			}
			if from, ok := results[v.ref]; ok {
				g.copies = append(g.copies, capture{from, slot})
				continue
			}
			results[v.ref] = slot
			name := fmt.Sprintf("output %d", slot)
			l.b.Output(name, v.ref)
			g.out = append(g.out, plug{name, slot, v})
		}
	}
	keep := b.needed(g.next.todo)
	for slot := range b.names {
		if !keep[slot] && slot >= len(b.constants) {
			g.dropped = append(g.dropped, slot)
		}
	}
	if len(g.out) == 0 {
		return nil
	}
	return g.compile(r, l, inputs)
}

func (g *segment) compile(r *run, l *lowering, inputs map[graph.Ref]int) error {
	built, err := l.b.Graph()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	for i := range g.names { // an error of a run names the file's node
		n := &built.Nodes[i]
		n.Name = fmt.Sprintf("%s/%s", g.names[i][:min(len(g.names[i]), 128)], n.Name)
	}
	g.names = nil
	prune(built)
	used := map[string]bool{}
	for i := range built.Nodes {
		for _, name := range built.Nodes[i].Inputs {
			used[name] = true
		}
	}
	built.Inputs = slices.DeleteFunc(built.Inputs, func(v graph.Value) bool { return !used[v.Name] })
	for _, v := range built.Inputs {
		g.in = append(g.in, plug{name: v.Name, slot: inputs[graph.Ref(v.Name)]})
	}
	g.program, g.work, g.elements, err = r.compile(built)
	return err
}

// compile checks what a graph costs before it is compiled.
func (r *run) compile(g *graph.Graph) (p *exec.Program, work, elements uint64, err error) {
	if work, err = graph.MACs(g); err == nil {
		elements, err = graph.Elements(g)
	}
	if err != nil {
		return nil, 0, 0, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	for _, t := range g.Initializers { // these are there already
		elements -= min(elements, uint64(t.Tensor.Len()))
	}
	if elements > r.s.limits.Elements {
		return nil, 0, 0, r.tooMuch()
	}
	if err := r.spend(uint64(len(g.Nodes)) * workOfCompile); err != nil {
		return nil, 0, 0, err
	}
	p, err = r.s.weights.Compile(g)
	return p, work, elements, err
}

// decoded is a tensor that rules gave as v, or the strings that its numbers stand for.
func (s *Session) decoded(t *tensor.Tensor, v *value) (Value, error) {
	if !v.words {
		return Value{Tensor: t, Element: v.element}, nil
	}
	list, err := s.words.Decode(t)
	return Value{Text: &Text{t.Shape(), list}}, err
}

func (g *segment) run(r *run, f *frame) error {
	if g.program != nil {
		if err := r.spend(g.work); err != nil {
			return err
		}
		in := make(map[string]*tensor.Tensor, len(g.in))
		for _, p := range g.in {
			in[p.name] = f.env[p.slot].Tensor
		}
		if err := r.hold(g.elements); err != nil {
			return err
		}
		out, err := g.program.Run(in)
		if err != nil {
			return err
		}
		for _, p := range g.out {
			v, err := r.s.decoded(out[p.name], p.value)
			if err != nil {
				return err
			}
			f.env[p.slot] = entry{v, true, false}
		}
	}
	for _, c := range g.fixed {
		f.env[c.slot] = entry{c.v, true, true}
	}
	for _, c := range g.copies {
		f.env[c.to] = f.env[c.from]
	}
	return nil
}

// Bounds of a session's cache of segments.
const (
	maxSegments       = 256
	maxCachedElements = 1 << 28 // of programs, without weights
)

// cache forgets the segments that were not used for longest.
type cache struct {
	order    *list.List // of cached, the last used first
	at       map[cacheKey]*list.Element
	elements uint64
}

type cacheKey struct {
	st  *state
	key string
}

type cached struct {
	cacheKey
	elements uint64
}

func newCache() cache { return cache{order: list.New(), at: map[cacheKey]*list.Element{}} }

func (c *cache) use(st *state, key string) { c.order.MoveToFront(c.at[cacheKey{st, key}]) }

func (c *cache) add(st *state, key string, elements uint64) {
	k := cacheKey{st, key}
	c.at[k] = c.order.PushFront(cached{k, elements})
	c.elements += elements
	for c.order.Len() > maxSegments || c.elements > maxCachedElements && c.order.Len() > 1 {
		last := c.order.Remove(c.order.Back()).(cached)
		delete(c.at, last.cacheKey)
		delete(last.st.segments, last.key)
		c.elements -= last.elements
	}
}
