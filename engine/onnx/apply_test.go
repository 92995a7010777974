package onnx

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// apply runs a model of one node; a nil input is left out. Contents are known beforehand where a shape depends on them.
func apply(t *testing.T, opset int64, domain, op string, attrs []graph.Attr, outputs int, inputs ...*tensor.Tensor) []*tensor.Tensor {
	t.Helper()
	node := graph.Node{Op: op, Domain: domain, Name: "n", Attrs: attrs}
	feeds, in, declared := map[string]Feed{}, map[string]*tensor.Tensor{}, []graph.Value{}
	for i, x := range inputs {
		name := ""
		if x != nil {
			name = fmt.Sprintf("x%d", i)
			feeds[name], in[name] = FeedOf(x), x
			declared = append(declared, graph.Value{Name: name, DType: x.DType(), Shape: x.Shape()})
		}
		node.Inputs = append(node.Inputs, name)
	}
	for i := range outputs {
		node.Outputs = append(node.Outputs, fmt.Sprintf("y%d", i))
	}
	m, err := Load(file(opset, saveNode(&node), declared, "y0"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < outputs; i++ {
		m.proto.graph.outputs = append(m.proto.graph.outputs, valueProto{name: node.Outputs[i]})
	}
	g, err := m.Specialise(feeds)
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	for name := range in {
		if !slices.ContainsFunc(g.Inputs, func(v graph.Value) bool { return v.Name == name }) {
			delete(in, name)
		}
	}
	results := compute(t, g, in)
	var list []*tensor.Tensor
	for _, name := range node.Outputs {
		list = append(list, results[name])
	}
	return list
}

func written(name, s string) graph.Attr {
	return graph.Attr{Name: name, Kind: graph.KindString, String: s}
}
func whole(name string, v int64) graph.Attr {
	return graph.Attr{Name: name, Kind: graph.KindInt, Int: v}
}

func randomTensor(r *rand.Rand, shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.Float32() {
		x.Float32()[i] = float32(r.NormFloat64())
	}
	return x
}

func near(t *testing.T, what string, got []float32, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if !(math.Abs(float64(got[i])-w) <= bound) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], w)
		}
	}
}

// einsumByLoops is the definition: a sum over all letters that the result does not have.
func einsumByLoops(equation string, in ...*tensor.Tensor) []float64 {
	left, right, _ := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	sizes, order := map[rune]int{}, []rune(right)
	for i, term := range terms {
		for j, l := range term {
			sizes[l] = in[i].Shape()[j]
			if !slices.Contains(order, l) {
				order = append(order, l)
			}
		}
	}
	outSize, all := 1, 1
	for i, l := range order {
		all *= sizes[l]
		if i < len(right) {
			outSize *= sizes[l]
		}
	}
	out := make([]float64, outSize)
	for n := range all {
		at, rest := map[rune]int{}, n
		for _, l := range slices.Backward(order) {
			at[l], rest = rest%sizes[l], rest/sizes[l]
		}
		p := 1.0
		for i, term := range terms {
			index := 0
			for j, l := range term {
				index = index*in[i].Shape()[j] + at[l]
			}
			p *= float64(in[i].Float32()[index])
		}
		out[n/(all/outSize)] += p
	}
	return out
}

func TestEinsum(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		equation string
		shapes   [][]int
	}{
		{"ij,jk->ik", [][]int{{2, 3}, {3, 4}}}, {"bij,bjk->bik", [][]int{{2, 3, 4}, {2, 4, 5}}}, {"ii->i", [][]int{{4, 4}}},
		{"iji->j", [][]int{{3, 2, 3}}}, {"ij->", [][]int{{2, 5}}}, {"i,j->ji", [][]int{{2}, {3}}}, {"ij,kj,k->i", [][]int{{2, 3}, {4, 3}, {4}}},
		{"abc,cd,def->afeb", [][]int{{2, 3, 4}, {4, 2}, {2, 3, 2}}}, {"ij,ij->ij", [][]int{{2, 3}, {2, 3}}},
	} {
		var in []*tensor.Tensor
		for _, s := range c.shapes {
			in = append(in, randomTensor(r, s...))
		}
		y := apply(t, 17, "", "Einsum", []graph.Attr{written("equation", c.equation)}, 1, in...)[0]
		near(t, c.equation, y.Float32(), einsumByLoops(c.equation, in...), 1e-5)
	}
	x := randomTensor(r, 2, 3, 4, 5)
	dots := apply(t, 17, "", "Einsum", []graph.Attr{written("equation", "...ij->...ji")}, 1, x)[0]
	near(t, "...ij->...ji", dots.Float32(), einsumByLoops("abij->abji", x), 0)
	implicit := apply(t, 17, "", "Einsum", []graph.Attr{written("equation", "ba,bc")}, 1, randomTensor(r, 3, 2), randomTensor(r, 3, 4))[0]
	if !slices.Equal(implicit.Shape(), []int{2, 4}) {
		t.Errorf("ba,bc has shape %v", implicit.Shape())
	}
}

// TestRemainder: exact, whatever the magnitudes.
func TestRemainder(t *testing.T) {
	var x, y []float32
	values := []float32{0, 1, 1.5, 3, 0.1, 1e-45, 7e-40, 1e10, 3.3e38, 0x1.fffffep127, float32(math.Inf(1)), float32(math.NaN())}
	for _, a := range values {
		for _, b := range values {
			x, y = append(x, a, -a, a), append(y, b, b, -b)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		x, y = append(x, math.Float32frombits(r.Uint32())), append(y, math.Float32frombits(r.Uint32()))
	}
	got := apply(t, 13, "", "Mod", []graph.Attr{whole("fmod", 1)}, 1, tensor.FromFloat32(x, len(x)), tensor.FromFloat32(y, len(y)))[0].Float32()
	for i := range x {
		want := float32(math.Mod(float64(x[i]), float64(y[i])))
		if got[i] != want && (got[i] == got[i] || want == want) {
			t.Fatalf("%v mod %v is %v, want %v", x[i], y[i], got[i], want)
		}
	}
}

func TestDeterminant(t *testing.T) {
	got := apply(t, 22, "", "Det", nil, 1, tensor.FromFloat32([]float32{
		1, 2, 3, 4, 5, 6, 7, 8, 10,
		0, 0, 2, 0, 3, 0, 4, 0, 0,
		1, 2, 3, 2, 4, 6, 1, 1, 1,
	}, 3, 3, 3))[0]
	near(t, "Det", got.Float32(), []float64{-3, -24, 0}, 1e-5)
}

// TestFourier compares transforms with sums in binary64.
func TestFourier(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	transform := func(re, im []float64, sign float64) (a, b []float64) {
		n := len(re)
		for k := range n {
			var x, y float64
			for j := range n {
				s, c := math.Sincos(sign * 2 * math.Pi * float64(j*k%n) / float64(n))
				x, y = x+re[j]*c-im[j]*s, y+re[j]*s+im[j]*c
			}
			a, b = append(a, x), append(b, y)
		}
		return a, b
	}
	for _, n := range []int{1, 2, 3, 7, 8, 16, 25} {
		x := randomTensor(r, 1, n, 2)
		re, im := make([]float64, n), make([]float64, n)
		for i := range n {
			re[i], im[i] = float64(x.Float32()[2*i]), float64(x.Float32()[2*i+1])
		}
		for inverse, sign := range []float64{-1, 1} {
			a, b := transform(re, im, sign)
			var want []float64
			for k := range n {
				scale := 1.0
				if inverse == 1 {
					scale = 1 / float64(n)
				}
				want = append(want, a[k]*scale, b[k]*scale)
			}
			got := apply(t, 20, "", "DFT", []graph.Attr{whole("inverse", int64(inverse))}, 1, x)[0]
			near(t, fmt.Sprintf("DFT of %d, inverse %d", n, inverse), got.Float32(), want, 1e-5)
		}
		signal := randomTensor(r, 1, n, 1)
		half := apply(t, 20, "", "DFT", []graph.Attr{whole("onesided", 1)}, 1, signal)[0]
		length := tensor.FromInt64([]int64{int64(n)})
		back := apply(t, 20, "", "DFT", []graph.Attr{whole("inverse", 1), whole("onesided", 1)}, 1, half, length)[0]
		var want []float64
		for _, v := range signal.Float32() {
			want = append(want, float64(v))
		}
		near(t, fmt.Sprintf("DFT of %d and back", n), back.Float32(), want, 1e-5)
	}
}

// TestRoiAlign: the mean of a region of a ramp is its middle, for one region and for one image of two, with fixed and adaptive grids.
func TestRoiAlign(t *testing.T) {
	x := tensor.New(tensor.Float32, 2, 1, 8, 8)
	for i := range x.Float32() {
		x.Float32()[i] = float32(i/64*1000 + i%64/8*10 + i%8)
	}
	rois := tensor.FromFloat32([]float32{1, 1, 5, 5, 2, 0, 6, 4}, 2, 4)
	batch := tensor.FromInt64([]int64{0, 1}, 2)
	for _, ratio := range []int64{0, 2} {
		attrs := []graph.Attr{whole("output_height", 2), whole("output_width", 2), whole("sampling_ratio", ratio)}
		got := apply(t, 16, "", "RoiAlign", attrs, 1, x, rois, batch)[0]
		near(t, "RoiAlign", got.Float32(), []float64{16.5, 18.5, 36.5, 38.5, 1007.5, 1009.5, 1027.5, 1029.5}, 1e-3)
	}
}

// TestRandom: numbers of the right distribution, the same ones for the same seed.
func TestRandom(t *testing.T) {
	seed := func(v float32) graph.Attr { return graph.Attr{Name: "seed", Kind: graph.KindFloat, Float: v} }
	shape := graph.Attr{Name: "shape", Kind: graph.KindInts, Ints: []int64{100, 100}}
	draw := func(op string, attrs []graph.Attr, in ...*tensor.Tensor) []float32 {
		return apply(t, 13, "", op, attrs, 1, in...)[0].Float32()
	}
	moments := func(x []float32) (mean, variance float64) {
		for _, v := range x {
			mean += float64(v) / float64(len(x))
		}
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
		}
		return mean, variance
	}
	first := draw("RandomNormal", []graph.Attr{seed(1), shape})
	if mean, v := moments(first); math.Abs(mean) > 0.05 || math.Abs(v-1) > 0.05 {
		t.Errorf("normal numbers have mean %v and variance %v", mean, v)
	}
	if !slices.Equal(first, draw("RandomNormal", []graph.Attr{seed(1), shape})) || slices.Equal(first, draw("RandomNormal", []graph.Attr{seed(2), shape})) {
		t.Error("a seed does not decide the numbers")
	}
	if mean, v := moments(draw("RandomUniform", []graph.Attr{seed(1), shape})); math.Abs(mean-0.5) > 0.02 || math.Abs(v-1.0/12) > 0.01 {
		t.Errorf("uniform numbers have mean %v and variance %v", mean, v)
	}
	p := tensor.New(tensor.Float32, 10000)
	for i := range p.Float32() {
		p.Float32()[i] = 0.25
	}
	if mean, _ := moments(draw("Bernoulli", nil, p)); math.Abs(mean-0.25) > 0.02 {
		t.Errorf("a quarter is %v", mean)
	}
	y := apply(t, 13, "", "Dropout", nil, 2, p, tensor.Scalar(0.75), tensor.FromBool([]bool{true}))
	for i, kept := range y[1].Bool() {
		if want := map[bool]float32{true: 1, false: 0}[kept]; y[0].Float32()[i] != want {
			t.Fatalf("element %d is %v, kept %v", i, y[0].Float32()[i], kept)
		}
	}
	logits := tensor.FromFloat32([]float32{0, float32(math.Log(3))}, 1, 2)
	picks := apply(t, 13, "", "Multinomial", []graph.Attr{whole("sample_size", 10000)}, 1, logits)[0]
	second := 0
	for _, v := range tensor.Data[int32](picks) {
		second += int(v)
	}
	if second < 7300 || second > 7700 {
		t.Errorf("class 1 of probability 3/4 is drawn %d times of 10000", second)
	}
}

// TestOptimizers follows two parameters for one step by the formulas of the specification.
func TestOptimizers(t *testing.T) {
	number := func(name string, v float32) graph.Attr {
		return graph.Attr{Name: name, Kind: graph.KindFloat, Float: v}
	}
	rate, count := tensor.Scalar(0.1), tensor.FromInt64([]int64{3})
	one := func(v float32) *tensor.Tensor { return tensor.FromFloat32([]float32{v}, 1) }
	g := 0.01*2 + 0.5
	out := apply(t, 17, trainingDomain, "Adam", []graph.Attr{number("alpha", 0.9), number("beta", 0.99), number("epsilon", 1e-3), number("norm_coefficient", 0.01)}, 3,
		rate, count, one(2), one(0.5), one(0.3), one(0.4))
	v, h := 0.9*0.3+0.1*g, 0.99*0.4+0.01*g*g
	r := 0.1 * math.Sqrt(1-math.Pow(0.99, 3)) / (1 - math.Pow(0.9, 3))
	for i, want := range []float64{2 - r*v/(math.Sqrt(h)+1e-3), v, h} {
		near(t, "Adam", out[i].Float32(), []float64{want}, 1e-5)
	}
	out = apply(t, 17, trainingDomain, "Adagrad", []graph.Attr{number("decay_factor", 0.5), number("norm_coefficient", 0.01)}, 4,
		rate, count, one(2), one(2), one(0.5), one(0.5), one(0.4), one(0.4))
	h = 0.4 + g*g
	for i, want := range []float64{2 - 0.1/2.5*g/(math.Sqrt(h)+1e-6), 2 - 0.1/2.5*g/(math.Sqrt(h)+1e-6), h, h} {
		near(t, "Adagrad", out[i].Float32(), []float64{want}, 1e-5)
	}
	out = apply(t, 17, trainingDomain, "Momentum", []graph.Attr{number("alpha", 0.9), number("beta", 0.5), written("mode", "nesterov"), number("norm_coefficient", 0.01)}, 2,
		rate, count, one(2), one(0.5), one(0.3))
	v = 0.9*0.3 + 0.5*g
	for i, want := range []float64{2 - 0.1*(g+0.9*v), v} {
		near(t, "Momentum", out[i].Float32(), []float64{want}, 1e-5)
	}
}

// TestNothing: what follows from tensors without elements.
func TestNothing(t *testing.T) {
	empty := tensor.New(tensor.Float32, 2, 0, 4)
	axes := tensor.FromInt64([]int64{1}, 1)
	inf := math.Inf(1)
	for op, want := range map[string]float64{"ReduceSum": 0, "ReduceProd": 1, "ReduceMax": -inf, "ReduceMin": inf, "ReduceLogSumExp": -inf} {
		y := apply(t, 20, "", op, []graph.Attr{whole("keepdims", 0)}, 1, empty, axes)[0]
		if !slices.Equal(y.Shape(), []int{2, 4}) || slices.ContainsFunc(y.Float32(), func(v float32) bool { return float64(v) != want }) {
			t.Errorf("%s of nothing is %v%v", op, y.Shape(), y.Float32())
		}
	}
	for _, c := range []struct {
		op    string
		attrs []graph.Attr
		in    []*tensor.Tensor
		want  []int
	}{
		{"Add", nil, []*tensor.Tensor{empty, tensor.Scalar(1)}, []int{2, 0, 4}},
		{"Transpose", []graph.Attr{{Name: "perm", Kind: graph.KindInts, Ints: []int64{1, 2, 0}}}, []*tensor.Tensor{empty}, []int{0, 4, 2}},
		{"Concat", []graph.Attr{whole("axis", 1)}, []*tensor.Tensor{empty, randomTensor(rand.New(rand.NewPCG(1, 1)), 2, 3, 4)}, []int{2, 3, 4}},
		{"Slice", nil, []*tensor.Tensor{randomTensor(rand.New(rand.NewPCG(1, 1)), 2, 3), axes, axes}, []int{0, 3}},
		{"Flatten", nil, []*tensor.Tensor{empty}, []int{2, 0}},
		{"MatMul", nil, []*tensor.Tensor{tensor.New(tensor.Float32, 3, 0), tensor.New(tensor.Float32, 0, 2)}, []int{3, 2}},
	} {
		// The shape of the result says what it is: an empty result itself cannot be in a graph.
		node := graph.Node{Op: c.op, Name: "n", Outputs: []string{"z"}, Attrs: c.attrs}
		feeds := map[string]Feed{}
		var declared []graph.Value
		for i, x := range c.in {
			name := fmt.Sprintf("x%d", i)
			node.Inputs, feeds[name] = append(node.Inputs, name), FeedOf(x)
			declared = append(declared, graph.Value{Name: name, DType: x.DType(), Shape: x.Shape()})
		}
		m, err := Load(file(18, saveNode(&node), declared, "y"))
		if err != nil {
			t.Fatal(err)
		}
		m.proto.graph.nodes = append(m.proto.graph.nodes, nodeProto{op: "Shape", inputs: []string{"z"}, outputs: []string{"y"}})
		g, err := m.Specialise(feeds)
		if err != nil {
			t.Errorf("%s: %v", c.op, err)
			continue
		}
		var got []int
		for _, v := range g.Initializers[0].Tensor.Int64() {
			got = append(got, int(v))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s has shape %v, want %v", c.op, got, c.want)
		}
	}
}

// TestIntegerMatMul: products of integers beyond what float32 holds, for vectors and batches.
func TestIntegerMatMul(t *testing.T) {
	const big = 1<<40 + 1
	a := tensor.FromInt64([]int64{big, 2, -3, 4, 5, 6}, 2, 3)
	b := tensor.FromInt64([]int64{1, 1, 2}, 3)
	batch := tensor.FromInt64([]int64{1, 0, 1, 1, 2, -1, 0, 1, 1, 0, 0, 1}, 2, 3, 2)
	for _, c := range []struct {
		x, y  *tensor.Tensor
		shape []int
		want  []int64
	}{
		{a, b, []int{2}, []int64{big - 4, 21}},
		{b, a.Reshape(3, 2), []int{2}, []int64{big - 3 + 10, 2 + 4 + 12}},
		{b, b, []int{}, []int64{6}},
		{a, batch, []int{2, 2, 2}, []int64{big + 2 - 6, 5, 4 + 5 + 12, 5 - 6, 2, big - 3, 5, 4 + 6}},
	} {
		y := apply(t, 13, "", "MatMul", nil, 1, c.x, c.y)[0]
		if !slices.Equal(y.Shape(), c.shape) || !slices.Equal(y.Int64(), c.want) {
			t.Errorf("%v by %v is %v%v, want %v%v", c.x.Shape(), c.y.Shape(), y.Shape(), y.Int64(), c.shape, c.want)
		}
	}
}

// TestOldBroadcast: before operator set 7 the second input meets the axes from the given one on.
func TestOldBroadcast(t *testing.T) {
	x := tensor.FromFloat32([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 2, 3, 2)
	b := tensor.FromFloat32([]float32{10, 20, 30}, 3)
	y := apply(t, 6, "", "Add", []graph.Attr{whole("axis", 1), whole("broadcast", 1)}, 1, x, b)[0]
	near(t, "Add", y.Float32(), []float64{11, 12, 23, 24, 35, 36, 17, 18, 29, 30, 41, 42}, 0)
}

// TestMeaningfulAttributes: an attribute that is not read and means something is refused.
func TestMeaningfulAttributes(t *testing.T) {
	x := []graph.Value{{Name: "x", DType: tensor.Float32, Shape: []int{1, 2, 3, 4}}}
	m, err := Load(file(25, nodeOf("Attention", []graph.Attr{whole("left_window_size", 2)}, "x", "x", "x"), x, "y"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Specialise(nil); err == nil || !strings.Contains(err.Error(), `attribute "left_window_size" is 2`) {
		t.Errorf("error %v", err)
	}
}
