package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// gridRules read pictures at places that a run decides.
var gridRules = map[string]rule{"GridSample": one(gridSample)}

// sampler is how GridSample reads pictures x [batch, spatial..., channels].
type sampler struct {
	x       graph.Ref
	batch   graph.Ref // [batch, places..., 1] with the number of the picture
	padding string
	align   bool
	sizes   []int // spatial
}

// gridSample of 4-D or 5-D input: each output element is the sum over taps, rows first, of the picture there times the row's weight times
// the column's weight. A grid has the last spatial axis first.
func gridSample(n *node) graph.Ref {
	x, grid := n.need(0), n.need(1)
	in, s := n.shape(x), n.shape(grid)
	axes := len(in) - 2
	if axes != 2 && axes != 3 || len(s) != len(in) || s[0] != in[0] || s[axes+1] != axes {
		unsupported("grid of shape %v for pictures of shape %v", s, in)
	}
	n.isFloat(x)
	n.isFloat(grid)
	wide := append(slices.Clone(s[:axes+1]), 1)
	g := sampler{
		x: n.moved(x, 1, axes+1), batch: n.expand(n.iota(in[0], 0, axes+2, tensor.Int64), wide...),
		padding: n.text("padding_mode", "zeros"), align: n.flag("align_corners"), sizes: in[2:],
	}
	if g.padding != "zeros" && g.padding != "border" && g.padding != "reflection" {
		unsupported("padding_mode %q", g.padding)
	}
	mode := n.text("mode", "linear")
	taps := make([][]weighted, axes)
	for i, d := range g.sizes {
		r := g.place(n, n.slice(grid, axes+1, axes-1-i, axes-i, 1), d)
		switch mode {
		case "nearest":
			taps[i] = []weighted{{at: n.round(g.inside(n, r, d))}}
		case "bilinear", "linear":
			taps[i] = g.linear(n, g.inside(n, r, d))
		case "bicubic", "cubic":
			taps[i] = g.cubic(n, r, d)
		default:
			unsupported("mode %q", mode)
		}
	}
	return n.moved(g.sum(n, taps), axes+1, 1)
}

// place turns [-1, 1] into places of a row or column.
func (g *sampler) place(n *node, r graph.Ref, length int) graph.Ref {
	one := n.add(r, n.f(1))
	if g.align {
		return n.mul(n.div(one, n.f(2)), n.f(float32(length-1)))
	}
	return n.div(n.sub(n.mul(one, n.f(float32(length))), n.f(1)), n.f(2))
}

// inside brings places into the picture as the padding mode says; with "zeros" they stay where they are.
func (g *sampler) inside(n *node, r graph.Ref, length int) graph.Ref {
	last := float32(length - 1)
	if g.padding == "zeros" {
		return r
	}
	if g.padding == "reflection" {
		low, span := float32(0), last
		if !g.align {
			low, span = -0.5, float32(length)
		}
		if span == 0 {
			return n.mul(r, n.f(0))
		}
		away := n.op("Abs", nil, n.sub(r, n.f(low)))
		turns := n.floor(n.div(away, n.f(span)))
		rest := n.sub(away, n.mul(turns, n.f(span)))
		half := n.mul(turns, n.f(0.5))
		even := n.compare("Equal", n.floor(half), half)
		r = n.add(n.where(even, rest, n.sub(n.f(span), rest)), n.f(low))
	}
	return n.min(n.max(r, n.f(0)), n.f(last))
}

// weighted is a tap along one axis: a whole place and its weight.
type weighted struct{ at, weight graph.Ref }

func (g *sampler) linear(n *node, r graph.Ref) []weighted {
	low := n.floor(r)
	f := n.sub(r, low)
	return []weighted{{low, n.sub(n.f(1), f)}, {n.add(low, n.f(1)), f}}
}

// cubic has the weights of cubic convolution with a = -0.75; taps outside are brought inside one by one.
func (g *sampler) cubic(n *node, r graph.Ref, length int) []weighted {
	const a = -0.75
	low := n.floor(r)
	f := n.sub(r, low)
	polynomial := func(d graph.Ref, coefficients ...float32) graph.Ref {
		p := n.f(coefficients[0])
		for _, c := range coefficients[1:] {
			p = n.add(n.mul(p, d), n.f(c))
		}
		return p
	}
	near := func(d graph.Ref) graph.Ref { return polynomial(d, a+2, -a-3, 0, 1) }
	far := func(d graph.Ref) graph.Ref { return polynomial(d, a, -5*a, 8*a, -4*a) }
	back := n.sub(n.f(1), f)
	list := []weighted{
		{n.sub(low, n.f(1)), far(n.add(n.f(1), f))}, {low, near(f)},
		{n.add(low, n.f(1)), near(back)}, {n.add(low, n.f(2)), far(n.add(n.f(1), back))},
	}
	for i := range list {
		list[i].at = n.round(g.inside(n, list[i].at, length))
	}
	return list
}

// sum goes through the taps of all axes, the first axis slowest. A tap without a weight counts once.
func (g *sampler) sum(n *node, taps [][]weighted) graph.Ref {
	var y graph.Ref
	var add func(axis int, at []graph.Ref, weight graph.Ref)
	add = func(axis int, at []graph.Ref, weight graph.Ref) {
		if axis < len(taps) {
			for _, t := range taps[axis] {
				w := t.weight
				if weight != graph.None {
					w = n.mul(weight, t.weight)
				}
				add(axis+1, append(slices.Clone(at), t.at), w)
			}
			return
		}
		part := g.read(n, at)
		if weight != graph.None {
			part = n.mul(part, weight)
		}
		if y == graph.None {
			y = part
		} else {
			y = n.add(y, part)
		}
	}
	add(0, nil, graph.None)
	return y
}

// read is the picture at whole places, 0 outside of it.
func (g *sampler) read(n *node, at []graph.Ref) graph.Ref {
	tuple := []graph.Ref{g.batch}
	var inside graph.Ref
	for i, r := range at {
		last := g.sizes[i] - 1
		within := n.and(n.compare("GreaterOrEqual", r, n.f(0)), n.compare("LessOrEqual", r, n.f(float32(last))))
		if inside == graph.None {
			inside = within
		} else {
			inside = n.and(inside, within)
		}
		tuple = append(tuple, n.min(n.max(n.cast(r, tensor.Int64), n.i(0)), n.i(int64(last))))
	}
	return n.where(inside, n.op("GatherND", nil, g.x, n.concat(len(at)+1, tuple...)), n.f(0))
}
