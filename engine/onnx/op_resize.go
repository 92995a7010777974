package onnx

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// resizeRules change the size of pictures.
var resizeRules = map[string]rule{"Resize": one(resize), "Upsample": one(resize)}

// tap is one source of an output element: where it is in the input and its weight.
type tap struct {
	at     int
	weight float64
}

// resizing is how Resize turns places of the output into places of the input.
type resizing struct {
	coordinate, mode, nearest string
	a                         float64 // of cubic interpolation
	excludeOutside            bool
}

// resize treats one axis after the other: each output element is the sum of its taps times their weights, from the lowest tap to the
// highest. Places and weights are computed in binary64 and the weights then rounded.
func resize(n *node) graph.Ref {
	x := n.need(0)
	n.isFloat(x)
	in := slices.Clone(n.shape(x))
	r := resizing{
		coordinate: n.text("coordinate_transformation_mode", "half_pixel"), mode: n.text("mode", "nearest"),
		nearest: n.text("nearest_mode", "round_prefer_floor"), a: float64(n.float("cubic_coeff_a", -0.75)), excludeOutside: n.flag("exclude_outside"),
	}
	var roi, scales []float32
	var sizes []int
	if n.p.op == "Upsample" || n.l.opset < 11 {
		r.coordinate, r.nearest = "asymmetric", "floor"
		scales = n.floats(1)
		if a := n.attr("scales"); a != nil {
			scales = a.floats
		}
	} else {
		roi, scales = n.floats(1), n.floats(2)
		if n.has(3) {
			sizes = n.list(3)
		}
	}
	if n.flag("antialias") {
		unsupported("antialias")
	}
	axes := upTo(len(in))
	if list := n.integers("axes"); list != nil {
		for i, a := range list {
			list[i] = n.axis(a, len(in))
		}
		axes = list
	}
	if sizes != nil && len(sizes) != len(axes) || sizes == nil && len(scales) != len(axes) || len(roi) != 0 && len(roi) != 2*len(axes) {
		unsupported("%d sizes, %d scales and %d ends of roi for %d axes", len(sizes), len(scales), len(roi), len(axes))
	}
	common := n.commonScale(in, axes, sizes)
	var outside graph.Ref
	for i, axis := range axes {
		scale, out := 0.0, 0
		if common > 0 {
			scale = common
			out = int(math.Floor(float64(scale*float64(in[axis])) + 0.5))
		} else if sizes != nil {
			out = sizes[i]
			scale = float64(out) / float64(in[axis])
		} else {
			scale = float64(scales[i])
			if !(scale > 0 && scale < graph.MaxElements) {
				unsupported("scale %v", scale)
			}
			out = int(scale * float64(in[axis]))
		}
		if out < 1 || out > graph.MaxElements/product(in)*in[axis] {
			unsupported("size %d", out)
		}
		start, end := 0.0, 1.0
		if len(roi) > 0 {
			start, end = float64(roi[i]), float64(roi[len(axes)+i])
		}
		if r.coordinate != "tf_crop_and_resize" && out == in[axis] && scale == 1 {
			continue
		}
		var lost graph.Ref
		x, lost = n.resizeAxis(x, axis, out, scale, start, end, r)
		if lost != graph.None && outside != graph.None {
			outside = n.or(outside, lost)
		} else if lost != graph.None {
			outside = lost
		}
	}
	if outside != graph.None {
		x = n.where(outside, n.f(n.float("extrapolation_value", 0)), x)
	}
	return n.op("Identity", nil, x)
}

// floats are the contents of input i, nil if it is left out.
func (n *node) floats(i int) []float32 {
	t := n.contents(i)
	if t == nil {
		return nil
	}
	if t.DType() != tensor.Float32 {
		unsupported("input %d is %v", i, t.DType())
	}
	return t.Float32()
}

// resizeAxis gives the resized axis, and in tf_crop_and_resize where it reaches beyond the input.
func (n *node) resizeAxis(x graph.Ref, axis, out int, scale, start, end float64, r resizing) (graph.Ref, graph.Ref) {
	in, rank := n.shape(x)[axis], len(n.shape(x))
	n.spend(8 * out)
	lost, any := make([]bool, out), false
	var at [][]int64
	var weights [][]float32
	for o := range out {
		place := r.place(float64(o), scale, start, end, in, out)
		if !(place > -1e9 && place < 1e9) {
			unsupported("scale %v", scale)
		}
		lost[o] = r.coordinate == "tf_crop_and_resize" && (place < 0 || place > float64(in-1))
		any = any || lost[o]
		for i, t := range r.taps(place, in) {
			if o == 0 {
				at, weights = append(at, make([]int64, out)), append(weights, make([]float32, out))
			}
			at[i][o], weights[i][o] = int64(min(max(t.at, 0), in-1)), float32(t.weight)
		}
	}
	shape := slices.Repeat([]int{1}, rank)
	shape[axis] = out
	y := graph.None
	for i := range at {
		part := n.gather(x, n.constant(tensor.FromInt64(at[i], out)), axis)
		if len(at) > 1 {
			part = n.mul(part, n.constant(tensor.FromFloat32(weights[i], shape...)))
		}
		if y == graph.None {
			y = part
		} else {
			y = n.add(y, part)
		}
	}
	if !any {
		return y, graph.None
	}
	return y, n.constant(tensor.FromBool(lost, shape...))
}

// place is where output element o lies in the input.
func (r *resizing) place(o, scale, start, end float64, in, out int) float64 {
	last := float64(in - 1)
	switch r.coordinate {
	case "half_pixel":
		return (o+0.5)/scale - 0.5
	case "pytorch_half_pixel":
		if out == 1 {
			return 0
		}
		return (o+0.5)/scale - 0.5
	case "half_pixel_symmetric":
		adjust := float64(out) / (scale * float64(in))
		return float64(float64(in)/2*(1-adjust)) + ((o+0.5)/scale - 0.5)
	case "align_corners":
		length := float64(scale * float64(in)) // ONNX's reference does not round it here
		if !(length > 1) {
			return 0
		}
		return o * last / (length - 1)
	case "asymmetric":
		return o / scale
	case "tf_half_pixel_for_nn":
		return (o + 0.5) / scale
	case "tf_crop_and_resize":
		if out == 1 {
			return float64(float64(0.5*(start+end)) * last)
		}
		step := float64((end-start)*last) / float64(out-1)
		return float64(start*last) + float64(o*step)
	}
	unsupported("coordinate_transformation_mode %q", r.coordinate)
	return 0
}

func floor64(x float64) int {
	i := int(x)
	if float64(i) > x {
		i--
	}
	return i
}

// taps are the sources of a place, always as many for one mode.
func (r *resizing) taps(place float64, in int) []tap {
	low := floor64(place)
	switch r.mode {
	case "nearest":
		switch r.nearest {
		case "round_prefer_floor":
			return []tap{{-floor64(0.5 - place), 1}}
		case "round_prefer_ceil":
			return []tap{{floor64(place + 0.5), 1}}
		case "floor":
			return []tap{{low, 1}}
		case "ceil":
			return []tap{{-floor64(-place), 1}}
		}
		unsupported("nearest_mode %q", r.nearest)
	case "linear":
		f := place - float64(low)
		return r.renormalised([]tap{{low, 1 - f}, {low + 1, f}}, in)
	case "cubic":
		f, a := place-float64(low), r.a
		near := func(d float64) float64 {
			p := float64((a+2)*d) - (a + 3)
			return float64(float64(p*d)*d) + 1
		}
		far := func(d float64) float64 {
			p := float64(a*d) - float64(5*a)
			p = float64(p*d) + float64(8*a)
			return float64(p*d) - float64(4*a)
		}
		return r.renormalised([]tap{{low - 1, far(1 + f)}, {low, near(f)}, {low + 1, near(1 - f)}, {low + 2, far(2 - f)}}, in)
	}
	unsupported("mode %q", r.mode)
	return nil
}

// renormalised leaves taps outside of the input out if the file asks for it, and brings the sum of the others to 1.
func (r *resizing) renormalised(list []tap, in int) []tap {
	if !r.excludeOutside {
		return list
	}
	sum := 0.0
	for i, t := range list {
		if t.at < 0 || t.at >= in {
			list[i].weight = 0
		}
		sum += list[i].weight
	}
	for i := range list {
		list[i].weight /= sum
	}
	return list
}

// commonScale is the scale of all axes that keeps their proportions, as large as fits into the sizes or as small as covers them; 0 if each
// axis has its own.
func (n *node) commonScale(in, axes, sizes []int) float64 {
	policy := n.text("keep_aspect_ratio_policy", "stretch")
	if policy == "stretch" || sizes == nil {
		return 0
	}
	if policy != "not_larger" && policy != "not_smaller" {
		unsupported("keep_aspect_ratio_policy %q", policy)
	}
	scale := 0.0
	for i, axis := range axes {
		s := float64(sizes[i]) / float64(in[axis])
		if i == 0 || policy == "not_larger" && s < scale || policy == "not_smaller" && s > scale {
			scale = s
		}
	}
	return scale
}
