package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
)

// recurrentRules are recurrent layers, unrolled: a step's gates are (x·Wᵀ + Wb) + (h·Rᵀ + Rb).
var recurrentRules = map[string]rule{"RNN": recurrent(1, rnnStep), "GRU": recurrent(3, gruStep), "LSTM": recurrent(4, lstmStep)}

// maxSteps bounds the length of a sequence: each step is some nodes.
const maxSteps = 1024

// cell is one direction of a layer: its weights, transposed, and the state that a step changes.
type cell struct {
	hidden       int
	r, rb        graph.Ref // [hidden, gates·hidden], [1, gates·hidden]
	h, c         graph.Ref // [batch, hidden]
	peephole     graph.Ref // [1, 3·hidden] or None
	activations  []string
	linearBefore bool
	coupled      bool // input_forget
}

// recurrent is the rule of a layer with so many gates.
func recurrent(gates int, step func(n *node, c *cell, x graph.Ref)) rule {
	return func(n *node) []*value {
		x := n.need(0)
		if len(n.shape(x)) != 3 {
			unsupported("input of shape %v", n.shape(x))
		}
		batchFirst := n.flag("layout")
		if batchFirst {
			x = n.transpose(x, 1, 0, 2)
		}
		s := n.shape(x)
		length, batch := s[0], s[1]
		w, r := n.need(1), n.need(2)
		if out := n.wholeLayer(gates, x, batchFirst); out != nil {
			return out
		}
		if length > maxSteps || len(n.shape(w)) != 3 || len(n.shape(r)) != 3 {
			unsupported("%d steps, weights of shape %v and %v", length, n.shape(w), n.shape(r))
		}
		hidden := n.shape(r)[2]
		directions := map[string][]bool{"forward": {false}, "reverse": {true}, "bidirectional": {false, true}}[n.text("direction", "forward")]
		if len(directions) == 0 || n.shape(w)[0] != len(directions) || n.shape(w)[1] != gates*hidden || n.shape(r)[1] != gates*hidden || n.attr("clip") != nil {
			unsupported("direction %q, weights of shape %v and %v, or clip", n.text("direction", "forward"), n.shape(w), n.shape(r))
		}
		for _, l := range n.list(4) {
			if l != length {
				unsupported("a sequence of %d of %d steps", l, length)
			}
		}
		activations := map[int][]string{1: {"Tanh"}, 3: {"Sigmoid", "Tanh"}, 4: {"Sigmoid", "Tanh", "Tanh"}}[gates]
		if a := n.attr("activations"); a != nil {
			if len(a.texts) != len(activations)*len(directions) || !slices.Equal(a.texts[:len(activations)], a.texts[len(a.texts)-len(activations):]) {
				unsupported("activations %v", a.texts)
			}
			activations = a.texts[:len(activations)]
		}
		for _, a := range activations {
			if !slices.Contains([]string{"Tanh", "Sigmoid", "Relu"}, a) {
				unsupported("activation %s", a)
			}
		}
		initial := func(i, d int) graph.Ref {
			if !n.has(i) {
				return n.filled(n.f(0), 0, batch, hidden)
			}
			h := n.x(i)
			if batchFirst && len(n.shape(h)) == 3 {
				h = n.transpose(h, 1, 0, 2)
			}
			return n.part(h, d, batch, hidden)
		}
		var outputs, lastH, lastC []graph.Ref
		for d, backwards := range directions {
			c := &cell{hidden: hidden, activations: activations, linearBefore: n.flag("linear_before_reset"), coupled: n.flag("input_forget")}
			c.r = n.transpose(n.part(r, d, gates*hidden, hidden), 1, 0)
			in := n.op("MatMul", nil, x, n.transpose(n.part(w, d, gates*hidden, s[2]), 1, 0))
			c.rb = n.filled(n.f(0), 0, 1, gates*hidden)
			if n.has(3) {
				b := n.part(n.x(3), d, 1, 2*gates*hidden)
				in = n.add(in, n.slice(b, 1, 0, gates*hidden, 1))
				c.rb = n.slice(b, 1, gates*hidden, 2*gates*hidden, 1)
			}
			c.h = initial(5, d)
			if gates == 4 {
				c.c = initial(6, d)
				if n.has(7) {
					c.peephole = n.part(n.x(7), d, 1, 3*hidden)
				}
			}
			steps := make([]graph.Ref, length)
			for i := range length {
				t := i
				if backwards {
					t = length - 1 - i
				}
				step(n, c, n.reshape(n.slice(in, 0, t, t+1, 1), batch, gates*hidden))
				steps[t] = n.reshape(c.h, 1, 1, batch, hidden)
			}
			outputs = append(outputs, n.concat(0, steps...))
			lastH = append(lastH, n.reshape(c.h, 1, batch, hidden))
			if gates == 4 {
				lastC = append(lastC, n.reshape(c.c, 1, batch, hidden))
			}
		}
		y, h := n.concat(1, outputs...), n.concat(0, lastH...)
		turn := func(r graph.Ref) graph.Ref {
			if batchFirst {
				return n.transpose(r, 1, 0, 2)
			}
			return n.op("Identity", nil, r)
		}
		if batchFirst {
			y = n.transpose(y, 2, 0, 1, 3)
		}
		out := []*value{{ref: n.op("Identity", nil, y)}, {ref: turn(h)}}
		if gates == 4 {
			out = append(out, &value{ref: turn(n.concat(0, lastC...))})
		}
		return out
	}
}

// wholeLayer is the engine's own layer if the node is of the usual form: its default activations, all sequences of full length, no
// clipping, no peepholes. x has the steps first.
func (n *node) wholeLayer(gates int, x graph.Ref, batchFirst bool) []*value {
	if gates == 1 || batchFirst || n.has(4) || n.has(7) || n.attr("clip") != nil || n.attr("activations") != nil || n.flag("input_forget") {
		return nil
	}
	attrs := graph.Attrs{"direction": n.text("direction", "forward")}
	if n.attr("hidden_size") != nil {
		attrs["hidden_size"] = n.integer("hidden_size", 0)
	}
	in := []graph.Ref{x, n.x(1), n.x(2), n.x(3), graph.None, n.x(5)}
	outputs := 2
	if gates == 4 {
		in, outputs = append(in, n.x(6)), 3
	} else if n.flag("linear_before_reset") {
		attrs["linear_before_reset"] = 1
	}
	for in[len(in)-1] == graph.None {
		in = in[:len(in)-1]
	}
	var out []*value
	refs := n.l.b.OpN(n.p.op, outputs, attrs, in...)
	n.check()
	for _, r := range refs {
		out = append(out, &value{ref: r})
	}
	return out
}

// part is entry d of the first axis, in the given shape.
func (n *node) part(r graph.Ref, d int, shape ...int) graph.Ref {
	s := n.shape(r)
	if len(s) < 2 || d >= s[0] || product(s[1:]) != product(shape) {
		unsupported("weights or state of shape %v, want %v for each direction", s, shape)
	}
	return n.reshape(n.slice(r, 0, d, d+1, 1), shape...)
}

// gate is part i of a step's gates.
func (c *cell) gate(n *node, r graph.Ref, i int) graph.Ref {
	return n.slice(r, len(n.shape(r))-1, i*c.hidden, (i+1)*c.hidden, 1)
}

func (c *cell) act(n *node, i int, r graph.Ref) graph.Ref { return n.op(c.activations[i], nil, r) }

func (c *cell) recur(n *node) graph.Ref { return n.add(n.op("MatMul", nil, c.h, c.r), c.rb) }

func rnnStep(n *node, c *cell, x graph.Ref) { c.h = c.act(n, 0, n.add(x, c.recur(n))) }

// gruStep has gates z, r and h: h' = (1 - z)·h~ + z·h.
func gruStep(n *node, c *cell, x graph.Ref) {
	hr := c.recur(n)
	z := c.act(n, 0, n.add(c.gate(n, x, 0), c.gate(n, hr, 0)))
	r := c.act(n, 0, n.add(c.gate(n, x, 1), c.gate(n, hr, 1)))
	var back graph.Ref
	if c.linearBefore {
		back = n.mul(r, c.gate(n, hr, 2))
	} else {
		back = n.add(n.op("MatMul", nil, n.mul(r, c.h), c.gate(n, c.r, 2)), c.gate(n, c.rb, 2))
	}
	h := c.act(n, 1, n.add(c.gate(n, x, 2), back))
	c.h = n.add(n.mul(n.sub(n.f(1), z), h), n.mul(z, c.h))
}

// lstmStep has gates i, o, f and c, and peepholes for i, o and f.
func lstmStep(n *node, c *cell, x graph.Ref) {
	sum := n.add(x, c.recur(n))
	see := func(r, state graph.Ref, i int) graph.Ref {
		if c.peephole == graph.None {
			return r
		}
		return n.add(r, n.mul(c.gate(n, c.peephole, i), state))
	}
	i := c.act(n, 0, see(c.gate(n, sum, 0), c.c, 0))
	f := n.sub(n.f(1), i)
	if !c.coupled {
		f = c.act(n, 0, see(c.gate(n, sum, 2), c.c, 2))
	}
	c.c = n.add(n.mul(f, c.c), n.mul(i, c.act(n, 1, c.gate(n, sum, 3))))
	o := c.act(n, 0, see(c.gate(n, sum, 1), c.c, 1))
	c.h = n.mul(o, c.act(n, 2, c.c))
}
