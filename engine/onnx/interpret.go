package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// step is a node that is being interpreted. Its methods end it at the first mistake, as those of node do.
type step struct {
	r     *run
	f     *frame
	n     *inst
	opset int
	in    []Value
	there []bool // input i is not left out
}

// interpreter computes the outputs of a node from the contents of its inputs.
type interpreter func(s *step) []Value

// interpreters has an entry for every operator of ONNX that no static graph can hold. Others are interpreted too where their inputs are
// strings, empty, or decide a shape: see (*step).static.
var interpreters map[string]interpreter

func init() {
	interpreters = map[string]interpreter{}
	for _, family := range []map[string]interpreter{controlInterpreters, sequenceInterpreters, textInterpreters, selectionInterpreters} {
		for name, do := range family {
			interpreters[name] = do
		}
	}
}

// Interpreted lists the operators of ONNX that only a Session can run, or that it can run in more forms than Specialise, sorted.
func Interpreted() []string {
	var names []string
	for name := range interpreters {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// alwaysInterpreted reports whether a program can never hold p.
func alwaysInterpreted(p *nodeProto) bool {
	return interpreters[p.title()] != nil && rules[p.title()] == nil
}

// interpret runs one node.
func (r *run) interpret(f *frame, n *inst) error {
	s := &step{r: r, f: f, n: n, opset: f.b.opset, in: make([]Value, len(n.in)), there: make([]bool, len(n.in))}
	if n.p.opset != 0 {
		s.opset = n.p.opset
	}
	for i, slot := range n.in {
		if slot >= 0 {
			s.in[i], s.there[i] = f.env[slot].Value, true
		}
	}
	err := r.spend(workOfNode)
	var out []Value
	if err == nil {
		out, err = s.run()
	}
	if err == nil && len(out) < len(n.out) {
		err = fmt.Errorf("%w: output %d", ErrUnsupported, len(out))
	}
	if err != nil {
		return fmt.Errorf("node %q (%s): %w", nameOf(n.p), n.p.title(), err)
	}
	for i, slot := range n.out {
		if slot >= 0 {
			f.env[slot] = entry{out[i], true, false}
		}
	}
	return nil
}

func (s *step) run() (out []Value, err error) {
	defer catch(&err)
	if do := interpreters[s.n.p.title()]; do != nil {
		return do(s), nil
	}
	if s.n.p.op == "Identity" && isStandard(s.n.p.domain) && len(s.in) == 1 {
		return []Value{s.value(0)}, nil // also a sequence
	}
	return s.either(s.n.p, s.in), nil
}

// must ends the step at an error.
func must(err error) {
	if err != nil {
		panic(stop{err})
	}
}

func invalid(format string, args ...any) {
	panic(stop{fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))})
}

// spend counts work, hold elements, before they are done or made.
func (s *step) spend(work int) { must(s.r.spend(uint64(max(work, 0)))) }

func (s *step) hold(elements int) {
	must(s.r.hold(uint64(max(elements, 0))))
	s.spend(elements)
}

// new is a tensor of zeros, counted.
func (s *step) new(dt tensor.DType, shape ...int) *tensor.Tensor {
	n, err := tensor.Elements(shape, graph.MaxElements)
	if err != nil {
		unsupported("%v", err)
	}
	s.hold(n)
	return tensor.New(dt, shape...)
}

func (s *step) has(i int) bool { return i < len(s.in) && s.there[i] }

// value is input i, which must be there.
func (s *step) value(i int) Value {
	if !s.has(i) {
		invalid("input %d is missing", i)
	}
	return s.in[i]
}

// tensor is input i, a tensor of numbers.
func (s *step) tensor(i int) *tensor.Tensor {
	v := s.value(i)
	if v.Tensor == nil {
		invalid("input %d is %v, want a tensor of numbers", i, v)
	}
	return v.Tensor
}

// sequence is input i, a sequence.
func (s *step) sequence(i int) []Value {
	v := s.value(i)
	if v.Sequence == nil {
		invalid("input %d is %v, want a sequence", i, v)
	}
	return v.Sequence
}

// texts is input i, a tensor of strings.
func (s *step) texts(i int) *Text {
	v := s.value(i)
	if v.Text == nil {
		invalid("input %d is %v, want strings", i, v)
	}
	return v.Text
}

// list are the elements of input i as integers.
func (s *step) list(i int) []int {
	t := s.tensor(i)
	out := make([]int, t.Len())
	switch t.DType() {
	case tensor.Int64:
		for j, v := range t.Int64() {
			out[j] = int(v)
		}
	case tensor.Int32:
		for j, v := range tensor.Data[int32](t) {
			out[j] = int(v)
		}
	default:
		invalid("input %d is %v, want integers", i, t.DType())
	}
	return out
}

// integer is the one integer that input i holds.
func (s *step) integer(i int) int {
	list := s.list(i)
	if len(list) != 1 {
		invalid("input %d has %d numbers, want 1", i, len(list))
	}
	return list[0]
}

// truth is the one bool that v holds.
func (s *step) truth(what string, v Value) bool {
	if v.Tensor == nil || v.Tensor.DType() != tensor.Bool || v.Tensor.Len() != 1 {
		invalid("%s is %v, want one bool", what, v)
	}
	return v.Tensor.Bool()[0]
}

func (s *step) attr(name string) *attrProto { return attribute(s.n.p.attrs, name) }

// whole is an int attribute.
func (s *step) whole(name string, otherwise int) int {
	if a := s.attr(name); a != nil {
		return int(min(max(a.integer, -1<<31), 1<<31))
	}
	return otherwise
}

// axis brings an axis into range.
func (s *step) axis(a, rank int) int {
	if a < -rank || a >= rank {
		invalid("axis %d of a tensor with %d axes", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a
}

// op computes an operator of the static graph that is not a node of the file.
func (s *step) op(name string, attrs []attrProto, in ...*tensor.Tensor) *tensor.Tensor {
	p := &nodeProto{op: name, outputs: []string{"y"}, attrs: attrs}
	values := make([]Value, len(in))
	for i, t := range in {
		p.inputs = append(p.inputs, fmt.Sprint("x", i))
		values[i].Tensor = t
	}
	return s.static(p, values)[0].Tensor
}

// static computes a node by the rule that a static graph has for it, now that the contents of its inputs are known.
func (s *step) static(p *nodeProto, in []Value) []Value {
	out, err := s.program(p, in)
	must(err)
	return out
}

// program makes a program of one node and runs it.
func (s *step) program(p *nodeProto, in []Value) ([]Value, error) {
	l := s.r.s.newLowering(s.opset)
	l.nested = true
	given := map[string]*tensor.Tensor{}
	alone := *p
	alone.inputs, alone.opset = make([]string, len(in)), 0
	for i, v := range in {
		if i >= len(p.inputs) || p.inputs[i] == "" {
			continue
		}
		t, words := v.Tensor, false
		if v.Text != nil {
			t, words = l.words.Encode(v.Text.Data, v.Text.Shape...), true
		}
		if t == nil && rules[p.title()] == nil {
			return nil, fmt.Errorf("%w: operator %s", ErrUnsupported, p.title())
		} else if t == nil {
			return nil, fmt.Errorf("%w: input %d is %v", ErrUnsupported, i, v)
		}
		name := fmt.Sprint("input ", i)
		alone.inputs[i] = name
		l.values[name] = &value{known: t, words: words, element: v.Element}
		if t.Len() > 0 {
			l.values[name].ref = l.b.Input(name, t.DType(), t.Shape()...)
			given[name] = t
		}
	}
	if err := l.apply(&alone); err != nil {
		return nil, err
	}
	values := make([]*value, len(p.outputs))
	compiled := false
	for i, name := range p.outputs {
		if values[i] = l.values[name]; name != "" && values[i].known == nil {
			l.b.Output(fmt.Sprint("output ", i), values[i].ref)
			compiled = true
		}
	}
	results := map[string]*tensor.Tensor{}
	if compiled {
		g, err := l.b.Graph()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		prune(g)
		var program *exec.Program
		var work, elements uint64
		if program, work, elements, err = s.r.compile(g); err != nil {
			return nil, err
		}
		if err := errors.Join(s.r.spend(work), s.r.hold(elements)); err != nil {
			return nil, err
		}
		if results, err = program.Run(given); err != nil {
			return nil, err
		}
	}
	out := make([]Value, len(p.outputs))
	for i, v := range values {
		if p.outputs[i] == "" {
			continue
		}
		t := v.known
		if t == nil {
			t = results[fmt.Sprint("output ", i)]
		}
		var err error
		if out[i], err = s.r.s.decoded(t, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}
