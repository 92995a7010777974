package onnx

import (
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// gridRules read pictures at places that a run decides.
var gridRules = map[string]rule{"GridSample": one(gridSample)}

// sampler is how GridSample reads pictures x [batch, height, width, channels].
type sampler struct {
	x             graph.Ref
	batch         graph.Ref // [batch, rows, columns, 1] with the number of the picture
	padding       string
	align         bool
	height, width int
}

// gridSample of 4-D input: each output element is the sum over taps, rows first, of the picture there times the row's weight times the
// column's weight.
func gridSample(n *node) graph.Ref {
	b, c, h, w := n.image(n.need(0))
	grid := n.need(1)
	s := n.shape(grid)
	if len(s) != 4 || s[0] != b || s[3] != 2 {
		unsupported("grid of shape %v for %d pictures", s, b)
	}
	n.isFloat(n.need(0))
	n.isFloat(grid)
	wide := []int{b, s[1], s[2], 1}
	g := sampler{
		x: n.transpose(n.need(0), 0, 2, 3, 1), batch: n.expand(n.iota(b, 0, 4, tensor.Int64), wide...),
		padding: n.text("padding_mode", "zeros"), align: n.flag("align_corners"), height: h, width: w,
	}
	if c < 1 || g.padding != "zeros" && g.padding != "border" && g.padding != "reflection" {
		unsupported("padding_mode %q", g.padding)
	}
	u := g.place(n, n.slice(grid, 3, 0, 1, 1), w)
	v := g.place(n, n.slice(grid, 3, 1, 2, 1), h)
	var y graph.Ref
	switch mode := n.text("mode", "linear"); mode {
	case "nearest":
		y = g.read(n, n.round(g.inside(n, v, h)), n.round(g.inside(n, u, w)))
	case "bilinear", "linear":
		y = g.sum(n, g.linear(n, g.inside(n, v, h)), g.linear(n, g.inside(n, u, w)))
	case "bicubic", "cubic":
		y = g.sum(n, g.cubic(n, v, h), g.cubic(n, u, w))
	default:
		unsupported("mode %q", mode)
	}
	return n.transpose(y, 0, 3, 1, 2)
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

func (g *sampler) sum(n *node, rows, columns []weighted) graph.Ref {
	var y graph.Ref
	for _, r := range rows {
		for _, c := range columns {
			part := n.mul(g.read(n, r.at, c.at), n.mul(r.weight, c.weight))
			if y == graph.None {
				y = part
			} else {
				y = n.add(y, part)
			}
		}
	}
	return y
}

// read is the picture at whole places, 0 outside of it.
func (g *sampler) read(n *node, row, column graph.Ref) graph.Ref {
	within := func(r graph.Ref, length int) graph.Ref {
		return n.and(n.compare("GreaterOrEqual", r, n.f(0)), n.compare("LessOrEqual", r, n.f(float32(length-1))))
	}
	index := func(r graph.Ref, length int) graph.Ref {
		return n.min(n.max(n.cast(r, tensor.Int64), n.i(0)), n.i(int64(length-1)))
	}
	tuples := n.concat(3, g.batch, index(row, g.height), index(column, g.width))
	return n.where(n.and(within(row, g.height), within(column, g.width)), n.op("GatherND", nil, g.x, tuples), n.f(0))
}
