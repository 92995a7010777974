package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// windowRules slide a window over spatial axes. The elements at one place of the window are a strided slice of the padded input; a
// convolution is the matrix product of the weights with all these slices, contracting in the order (place of the window, channel): N §3.
var windowRules = map[string]rule{
	"Conv": one(conv), "ConvTranspose": one(convTranspose), "MaxPool": maxPool, "AveragePool": one(averagePool),
	"GlobalAveragePool": one(globalPool("ReduceMean")), "GlobalMaxPool": one(globalPool("ReduceMax")), "MaxUnpool": one(maxUnpool),
}

// maxPlaces bounds the places of one window: each is a node of the graph.
const maxPlaces = 4096

// window is what a sliding window does along each spatial axis.
type window struct {
	kernel, strides, dilations []int
	before, after              []int // padding
	extra                      []int // more padding at the end, by ceil_mode
	out                        []int // number of windows
}

// spread is a list attribute for each spatial axis.
func (n *node) spread(name string, rank, otherwise, least int) []int {
	list := n.integers(name)
	if list == nil {
		return slices.Repeat([]int{otherwise}, rank)
	}
	if len(list) != rank {
		unsupported("attribute %q has %d entries for %d spatial axes", name, len(list), rank)
	}
	for _, v := range list {
		if v < least || v > 1<<24 {
			unsupported("attribute %q is %v", name, list)
		}
	}
	return list
}

func (n *node) window(in, kernel []int) window {
	rank := len(in)
	if len(kernel) != rank || rank == 0 || rank > 3 {
		unsupported("a window of %v over %v", kernel, in)
	}
	places := 1
	for _, k := range kernel {
		if k < 1 || k > maxPlaces/places {
			unsupported("a window of %v", kernel)
		}
		places *= k
	}
	w := window{
		kernel: kernel, strides: n.spread("strides", rank, 1, 1), dilations: n.spread("dilations", rank, 1, 1),
		before: make([]int, rank), after: make([]int, rank), extra: make([]int, rank), out: make([]int, rank),
	}
	auto := n.text("auto_pad", "NOTSET")
	if pads := n.integers("pads"); pads != nil && auto == "NOTSET" {
		if len(pads) != 2*rank {
			unsupported("%d pads for %d spatial axes", len(pads), rank)
		}
		w.before, w.after = pads[:rank:rank], pads[rank:]
	}
	ceil := n.flag("ceil_mode")
	for i, d := range in {
		reach := (kernel[i]-1)*w.dilations[i] + 1
		stride := w.strides[i]
		switch auto {
		case "NOTSET", "VALID", "":
			if w.before[i] < 0 || w.after[i] < 0 {
				unsupported("pads %v and %v", w.before, w.after)
			}
			room := d + w.before[i] + w.after[i] - reach
			if room < 0 {
				unsupported("a window of %v over %v", kernel, in)
			}
			w.out[i] = room/stride + 1
			if ceil && room%stride != 0 && w.out[i]*stride < d+w.before[i] {
				w.out[i]++
				w.extra[i] = stride - room%stride
			}
		case "SAME_UPPER", "SAME_LOWER":
			w.out[i] = (d + stride - 1) / stride
			total := max(0, (w.out[i]-1)*stride+reach-d)
			w.before[i], w.after[i] = total/2, total-total/2
			if auto == "SAME_LOWER" {
				w.before[i], w.after[i] = w.after[i], w.before[i]
			}
		default:
			unsupported("auto_pad %q", auto)
		}
	}
	return w
}

// padded lengthens the last axes of x as the window needs.
func (n *node) padded(x graph.Ref, w window, fill graph.Ref) graph.Ref {
	first := len(n.shape(x)) - len(w.kernel)
	for i := range w.kernel {
		x = n.pad(x, first+i, w.before[i], w.after[i]+w.extra[i], "constant", fill)
	}
	return x
}

// places are, for each place of the window in row-major order, its elements in all windows.
func (n *node) places(x graph.Ref, w window) []graph.Ref {
	first := len(n.shape(x)) - len(w.kernel)
	var list []graph.Ref
	at := make([]int, len(w.kernel))
	for range product(w.kernel) {
		var starts, ends, axes []int
		for i := range at {
			start := at[i] * w.dilations[i]
			starts, ends, axes = append(starts, start), append(ends, start+(w.out[i]-1)*w.strides[i]+1), append(axes, first+i)
		}
		b := n.l.b
		list = append(list, n.op("Slice", nil, x, b.Ints(starts...), b.Ints(ends...), b.Ints(axes...), b.Ints(w.strides...)))
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < w.kernel[i] {
				break
			}
			at[i] = 0
		}
	}
	return list
}

// convolve is the product of weights [groups, outputs of a group, places · channels of a group] with x [batch, groups, channels of a group, spatial...].
func (n *node) convolve(x, weights graph.Ref, w window) graph.Ref {
	s := n.shape(x)
	x = n.padded(x, w, n.same(x, 0))
	columns := n.concat(2, n.places(x, w)...)
	columns = n.reshape(columns, s[0], s[1], product(w.kernel)*s[2], product(w.out))
	y := n.op("MatMul", nil, weights, columns)
	return n.reshape(y, append([]int{s[0], s[1] * n.shape(weights)[1]}, w.out...)...)
}

// groups checks the channels of x against the weights.
func (n *node) groups(x, weights graph.Ref, transposed bool) (g int) {
	n.isFloat(x)
	n.isFloat(weights)
	c, ws := n.channels(x), n.shape(weights)
	g = n.integer("group", 1)
	rank := len(n.shape(x))
	if len(ws) != rank || rank < 3 || rank > 5 || g < 1 || c%g != 0 {
		unsupported("weights of shape %v, %d groups and input of shape %v", ws, g, n.shape(x))
	}
	if transposed && ws[0] != c || !transposed && (ws[1] != c/g || ws[0]%g != 0) {
		unsupported("weights of shape %v, %d groups and input of shape %v", ws, g, n.shape(x))
	}
	return g
}

func (n *node) biased(y graph.Ref, i int) graph.Ref {
	if !n.has(i) {
		return y
	}
	return n.add(y, n.perChannel(n.x(i), len(n.shape(y)), n.shape(y)[1]))
}

func conv(n *node) graph.Ref {
	x, weights := n.need(0), n.need(1)
	if n.has(2) {
		return n.conv(x, weights, n.x(2))
	}
	return n.conv(x, weights)
}

func (n *node) conv(x, weights graph.Ref, bias ...graph.Ref) graph.Ref {
	g := n.groups(x, weights, false)
	w := n.window(slices.Clone(n.shape(x)[2:]), slices.Clone(n.shape(weights)[2:]))
	attrs := w.attrs()
	attrs["group"] = g
	return n.op("Conv", attrs, append([]graph.Ref{x, weights}, bias...)...)
}

// attrs are the window's, padding made explicit.
func (w *window) attrs() graph.Attrs {
	pads := slices.Clone(w.before)
	for i, p := range w.after {
		pads = append(pads, p+w.extra[i])
	}
	return graph.Attrs{"strides": w.strides, "dilations": w.dilations, "pads": pads}
}

// convTranspose is a convolution with the window turned around, over the input with stride - 1 zeros after each element.
func convTranspose(n *node) graph.Ref {
	x, weights := n.need(0), n.need(1)
	g := n.groups(x, weights, true)
	s, ws := slices.Clone(n.shape(x)), slices.Clone(n.shape(weights))
	rank := len(s) - 2
	w := n.transposedWindow(s[2:], slices.Clone(ws[2:]))
	for i := range rank {
		x = n.stuffed(x, 2+i, w.strides[i])
		w.strides[i] = 1
	}
	for i := range rank { // pads may be negative, that is shorten
		x = n.pad(x, 2+i, w.before[i], w.after[i], "constant", n.same(x, 0))
		w.before[i], w.after[i] = 0, 0
	}
	flat := n.reshape(weights, append([]int{g, ws[0] / g, ws[1]}, ws[2:]...)...)
	for i := range rank {
		flat = n.reversed(flat, 3+i)
	}
	flat = n.transpose(n.reshape(flat, g, ws[0]/g, ws[1], product(ws[2:])), 0, 2, 3, 1)
	flat = n.reshape(flat, g, ws[1], product(ws[2:])*ws[0]/g)
	grouped := n.reshape(x, append([]int{s[0], g, s[1] / g}, n.shape(x)[2:]...)...)
	return n.biased(n.convolve(grouped, flat, w), 2)
}

// transposedWindow has as pads what the stuffed input is to be lengthened by.
func (n *node) transposedWindow(in, kernel []int) window {
	rank := len(in)
	places := 1
	for _, k := range kernel {
		if k > maxPlaces/places {
			unsupported("a window of %v", kernel)
		}
		places *= k
	}
	w := window{
		kernel: kernel, strides: slices.Clone(n.spread("strides", rank, 1, 1)), dilations: n.spread("dilations", rank, 1, 1),
		before: make([]int, rank), after: make([]int, rank), extra: make([]int, rank), out: make([]int, rank),
	}
	more := n.spread("output_padding", rank, 0, 0)
	want := n.integers("output_shape")
	auto := n.text("auto_pad", "NOTSET")
	pads := n.integers("pads")
	if pads != nil && len(pads) != 2*rank || want != nil && len(want) != rank {
		unsupported("%d pads and %d output dimensions for %d spatial axes", len(pads), len(want), rank)
	}
	for i, d := range in {
		reach := (kernel[i]-1)*w.dilations[i] + 1
		whole := w.strides[i]*(d-1) + more[i] + reach
		before, after := 0, 0
		same := auto == "SAME_UPPER" || auto == "SAME_LOWER"
		switch {
		case want != nil || same:
			out := d * w.strides[i]
			if want != nil {
				out = want[i]
			}
			total := max(0, whole-out)
			before, after = total-total/2, total/2
			if auto == "SAME_UPPER" {
				before, after = after, before
			}
			if want != nil && whole < out {
				more[i] += out - whole
			}
		case pads != nil && auto == "NOTSET":
			before, after = pads[i], pads[rank+i]
		}
		w.before[i], w.after[i] = reach-1-before, reach-1-after+more[i]
		w.out[i] = (d-1)*w.strides[i] + 1 + w.before[i] + w.after[i] - reach + 1
		if w.out[i] < 1 || w.out[i] > graph.MaxElements {
			unsupported("an output of %d along axis %d", w.out[i], 2+i)
		}
	}
	return w
}

// stuffed puts by - 1 zeros between the elements of an axis.
func (n *node) stuffed(x graph.Ref, axis, by int) graph.Ref {
	if by == 1 {
		return x
	}
	s := slices.Clone(n.shape(x))
	wide := n.pad(n.reshape(x, slices.Insert(slices.Clone(s), axis+1, 1)...), axis+1, 0, by-1, "constant", n.same(x, 0))
	s[axis] *= by
	return n.slice(n.reshape(wide, s...), axis, 0, s[axis]-by+1, 1)
}

// spatial is the shape of an input behind batch and channels.
func (n *node) spatial(x graph.Ref) []int {
	n.channels(x)
	return slices.Clone(n.shape(x)[2:])
}

// maxPool also gives the flat index of the first greatest element of each window.
func maxPool(n *node) []*value {
	x := n.need(0)
	w := n.window(n.spatial(x), n.integers("kernel_shape"))
	if len(n.p.outputs) < 2 && n.dtype(x) == tensor.Float32 {
		return []*value{{ref: n.pool("MaxPool", x, w, w.attrs())}}
	}
	list := n.places(n.padded(x, w, n.same(x, negativeInfinity)), w)
	y := list[0]
	for _, p := range list[1:] {
		y = n.max(y, p)
	}
	if len(n.p.outputs) < 2 {
		return []*value{{ref: n.op("Identity", nil, y)}}
	}
	s := n.shape(x)
	flat := n.reshape(n.iota(product(s), 0, 1, tensor.Int64), s...)
	if n.flag("storage_order") {
		turned := slices.Clone(s[2:])
		slices.Reverse(turned)
		perm := []int{0, 1}
		for i := len(s) - 1; i >= 2; i-- {
			perm = append(perm, i)
		}
		flat = n.transpose(n.reshape(flat, append([]int{s[0], s[1]}, turned...)...), perm...)
	}
	indices := n.places(n.padded(flat, w, n.i(-1)), w)
	best, at := list[0], indices[0]
	for i, p := range list[1:] {
		better := n.or(n.compare("Greater", p, best), n.compare("Less", at, n.i(0)))
		best, at = n.where(better, p, best), n.where(better, indices[i+1], at)
	}
	return []*value{{ref: y}, {ref: at}}
}

// maxUnpool puts elements back to where maxPool says they were; the rest is 0.
func maxUnpool(n *node) graph.Ref {
	x, at := n.need(0), n.need(1)
	s := n.shape(x)
	rank := len(s) - 2
	if rank < 1 || !slices.Equal(n.shape(at), s) {
		unsupported("indices of shape %v for %v", n.shape(at), s)
	}
	kernel := n.spread("kernel_shape", rank, 1, 1)
	strides, pads := n.spread("strides", rank, 1, 1), n.spread("pads", 2*rank, 0, 0)
	inferred := slices.Clone(s)
	for i := range rank {
		inferred[2+i] = (s[2+i]-1)*strides[i] + kernel[i] - pads[i] - pads[rank+i]
	}
	out := inferred
	if n.has(2) {
		out = n.list(2)
	}
	if len(out) != len(s) || product(size(out)) < 1 || product(size(inferred)) < 1 {
		unsupported("output shape %v", out)
	}
	count := product(s)
	zeros := n.filled(x, 0, product(inferred))
	y := n.op("ScatterND", nil, zeros, n.reshape(at, count, 1), n.reshape(x, count))
	y = n.reshape(y, inferred...)
	for i := range out {
		y = n.pad(y, i, 0, out[i]-inferred[i], "constant", n.f(0))
	}
	return y
}

// pool is a pooling operator of the graph.
func (n *node) pool(op string, x graph.Ref, w window, attrs graph.Attrs) graph.Ref {
	attrs["kernel_shape"] = w.kernel
	return n.op(op, attrs, x)
}

// averagePool counts padding, if at all, as far as pads go: not what ceil_mode adds. Where there are both, what counts is made part
// of the input first.
func averagePool(n *node) graph.Ref {
	x := n.need(0)
	n.isFloat(x)
	w := n.window(n.spatial(x), n.integers("kernel_shape"))
	attrs := w.attrs()
	switch {
	case !n.flag("count_include_pad"):
	case slices.Max(w.extra) == 0:
		attrs["count_include_pad"] = 1
	default:
		for i := range w.kernel {
			x = n.pad(x, 2+i, w.before[i], w.after[i], "constant", n.f(0))
			w.before[i], w.after[i] = 0, 0
		}
		attrs = w.attrs()
	}
	return n.pool("AveragePool", x, w, attrs)
}

func globalPool(name string) func(*node) graph.Ref {
	return func(n *node) graph.Ref {
		x := n.need(0)
		n.channels(x)
		return n.reduce(name, x, true, upTo(len(n.shape(x)))[2:]...)
	}
}
