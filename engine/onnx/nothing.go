package onnx

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// A graph holds no empty tensors, but a session may meet them: no box was found, a batch has no rows. What an operator makes of them is
// a matter of shapes only, except where it adds elements or reduces none.

// movers are operators whose result may be empty although no input is.
var movers map[string]func(e *edge) []Value

func init() {
	movers = map[string]func(e *edge) []Value{
		"Slice": (*edge).slice, "Split": (*edge).split, "Expand": (*edge).expand, "Tile": (*edge).tile, "Reshape": (*edge).reshape,
		"Compress": (*edge).compress, "TopK": (*edge).topK, "Range": (*edge).listed, "Concat": (*edge).concat, "NonZero": (*edge).nonZero,
		"ScatterND": (*edge).scatter, "ScatterElements": (*edge).scatter, "Scatter": (*edge).scatter,
	}
}

// reducedNothing is what reductions give for no elements; every other operator whose result then has elements gives zeros.
var reducedNothing = map[string]float64{
	"ReduceProd": 1, "ReduceMax": math.Inf(-1), "ReduceMin": math.Inf(1), "ReduceMean": math.NaN(),
	"ReduceLogSum": math.Inf(-1), "ReduceLogSumExp": math.Inf(-1),
	"ReduceSum": 0, "ReduceSumSquare": 0, "ReduceL1": 0, "ReduceL2": 0, "MatMul": 0,
}

// edge is a node at an input or output without elements.
type edge struct {
	*step
	p  *nodeProto
	in []Value
}

// nothing computes a node of which an input or the result is empty, or returns nil if neither is so or it cannot say.
func (s *step) nothing(p *nodeProto, in []Value) []Value {
	if !isStandard(p.domain) || len(in) == 0 {
		return nil
	}
	e := &edge{s, p, in}
	if do := movers[p.op]; do != nil {
		if out := do(e); out != nil {
			return out
		}
	}
	if slices.ContainsFunc(in, Value.empty) {
		return e.probe()
	}
	return nil
}

func (v Value) empty() bool { return v.Tensor != nil && v.Tensor.Len() == 0 }

// probe runs the node with every dimension 0 of its inputs 1 and then 2, to see which dimensions of the results follow them.
func (e *edge) probe() []Value {
	var outs [2][]Value
	for i := range outs {
		in := slices.Clone(e.in)
		for j, v := range in {
			if !v.empty() {
				continue
			}
			shape := slices.Clone(v.Tensor.Shape())
			for a, d := range shape {
				if d == 0 {
					shape[a] = i + 1
				}
			}
			in[j].Tensor = e.new(v.Tensor.DType(), shape...)
		}
		var err error
		if outs[i], err = e.program(e.p, in); err != nil {
			return nil
		}
	}
	list := make([]Value, len(outs[0]))
	for i, v := range outs[0] {
		if v.Tensor == nil || outs[1][i].Tensor == nil || len(v.shape()) != len(outs[1][i].shape()) {
			if e.p.outputs[i] == "" {
				continue
			}
			return nil
		}
		shape := slices.Clone(v.shape())
		for a, d := range outs[1][i].shape() {
			shape[a] = max(0, 2*shape[a]-d)
		}
		t := e.new(v.Tensor.DType(), shape...)
		list[i].Element = v.Element
		if t.Len() > 0 {
			of, ok := reducedNothing[e.p.op]
			if !ok {
				return nil
			}
			if t = e.filled(t, of); t == nil {
				return nil
			}
		}
		list[i].Tensor = t
	}
	return list
}

// filled puts one number into all elements; an infinity stands for the end of an integer's range.
func (e *edge) filled(t *tensor.Tensor, v float64) *tensor.Tensor {
	switch t.DType() {
	case tensor.Float32:
		for i := range t.Float32() {
			t.Float32()[i] = float32(v)
		}
	case tensor.Int64:
		n := int64(0)
		switch {
		case v != v:
			return nil
		case v > 1:
			n = math.MaxInt64
		case v < 0:
			n = math.MinInt64
		default:
			n = int64(v)
		}
		for i := range t.Int64() {
			t.Int64()[i] = n
		}
	default:
		if v != 0 {
			return nil
		}
	}
	return t
}

// ints are a list that is input i, or an attribute.
func (e *edge) ints(i int, name string) []int {
	if i < len(e.in) && e.in[i].Tensor != nil {
		at := &step{r: e.r, f: e.f, n: e.n, opset: e.opset, in: e.in, there: slices.Repeat([]bool{true}, len(e.in))}
		return at.list(i)
	}
	if a := attribute(e.p.attrs, name); a != nil {
		list := make([]int, len(a.ints))
		for j, v := range a.ints {
			list[j] = int(min(max(v, -graph.MaxElements), graph.MaxElements))
		}
		return list
	}
	return nil
}

func (e *edge) attr(name string, otherwise int) int {
	if a := attribute(e.p.attrs, name); a != nil {
		return int(min(max(a.integer, -graph.MaxElements), graph.MaxElements))
	}
	return otherwise
}

// emptied is an empty result of that shape, or nil if the shape has elements.
func (e *edge) emptied(shape []int) []Value {
	if len(e.in) == 0 || e.in[0].Tensor == nil || !slices.Contains(shape, 0) {
		return nil
	}
	return []Value{e.in[0].with(e.new(e.in[0].Tensor.DType(), shape...))}
}

func (e *edge) slice() []Value {
	shape := slices.Clone(e.in[0].shape())
	starts, ends, axes, steps := e.ints(1, "starts"), e.ints(2, "ends"), e.ints(3, "axes"), e.ints(4, "steps")
	if axes == nil {
		axes = upTo(len(starts))
	}
	if steps == nil {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return nil
	}
	for i := range starts {
		a := e.axis(axes[i], len(shape))
		shape[a] = sliced(shape[a], starts[i], ends[i], steps[i])
	}
	return e.emptied(shape)
}

// sliced is how many of n elements a slice takes.
func sliced(n, start, end, step int) int {
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	within := func(v int) int {
		if v < 0 {
			v += n
		}
		return min(max(v, low), high)
	}
	switch start, end = within(start), within(end); {
	case step > 0 && end > start:
		return (end-start-1)/step + 1
	case step < 0 && start > end:
		return (start-end-1)/-step + 1
	}
	return 0
}

func (e *edge) split() []Value {
	v := e.in[0]
	axis := e.axis(e.attr("axis", 0), len(v.shape()))
	length, parts := v.shape()[axis], len(e.p.outputs)
	lengths := e.ints(1, "split")
	if lengths == nil {
		each := (length + parts - 1) / parts
		for i := range parts {
			lengths = append(lengths, min(each, max(0, length-i*each)))
		}
	}
	if len(lengths) != parts {
		return nil
	}
	var out []Value
	at := 0
	for _, n := range lengths {
		if n < 0 || n > length-at {
			return nil
		}
		out = append(out, e.cut(v, axis, at, at+n))
		at += n
	}
	if at != length {
		return nil
	}
	return out
}

func (e *edge) expand() []Value {
	have, want := e.in[0].shape(), e.ints(1, "shape")
	shape := make([]int, max(len(have), len(want)))
	for i := range shape {
		a, b := 1, 1
		if j := i - len(shape) + len(have); j >= 0 {
			a = have[j]
		}
		if j := i - len(shape) + len(want); j >= 0 {
			b = want[j]
		}
		switch {
		case a == b || b == 1:
			shape[i] = a
		case a == 1:
			shape[i] = b
		default:
			return nil
		}
	}
	return e.emptied(shape)
}

func (e *edge) tile() []Value {
	shape, repeats := slices.Clone(e.in[0].shape()), e.ints(1, "")
	if len(repeats) != len(shape) {
		return nil
	}
	for i, r := range repeats {
		if r < 0 || r > graph.MaxElements {
			return nil
		}
		shape[i] *= r
	}
	return e.emptied(shape)
}

func (e *edge) reshape() []Value {
	have, shape := e.in[0].shape(), slices.Clone(e.ints(1, "shape"))
	rest, at := 1, -1
	for i, d := range shape {
		if d == 0 && e.attr("allowzero", 0) == 0 && i < len(have) {
			shape[i] = have[i]
		}
		switch {
		case shape[i] == -1 && at < 0:
			at = i
		case shape[i] < 0:
			return nil
		default:
			rest = min(rest*shape[i], graph.MaxElements)
		}
	}
	if at >= 0 {
		if rest == 0 {
			return nil
		}
		shape[at] = product(have) / rest
	}
	if product(have) != 0 {
		return nil
	}
	return e.emptied(shape)
}

// compress has a result without elements if the condition holds nowhere.
func (e *edge) compress() []Value {
	v := e.in[0]
	if len(e.in) < 2 || e.in[1].Tensor == nil || e.in[1].Tensor.DType() != tensor.Bool || slices.Contains(e.in[1].Tensor.Bool(), true) {
		return nil
	}
	if attribute(e.p.attrs, "axis") == nil {
		return e.emptied([]int{0})
	}
	shape := slices.Clone(v.shape())
	shape[e.axis(e.attr("axis", 0), len(shape))] = 0
	return e.emptied(shape)
}

func (e *edge) topK() []Value {
	shape := slices.Clone(e.in[0].shape())
	if k := e.ints(1, ""); len(shape) == 0 || len(k) != 1 || k[0] != 0 {
		return nil
	}
	shape[e.axis(e.attr("axis", -1), len(shape))] = 0
	return append(e.emptied(shape), Value{Tensor: e.new(tensor.Int64, shape...)})
}

// listed is a Range that ends before it begins.
func (e *edge) listed() []Value {
	if len(e.in) != 3 {
		return nil
	}
	var n [3]float64
	for i, v := range e.in {
		if v.Tensor == nil || v.Tensor.Len() != 1 {
			return nil
		}
		n[i] = float64(e.op("Cast", []attrProto{{name: "to", kind: kindInt, integer: int64(tensor.Float32)}}, v.Tensor).Float32()[0])
	}
	if n[2] > 0 && n[1] <= n[0] || n[2] < 0 && n[1] >= n[0] {
		return e.emptied([]int{0})
	}
	return nil
}

func (e *edge) concat() []Value {
	if !slices.ContainsFunc(e.in, Value.empty) {
		return nil
	}
	rank := len(e.in[0].shape())
	return []Value{e.join(e.in, e.axis(e.attr("axis", 1), rank))}
}

func (e *edge) nonZero() []Value {
	if !e.in[0].empty() {
		return nil
	}
	return []Value{{Tensor: tensor.New(tensor.Int64, len(e.in[0].shape()), 0)}}
}

// scatter of nothing changes nothing.
func (e *edge) scatter() []Value {
	if len(e.in) != 3 || !e.in[2].empty() {
		return nil
	}
	return []Value{e.in[0]}
}
