package onnx

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

func counts(name string, list ...int64) graph.Attr {
	return graph.Attr{Name: name, Kind: graph.KindInts, Ints: list}
}

func wide(x *tensor.Tensor) []float64 {
	var out []float64
	for _, v := range x.Float32() {
		out = append(out, float64(v))
	}
	return out
}

// TestDeformConvAtRest: without offsets and with a mask of 2 it is twice a convolution, for groups of channels and of offsets.
func TestDeformConvAtRest(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	x, w := randomTensor(r, 2, 4, 6, 5), randomTensor(r, 6, 2, 3, 2)
	attrs := []graph.Attr{whole("group", 2), counts("pads", 1, 0, 1, 1), counts("strides", 2, 1)}
	want := apply(t, 22, "", "Conv", attrs, 1, x, w)[0]
	s := want.Shape()
	offset, mask := tensor.New(tensor.Float32, 2, 2*6*2, s[2], s[3]), tensor.New(tensor.Float32, 2, 2*6, s[2], s[3])
	for i := range mask.Float32() {
		mask.Float32()[i] = 2
	}
	attrs = append([]graph.Attr{attrs[0], whole("offset_group", 2)}, attrs[1:]...)
	got := apply(t, 22, "", "DeformConv", attrs, 1, x, w, offset, nil, mask)[0]
	for i, v := range want.Float32() {
		if math.Abs(float64(got.Float32()[i]-2*v)) > 1e-4 {
			t.Fatalf("element %d is %v, want %v", i, got.Float32()[i], 2*v)
		}
	}
}

// TestCol2Im: blocks of ones add up to how many windows cover each element.
func TestCol2Im(t *testing.T) {
	x := tensor.New(tensor.Float32, 1, 4, 9)
	for i := range x.Float32() {
		x.Float32()[i] = 1
	}
	image, block := tensor.FromInt64([]int64{4, 4}, 2), tensor.FromInt64([]int64{2, 2}, 2)
	y := apply(t, 18, "", "Col2Im", nil, 1, x, image, block)[0]
	near(t, "Col2Im", y.Float32(), []float64{1, 2, 2, 1, 2, 4, 4, 2, 2, 4, 4, 2, 1, 2, 2, 1}, 0)
}

func TestAffineGrid(t *testing.T) {
	theta := tensor.FromFloat32([]float32{1, 0, 0, 0, 2, 0.5}, 1, 2, 3)
	y := apply(t, 20, "", "AffineGrid", []graph.Attr{whole("align_corners", 1)}, 1, theta, tensor.FromInt64([]int64{1, 1, 2, 3}, 4))[0]
	near(t, "AffineGrid", y.Float32(), []float64{-1, -1.5, 0, -1.5, 1, -1.5, -1, 2.5, 0, 2.5, 1, 2.5}, 1e-6)
}

// TestGridSampleVolume: at the places of the elements it gives the elements, between two their mean.
func TestGridSampleVolume(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	x := randomTensor(r, 1, 2, 2, 3, 4)
	theta := tensor.FromFloat32([]float32{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}, 1, 3, 4)
	align := whole("align_corners", 1)
	grid := apply(t, 20, "", "AffineGrid", []graph.Attr{align}, 1, theta, tensor.FromInt64([]int64{1, 2, 2, 3, 4}, 5))[0]
	for _, mode := range []string{"nearest", "linear"} {
		y := apply(t, 20, "", "GridSample", []graph.Attr{align, written("mode", mode)}, 1, x, grid)[0]
		near(t, mode, y.Float32(), wide(x), 1e-5)
	}
	middle := tensor.FromFloat32([]float32{-1, -1, 0}, 1, 1, 1, 1, 3)
	y := apply(t, 20, "", "GridSample", []graph.Attr{align, written("mode", "linear")}, 1, x, middle)[0]
	near(t, "middle", y.Float32(), []float64{float64(x.Float32()[0]+x.Float32()[12]) / 2, float64(x.Float32()[24]+x.Float32()[36]) / 2}, 1e-6)
}

func TestArrangements(t *testing.T) {
	x := tensor.FromFloat32([]float32{1, 2, 3, 4, 5}, 1, 5)
	axis := tensor.FromInt64([]int64{1})
	size := func(v int64) *tensor.Tensor { return tensor.FromInt64([]int64{v}, 1) }
	for _, c := range []struct {
		op    string
		attrs []graph.Attr
		in    []*tensor.Tensor
		want  []float64
	}{
		{"CumProd", nil, []*tensor.Tensor{x, axis}, []float64{1, 2, 6, 24, 120}},
		{"CumProd", []graph.Attr{whole("exclusive", 1), whole("reverse", 1)}, []*tensor.Tensor{x, axis}, []float64{120, 60, 20, 5, 1}},
		{"CenterCropPad", []graph.Attr{counts("axes", 1)}, []*tensor.Tensor{x, size(2)}, []float64{2, 3}},
		{"CenterCropPad", []graph.Attr{counts("axes", 1)}, []*tensor.Tensor{x, size(8)}, []float64{0, 1, 2, 3, 4, 5, 0, 0}},
		{"LpPool", []graph.Attr{counts("kernel_shape", 2)}, []*tensor.Tensor{x.Reshape(1, 1, 5)}, []float64{math.Sqrt(5), math.Sqrt(13), 5, math.Sqrt(41)}},
		{"GlobalLpPool", []graph.Attr{whole("p", 3)}, []*tensor.Tensor{x.Reshape(1, 1, 5)}, []float64{math.Cbrt(225)}},
		{"SwiGLU", nil, []*tensor.Tensor{x, x}, []float64{0.7310586, 3.5231884, 8.5731672, 15.7122204, 24.8326787}},
	} {
		y := apply(t, 28, "", c.op, c.attrs, 1, c.in...)[0]
		near(t, c.op, y.Float32(), c.want, 1e-4)
	}
}

// TestTopOfIntegers: exact beyond what float32 holds, of equal ones the first.
func TestTopOfIntegers(t *testing.T) {
	x := tensor.FromInt64([]int64{1 << 60, -5, 1<<60 + 1, math.MinInt64, 1<<60 + 1, math.MaxInt64}, 6)
	k := tensor.FromInt64([]int64{4}, 1)
	for largest, want := range [][]int64{{3, 1, 0, 2}, {5, 2, 4, 0}} {
		y := apply(t, 24, "", "TopK", []graph.Attr{whole("largest", int64(largest))}, 2, x, k)
		if !slices.Equal(y[1].Int64(), want) {
			t.Errorf("largest %d: %v, want %v", largest, y[1].Int64(), want)
		}
		for i, at := range want {
			if y[0].Int64()[i] != x.Int64()[at] {
				t.Errorf("largest %d: value %d is %d", largest, i, y[0].Int64()[i])
			}
		}
	}
}

func TestSignedShift(t *testing.T) {
	x := tensor.From([]int32{-7, 7, math.MinInt32, -1, 5, -5}, 6)
	by := tensor.From([]int32{1, 1, 31, 40, 32, -1}, 6)
	got := apply(t, 28, "", "BitShift", []graph.Attr{written("direction", "RIGHT")}, 1, x, by)[0]
	if want := []int32{-4, 3, -1, -1, 0, -1}; !slices.Equal(tensor.Data[int32](got), want) {
		t.Errorf("shifted to the right %v, want %v", tensor.Data[int32](got), want)
	}
}

// TestCausalConvInTwo: two calls with the state between them give what one call gives.
func TestCausalConvInTwo(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	x, w, bias := randomTensor(r, 2, 3, 7), randomTensor(r, 3, 1, 4), randomTensor(r, 3)
	silu := []graph.Attr{written("activation", "silu")}
	all := apply(t, 27, "", "CausalConvWithState", silu, 2, x, w, bias)
	cut := func(from, to int) *tensor.Tensor {
		part := tensor.New(tensor.Float32, 2, 3, to-from)
		for i := range 6 {
			copy(part.Float32()[i*(to-from):(i+1)*(to-from)], x.Float32()[i*7+from:i*7+to])
		}
		return part
	}
	first := apply(t, 27, "", "CausalConvWithState", silu, 2, cut(0, 5), w, bias)
	second := apply(t, 27, "", "CausalConvWithState", silu, 2, cut(5, 7), w, bias, first[1])
	if !slices.Equal(second[1].Float32(), all[1].Float32()) {
		t.Error("the states differ")
	}
	for i := range 6 {
		if !slices.Equal(second[0].Float32()[2*i:2*i+2], all[0].Float32()[7*i+5:7*i+7]) {
			t.Errorf("row %d: %v, want %v", i, second[0].Float32()[2*i:2*i+2], all[0].Float32()[7*i+5:7*i+7])
		}
	}
}

// TestLinearAttention follows the recurrence of one head in binary64.
func TestLinearAttention(t *testing.T) {
	const length, keys, values = 5, 3, 2
	r := rand.New(rand.NewPCG(17, 18))
	q, k, v := randomTensor(r, 1, length, keys), randomTensor(r, 1, length, keys), randomTensor(r, 1, length, values)
	decay, beta := randomTensor(r, 1, length, 1), randomTensor(r, 1, length, 1)
	var s [keys][values]float64
	var want []float64
	for i := range length {
		row := func(x *tensor.Tensor, n int) []float64 { return wide(x)[i*n : (i+1)*n] }
		g, b := math.Exp(row(decay, 1)[0]), row(beta, 1)[0]
		for c := range values {
			read := 0.0
			for a := range keys {
				s[a][c] *= g
				read += s[a][c] * row(k, keys)[a]
			}
			for a := range keys {
				s[a][c] += b * row(k, keys)[a] * (row(v, values)[c] - read)
			}
			y := 0.0
			for a := range keys {
				y += row(q, keys)[a] * s[a][c] / math.Sqrt(keys)
			}
			want = append(want, y)
		}
	}
	got := apply(t, 27, "", "LinearAttention", []graph.Attr{whole("kv_num_heads", 1), whole("q_num_heads", 1)}, 1, q, k, v, nil, decay, beta)[0]
	near(t, "LinearAttention", got.Float32(), want, 1e-4)
}
