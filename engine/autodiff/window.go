package autodiff

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
)

var windowRules = map[string]rule{"Conv": conv, "MaxPool": maxPool, "AveragePool": averagePool}

// slidingAttrs are the attributes of a window that slides.
func slidingAttrs(w []graph.Sliding) graph.Attrs {
	var kernel, strides, dilations, before, after []int
	for _, s := range w {
		kernel, strides, dilations = append(kernel, s.Kernel), append(strides, s.Stride), append(dilations, s.Dilation)
		before, after = append(before, s.Before), append(after, s.After)
	}
	return graph.Attrs{"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": append(before, after...)}
}

// conv: by the input it is a convolution of dy, by the weights ConvWeightGrad, by the bias the sum over batch and places.
func conv(n *node) ([]graph.Ref, error) {
	dy, w, group := n.dy[0], n.call.Window(), n.call.Int("group")
	return n.each(func(i int) graph.Ref {
		switch i {
		case 0:
			return convInput(n, dy, w, group)
		case 1:
			attrs := slidingAttrs(w)
			attrs["group"] = group
			return n.Op("ConvWeightGrad", attrs, dy, n.x(0))
		}
		axes := []int{0}
		for a := range w {
			axes = append(axes, 2+a)
		}
		return n.Op("ReduceSum", graph.Attrs{"keepdims": 0}, dy, n.Ints(axes...))
	}), nil
}

// convInput is the derivative by the input: dx[i] = Σ over places p and outputs o of w[o,p]·dy[o,j] with j·stride + p·dilation - pad = i.
// That is a convolution of dy, with stride - 1 zeros put after each element, by the weights with their window turned around and
// outputs and channels exchanged. Its order of summation is Conv's: (place of the turned window, output).
func convInput(n *node, dy graph.Ref, w []graph.Sliding, group int) graph.Ref {
	rank := len(w)
	attrs := graph.Attrs{"group": group}
	var dilations, before, after []int
	for a, s := range w {
		reach := (s.Kernel - 1) * s.Dilation
		length := (s.Out-1)*s.Stride + 1
		dy = spread(n, dy, 2+a, s.Stride)
		pad := reach - s.Before
		if pad < 0 { // the first elements of dy belong to windows of padding alone
			dy = n.op("Slice", dy, n.Ints(-pad), n.Ints(length), n.Ints(2+a))
			length, pad = length+pad, 0
		}
		rest := s.In - (length + pad - reach)
		if rest < 0 { // so do the last
			length += rest
			dy = n.op("Slice", dy, n.Ints(0), n.Ints(length), n.Ints(2+a))
			rest = 0
		}
		dilations, before, after = append(dilations, s.Dilation), append(before, pad), append(after, rest)
	}
	attrs["dilations"], attrs["pads"] = dilations, append(before, after...)
	return n.Op("Conv", attrs, dy, turned(n, rank, group))
}

// spread puts step - 1 zeros between the elements along an axis.
func spread(n *node, x graph.Ref, axis, step int) graph.Ref {
	shape := slices.Clone(n.Shape(x))
	if step == 1 || shape[axis] == 1 {
		return x
	}
	shape[axis] = (shape[axis]-1)*step + 1
	return n.Op("SliceGrad", graph.Attrs{"shape": shape}, x, n.Ints(0), n.Ints(shape[axis]), n.Ints(axis), n.Ints(step))
}

// turned is the weights [outputs, channels/group, window...] as [channels, outputs/group, window turned around...].
func turned(n *node, rank, group int) graph.Ref {
	w := n.x(1)
	shape := n.call.In[1].Shape
	outputs, channels, window := shape[0]/group, shape[1], shape[2:]
	if group > 1 {
		w = n.op("Reshape", w, n.Ints(slices.Concat([]int{group, outputs, channels}, window)...))
		perm := []int{0, 2, 1}
		for a := range rank {
			perm = append(perm, 3+a)
		}
		w = n.Op("Transpose", graph.Attrs{"perm": perm}, w)
		w = n.op("Reshape", w, n.Ints(slices.Concat([]int{group * channels, outputs}, window)...))
	} else {
		perm := []int{1, 0}
		for a := range rank {
			perm = append(perm, 2+a)
		}
		w = n.Op("Transpose", graph.Attrs{"perm": perm}, w)
	}
	var starts, ends, axes, steps []int
	for a, size := range window {
		if size > 1 {
			starts, ends, axes, steps = append(starts, -1), append(ends, -1-size), append(axes, 2+a), append(steps, -1)
		}
	}
	if axes == nil {
		return w
	}
	return n.op("Slice", w, n.Ints(starts...), n.Ints(ends...), n.Ints(axes...), n.Ints(steps...))
}

func maxPool(n *node) ([]graph.Ref, error) {
	return []graph.Ref{n.Op("MaxPoolGrad", slidingAttrs(n.call.Window()), n.dy[0], n.x(0))}, nil
}

func averagePool(n *node) ([]graph.Ref, error) {
	attrs := slidingAttrs(n.call.Window())
	attrs["count_include_pad"], attrs["shape"] = n.call.Int("count_include_pad"), slices.Clone(n.call.In[0].Shape)
	return []graph.Ref{n.Op("AveragePoolGrad", attrs, n.dy[0])}, nil
}
