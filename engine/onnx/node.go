package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// node is what the rule of an operator sees: a node of the file and what is known of its inputs. Methods end the rule at the first
// mistake, which run turns into an error.
type node struct {
	l  *lowering
	p  *nodeProto
	in []*value // nil where an optional input is left out
}

// rule adds the nodes that compute an operator's outputs; nil for an output that it cannot give.
type rule func(n *node) []*value

// one makes a rule of a function that gives the only output.
func one(f func(n *node) graph.Ref) rule {
	return func(n *node) []*value { return []*value{{ref: f(n)}} }
}

// stop is how a rule ends at a mistake.
type stop struct{ error }

func unsupported(format string, args ...any) {
	panic(stop{fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))})
}

func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case stop:
		*err = r.error
	default:
		panic(r)
	}
}

// foldLimit is how many elements a node may have at its inputs to be computed while the graph is made, assumedLimit if
// its inputs are the contents of a Feed.
const (
	foldLimit    = 1 << 20
	assumedLimit = 1 << 12
)

// madeLimit bounds the elements of constants that all rules of a model together make, so that a small file cannot ask for much memory.
const madeLimit = 1 << 25

// spend counts constants before they are made.
func (n *node) spend(elements int) {
	if n.l.spent += elements; n.l.spent > madeLimit {
		unsupported("more than %d elements of constants", madeLimit)
	}
}

// run applies the rule. If all inputs are known, so are the outputs; they are not in the graph unless they follow from a Feed.
func (n *node) run(do rule) (out []*value, err error) {
	defer catch(&err)
	for name, neutral := range mustBe[n.p.op] {
		if v := n.integer(name, neutral); v != neutral {
			unsupported("attribute %q is %d", name, v)
		}
	}
	if n.l.opset < 7 && n.flag("broadcast") && n.p.op != "Gemm" {
		n.align()
	}
	if n.withoutElements() {
		return n.onNothing(do), nil
	}
	total, assumed, empty := 0, false, false
	known := len(n.in) > 0 && !n.l.nested && !hasBody(n.p.op)
	for _, v := range n.in {
		switch {
		case v == nil:
		case v.known == nil:
			known = false
		default:
			total += v.known.Len()
			assumed = assumed || v.assumed
			empty = empty || v.known.Len() == 0
		}
	}
	switch {
	case !known || empty || total > foldLimit:
		return n.checked(do), nil
	case !assumed:
		if out := n.l.folds.of(n); out != nil {
			return out, nil
		}
		if out, err := n.fold(do); err == nil {
			n.l.folds.keep(n, out)
			return out, nil
		}
		return n.checked(do), nil
	}
	out = n.checked(do)
	if total > assumedLimit {
		return out, nil
	}
	if folded, err := n.fold(do); err == nil && len(folded) == len(out) {
		for i, v := range out {
			if v != nil && folded[i] != nil && v.known == nil {
				v.known, v.assumed = folded[i].known, true
			}
		}
	}
	return out, nil
}

// mustBe lists attributes that no rule reads, with the only value that may stand there.
var mustBe = map[string]map[string]int{
	"Attention": {"left_window_size": -1, "right_window_size": -1}, "BatchNormalization": {"spatial": 1},
}

// align gives the second input axes of size 1 at its end, so that its first axis meets the one that attribute "axis" names: the
// broadcasting of operator sets before 7.
func (n *node) align() {
	if !n.has(0) || !n.has(1) {
		unsupported("%d inputs", len(n.in))
	}
	a, b := n.shapeIn(0), n.shapeIn(1)
	axis := n.integer("axis", len(a)-len(b))
	behind := len(a) - axis - len(b)
	if axis < 0 || behind < 0 {
		unsupported("shape %v at axis %d of %v", b, axis, a)
	}
	shape := append(slices.Clone(b), slices.Repeat([]int{1}, behind)...)
	v := *n.in[1]
	if v.known != nil {
		v.known = v.known.Reshape(shape...)
	}
	if v.ref != graph.None {
		v.ref = n.reshape(v.ref, shape...)
	}
	n.in[1] = &v
}

func (n *node) checked(do rule) []*value {
	out := n.unsigned(do)(n)
	n.check()
	n.conclude(out)
	n.check()
	assumed := slices.ContainsFunc(n.in, func(v *value) bool { return v != nil && v.assumed })
	for _, v := range out {
		if v != nil && v.known != nil && assumed && n.p.op != "Shape" && n.p.op != "Size" {
			v.assumed = true
		}
	}
	return out
}

// fold computes the node from the contents of its inputs.
func (n *node) fold(do rule) ([]*value, error) {
	l := newLowering("fold", n.l.opset, n.l.open)
	l.nested, l.spent, l.words = true, n.l.spent, n.l.words
	sub := &node{l: l, p: n.p, in: make([]*value, len(n.in))}
	for i, v := range n.in {
		if v != nil {
			sub.in[i] = &value{known: v.known, words: v.words, element: v.element}
		}
	}
	out, err := sub.run(do)
	if err != nil {
		return nil, err
	}
	for i, v := range out {
		if v != nil && v.known == nil {
			l.b.Output(fmt.Sprintf("output %d", i), v.ref)
		}
	}
	g, err := l.b.Graph()
	if err != nil {
		return nil, err
	}
	elements, err := graph.Elements(g)
	if err != nil || elements > 4*foldLimit {
		return nil, fmt.Errorf("%w: too much to fold", ErrUnsupported)
	}
	macs, err := graph.MACs(g)
	if err != nil || macs > 64*foldLimit || n.l.spent+int(elements+macs/16) > madeLimit {
		return nil, fmt.Errorf("%w: too much to fold", ErrUnsupported)
	}
	n.l.spent += int(elements + macs/16)
	p, err := exec.Compile(g)
	if err != nil {
		return nil, err
	}
	results, err := p.Run(nil)
	if err != nil {
		return nil, err
	}
	for i, v := range out {
		if v != nil && v.known == nil {
			out[i] = &value{known: results[fmt.Sprintf("output %d", i)], words: v.words, element: v.element}
		}
	}
	return out, nil
}

// check ends the rule if the builder has met a mistake.
func (n *node) check() {
	if err := n.l.b.Err(); err != nil {
		if errors.Is(err, graph.ErrInvalid) {
			err = fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		panic(stop{err})
	}
}

// has reports whether input i is present.
func (n *node) has(i int) bool { return i < len(n.in) && n.in[i] != nil }

// x is the place of input i, None if it is left out.
func (n *node) x(i int) graph.Ref {
	if !n.has(i) {
		return graph.None
	}
	r := n.l.refOf(n.in[i])
	n.check()
	return r
}

// need is x for an input that must be present.
func (n *node) need(i int) graph.Ref {
	if !n.has(i) {
		panic(stop{fmt.Errorf("%w: input %d is missing", ErrInvalid, i)})
	}
	return n.x(i)
}

// contents are those of input i, which must be known, nil if it is left out.
func (n *node) contents(i int) *tensor.Tensor {
	if !n.has(i) {
		return nil
	}
	if n.in[i].known == nil {
		unsupported("input %d %q decides a shape and is known only in a run", i, n.p.inputs[i])
	}
	return n.in[i].known
}

// list are the contents of input i as integers, nil if it is left out.
func (n *node) list(i int) []int {
	t := n.contents(i)
	if t == nil {
		return nil
	}
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
		unsupported("input %d is %v, want integers", i, t.DType())
	}
	return out
}

// only is the one integer that input i holds.
func (n *node) only(i int) int {
	list := n.list(i)
	if len(list) != 1 {
		unsupported("input %d has %d numbers, want 1", i, len(list))
	}
	return list[0]
}

// number is the only element of input i as a float32, or the default if it is left out.
func (n *node) number(i int, otherwise float32) float32 {
	t := n.contents(i)
	if t == nil {
		return otherwise
	}
	if t.DType() != tensor.Float32 || t.Len() != 1 {
		unsupported("input %d is %v%v, want one float32", i, t.DType(), t.Shape())
	}
	return t.Float32()[0]
}

func (n *node) attr(name string) *attrProto { return attribute(n.p.attrs, name) }

// integer is an int attribute within 32 bits.
func (n *node) integer(name string, otherwise int) int {
	a := n.attr(name)
	if a == nil {
		return otherwise
	}
	if a.integer < -1<<31 || a.integer > 1<<31 {
		unsupported("attribute %q is %d", name, a.integer)
	}
	return int(a.integer)
}

func (n *node) flag(name string) bool { return n.integer(name, 0) != 0 }

func (n *node) float(name string, otherwise float32) float32 {
	if a := n.attr(name); a != nil {
		return a.float
	}
	return otherwise
}

func (n *node) text(name, otherwise string) string {
	if a := n.attr(name); a != nil {
		return a.text
	}
	return otherwise
}

// integers is an ints attribute, nil if it is not set.
func (n *node) integers(name string) []int {
	a := n.attr(name)
	if a == nil {
		return nil
	}
	out := make([]int, len(a.ints))
	for i, v := range a.ints {
		if v < -1<<31 || v > 1<<31 {
			unsupported("attribute %q holds %d", name, v)
		}
		out[i] = int(v)
	}
	return out
}

// listOrAttr is a list that newer operator sets give as input i and older ones as an attribute.
func (n *node) listOrAttr(i int, name string) []int {
	if n.has(i) {
		return n.list(i)
	}
	return n.integers(name)
}

// axis brings an axis into range.
func (n *node) axis(a, rank int) int {
	if a < -rank || a >= rank {
		unsupported("axis %d of a tensor with %d axes", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a
}

// axes brings axes into range and ascending order.
func (n *node) axes(list []int, rank int) []int {
	out, err := graph.Axes(list, rank)
	if err != nil {
		unsupported("%v", err)
	}
	return out
}
