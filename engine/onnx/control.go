package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// controlInterpreters run the graphs within a node.
var controlInterpreters = map[string]interpreter{"If": (*step).choose, "Loop": (*step).loop, "Scan": (*step).scan, "SequenceMap": (*step).sequenceMap}

// body is the graph in an attribute.
func (s *step) body(name string) *body {
	b := s.n.bodies[name]
	if b == nil {
		invalid("attribute %q holds no graph", name)
	}
	return b
}

// iterate runs b and says in which iteration an error is.
func (s *step) iterate(b *body, i int, in []Value) []Value {
	out, err := b.run(s.r, in, s.f)
	if err != nil {
		panic(stop{fmt.Errorf("iteration %d: %w", i, err)})
	}
	return out
}

func (s *step) choose() []Value {
	branch := "else_branch"
	if s.truth("input 0", s.value(0)) {
		branch = "then_branch"
	}
	out, err := s.body(branch).run(s.r, nil, s.f)
	must(err)
	return out
}

// collected keeps what iterations give where the run's memory is counted, until release.
func (s *step) collected(lists [][]Value) (release func()) {
	before := len(s.f.lists)
	for i := range lists {
		s.f.lists = append(s.f.lists, &lists[i])
	}
	return func() { s.f.lists = s.f.lists[:before] }
}

func (s *step) loop() []Value {
	b := s.body("body")
	trips, going := math.MaxInt, true
	if s.has(0) {
		trips = s.integer(0)
	}
	if s.has(1) {
		going = s.truth("input 1", s.value(1))
	}
	carried := slices.Clone(s.in[min(2, len(s.in)):])
	if len(b.outputs) < 1+len(carried) {
		invalid("body has %d outputs, want at least %d", len(b.outputs), 1+len(carried))
	}
	scanned := make([][]Value, len(b.outputs)-1-len(carried))
	defer s.collected(scanned)()
	for i := 0; i < trips && going; i++ {
		s.spend(workOfNode)
		in := []Value{{Tensor: tensor.FromInt64([]int64{int64(i)})}, {Tensor: tensor.FromBool([]bool{true})}}
		out := s.iterate(b, i, append(in, carried...))
		going = s.truth("the condition of the body", out[0])
		carried = out[1 : 1+len(carried)]
		for j, v := range out[1+len(carried):] {
			scanned[j] = append(scanned[j], v)
		}
	}
	out := slices.Clone(carried)
	for j, list := range scanned {
		out = append(out, s.stack(list, 0, b.port(1+len(carried)+j)))
	}
	return out
}

// port is how the file declares an output of b.
func (b *body) port(i int) Port { return portOf(b.proto.outputs[i]) }

// stack joins the tensors of iterations along a new axis. Without iterations the declared type says what is empty.
func (s *step) stack(list []Value, at int, declared Port) Value {
	if len(list) == 0 {
		shape := []int{0}
		for _, d := range declared.Dims {
			shape = append(shape, d.Size)
		}
		if declared.DType == 0 {
			return Value{Tensor: tensor.New(tensor.Float32, shape...)}
		}
		return Value{Tensor: tensor.New(declared.DType, shape...), Element: declared.Element}
	}
	parts := make([]Value, len(list))
	for i, v := range list {
		if !v.isTensor() {
			invalid("iteration %d gives %v, want a tensor", i, v)
		}
		shape := slices.Clone(v.shape())
		parts[i] = v.reshape(slices.Insert(shape, s.axis(at, len(shape)+1), 1))
	}
	return s.join(parts, s.axis(at, len(parts[0].shape())))
}

func (s *step) scan() []Value {
	b := s.body("body")
	if s.opset < 9 {
		return s.scanBatch(b)
	}
	f, err := scanFormOf(s.n.p.attrs, b.proto, len(s.in))
	must(err)
	return s.scanOnce(b, f, s.in)
}

// scanBatch is the Scan of operator set 8: inputs have a leading axis of batches, each of which is scanned on its own along the second.
func (s *step) scanBatch(b *body) []Value {
	if s.has(0) {
		unsupported("lengths of sequences")
	}
	given := s.in[1:]
	f, err := scanFormOf(s.n.p.attrs, b.proto, len(given))
	must(err)
	batches := -1
	for i, v := range given {
		shape := v.shape()
		if len(shape) == 0 || batches >= 0 && shape[0] != batches {
			invalid("input %d is %v, which has not one batch as its leading axis", i+1, v)
		}
		batches = shape[0]
	}
	outs := make([][]Value, f.states+f.outputs)
	defer s.collected(outs)()
	for i := range batches {
		in := make([]Value, len(given))
		for j, v := range given {
			in[j] = s.row(v, i)
		}
		for j, v := range s.scanOnce(b, f, in) {
			outs[j] = append(outs[j], v)
		}
	}
	var out []Value
	for j, list := range outs {
		out = append(out, s.stack(list, 0, b.port(j)))
	}
	return out
}

// row is element i of the leading axis.
func (s *step) row(v Value, i int) Value {
	if v.Text != nil {
		return Value{Text: s.cut(v, 0, i, i+1).Text}.reshape(v.shape()[1:])
	}
	each := v.Tensor.Len() / v.Tensor.Shape()[0]
	return v.with(v.Tensor.Part(i*each, (i+1)*each).Reshape(v.Tensor.Shape()[1:]...))
}

func (s *step) scanOnce(b *body, f scanForm, in []Value) []Value {
	count := -1
	scannedIn := make([]Value, f.inputs)
	for j, v := range in[f.states:] {
		if !v.isTensor() {
			invalid("input %d is %v, want a tensor", f.states+j, v)
		}
		at := s.axis(f.inputAxes[j], len(v.shape()))
		if count >= 0 && v.shape()[at] != count {
			invalid("scanned inputs of %d and %d steps", count, v.shape()[at])
		}
		count = v.shape()[at]
		scannedIn[j] = s.moved(v, at, 0)
	}
	states := slices.Clone(in[:f.states])
	scanned := make([][]Value, f.outputs)
	defer s.collected(scanned)()
	for j := range scanned {
		scanned[j] = make([]Value, count)
	}
	for i := range count {
		s.spend(workOfNode)
		given := slices.Clone(states)
		for j, v := range scannedIn {
			given = append(given, s.row(v, order(i, count, f.inputsReversed[j])))
		}
		out := s.iterate(b, i, given)
		states = out[:f.states]
		for j, v := range out[f.states:] {
			scanned[j][order(i, count, f.outputsReversed[j])] = v
		}
	}
	out := slices.Clone(states)
	for j, list := range scanned {
		out = append(out, s.stack(list, f.outputAxes[j], b.port(f.states+j)))
	}
	return out
}

// moved takes an axis to another place.
func (s *step) moved(v Value, from, to int) Value {
	if from == to {
		return v
	}
	perm := []int64{}
	for i := range v.shape() {
		if i != from {
			perm = append(perm, int64(i))
		}
	}
	p := &nodeProto{op: "Transpose", inputs: []string{"x"}, outputs: []string{"y"}, attrs: []attrProto{{name: "perm", kind: kindInts, ints: slices.Insert(perm, to, int64(from))}}}
	return s.either(p, []Value{v})[0]
}

// sequenceMap runs the body for each element of the first sequence, together with the same element of the others and with tensors as
// they are.
func (s *step) sequenceMap() []Value {
	b := s.body("body")
	first := s.sequence(0)
	outs := make([][]Value, len(b.outputs))
	for j := range outs {
		outs[j] = []Value{}
	}
	defer s.collected(outs)()
	for i := range first {
		s.spend(workOfNode)
		in := make([]Value, len(s.in))
		for j := range s.in {
			v := s.value(j)
			if v.Sequence != nil && len(v.Sequence) != len(first) {
				invalid("sequences of %d and %d elements", len(first), len(v.Sequence))
			} else if v.Sequence != nil {
				v = v.Sequence[i]
			}
			in[j] = v
		}
		for j, v := range s.iterate(b, i, in) {
			outs[j] = append(outs[j], v)
		}
	}
	var out []Value
	for _, list := range outs {
		s.hold(8 * len(list))
		out = append(out, Value{Sequence: list})
	}
	return out
}

// reshape gives a tensor a shape of as many elements.
func (v Value) reshape(shape []int) Value {
	if v.Text != nil {
		return Value{Text: &Text{slices.Clone(shape), v.Text.Data}}
	}
	return v.with(v.Tensor.Reshape(shape...))
}

// join concatenates tensors along an axis. All but that axis must be alike; an empty tensor is like any other.
func (s *step) join(parts []Value, axis int) Value {
	shape := slices.Clone(parts[0].shape())
	shape[axis] = 0
	for i, p := range parts {
		have := p.shape()
		like := p.isTensor() && len(have) == len(shape) && (p.Text == nil) == (parts[0].Text == nil) && (p.Text != nil || p.element() == parts[0].element())
		for a := range have {
			like = like && (a == axis || have[a] == shape[a])
		}
		if !like {
			invalid("element %d is %v, beside %v on axis %d", i, p, parts[0], axis)
		}
		shape[axis] += have[axis]
	}
	n, err := tensor.Elements(shape, graph.MaxElements)
	if err != nil {
		unsupported("%v", err)
	}
	s.hold(n)
	outer := product(shape[:axis])
	if parts[0].Text != nil {
		data := make([]string, 0, n)
		for i := range outer {
			for _, p := range parts {
				each := len(p.Text.Data) / outer
				data = append(data, p.Text.Data[i*each:(i+1)*each]...)
			}
		}
		return Value{Text: &Text{shape, data}}
	}
	out := tensor.New(parts[0].Tensor.DType(), n)
	at := 0
	for i := range outer {
		for _, p := range parts {
			each := p.Tensor.Len() / outer
			out.Part(at, at+each).CopyFrom(p.Tensor.Part(i*each, (i+1)*each))
			at += each
		}
	}
	return parts[0].with(out.Reshape(shape...))
}

// cut takes the elements from lo to hi of an axis.
func (s *step) cut(v Value, axis, lo, hi int) Value {
	shape := slices.Clone(v.shape())
	length := shape[axis]
	shape[axis] = hi - lo
	outer, inner := product(shape[:axis]), product(shape[axis+1:])
	n := outer * inner * (hi - lo)
	s.hold(n)
	if v.Text != nil {
		data := make([]string, 0, n)
		for i := range outer {
			data = append(data, v.Text.Data[(i*length+lo)*inner:(i*length+hi)*inner]...)
		}
		return Value{Text: &Text{shape, data}}
	}
	out := tensor.New(v.Tensor.DType(), n)
	each := inner * (hi - lo)
	for i := range outer {
		out.Part(i*each, (i+1)*each).CopyFrom(v.Tensor.Part((i*length+lo)*inner, (i*length+hi)*inner))
	}
	return v.with(out.Reshape(shape...))
}

// with is t, which carries the same element type as v.
func (v Value) with(t *tensor.Tensor) Value { return Value{Tensor: t, Element: v.Element} }
