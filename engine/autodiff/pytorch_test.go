package autodiff

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// pytorchCase is an entry of testdata/pytorch.json, which testdata/pytorch.py writes with PyTorch in float64.
type pytorchCase struct {
	Op     string
	Attrs  map[string]any
	Inputs []pytorchArray
	DY     pytorchArray
	Grads  []*pytorchArray
}

type pytorchArray struct {
	array
	Integer bool
}

func (a pytorchArray) tensor() *tensor.Tensor {
	if a.Integer {
		return a.int64()
	}
	return a.float32()
}

// attrs gives numbers of JSON the types that the operator wants: a float only where its schema says so.
func (c pytorchCase) attrs() graph.Attrs {
	attrs := graph.Attrs{}
	for name, value := range c.Attrs {
		switch v := value.(type) {
		case float64:
			attrs[name] = int(v)
			if name == "alpha" || name == "beta" {
				attrs[name] = float32(v)
			}
		case string:
			attrs[name] = v
		case []any:
			var list []int
			for _, x := range v {
				list = append(list, int(x.(float64)))
			}
			attrs[name] = list
		}
	}
	return attrs
}

// TestAgainstPyTorch compares the derivative of Σ y·dy with PyTorch's, relative to the largest element.
func TestAgainstPyTorch(t *testing.T) {
	file, err := os.ReadFile("testdata/pytorch.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []pytorchCase
	if err := json.Unmarshal(file, &cases); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, c := range cases {
		seen[c.Op]++
		b := graph.NewBuilder("case")
		feed := map[string]*tensor.Tensor{"dy": c.DY.float32()}
		var in []graph.Ref
		var wrt []string
		for i, x := range c.Inputs {
			name := fmt.Sprint("x", i)
			feed[name] = x.tensor()
			in = append(in, b.Input(name, feed[name].DType(), x.Shape...))
			if c.Grads[i] != nil {
				wrt = append(wrt, name)
			}
		}
		y := b.Op(c.Op, c.attrs(), in...)
		b.Output("loss", b.Op("ReduceSum", graph.Attrs{"keepdims": 0}, b.Op("Mul", nil, y, b.Input("dy", tensor.Float32, c.DY.Shape...))))
		g, err := b.Graph()
		if err != nil {
			t.Fatalf("%s %v: %v", c.Op, c.Attrs, err)
		}
		dg, names, err := Gradient(g, "loss", wrt)
		if err != nil {
			t.Fatalf("%s %v: %v", c.Op, c.Attrs, err)
		}
		out := run(t, compile(t, dg), feed)
		for i, want := range c.Grads {
			if want == nil {
				continue
			}
			worst, scale := 0.0, 0.0
			for j, v := range out[names[fmt.Sprint("x", i)]].Float32() {
				worst, scale = max(worst, math.Abs(float64(v)-want.Data[j])), max(scale, math.Abs(want.Data[j]))
			}
			if !(worst <= 2e-6*scale) {
				t.Errorf("%s %v: gradient of input %d is off by %g of %g", c.Op, c.Attrs, i, worst, scale)
			}
		}
	}
	for _, op := range strings.Fields("Conv MaxPool AveragePool Attention LayerNormalization SoftmaxCrossEntropyLoss Gather MatMul") {
		if seen[op] == 0 {
			t.Errorf("no case for %s", op)
		}
	}
}
