package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// arrangeRules crop, lay out and sample pictures, or run products along an axis.
var arrangeRules = map[string]rule{
	"CenterCropPad": one(centerCropPad), "Col2Im": one(col2Im), "AffineGrid": one(affineGrid), "DeformConv": one(deformConv),
	"LpPool": one(lpPool), "GlobalLpPool": one(globalLpPool), "CumProd": one(cumProd),
}

// centerCropPad gives axes other sizes, equally at both ends; an odd element comes off or is added at the end.
func centerCropPad(n *node) graph.Ref {
	x, sizes := n.need(0), n.list(1)
	axes := n.integers("axes")
	if axes == nil {
		axes = upTo(len(n.shape(x)))
	}
	if len(axes) != len(sizes) {
		unsupported("%d sizes for %d axes", len(sizes), len(axes))
	}
	for i, a := range axes {
		a = n.axis(a, len(n.shape(x)))
		d, size := n.shape(x)[a], sizes[i]
		if size < 1 || size > graph.MaxElements {
			unsupported("size %d", size)
		}
		if d > size {
			x = n.slice(x, a, (d-size)/2, (d-size)/2+size, 1)
		} else {
			x = n.pad(x, a, (size-d)/2, size-d-(size-d)/2, "constant", n.same(x, 0))
		}
	}
	return n.op("Identity", nil, x)
}

// col2Im adds blocks [batch, channels · places, windows] up to an image: the places of the block in row-major order, each where the windows
// have it.
func col2Im(n *node) graph.Ref {
	x, image, block := n.need(0), n.list(1), n.list(2)
	rank := len(image)
	if rank < 1 || rank > 5 || len(block) != rank || len(n.shape(x)) != 3 {
		unsupported("blocks %v of an image %v", block, image)
	}
	w := n.window(slices.Clone(image), slices.Clone(block))
	places, s := product(block), n.shape(x)
	if s[1]%places != 0 || s[2] != product(w.out) {
		unsupported("input of shape %v for blocks %v of an image %v", s, block, image)
	}
	batch, channels := s[0], s[1]/places
	x = n.reshape(x, append([]int{batch, channels, places}, w.out...)...)
	var sum graph.Ref
	at := make([]int, rank)
	for p := range places {
		part := n.reshape(n.slice(x, 2, p, p+1, 1), append([]int{batch, channels}, w.out...)...)
		for i := range rank {
			part = n.stuffed(part, 2+i, w.strides[i])
			start := at[i] * w.dilations[i]
			whole := image[i] + w.before[i] + w.after[i]
			part = n.pad(part, 2+i, start, whole-start-n.shape(part)[2+i], "constant", n.same(x, 0))
		}
		if sum == graph.None {
			sum = part
		} else {
			sum = n.add(sum, part)
		}
		for i := rank - 1; i >= 0; i-- {
			if at[i]++; at[i] < block[i] {
				break
			}
			at[i] = 0
		}
	}
	for i := range rank {
		sum = n.slice(sum, 2+i, w.before[i], w.before[i]+image[i], 1)
	}
	return sum
}

// affineGrid is the product of theta [batch, axes, axes + 1] with the places of an image from -1 to 1, x first, and 1.
func affineGrid(n *node) graph.Ref {
	theta, size := n.need(0), n.list(1)
	n.isFloat(theta)
	axes := len(size) - 2
	if axes != 2 && axes != 3 || !slices.Equal(n.shape(theta), []int{size[0], axes, axes + 1}) {
		unsupported("theta of shape %v for size %v", n.shape(theta), size)
	}
	for _, d := range size {
		if d < 1 || d > 1<<16 {
			unsupported("size %v", size)
		}
	}
	spatial := size[2:]
	full := append(slices.Clone(spatial), 1)
	var columns []graph.Ref
	for i := axes - 1; i >= 0; i-- {
		n.spend(spatial[i])
		data := make([]float32, spatial[i])
		for j := range data {
			data[j] = float32(2*j+1)/float32(spatial[i]) - 1
			if n.flag("align_corners") {
				data[j] = float32(2*j)/float32(max(1, spatial[i]-1)) - 1
			}
		}
		shape := slices.Repeat([]int{1}, axes+1)
		shape[i] = spatial[i]
		columns = append(columns, n.expand(n.constant(tensor.FromFloat32(data, shape...)), full...))
	}
	columns = append(columns, n.expand(n.f(1), full...))
	places := n.reshape(n.concat(axes, columns...), 1, product(spatial), axes+1)
	y := n.op("MatMul", nil, places, n.transpose(theta, 0, 2, 1))
	return n.reshape(y, append(append([]int{size[0]}, spatial...), axes)...)
}

// deformConv is a convolution whose window is read, bilinearly, at places that inputs move; outside of the image is 0. Each group of
// channels has offsets of its own, and perhaps factors.
func deformConv(n *node) graph.Ref {
	x, weights, offset := n.need(0), n.need(1), n.need(2)
	g := n.groups(x, weights, false)
	batch, channels, height, width := n.image(x)
	ws := n.shape(weights)
	w := n.window([]int{height, width}, slices.Clone(ws[2:]))
	parts, places := n.integer("offset_group", 1), product(ws[2:])
	oh, ow := w.out[0], w.out[1]
	if parts < 1 || channels%parts != 0 || !slices.Equal(n.shape(offset), []int{batch, parts * places * 2, oh, ow}) {
		unsupported("offsets of shape %v for %d groups of them", n.shape(offset), parts)
	}
	if n.has(4) && !slices.Equal(n.shape(n.x(4)), []int{batch, parts * places, oh, ow}) {
		unsupported("a mask of shape %v", n.shape(n.x(4)))
	}
	each := channels / parts
	field := func(of graph.Ref, at int) graph.Ref { return n.reshape(n.slice(of, 1, at, at+1, 1), batch, oh, ow, 1) }
	var columns []graph.Ref
	for p := range places {
		var read []graph.Ref
		for part := range parts {
			picture := n.slice(x, 1, part*each, (part+1)*each, 1)
			s := sampler{
				x: n.transpose(picture, 0, 2, 3, 1), batch: n.expand(n.iota(batch, 0, 4, tensor.Int64), batch, oh, ow, 1),
				padding: "zeros", sizes: []int{height, width},
			}
			taps := make([][]weighted, 2)
			for i, k := range []int{p / ws[3], p % ws[3]} {
				start := n.mul(n.iota(w.out[i], 1+i, 4, tensor.Float32), n.f(float32(w.strides[i])))
				at := n.add(start, n.f(float32(k*w.dilations[i]-w.before[i])))
				taps[i] = s.linear(n, n.add(n.expand(at, 1, oh, ow, 1), field(offset, 2*(part*places+p)+i)))
			}
			y := s.sum(n, taps)
			if n.has(4) {
				y = n.mul(y, field(n.x(4), part*places+p))
			}
			read = append(read, y)
		}
		columns = append(columns, n.reshape(n.concat(3, read...), batch, oh*ow, g, channels/g))
	}
	// [batch, windows, groups, places · channels of a group] by [groups, places · channels of a group, outputs of a group]
	wide := n.transpose(n.concat(3, columns...), 0, 2, 1, 3)
	flat := n.transpose(n.reshape(weights, g, ws[0]/g, ws[1], places), 0, 3, 2, 1)
	y := n.op("MatMul", nil, wide, n.reshape(flat, g, places*ws[1], ws[0]/g))
	return n.biased(n.reshape(n.transpose(y, 0, 1, 3, 2), batch, ws[0], oh, ow), 3)
}

// lpPool is the p-th root of the sum of |x|^p over a window, places added from first to last.
func lpPool(n *node) graph.Ref {
	x := n.need(0)
	n.isFloat(x)
	p := n.integer("p", 2)
	w := n.window(n.spatial(x), n.integers("kernel_shape"))
	list := n.places(n.padded(n.raised(x, p), w, n.f(0)), w)
	y := list[0]
	for _, part := range list[1:] {
		y = n.add(y, part)
	}
	return n.root(y, p)
}

func globalLpPool(n *node) graph.Ref {
	x := n.need(0)
	n.isFloat(x)
	n.channels(x)
	p := n.integer("p", 2)
	return n.root(n.reduce("ReduceSum", n.raised(x, p), true, upTo(len(n.shape(x)))[2:]...), p)
}

// raised is |x|^p.
func (n *node) raised(x graph.Ref, p int) graph.Ref {
	if p < 1 || p > 64 {
		unsupported("p is %d", p)
	}
	a := n.op("Abs", nil, x)
	y := a
	for range p - 1 {
		y = n.mul(y, a)
	}
	return y
}

// root is the p-th root of x, which is not negative.
func (n *node) root(x graph.Ref, p int) graph.Ref {
	switch p {
	case 1:
		return x
	case 2:
		return n.op("Sqrt", nil, x)
	}
	return n.op("Exp", nil, n.div(n.op("Log", nil, x), n.f(float32(p))))
}

// cumProd multiplies every element with the one before it, then with the product two before, four before and so on.
func cumProd(n *node) graph.Ref { return n.running("Mul", 1) }
