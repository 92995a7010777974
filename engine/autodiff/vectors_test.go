package autodiff

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var rewrite = flag.Bool("rewrite", false, "write spec/vectors/gradients.json")

const vectorsFile = "../../spec/vectors/gradients.json"

// gradientVector is an entry of spec/vectors/gradients.json, which spec/vectors/README.md explains.
type gradientVector struct {
	Operator   string         `json:"operator"`
	Attributes map[string]any `json:"attributes,omitempty"`
	Inputs     [][]int        `json:"inputs"`           // shapes
	Labels     int            `json:"labels,omitempty"` // the last input holds integers below this
	Gradients  []string       `json:"gradients"`
}

// gradientVectors have several blocks of 256, odd sizes, shared key heads, strides, dilations and groups.
func gradientVectors() []gradientVector {
	v := func(op string, attrs map[string]any, inputs ...[]int) gradientVector {
		return gradientVector{Operator: op, Attributes: attrs, Inputs: inputs}
	}
	labelled := func(op string, attrs map[string]any, labels int, inputs ...[]int) gradientVector {
		return gradientVector{Operator: op, Attributes: attrs, Inputs: inputs, Labels: labels}
	}
	type attrs = map[string]any
	return []gradientVector{
		v("Gelu", nil, []int{1031}), v("Tanh", nil, []int{67}), v("Sigmoid", nil, []int{67}), v("Erf", nil, []int{67}), v("Relu", nil, []int{67}),
		v("Add", nil, []int{70, 33}, []int{33}), v("Mul", nil, []int{7, 1, 33}, []int{40, 33}), v("Div", nil, []int{7, 33}, []int{1, 33}),
		v("MatMul", nil, []int{3, 100, 70}, []int{70, 33}), v("MatMul", nil, []int{3, 40, 7}, []int{3, 7, 33}),
		v("Gemm", attrs{"transB": 1}, []int{300, 47}, []int{33, 47}, []int{33}),
		v("ReduceMean", attrs{"keepdims": 0}, []int{5, 70}), v("ReduceMax", attrs{"keepdims": 0}, []int{5, 70}),
		v("Softmax", attrs{"axis": -1}, []int{5, 300}), v("LogSoftmax", attrs{"axis": 1}, []int{4, 9, 5}),
		labelled("SoftmaxCrossEntropyLoss", attrs{"reduction": "mean", "ignore_index": 3}, 130, []int{7, 130}, []int{7}),
		v("LayerNormalization", nil, []int{300, 70}, []int{70}, []int{70}), v("RMSNormalization", nil, []int{300, 70}, []int{70}),
		v("Attention", attrs{"is_causal": 1}, []int{1, 4, 300, 16}, []int{1, 2, 300, 16}, []int{1, 2, 300, 16}),
		v("Attention", nil, []int{2, 2, 9, 5}, []int{2, 2, 40, 5}, []int{2, 2, 40, 7}),
		v("Conv", attrs{"pads": []int{1, 1, 1, 1}}, []int{3, 4, 20, 20}, []int{32, 4, 3, 3}, []int{32}),
		v("Conv", attrs{"strides": []int{2, 1}, "dilations": []int{1, 2}, "pads": []int{0, 2, 1, 1}, "group": 2}, []int{2, 4, 11, 9}, []int{6, 2, 2, 3}),
		v("MaxPool", attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}, []int{2, 3, 12, 11}),
		v("MaxPool", attrs{"kernel_shape": []int{3, 3}, "strides": []int{2, 2}, "pads": []int{1, 1, 1, 1}}, []int{2, 3, 9, 10}),
		v("AveragePool", attrs{"kernel_shape": []int{3, 2}, "strides": []int{2, 1}, "pads": []int{1, 0, 1, 1}}, []int{2, 3, 9, 10}),
		labelled("Gather", nil, 11, []int{11, 33}, []int{70}),
	}
}

// graph builds Σ y·dy and its derivatives. Input i is the stream of key i + 1, dy that of the key after the last.
func (v gradientVector) build(t *testing.T) (g *graph.Graph, wrt []string, names map[string]string, feed map[string]*tensor.Tensor) {
	t.Helper()
	b, feed := graph.NewBuilder("vector"), map[string]*tensor.Tensor{}
	var in []graph.Ref
	for i, shape := range v.Inputs {
		name := fmt.Sprint("x", i)
		x := unit(uint32(i+1), shape)
		if v.Labels > 0 && i == len(v.Inputs)-1 {
			x = x.labels(v.Labels)
		} else {
			wrt = append(wrt, name)
		}
		feed[name] = x.Tensor
		in = append(in, b.Input(name, x.DType(), shape...))
	}
	y := b.Op(v.Operator, graph.Attrs(v.Attributes), in...)
	shape := b.Shape(y)
	feed["dy"] = unit(uint32(len(v.Inputs)+1), shape).Tensor
	b.Output("loss", b.Op("ReduceSum", graph.Attrs{"keepdims": 0}, b.Op("Mul", nil, y, b.Input("dy", tensor.Float32, shape...))))
	forward, err := b.Graph()
	if err != nil {
		t.Fatalf("%s: %v", v.Operator, err)
	}
	if g, names, err = Gradient(forward, "loss", wrt); err != nil {
		t.Fatalf("%s: %v", v.Operator, err)
	}
	return g, wrt, names, feed
}

// stream is a tensor of u - 0.5.
type stream struct{ *tensor.Tensor }

func unit(key uint32, shape []int) stream {
	x := tensor.New(tensor.Float32, shape...)
	kernel.Uniform(x.Float32(), [2]uint32{key, 0}, 0)
	kernel.AddScalar(x.Float32(), x.Float32(), -0.5)
	return stream{x}
}

// labels are ⌊u·n⌋.
func (s stream) labels(n int) stream {
	x := tensor.New(tensor.Int64, s.Shape()...)
	for i, v := range s.Float32() {
		x.Int64()[i] = int64(float32((v + 0.5) * float32(n)))
	}
	return stream{x}
}

// TestGradientVectors checks the published hashes, on one goroutine and three.
func TestGradientVectors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	list := gradientVectors()
	for i, v := range list {
		g, wrt, names, feed := v.build(t)
		for _, procs := range []int{1, 3} {
			runtime.GOMAXPROCS(procs)
			out := run(t, compile(t, g), feed)
			var hashes []string
			for _, name := range wrt {
				hashes = append(hashes, fmt.Sprintf("%x", sha256.Sum256(out[names[name]].Bytes())))
			}
			if list[i].Gradients != nil && fmt.Sprint(hashes) != fmt.Sprint(list[i].Gradients) {
				t.Errorf("%s %v: the number of goroutines shows", v.Operator, v.Attributes)
			}
			list[i].Gradients = hashes
		}
	}
	var text bytes.Buffer
	text.WriteString("[\n")
	for i, v := range list {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(line)
		text.WriteString(map[bool]string{true: ",\n", false: "\n"}[i < len(list)-1])
	}
	text.WriteString("]\n")
	if *rewrite {
		if err := os.WriteFile(vectorsFile, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	lines, wanted := bytes.Split(text.Bytes(), []byte("\n")), bytes.Split(want, []byte("\n"))
	if len(lines) != len(wanted) {
		t.Fatalf("%d vectors in %s, want %d", len(wanted), vectorsFile, len(lines))
	}
	for i := range lines {
		if !bytes.Equal(lines[i], wanted[i]) {
			t.Errorf("vector %d is\n%s\nwant\n%s", i, lines[i], wanted[i])
		}
	}
}
