package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// roiRules sample regions of images.
var roiRules = map[string]rule{"RoiAlign": one(roiAlign)}

// maxSamples bounds how many samples an adaptive grid takes along one side of a bin.
const maxSamples = 64

// roiAlign samples each bin of a region on a grid, bilinearly. The weights of the rows and of the columns of the image are matrices, since
// they are apart: rows · image · columnsᵀ. For "avg" the weights of a bin's samples are averaged before.
func roiAlign(n *node) graph.Ref {
	x, rois := n.need(0), n.need(1)
	n.isFloat(x)
	n.isFloat(rois)
	_, channels, height, width := n.image(x)
	if s := n.shape(rois); len(s) != 2 || s[1] != 4 || !slices.Equal(n.shape(n.need(2)), s[:1]) {
		unsupported("regions of shape %v and images of shape %v", s, n.shape(n.x(2)))
	}
	ratio := n.integer("sampling_ratio", 0)
	bins := []int{n.integer("output_height", 1), n.integer("output_width", 1)}
	if ratio < 0 || ratio > maxSamples || min(bins[0], bins[1]) < 1 || max(bins[0], bins[1]) > 1<<12 {
		unsupported("%d by %d bins with a sampling ratio of %d", bins[0], bins[1], ratio)
	}
	count := n.shape(rois)[0]
	images := n.op("Gather", nil, x, n.cast(n.x(2), tensor.Int64))
	var parts []graph.Ref
	for i := 0; i < count; {
		rows, samples := count-i, []int{ratio, ratio}
		if ratio == 0 { // as many as the region has elements for each bin: one region at a time
			rows, samples = 1, n.adaptive(i, bins)
		}
		part := n.slice(rois, 0, i, i+rows, 1)
		of := n.slice(images, 0, i, i+rows, 1)
		vertical := n.roiWeights(part, 1, height, bins[0], samples[0])
		horizontal := n.roiWeights(part, 0, width, bins[1], samples[1])
		parts = append(parts, n.pooled(of, vertical, horizontal, rows, channels, bins, samples))
		i += rows
	}
	return n.concat(0, parts...)
}

// roiBounds are begin and size of the regions along a side, in elements of the image: [regions, 1, 1].
func (n *node) roiBounds(rois graph.Ref, side int) (begin, length graph.Ref) {
	scale := n.f(n.float("spatial_scale", 1))
	half := n.text("coordinate_transformation_mode", "half_pixel") == "half_pixel" && n.l.opset >= 16
	count := n.shape(rois)[0]
	edge := func(at int) graph.Ref {
		e := n.mul(n.reshape(n.slice(rois, 1, at, at+1, 1), count, 1, 1), scale)
		if half {
			e = n.sub(e, n.f(0.5))
		}
		return e
	}
	begin = edge(side)
	length = n.sub(edge(side+2), begin)
	if !half {
		length = n.max(length, n.f(1))
	}
	return begin, length
}

// adaptive is how many samples a bin of a known region takes along each side.
func (n *node) adaptive(i int, bins []int) []int {
	r := n.contents(1)
	half := n.text("coordinate_transformation_mode", "half_pixel") == "half_pixel" && n.l.opset >= 16
	scale := n.float("spatial_scale", 1)
	samples := []int{0, 0}
	for j := range samples { // vertical, horizontal
		length := float32(r.Float32()[4*i+3-j]*scale) - float32(r.Float32()[4*i+1-j]*scale)
		if !half {
			length = max(length, 1)
		}
		each := length / float32(bins[j])
		if !(each <= maxSamples) {
			unsupported("bins of %v elements", each)
		}
		if samples[j] = int(each); float32(samples[j]) < each {
			samples[j]++
		}
		samples[j] = max(samples[j], 1)
	}
	return samples
}

// corners are for each region and sample the weights of the two elements beside it: two matrices [regions, 1, bins·samples, size].
func (n *node) corners(rois graph.Ref, side, size, bins, samples int) (lower, upper graph.Ref) {
	begin, length := n.roiBounds(rois, side)
	step := n.div(length, n.f(float32(bins)))
	n.spend(2 * bins * samples)
	whole, part := make([]float32, bins*samples), make([]float32, bins*samples)
	for i := range whole {
		whole[i], part[i] = float32(i/samples), (float32(i%samples)+0.5)/float32(samples)
	}
	at := n.add(begin, n.mul(step, n.constant(tensor.FromFloat32(whole, bins*samples, 1))))
	at = n.add(at, n.mul(step, n.constant(tensor.FromFloat32(part, bins*samples, 1))))
	outside := n.or(n.compare("Less", at, n.f(-1)), n.compare("Greater", at, n.f(float32(size))))
	at = n.min(n.max(at, n.f(0)), n.f(float32(size-1)))
	low := n.min(n.floor(at), n.f(float32(size-1)))
	fraction := n.sub(at, low)
	iota := n.iota(size, 2, 3, tensor.Float32)
	weight := func(index, value graph.Ref) graph.Ref {
		hit := n.and(n.compare("Equal", iota, index), n.not(outside))
		return n.op("Unsqueeze", nil, n.where(hit, value, n.f(0)), n.l.b.Ints(1))
	}
	high := n.min(n.add(low, n.f(1)), n.f(float32(size-1)))
	return weight(low, n.sub(n.f(1), fraction)), weight(high, fraction)
}

// flanks are the two matrices of weights along one side of the image.
type flanks struct{ lower, upper graph.Ref }

func (n *node) roiWeights(rois graph.Ref, axis, size, bins, samples int) flanks {
	lower, upper := n.corners(rois, axis, size, bins, samples)
	return flanks{lower, upper}
}

// pooled averages the samples of each bin, or takes the greatest of the weighted elements beside them.
func (n *node) pooled(images graph.Ref, vertical, horizontal flanks, rois, channels int, bins, samples []int) graph.Ref {
	product := func(rows, columns graph.Ref) graph.Ref {
		return n.op("MatMul", nil, n.op("MatMul", nil, rows, images), n.transpose(columns, 0, 1, 3, 2))
	}
	switch mode := n.text("mode", "avg"); mode {
	case "avg":
		mean := func(s flanks, bins, samples int) graph.Ref {
			all := n.add(s.lower, s.upper)
			size := n.shape(all)[3]
			return n.reduce("ReduceMean", n.reshape(all, rois, 1, bins, samples, size), false, 3)
		}
		return product(mean(vertical, bins[0], samples[0]), mean(horizontal, bins[1], samples[1]))
	case "max":
		var most graph.Ref
		for _, rows := range []graph.Ref{vertical.lower, vertical.upper} {
			for _, columns := range []graph.Ref{horizontal.lower, horizontal.upper} {
				if p := product(rows, columns); most == graph.None {
					most = p
				} else {
					most = n.max(most, p)
				}
			}
		}
		return n.reduce("ReduceMax", n.reshape(most, rois, channels, bins[0], samples[0], bins[1], samples[1]), false, 3, 5)
	default:
		unsupported("mode %q", mode)
	}
	return graph.None
}
