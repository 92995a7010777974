package exec

import (
	"math/rand/v2"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// FuzzRun: a graph that validates can be compiled and run, on zeros, without a panic. Errors about indices are fine.
func FuzzRun(f *testing.F) {
	for seed := range uint64(20) {
		g, _, err := randomGraph(rand.New(rand.NewPCG(seed, 14)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(graph.Encode(g))
	}
	b := graph.NewBuilder("others")
	x, ids := b.Input("x", tensor.Float32, 2, 4, 3, 3), b.Input("ids", tensor.Int64, 3, 1)
	for i, r := range b.OpN("AttentionGrad", 3, graph.Attrs{"is_causal": 1}, x, x, x, x) {
		b.Output(string(rune('a'+i)), r)
	}
	s := b.Op("Slice", nil, x, b.Ints(0, 3), b.Ints(2, -9), b.Ints(2, 3), b.Ints(1, -2))
	b.Output("slice", b.Op("SliceGrad", graph.Attrs{"shape": []int{2, 4, 3, 3}}, s, b.Ints(0, 3), b.Ints(2, -9), b.Ints(2, 3), b.Ints(1, -2)))
	rows := b.Op("GatherND", nil, b.Initializer("table", tensor.New(tensor.Float32, 5, 3)), ids)
	loss := b.OpN("SoftmaxCrossEntropyLoss", 2, graph.Attrs{"ignore_index": 0}, rows, b.Op("Squeeze", nil, ids))
	b.Output("grad", b.Op("SoftmaxCrossEntropyLossGrad", nil, loss[0], loss[1], b.Op("Cast", graph.Attrs{"to": 7}, b.Op("Cast", graph.Attrs{"to": 2}, b.Op("Squeeze", nil, ids)))))
	b.OpN("LayerNormalizationGrad", 3, nil, rows, rows, b.Input("scale", tensor.Float32, 3))
	conv := b.Op("Conv", graph.Attrs{"group": 2, "pads": []int{1, 0, 0, 1}, "strides": []int{2, 1}}, x, b.Input("window", tensor.Float32, 6, 2, 2, 3), b.Initializer("bias", tensor.New(tensor.Float32, 6)))
	b.Output("pool", b.Op("MaxPool", graph.Attrs{"kernel_shape": []int{2, 2}, "dilations": []int{1, 1}}, conv))
	b.Output("mean", b.Op("AveragePool", graph.Attrs{"kernel_shape": []int{2, 2}, "pads": []int{0, 1, 1, 0}}, conv))
	g, err := b.Graph()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(graph.Encode(g))
	trees, err := treeGraph(3, "MIN").Graph()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(graph.Encode(trees))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := graph.Decode(b)
		if err != nil {
			return
		}
		if macs, err := graph.MACs(g); err != nil || macs > 1<<20 {
			return
		}
		if n, err := graph.Elements(g); err != nil || n > 1<<18 {
			return
		}
		p, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]*tensor.Tensor{}
		for _, v := range g.Inputs {
			in[v.Name] = tensor.New(v.DType, v.Shape...)
		}
		if out, err := p.Run(in); err == nil && len(out) != len(g.Outputs) {
			t.Fatalf("%d outputs of %d", len(out), len(g.Outputs))
		}
	})
}
