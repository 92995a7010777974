package autodiff

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// unrolled is g with every recurrent layer written out as the operators that it stands for, step by step, so that the rules for those
// differentiate it. The bits are the same. Source: spec/graph.md §3.
func unrolled(g *graph.Graph, calls []graph.Call) (*graph.Graph, error) {
	if !slices.ContainsFunc(calls, isRecurrent) {
		return g, nil
	}
	b := graph.NewBuilder(g.Name)
	for _, v := range g.Inputs {
		b.Input(v.Name, v.DType, v.Shape...)
	}
	for _, t := range g.Initializers {
		b.Initializer(t.Name, t.Tensor)
	}
	for i := range calls {
		if !isRecurrent(calls[i]) {
			b.Node(*calls[i].Node)
			continue
		}
		u := unroller{b: b, call: &calls[i]}
		u.layer()
	}
	for _, v := range g.Outputs {
		b.Output(v.Name, graph.Ref(v.Name))
	}
	return b.Graph()
}

func isRecurrent(c graph.Call) bool { return c.Node.Op == "LSTM" || c.Node.Op == "GRU" }

// unroller writes one layer. The names of its nodes begin with the layer's, so that they are like no others.
type unroller struct {
	b      *graph.Builder
	call   *graph.Call
	gates  int
	hidden int
	count  int
}

func (u *unroller) op(op string, attrs []graph.Attr, in ...graph.Ref) graph.Ref {
	name := fmt.Sprintf("%s/%d", u.call.Node.Name, u.count)
	u.count++
	u.node(op, name, name, attrs, in...)
	return graph.Ref(name)
}

func (u *unroller) node(op, name, output string, attrs []graph.Attr, in ...graph.Ref) {
	n := graph.Node{Op: op, Name: name, Attrs: attrs, Outputs: []string{output}}
	for _, r := range in {
		n.Inputs = append(n.Inputs, string(r))
	}
	u.b.Node(n)
}

func (u *unroller) input(i int) graph.Ref {
	if !u.call.Has(i) {
		return graph.None
	}
	return graph.Ref(u.call.In[i].Name)
}

// slice is elements lo to hi of an axis.
func (u *unroller) slice(x graph.Ref, axis, lo, hi int) graph.Ref {
	return u.op("Slice", nil, x, u.b.Ints(lo), u.b.Ints(hi), u.b.Ints(axis))
}

// part is entry d of the first axis in another shape.
func (u *unroller) part(x graph.Ref, d int, shape ...int) graph.Ref {
	return u.op("Reshape", nil, u.slice(x, 0, d, d+1), u.b.Ints(shape...))
}

// gate is part i of the last axis.
func (u *unroller) gate(x graph.Ref, i int) graph.Ref {
	return u.slice(x, len(u.b.Shape(x))-1, i*u.hidden, (i+1)*u.hidden)
}

func (u *unroller) layer() {
	x := u.call.In[0].Shape
	u.gates, u.hidden = 3, u.call.In[2].Shape[2]
	if u.call.Node.Op == "LSTM" {
		u.gates = 4
	}
	width := u.gates * u.hidden
	axis := func(a int64) []graph.Attr { return []graph.Attr{{Name: "axis", Kind: graph.KindInt, Int: a}} }
	turn := []graph.Attr{{Name: "perm", Kind: graph.KindInts, Ints: []int64{1, 0}}}
	zeros := u.b.Initializer(u.call.Node.Name+"/zeros", tensor.New(tensor.Float32, x[1], u.hidden))
	var ys, hs, cs []graph.Ref
	for d, back := range u.call.Directions() {
		state := func(i int) graph.Ref {
			if r := u.input(i); r != graph.None {
				return u.part(r, d, x[1], u.hidden)
			}
			return zeros
		}
		s := unrolledCell{unroller: u, r: u.op("Transpose", turn, u.part(u.input(2), d, width, u.hidden)), h: state(5)}
		in := u.op("MatMul", nil, u.input(0), u.op("Transpose", turn, u.part(u.input(1), d, width, x[2])))
		if b := u.input(3); b != graph.None {
			b = u.part(b, d, 1, 2*width)
			in = u.op("Add", nil, in, u.slice(b, 1, 0, width))
			s.rb = u.slice(b, 1, width, 2*width)
		}
		if u.gates == 4 {
			s.c = state(6)
		}
		steps := make([]graph.Ref, x[0])
		for i := range steps {
			at := i
			if back {
				at = len(steps) - 1 - i
			}
			s.step(u.part(in, at, x[1], width))
			steps[at] = u.op("Reshape", nil, s.h, u.b.Ints(1, 1, x[1], u.hidden))
		}
		ys = append(ys, u.concat(axis(0), steps))
		hs = append(hs, u.op("Reshape", nil, s.h, u.b.Ints(1, x[1], u.hidden)))
		if u.gates == 4 {
			cs = append(cs, u.op("Reshape", nil, s.c, u.b.Ints(1, x[1], u.hidden)))
		}
	}
	results := []graph.Ref{u.concat(axis(1), ys), u.concat(axis(0), hs)}
	if u.gates == 4 {
		results = append(results, u.concat(axis(0), cs))
	}
	for i, name := range u.call.Node.Outputs {
		u.node("Identity", fmt.Sprintf("%s/out%d", u.call.Node.Name, i), name, nil, results[i])
	}
}

func (u *unroller) concat(axis []graph.Attr, parts []graph.Ref) graph.Ref {
	for len(parts) > graph.MaxArity {
		parts = append([]graph.Ref{u.op("Concat", axis, parts[:graph.MaxArity]...)}, parts[graph.MaxArity:]...)
	}
	return u.op("Concat", axis, parts...)
}

// unrolledCell is one direction.
type unrolledCell struct {
	*unroller
	r, rb, h, c graph.Ref
}

func (s *unrolledCell) step(x graph.Ref) {
	back := s.op("MatMul", nil, s.h, s.r)
	if s.rb != graph.None {
		back = s.op("Add", nil, back, s.rb)
	}
	if s.gates == 4 {
		sum := s.op("Add", nil, x, back)
		in, out := s.op("Sigmoid", nil, s.gate(sum, 0)), s.op("Sigmoid", nil, s.gate(sum, 1))
		forget, fresh := s.op("Sigmoid", nil, s.gate(sum, 2)), s.op("Tanh", nil, s.gate(sum, 3))
		s.c = s.op("Add", nil, s.op("Mul", nil, forget, s.c), s.op("Mul", nil, in, fresh))
		s.h = s.op("Mul", nil, out, s.op("Tanh", nil, s.c))
		return
	}
	z := s.op("Sigmoid", nil, s.op("Add", nil, s.gate(x, 0), s.gate(back, 0)))
	r := s.op("Sigmoid", nil, s.op("Add", nil, s.gate(x, 1), s.gate(back, 1)))
	var reset graph.Ref
	if s.call.Int("linear_before_reset") != 0 {
		reset = s.op("Mul", nil, r, s.gate(back, 2))
	} else {
		reset = s.op("MatMul", nil, s.op("Mul", nil, r, s.h), s.gate(s.r, 2))
		if s.rb != graph.None {
			reset = s.op("Add", nil, reset, s.gate(s.rb, 2))
		}
	}
	fresh := s.op("Tanh", nil, s.op("Add", nil, s.gate(x, 2), reset))
	s.h = s.op("Add", nil, s.op("Mul", nil, s.op("Sub", nil, s.b.Float(1), z), fresh), s.op("Mul", nil, z, s.h))
}
