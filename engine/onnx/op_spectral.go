package onnx

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// spectralRules are Fourier transforms, as products with a matrix of cosines and sines: y[k] = Σ_j x[j]·exp(∓2πi·jk/n). A signal has a last
// axis of real part and imaginary part, or of the real part only.
var spectralRules = map[string]rule{"DFT": one(dft), "STFT": one(stft), "MelWeightMatrix": melWeights}

// turns are cos(2π·a/n) for whole numbers a, brought into the first quarter before, so that zeros, ones and signs are exact.
func (n *node) turns(list []int, of int) graph.Ref {
	angles, negative := make([]float32, len(list)), make([]bool, len(list))
	sine := make([]bool, len(list))
	for i, a := range list {
		a = ((a % of) + of) % of
		if 2*a > of { // cos is even
			a = of - a
		}
		if 4*a > of {
			negative[i], a = true, of/2-a
		}
		if 8*a > of {
			sine[i], a = true, of/4-a
		}
		angles[i] = float32(2 * math.Pi * float64(a) / float64(of))
	}
	x := n.constant(tensor.FromFloat32(angles, len(list)))
	y := n.where(n.constant(tensor.FromBool(sine, len(list))), n.op("Sin", nil, x), n.op("Cos", nil, x))
	return n.where(n.constant(tensor.FromBool(negative, len(list))), n.op("Neg", nil, y), y)
}

// fourier multiplies the last two axes of x, [..., from, parts], with the matrix of the transform of length n, to [..., to, out] with out
// parts. What x lacks to n is 0.
func (n *node) fourier(x graph.Ref, length, to, out int, inverse bool) graph.Ref {
	shape := n.shape(x)
	rank := len(shape)
	parts := shape[rank-1]
	if parts != 1 && parts != 2 || length < 1 || length > graph.MaxElements/4 {
		unsupported("a signal of shape %v and a length of %d", shape, length)
	}
	x = n.pad(x, rank-2, 0, length-shape[rank-2], "constant", n.f(0))
	if to > madeLimit/length/parts/out {
		unsupported("a transform of %d by %d numbers", length, to)
	}
	n.spend(length*parts*to*out + 12*length)
	// The table has cos, sin and -sin of the length multiples of one turn by length. Four times the length, quarters are whole numbers.
	quarters := make([]int, 3*length)
	for j := range length {
		quarters[j], quarters[length+j], quarters[2*length+j] = 4*j, 4*j-length, 4*j+length
	}
	table := n.turns(quarters, 4*length)
	index := make([]int64, 0, length*parts*to*out)
	cos, sin, minus := 0, length, 2*length
	if inverse {
		sin, minus = minus, sin
	}
	for j := range length {
		for part := range parts {
			for k := range to {
				at := int(int64(j) * int64(k) % int64(length))
				row := []int{cos + at, minus + at} // real part and imaginary part of a real number times the factor
				if part == 1 {
					row = []int{sin + at, cos + at}
				}
				for _, v := range row[:out] {
					index = append(index, int64(v))
				}
			}
		}
	}
	matrix := n.op("Gather", nil, table, n.constant(tensor.FromInt64(index, length*parts, to*out)))
	outer := slices.Clone(shape[:rank-2])
	y := n.op("MatMul", nil, n.reshape(x, product(outer), length*parts), matrix)
	if inverse {
		y = n.div(y, n.f(float32(length)))
	}
	return n.reshape(y, append(outer, to, out)...)
}

// dft transforms an axis. Before operator set 20 the axis is an attribute, from then on an input.
func dft(n *node) graph.Ref {
	x := n.need(0)
	n.isFloat(x)
	rank := len(n.shape(x))
	if rank < 3 {
		unsupported("shape %v", n.shape(x))
	}
	axis := 1
	if n.l.opset >= 20 {
		axis = -2
		if n.has(2) {
			axis = n.only(2)
		}
	}
	axis = n.axis(n.integer("axis", axis), rank)
	if axis == rank-1 {
		unsupported("a transform of real and imaginary parts")
	}
	x = n.moved(x, axis, rank-2)
	inverse, onesided := n.flag("inverse"), n.flag("onesided")
	length := n.shape(x)[rank-2]
	if inverse && onesided {
		length = 2 * (length - 1)
	}
	if n.has(1) {
		length = n.only(1)
	}
	to, out := length, 2
	switch {
	case inverse && onesided:
		x, out = n.mirrored(x, length), 1
	case onesided:
		to = length/2 + 1
	}
	return n.moved(n.fourier(x, length, to, out, inverse), rank-2, axis)
}

// mirrored completes the first half of a spectrum, [..., bins, 2], of a real signal: bin length - k is the conjugate of bin k.
func (n *node) mirrored(x graph.Ref, length int) graph.Ref {
	shape := n.shape(x)
	rank := len(shape)
	half := length/2 + 1
	if shape[rank-1] != 2 || length < 1 {
		unsupported("half a spectrum of shape %v", shape)
	}
	x = n.pad(x, rank-2, 0, half-shape[rank-2], "constant", n.f(0))
	if length <= 2 {
		return n.slice(x, rank-2, 0, min(half, length), 1)
	}
	rest := n.reversed(n.slice(x, rank-2, 1, length-half+1, 1), rank-2)
	sign := n.constant(tensor.FromFloat32([]float32{1, -1}, 2))
	return n.concat(rank-2, x, n.mul(rest, sign))
}

// stft transforms windows of a signal [batch, samples, parts] that begin a step apart, to [batch, windows, bins, 2].
func stft(n *node) graph.Ref {
	x := n.need(0)
	n.isFloat(x)
	s := n.shape(x)
	if len(s) == 2 {
		s = []int{s[0], s[1], 1}
		x = n.reshape(x, s...)
	}
	step, length := n.only(1), 0
	switch {
	case n.has(3):
		length = n.only(3)
	case n.has(2):
		length = product(n.shape(n.x(2)))
	}
	if len(s) != 3 || step < 1 || length < 1 || length > s[1] || n.has(2) && product(n.shape(n.x(2))) != length {
		unsupported("windows of %d, %d apart, of shape %v", length, step, s)
	}
	count := (s[1]-length)/step + 1
	n.spend(count * length)
	index := make([]int64, 0, count*length)
	for i := range count {
		for j := range length {
			index = append(index, int64(i*step+j))
		}
	}
	frames := n.gather(x, n.constant(tensor.FromInt64(index, count, length)), 1)
	if n.has(2) {
		frames = n.mul(frames, n.reshape(n.x(2), length, 1))
	}
	to := length
	if n.integer("onesided", 1) != 0 {
		to = length/2 + 1
	}
	return n.fourier(frames, length, to, 2, false)
}

// melWeights are triangles on the mel scale, 2595·log10(1 + f/700), [bins of the spectrum, triangles]. Their corners are cut off to bins.
func melWeights(n *node) []*value {
	count, length, rate := n.only(0), n.only(1), n.only(2)
	low, high := n.number(3, 0), n.number(4, 0)
	if count < 1 || length < 1 || rate < 1 || count > foldLimit || length/2+1 > foldLimit/count {
		unsupported("%d triangles, a length of %d and a rate of %d", count, length, rate)
	}
	rows := length/2 + 1
	n.spend(rows * count)
	corners := melCorners(count, length, rate, low, high)
	data := make([]float32, rows*count)
	set := func(row, column int, v float32) {
		if row < 0 || row >= rows {
			unsupported("a corner at bin %d of %d", row, rows)
		}
		data[row*count+column] = v
	}
	for i := range count {
		lower, centre, upper := corners[i], corners[i+1], corners[i+2]
		if lower == centre {
			set(centre, i, 1)
		}
		for j := lower; j <= centre && lower < centre; j++ {
			set(j, i, float32(j-lower)/float32(centre-lower))
		}
		for j := centre; j < upper; j++ {
			set(j, i, float32(upper-j)/float32(upper-centre))
		}
	}
	return []*value{{known: tensor.FromFloat32(data, rows, count)}}
}

// melCorners are the bins of the corners, evenly apart on the mel scale.
func melCorners(count, length, rate int, low, high float32) []int {
	edges := []float32{1 + low/700, 1 + high/700}
	kernel.Log(edges, edges) // natural logarithms: log10 and its inverse cancel
	step := (edges[1] - edges[0]) / float32(count+2)
	at := make([]float32, count+2)
	for i := range at {
		at[i] = float32(float32(i)*step) + edges[0]
	}
	kernel.Exp(at, at)
	corners := make([]int, len(at))
	for i, v := range at {
		bin := math.Floor(float64(float32(float32(length+1)*float32(700*(v-1))) / float32(rate)))
		corners[i] = int(max(-1, min(bin, float64(length))))
	}
	return corners
}
