package onnx

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// TestWindowsAreCompositions: Conv, MaxPool and AveragePool have the bits of slices of the padded input, one for each place of the
// window, multiplied, compared or added in the order of the places.
func TestWindowsAreCompositions(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for trial := range 150 {
		rank := 1 + r.IntN(3)
		group := 1 + r.IntN(2)*r.IntN(3)
		in, out := group*(1+r.IntN(5)), group*(1+r.IntN(5))
		if trial%10 == 0 {
			in = group * 70 // several blocks of 256
		}
		w := window{extra: make([]int, rank)}
		shape, kernel := []int{1 + r.IntN(2), in}, []int{out, in / group}
		for range rank {
			k, s, d, before, after := 1+r.IntN(3), 1+r.IntN(3), 1+r.IntN(2), r.IntN(3), r.IntN(3)
			reach := (k-1)*d + 1
			size := max(1, reach-before-after) + r.IntN(9)
			w.kernel, w.strides, w.dilations = append(w.kernel, k), append(w.strides, s), append(w.dilations, d)
			w.before, w.after = append(w.before, before), append(w.after, after)
			w.out = append(w.out, (size+before+after-reach)/s+1)
			shape, kernel = append(shape, size), append(kernel, k)
		}
		x, weights, bias := deviates(r, shape...), deviates(r, kernel...), deviates(r, out)
		if trial%3 == 1 { // padding times infinity is NaN
			weights.Float32()[r.IntN(weights.Len())] = float32(math.Inf(1))
		}

		l := newLowering("windows", 22, nil)
		n := &node{l: l, p: &nodeProto{}}
		a := l.b.Input("x", tensor.Float32, shape...)
		b := l.b.Initializer("w", weights)
		c := l.b.Initializer("b", bias)
		attrs := w.attrs()
		attrs["group"] = group
		l.b.Output("Conv", n.op("Conv", attrs, a, b, c))
		grouped := n.reshape(a, append([]int{shape[0], group, in / group}, shape[2:]...)...)
		flat := n.transpose(n.reshape(b, out, in/group, product(kernel[2:])), 0, 2, 1)
		y := n.convolve(grouped, n.reshape(flat, group, out/group, product(kernel[1:])), w)
		l.b.Output("Conv composed", n.add(y, n.perChannel(c, len(shape), out)))

		l.b.Output("MaxPool", n.pool("MaxPool", a, w, w.attrs()))
		places := n.places(n.padded(a, w, n.same(a, float32(math.Inf(-1)))), w)
		most := places[0]
		for _, p := range places[1:] {
			most = n.max(most, p)
		}
		l.b.Output("MaxPool composed", n.op("Identity", nil, most))

		attrs = w.attrs()
		attrs["count_include_pad"] = 1
		l.b.Output("AveragePool", n.pool("AveragePool", a, w, attrs))
		l.b.Output("AveragePool composed", n.div(n.summed(a, w, 0), n.f(float32(product(w.kernel)))))
		ones := n.filled(a, 1, shape...)
		l.b.Output("AveragePool, padding not counted", n.pool("AveragePool", a, w, w.attrs()))
		l.b.Output("AveragePool, padding not counted composed", n.div(n.summed(a, w, 0), n.summed(ones, w, 0)))

		g, err := l.b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		results := compute(t, g, map[string]*tensor.Tensor{"x": x})
		for name, got := range results {
			if want := results[name+" composed"]; want != nil && !slices.Equal(got.Bytes(), want.Bytes()) {
				t.Fatalf("trial %d: %s of %v, weights %v in %d groups, %+v differs from its composition", trial, name, shape, kernel, group, w)
			}
		}
	}
}

// summed adds the places of a window in their order.
func (n *node) summed(x graph.Ref, w window, fill float32) graph.Ref {
	places := n.places(n.padded(x, w, n.same(x, fill)), w)
	y := places[0]
	for _, p := range places[1:] {
		y = n.add(y, p)
	}
	return n.op("Identity", nil, y)
}

// deviates are normal, with zeros of both signs.
func deviates(r *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		switch r.IntN(12) {
		case 0:
		case 1:
			t.Float32()[i] = float32(math.Copysign(0, -1))
		default:
			t.Float32()[i] = float32(r.NormFloat64())
		}
	}
	return t
}

// TestPoolPads: ceil_mode and auto_pad become explicit pads; what ceil_mode adds never counts.
func TestPoolPads(t *testing.T) {
	x := []graph.Value{{Name: "x", DType: tensor.Float32, Shape: []int{1, 1, 6}}}
	ints := func(name string, v ...int64) graph.Attr { return graph.Attr{Name: name, Kind: graph.KindInts, Ints: v} }
	flag := func(name string) graph.Attr { return graph.Attr{Name: name, Kind: graph.KindInt, Int: 1} }
	for _, c := range []struct {
		op    string
		attrs []graph.Attr
		want  []float32 // of the input 1, 2, 3, 4, 5, 6
	}{
		{"MaxPool", []graph.Attr{ints("kernel_shape", 3), ints("strides", 2)}, []float32{3, 5}},
		{"MaxPool", []graph.Attr{ints("kernel_shape", 3), ints("strides", 2), flag("ceil_mode")}, []float32{3, 5, 6}},
		{"AveragePool", []graph.Attr{ints("kernel_shape", 3), ints("strides", 2), flag("ceil_mode")}, []float32{2, 4, 5.5}},
		{"AveragePool", []graph.Attr{ints("kernel_shape", 3), ints("strides", 3), ints("pads", 1, 0), flag("ceil_mode"), flag("count_include_pad")}, []float32{1, 4, 6}},
		{"AveragePool", []graph.Attr{ints("kernel_shape", 3), ints("strides", 3), ints("pads", 1, 2), flag("count_include_pad")}, []float32{1, 4, 2}},
		{"AveragePool", []graph.Attr{ints("kernel_shape", 2), ints("strides", 2), {Name: "auto_pad", Kind: graph.KindString, String: "SAME_LOWER"}}, []float32{1.5, 3.5, 5.5}},
		{"MaxPool", []graph.Attr{ints("kernel_shape", 3), ints("strides", 4), {Name: "auto_pad", Kind: graph.KindString, String: "SAME_UPPER"}}, []float32{3, 6}},
	} {
		m, err := Load(file(18, nodeOf(c.op, c.attrs, "x"), x, "y"))
		if err != nil {
			t.Fatal(err)
		}
		g, err := m.Specialise(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := compute(t, g, map[string]*tensor.Tensor{"x": tensor.FromFloat32([]float32{1, 2, 3, 4, 5, 6}, 1, 1, 6)})["y"].Float32()
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %v: %v, want %v", c.op, fmt.Sprint(c.attrs), got, c.want)
		}
	}
}
