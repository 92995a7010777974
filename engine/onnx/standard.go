package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Standard returns g with the derivatives of domain "mutirao" written as operators that ONNX has, so that any runtime can run it: a
// training step among others. Inputs, outputs and their names stay. The numbers are the same up to rounding; where a
// window of MaxPool holds NaN, its gradient may go elsewhere. g is not changed. It returns graph.Infer's error, or one that wraps
// ErrUnsupported and names a node that has no such form.
func Standard(g *graph.Graph) (*graph.Graph, error) {
	calls, err := graph.Calls(g)
	if err != nil {
		return nil, err
	}
	b := graph.NewBuilder(g.Name)
	b.Avoid(g)
	for _, v := range g.Inputs {
		b.Input(v.Name, v.DType, v.Shape...)
	}
	for _, t := range g.Initializers {
		b.Initializer(t.Name, t.Tensor)
	}
	for i := range calls {
		if calls[i].Node.Domain == "" {
			b.Node(*calls[i].Node)
			continue
		}
		compose, ok := standardForms[calls[i].Node.Op]
		if !ok {
			return nil, fmt.Errorf("%w: node %q: %s has no form in ONNX's operators", ErrUnsupported, calls[i].Node.Name, calls[i].Node.Op)
		}
		s := &standard{Builder: b, call: &calls[i]}
		for o, d := range compose(s) {
			s.name(o, d)
		}
	}
	for _, v := range g.Outputs {
		b.Output(v.Name, graph.Ref(v.Name))
	}
	return b.Graph()
}

// standard is what a form sees: the call, and the graph that it adds to.
type standard struct {
	*graph.Builder
	call      *graph.Call
	constants int
}

// standardForms follow section 4 of spec/graph.md line by line.
var standardForms = map[string]func(*standard) []graph.Ref{
	"GeluGrad": geluGradForm, "SliceGrad": sliceGradForm, "SoftmaxCrossEntropyLossGrad": crossEntropyGradForm,
	"LayerNormalizationGrad": normGradForm, "RMSNormalizationGrad": normGradForm, "AttentionGrad": attentionGradForm,
	"ConvWeightGrad": convWeightGradForm, "MaxPoolGrad": maxPoolGradForm, "AveragePoolGrad": averagePoolGradForm,
}

func (s *standard) op(name string, in ...graph.Ref) graph.Ref { return s.Op(name, nil, in...) }

// x is input i.
func (s *standard) x(i int) graph.Ref { return graph.Ref(s.call.In[i].Name) }

// name gives d the name of output o of the call, unless nothing reads that.
func (s *standard) name(o int, d graph.Ref) {
	if o >= len(s.call.Out) || s.Err() != nil {
		return
	}
	name := s.call.Out[o].Name
	s.Node(graph.Node{Op: "Identity", Name: "standard/" + name, Inputs: []string{string(d)}, Outputs: []string{name}})
}

// zeros is a tensor of +0.
func (s *standard) zeros(shape ...int) graph.Ref {
	if len(shape) == 0 {
		return s.Float(0)
	}
	return s.op("Expand", s.Float(0), s.Ints(shape...))
}

// constant is an initializer of its own.
func (s *standard) constant(t *tensor.Tensor) graph.Ref {
	s.constants++
	return s.Initializer(fmt.Sprintf("standard/%s/%d", s.call.Node.Name, s.constants), t)
}

func geluGradForm(s *standard) []graph.Ref {
	dy, x := s.x(0), s.x(1)
	cdf := s.op("Mul", s.op("Add", s.op("Erf", s.op("Mul", x, s.Float(0x1.6a09e6p-1))), s.Float(1)), s.Float(0.5))
	bell := s.op("Exp", s.op("Mul", s.op("Mul", x, s.Float(-0.5)), x))
	return []graph.Ref{s.op("Mul", dy, s.op("Add", cdf, s.op("Mul", s.op("Mul", x, s.Float(0x1.988454p-2)), bell)))}
}

func sliceGradForm(s *standard) []graph.Ref {
	dy := s.x(0)
	for axis, r := range s.call.Ranges() {
		start, step := r.Start, r.Step
		if step < 0 {
			start, step = start+(r.Len-1)*step, -step
			if r.Len > 1 {
				dy = s.op("Slice", dy, s.Ints(-1), s.Ints(-1-r.Len), s.Ints(axis), s.Ints(-1))
			}
		}
		dy = s.placed(dy, axis, start, step, s.call.Out[0].Shape[axis])
	}
	return []graph.Ref{dy}
}

// placed puts the elements along an axis at start, start + step, … of size zeros.
func (s *standard) placed(x graph.Ref, axis, start, step, size int) graph.Ref {
	shape := slices.Clone(s.Shape(x))
	n := shape[axis]
	if step > 1 && n > 1 {
		gaps := slices.Insert(slices.Clone(shape), axis+1, step-1)
		x = s.Op("Concat", graph.Attrs{"axis": axis + 1}, s.op("Unsqueeze", x, s.Ints(axis+1)), s.zeros(gaps...))
		shape[axis] = n * step
		x = s.op("Reshape", x, s.Ints(shape...))
		shape[axis] = (n-1)*step + 1
		x = s.op("Slice", x, s.Ints(0), s.Ints(shape[axis]), s.Ints(axis))
	}
	parts := []graph.Ref{x}
	length := shape[axis]
	if start > 0 {
		shape[axis] = start
		parts = slices.Insert(parts, 0, s.zeros(shape...))
	}
	if rest := size - start - length; rest > 0 {
		shape[axis] = rest
		parts = append(parts, s.zeros(shape...))
	}
	if len(parts) == 1 {
		return x
	}
	return s.Op("Concat", graph.Attrs{"axis": axis}, parts...)
}

func crossEntropyGradForm(s *standard) []graph.Ref {
	dloss, scores, labels := s.x(0), s.x(1), s.op("Unsqueeze", s.x(2), s.Ints(1))
	rows, classes := s.call.In[1].Shape[0], s.call.In[1].Shape[1]
	all := make([]int64, classes)
	for i := range all {
		all[i] = int64(i)
	}
	hot := s.op("Equal", labels, s.constant(tensor.FromInt64(all, 1, classes)))
	d := s.op("Sub", s.op("Softmax", scores), s.Op("Cast", graph.Attrs{"to": int(tensor.Float32)}, hot))
	ignored := graph.None
	count := s.Float(float32(rows))
	if s.call.HasAttr("ignore_index") {
		ignored = s.op("Equal", labels, s.constant(tensor.FromInt64([]int64{int64(s.call.Int("ignore_index"))})))
		count = s.Op("ReduceSum", graph.Attrs{"keepdims": 0}, s.op("Where", ignored, s.Float(0), s.Float(1)))
	}
	factor := dloss
	switch s.call.String("reduction") {
	case "none":
		factor = s.op("Unsqueeze", dloss, s.Ints(1))
	case "mean":
		factor = s.op("Div", dloss, count)
	}
	d = s.op("Mul", d, factor)
	if ignored != graph.None {
		d = s.op("Where", ignored, s.Float(0), d)
	}
	return []graph.Ref{d}
}

// normGradForm is that of LayerNormalization, or without mean of RMSNormalization.
func normGradForm(s *standard) []graph.Ref {
	dy, x, scale := s.x(0), s.x(1), s.x(2)
	shape, axis := s.call.In[1].Shape, s.call.Int("axis")
	if axis < 0 {
		axis += len(shape)
	}
	var along, across []int
	n := 1
	for a, size := range shape {
		if a < axis {
			across = append(across, a)
		} else {
			along = append(along, a)
			n *= size
		}
	}
	mean := func(v graph.Ref) graph.Ref {
		return s.op("Div", s.op("ReduceSum", v, s.Ints(along...)), s.Float(float32(n)))
	}
	layer := s.call.Node.Op == "LayerNormalizationGrad"
	if layer {
		x = s.op("Sub", x, mean(x))
	}
	root := s.op("Sqrt", s.op("Add", mean(s.op("Mul", x, x)), s.Float(s.call.Float("epsilon"))))
	h := s.op("Div", x, root)
	g := s.op("Mul", dy, scale)
	a := mean(s.op("Mul", g, h))
	if layer {
		g = s.op("Sub", g, mean(g))
	}
	dx := s.op("Div", s.op("Sub", g, s.op("Mul", h, a)), root)
	total := func(v graph.Ref) graph.Ref {
		if across == nil {
			return v
		}
		return s.Op("ReduceSum", graph.Attrs{"keepdims": 0}, v, s.Ints(across...))
	}
	return []graph.Ref{dx, total(s.op("Mul", dy, h)), total(dy)}
}

// attentionGradForm has the query heads that share a key head on an axis of their own.
func attentionGradForm(s *standard) []graph.Ref {
	q, k, v := s.call.In[1].Shape, s.call.In[2].Shape, s.call.In[3].Shape
	group := q[1] / k[1]
	split := func(x graph.Ref, length, size int) graph.Ref {
		return s.op("Reshape", x, s.Ints(q[0], k[1], group, length, size))
	}
	one := func(x graph.Ref) graph.Ref { return s.op("Unsqueeze", x, s.Ints(2)) }
	swap := func(x graph.Ref) graph.Ref { return s.Op("Transpose", graph.Attrs{"perm": []int{0, 1, 2, 4, 3}}, x) }
	sum := func(x graph.Ref) graph.Ref { return s.Op("ReduceSum", graph.Attrs{"keepdims": 0}, x, s.Ints(2)) }
	dy, queries, keys, values := split(s.x(0), q[2], v[3]), split(s.x(1), q[2], q[3]), one(s.x(2)), one(s.x(3))
	scale := s.call.Float("scale")
	if scale == 0 {
		scale = 1 / float32(math.Sqrt(float64(q[3])))
	}
	scores := s.op("Mul", s.op("MatMul", queries, swap(keys)), s.Float(scale))
	if s.call.Int("is_causal") != 0 {
		seen := tensor.New(tensor.Bool, q[2], k[2])
		for i := range q[2] {
			for j := range min(i+1, k[2]) {
				seen.Bool()[i*k[2]+j] = true
			}
		}
		scores = s.op("Where", s.constant(seen), scores, s.Float(float32(math.Inf(-1))))
	}
	p := s.op("Softmax", scores)
	dp := s.op("MatMul", dy, swap(values))
	ds := s.op("Mul", s.op("Sub", dp, s.op("ReduceSum", s.op("Mul", dp, p), s.Ints(-1))), p)
	ds = s.op("Mul", ds, s.Float(scale))
	dq := s.op("Reshape", s.op("MatMul", ds, keys), s.Ints(q...))
	return []graph.Ref{dq, sum(s.op("MatMul", swap(ds), queries)), sum(s.op("MatMul", swap(p), dy))}
}

// convWeightGradForm is a convolution of x by dy, batch and channels exchanged, strides and dilations too.
func convWeightGradForm(s *standard) []graph.Ref {
	window, group := s.call.Window(), s.call.Int("group")
	swap := func(x graph.Ref) graph.Ref {
		perm := []int{1, 0}
		for a := range window {
			perm = append(perm, 2+a)
		}
		return s.Op("Transpose", graph.Attrs{"perm": perm}, x)
	}
	var strides, dilations, before, after, kernel, starts, axes []int
	for a, w := range window {
		strides, dilations, kernel = append(strides, w.Dilation), append(dilations, w.Stride), append(kernel, w.Kernel)
		before, after = append(before, w.Before), append(after, w.After)
		starts, axes = append(starts, 0), append(axes, 2+a)
	}
	attrs := graph.Attrs{"strides": strides, "dilations": dilations, "pads": append(before, after...)}
	outputs, channels := s.call.In[0].Shape[1]/group, s.call.In[1].Shape[1]/group
	var parts []graph.Ref
	for g := range group {
		dy, x := s.x(0), s.x(1)
		if group > 1 {
			dy = s.op("Slice", dy, s.Ints(g*outputs), s.Ints((g+1)*outputs), s.Ints(1))
			x = s.op("Slice", x, s.Ints(g*channels), s.Ints((g+1)*channels), s.Ints(1))
		}
		d := s.Op("Conv", attrs, swap(x), swap(dy))
		parts = append(parts, swap(s.op("Slice", d, s.Ints(starts...), s.Ints(kernel...), s.Ints(axes...))))
	}
	if len(parts) == 1 {
		return parts
	}
	return []graph.Ref{s.Op("Concat", graph.Attrs{"axis": 0}, parts...)}
}

// places are, for each place of a window in order, where along each axis of the padded input it begins to read.
func places(window []graph.Sliding) [][]int {
	list := [][]int{nil}
	for _, w := range window {
		var next [][]int
		for _, p := range list {
			for k := range w.Kernel {
				next = append(next, append(slices.Clone(p), k*w.Dilation))
			}
		}
		list = next
	}
	return list
}

// reach is how much of the padded input the windows read along an axis, at least the input itself.
func reach(w graph.Sliding) int {
	return max(w.Before+w.In, (w.Out-1)*w.Stride+(w.Kernel-1)*w.Dilation+1)
}

// maxPoolGradForm gives dy to the first place that is equal to the maximum.
func maxPoolGradForm(s *standard) []graph.Ref {
	window := s.call.Window()
	x := s.x(1)
	for a, w := range window {
		x = s.padded(x, 2+a, w, float32(math.Inf(-1)))
	}
	var read []graph.Ref
	for _, p := range places(window) {
		var starts, ends, axes, steps []int
		for a, w := range window {
			starts, ends = append(starts, p[a]), append(ends, p[a]+(w.Out-1)*w.Stride+1)
			axes, steps = append(axes, 2+a), append(steps, w.Stride)
		}
		read = append(read, s.op("Slice", x, s.Ints(starts...), s.Ints(ends...), s.Ints(axes...), s.Ints(steps...)))
	}
	greatest := read[0]
	if len(read) > 1 {
		greatest = s.op("Max", read...)
	}
	left, dx := s.x(0), graph.None
	for i, p := range places(window) {
		chosen := s.op("Equal", read[i], greatest)
		dx = s.sum(dx, s.atPlace(s.op("Where", chosen, left, s.Float(0)), window, p))
		left = s.op("Where", chosen, s.Float(0), left)
	}
	return []graph.Ref{s.cropped(dx, window)}
}

func averagePoolGradForm(s *standard) []graph.Ref {
	window := s.call.Window()
	counts := []float32{1}
	shape := []int{1, 1}
	for _, w := range window {
		var next []float32
		for _, n := range counts {
			for o := range w.Out {
				inside := 0
				for k := range w.Kernel {
					if at := o*w.Stride + k*w.Dilation - w.Before; at >= 0 && at < w.In || s.call.Int("count_include_pad") != 0 {
						inside++
					}
				}
				next = append(next, float32(n*float32(inside)))
			}
		}
		counts, shape = next, append(shape, w.Out)
	}
	share := s.op("Div", s.x(0), s.constant(tensor.FromFloat32(counts, shape...)))
	dx := graph.None
	for _, p := range places(window) {
		dx = s.sum(dx, s.atPlace(share, window, p))
	}
	return []graph.Ref{s.cropped(dx, window)}
}

// padded puts a value before and behind x along an axis, as far as the windows read.
func (s *standard) padded(x graph.Ref, axis int, w graph.Sliding, value float32) graph.Ref {
	parts := []graph.Ref{x}
	fill := func(n int) graph.Ref {
		shape := slices.Clone(s.Shape(x))
		shape[axis] = n
		return s.op("Expand", s.Float(value), s.Ints(shape...))
	}
	if w.Before > 0 {
		parts = slices.Insert(parts, 0, fill(w.Before))
	}
	if rest := reach(w) - w.Before - w.In; rest > 0 {
		parts = append(parts, fill(rest))
	}
	if len(parts) == 1 {
		return x
	}
	return s.Op("Concat", graph.Attrs{"axis": axis}, parts...)
}

// atPlace puts d, of the outputs' shape, where a place of the window reads in the padded input.
func (s *standard) atPlace(d graph.Ref, window []graph.Sliding, place []int) graph.Ref {
	for a, w := range window {
		d = s.placed(d, 2+a, place[a], w.Stride, reach(w))
	}
	return d
}

// cropped is the input's part of a padded input.
func (s *standard) cropped(d graph.Ref, window []graph.Sliding) graph.Ref {
	var starts, ends, axes []int
	for a, w := range window {
		starts, ends, axes = append(starts, w.Before), append(ends, w.Before+w.In), append(axes, 2+a)
	}
	return s.op("Slice", d, s.Ints(starts...), s.Ints(ends...), s.Ints(axes...))
}

func (s *standard) sum(a, b graph.Ref) graph.Ref {
	if a == graph.None {
		return b
	}
	return s.op("Add", a, b)
}
