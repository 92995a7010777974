package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// A graph has no tensors without elements. They are known before a run, since there is nothing to know but their shape, so what follows
// from one is computed while the file is read: mostly another one.

// nothing is a tensor without elements, of the type of x.
func (n *node) nothing(x graph.Ref, shape []int) *value {
	return &value{known: tensor.New(n.dtype(x), shape...)}
}

// sizeReaders lists operators that read a list from their first input, or look only at its shape, or count elements.
var sizeReaders = setOf("Shape", "Size", "ConstantOfShape", "EyeLike", "NonZero", "Unique", "Compress", "If", "Loop", "Scan", "Concat", "Cast", "CastLike",
	"NonMaxSuppression", "SequenceConstruct", "SequenceInsert", "SequenceMap", "SplitToSequence", "Optional", "OptionalHasElement", "OptionalGetElement",
	"StringNormalizer", "StringSplit", "StringConcat", "RegexFullMatch", "TfIdfVectorizer", "SequenceEmpty", "SequenceAt", "SequenceErase", "SequenceLength",
	"ConcatFromSequence")

// withoutElements reports whether an input whose elements are computed with has none.
func (n *node) withoutElements() bool {
	op := n.p.op
	if !isStandard(n.p.domain) || sizeReaders[op] && op != "Cast" && op != "CastLike" {
		return false
	}
	data := n.in[:min(1, len(n.in))]
	switch {
	case op == "Gather" || op == "GatherElements" || op == "GatherND" || op == "MatMul":
		data = n.in[:min(2, len(n.in))]
	case elementRules[op] != nil || logicRules[op] != nil || op == "Where":
		data = n.in
		if op == "Clip" || op == "Dropout" {
			data = n.in[:min(1, len(n.in))]
		}
	}
	return slices.ContainsFunc(data, func(v *value) bool { return v != nil && v.known != nil && v.known.Len() == 0 })
}

// identities are the results of reducing nothing.
var identities = map[string]float64{
	"ReduceSum": 0, "ReduceL1": 0, "ReduceL2": 0, "ReduceSumSquare": 0, "ReduceProd": 1, "ReduceMax": math.Inf(-1), "ReduceMin": math.Inf(1),
	"ReduceLogSum": math.Inf(-1), "ReduceLogSumExp": math.Inf(-1), "ReduceMean": math.NaN(),
}

// onNothing gives the outputs of a node that has an input without elements.
func (n *node) onNothing(do rule) []*value {
	if v, ok := identities[n.p.op]; ok {
		return []*value{n.reduceNothing(v)}
	}
	if n.p.op == "Reshape" {
		return []*value{n.reshapeNothing()}
	}
	if n.p.op == "Split" {
		return n.splitNothing()
	}
	a, b := n.probe(do, 2), n.probe(do, 3)
	out := make([]*value, len(a))
	for i, p := range a {
		if p.dtype == 0 {
			continue
		}
		shape := slices.Clone(p.shape)
		for j, d := range shape { // of the form u + v·size, for the size that stands for 0
			if shape[j] = d - 2*(b[i].shape[j]-d); shape[j] < 0 {
				unsupported("an empty tensor")
			}
		}
		count, err := tensor.Elements(shape, graph.MaxElements)
		if err != nil || count > 0 && n.p.op != "MatMul" {
			unsupported("an empty tensor")
		}
		n.spend(count)
		out[i] = &value{known: tensor.New(p.dtype, shape...), element: p.element}
	}
	return out
}

// reduceNothing fills what is left of a shape with the result of reducing nothing.
func (n *node) reduceNothing(v float64) *value {
	x := n.in[0].known
	var shape []int
	axes := n.reducedAxes(len(x.Shape()))
	for i, d := range x.Shape() {
		switch {
		case !slices.Contains(axes, i):
			shape = append(shape, d)
		case n.integer("keepdims", 1) != 0:
			shape = append(shape, 1)
		}
	}
	count, err := tensor.Elements(shape, graph.MaxElements)
	if err != nil {
		unsupported("%v", err)
	}
	n.spend(count)
	traits := n.element(0).traits()
	bits := uint64(v)
	switch least := uint64(1) << (traits.bits - 1); {
	case traits.carrier == tensor.Float32:
		data := slices.Repeat([]float32{float32(v)}, count)
		return &value{known: tensor.FromFloat32(data, shape...), element: n.element(0)}
	case math.IsNaN(v):
		unsupported("the mean of no integers")
	case math.IsInf(v, -1) && traits.signed:
		bits = least
	case math.IsInf(v, -1):
		bits = 0
	case math.IsInf(v, 1) && traits.signed:
		bits = least - 1
	case math.IsInf(v, 1):
		bits = math.MaxUint64
	}
	return &value{known: n.element(0).carry(shape, count, func(int) uint64 { return bits }), element: n.element(0)}
}

// reshapeNothing gives another shape of no elements.
func (n *node) reshapeNothing() *value {
	x, shape := n.in[0].known, slices.Clone(n.listOrAttr(1, "shape"))
	rest, product := -1, 1
	for i, d := range shape {
		if d == 0 && !n.flag("allowzero") && i < len(x.Shape()) {
			shape[i] = x.Shape()[i]
		}
		if d == -1 {
			rest = i
		} else if product *= shape[i]; shape[i] < 0 || shape[i] > graph.MaxElements || product > graph.MaxElements {
			unsupported("shape %v", shape)
		}
	}
	if rest >= 0 {
		if product == 0 {
			unsupported("shape %v: the dimension for -1 is not determined", shape)
		}
		shape[rest], product = 0, 0
	}
	if product != 0 || len(shape) > graph.MaxRank {
		unsupported("shape %v for %v", shape, x.Shape())
	}
	return &value{known: x.Reshape(shape...), element: n.element(0)}
}

// splitNothing gives parts of no elements.
func (n *node) splitNothing() []*value {
	x := n.in[0].known
	axis := n.axis(n.integer("axis", 0), len(x.Shape()))
	parts := n.listOrAttr(1, "split")
	if parts == nil {
		count := len(n.p.outputs)
		each := (x.Shape()[axis] + count - 1) / count
		for left := x.Shape()[axis]; len(parts) < count; left -= each {
			parts = append(parts, max(0, min(left, each)))
		}
	}
	var out []*value
	total := 0
	for _, size := range parts {
		if size < 0 || size > x.Shape()[axis] {
			unsupported("parts %v of %d", parts, x.Shape()[axis])
		}
		shape := slices.Clone(x.Shape())
		shape[axis] = size
		total += size
		out = append(out, &value{known: tensor.New(x.DType(), shape...), element: n.element(0)})
	}
	if total != x.Shape()[axis] || slices.ContainsFunc(out, func(v *value) bool { return v.known.Len() > 0 }) {
		unsupported("parts %v of %v", parts, x.Shape())
	}
	return out
}

// port is what probe learns of an output.
type port struct {
	dtype   tensor.DType
	shape   []int
	element Element
}

// probe applies the rule with a dimension in the place of each 0 and says what the outputs are.
func (n *node) probe(do rule, size int) []port {
	l := newLowering("probe", n.l.opset, n.l.open)
	l.nested, l.spent, l.words, l.unrolled = true, n.l.spent, n.l.words, 0
	sub := &node{l: l, p: n.p, in: make([]*value, len(n.in))}
	for i, v := range n.in {
		if v == nil {
			continue
		}
		c := *v
		if v.known == nil || v.known.Len() == 0 && len(v.known.Shape()) > 0 {
			var shape []int
			dt := n.l.carrierOf(v)
			if v.known == nil {
				shape = n.shape(v.ref)
			} else {
				shape = slices.Clone(v.known.Shape())
				for j, d := range shape {
					if d == 0 {
						shape[j] = size
					}
				}
			}
			c.known, c.ref = nil, l.b.Input(fmt.Sprintf("input %d", i), dt, shape...)
		} else {
			c.ref = graph.None
		}
		sub.in[i] = &c
	}
	out, err := sub.run(do)
	if err != nil {
		panic(stop{err})
	}
	list := make([]port, len(out))
	for i, v := range out {
		if v == nil {
			continue
		}
		list[i] = port{l.carrierOf(v), l.b.Shape(v.ref), v.element}
		if v.known != nil {
			list[i].shape = v.known.Shape()
		}
	}
	return list
}
