package quant

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

func random(r *rand.Rand, spread float64, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		t.Float32()[i] = float32(r.NormFloat64() * spread)
	}
	return t
}

// network is a small CNN: two convolutions, one of them depthwise, a product and a Gemm with stored transpose.
func network(t *testing.T) *graph.Graph {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	b := graph.NewBuilder("cnn")
	x := b.Input("x", tensor.Float32, 4, 3, 12, 12)
	x = b.Op("Relu", nil, b.Op("Conv", graph.Attrs{"pads": []int{1, 1, 1, 1}}, x, b.Initializer("w1", random(r, 0.3, 16, 3, 3, 3)), b.Initializer("b1", random(r, 0.1, 16))))
	x = b.Op("Relu", nil, b.Op("Conv", graph.Attrs{"group": 16, "strides": []int{2, 2}}, x, b.Initializer("w2", random(r, 0.4, 16, 1, 2, 2))))
	x = b.Op("Reshape", nil, x, b.Ints(4, 16*36))
	x = b.Op("Relu", nil, b.Op("Gemm", graph.Attrs{"transB": 1}, x, b.Initializer("w3", random(r, 0.05, 40, 16*36)), b.Initializer("b3", random(r, 0.1, 40))))
	b.Output("y", b.Op("MatMul", nil, x, b.Initializer("w4", random(r, 0.2, 40, 10))))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func images(seed uint64, n int) []Inputs {
	r := rand.New(rand.NewPCG(seed, 2))
	var list []Inputs
	for range n {
		list = append(list, Inputs{"x": random(r, 1, 4, 3, 12, 12)})
	}
	return list
}

func TestQuantizedNetworkIsClose(t *testing.T) {
	g := network(t)
	ranges, err := Observe(g, images(1, 8))
	if err != nil {
		t.Fatal(err)
	}
	q, report, err := Quantize(g, ranges)
	if err != nil {
		t.Fatal(err)
	}
	macs, err := graph.MACs(g)
	if err != nil {
		t.Fatal(err)
	}
	if report.Quantized != 3 || report.Kept != 1 || report.MACs < macs*7/10 || report.WeightBytes*3 > report.FloatBytes {
		t.Errorf("report %+v of %d multiply-accumulates", report, macs)
	}
	changes, err := Compare(g, q, images(9, 8), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c := changes[0]; c.Ratio < 1000 || c.Agreement < 0.9 || c.Rows != 32 {
		t.Errorf("change %+v", c)
	}
	// Other programs can read it, and what they read is the same graph.
	file, err := onnx.Save(q)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	back, err := m.Specialise(nil)
	if err != nil {
		t.Fatal(err)
	}
	if changes, err = Compare(q, back, images(3, 2), nil); err != nil || changes[0].Largest != 0 {
		t.Errorf("after a file: %+v, %v", changes, err)
	}
}

// Labels give accuracies: against its own answers the float network is always right.
func TestAccuracy(t *testing.T) {
	g := network(t)
	samples := images(4, 5)
	p, err := exec.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	var labels []int
	for _, in := range samples {
		out, err := p.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 40; i += 10 {
			labels = append(labels, greatest(out["y"].Float32()[i:i+10]))
		}
	}
	ranges, err := Observe(g, samples)
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := Quantize(g, ranges)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := Compare(g, q, samples, labels)
	if err != nil || changes[0].AccuracyBefore != 1 || changes[0].Accuracy != changes[0].Agreement {
		t.Errorf("%+v, %v", changes, err)
	}
	if _, err := Compare(g, q, samples, labels[1:]); !errors.Is(err, exec.ErrInput) {
		t.Errorf("too few labels: %v", err)
	}
}

// A graph without products, no samples, constants and infinite values are no reason to fail in another way than with an error.
func TestOddGraphs(t *testing.T) {
	b := graph.NewBuilder("none")
	b.Output("y", b.Op("Relu", nil, b.Input("x", tensor.Float32, 2)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Observe(g, []Inputs{{"x": tensor.New(tensor.Float32, 2)}}); !errors.Is(err, ErrNothing) {
		t.Errorf("no product: %v", err)
	}
	if _, _, err := Quantize(g, nil); !errors.Is(err, ErrNothing) {
		t.Errorf("no product: %v", err)
	}
	if _, err := Observe(network(t), nil); !errors.Is(err, exec.ErrInput) {
		t.Errorf("no sample: %v", err)
	}
	b = graph.NewBuilder("odd")
	x := b.Input("x", tensor.Float32, 2, 3)
	b.Output("y", b.Op("MatMul", nil, x, b.Initializer("w", tensor.FromFloat32([]float32{0, 0, 0, float32(math.Inf(1)), 1, float32(math.NaN())}, 3, 2))))
	if g, err = b.Graph(); err != nil {
		t.Fatal(err)
	}
	in := []Inputs{{"x": tensor.FromFloat32([]float32{float32(math.NaN()), 1, float32(math.Inf(-1)), 0, 0, 0}, 2, 3)}}
	ranges, err := Observe(g, in)
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := Quantize(g, ranges)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compare(g, q, in, nil); err != nil {
		t.Error(err)
	}
	for _, n := range q.Nodes {
		if strings.Contains(n.Name, "\x00") {
			t.Errorf("node %q", n.Name)
		}
	}
}
