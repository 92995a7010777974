package model

import (
	"fmt"
	"strings"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
)

// mlp is a perceptron for a yes-or-no question about a row of a table:
// standardise, then fc1, GELU, fc2, GELU, …, and one log-odds score.
type mlp struct {
	sizes []int // features, hidden widths, 1
	scaling
}

func newMLP(features int, hidden []int, s scaling) *mlp {
	sizes := append([]int{features}, hidden...)
	return &mlp{sizes: append(sizes, 1), scaling: s}
}

func (n *mlp) layers() int { return len(n.sizes) - 1 }

// params are fc<i>.weight [out, in] and fc<i>.bias [out], i from 1.
func (n *mlp) params() []Param {
	var ps []Param
	for i := range n.layers() {
		in, out := n.sizes[i], n.sizes[i+1]
		ps = append(ps,
			Param{Name: fmt.Sprintf("fc%d.weight", i+1), Shape: []int{out, in}, Init: fanIn(in, 1)},
			Param{Name: fmt.Sprintf("fc%d.bias", i+1), Shape: []int{out}})
	}
	return ps
}

func (n *mlp) input(b *graph.Builder, records int) graph.Ref {
	return b.Input(Features, tensor.Float32, records, n.sizes[0])
}

func (n *mlp) target(b *graph.Builder, records int) graph.Ref {
	return b.Input(Target, tensor.Float32, records, 1)
}

func (n *mlp) scores(b *graph.Builder, w weights, x graph.Ref) graph.Ref {
	x = b.Op("Sub", nil, x, b.Initializer("standardise.mean", n.mean))
	x = b.Op("Mul", nil, x, b.Initializer("standardise.scale", n.scale))
	for i := range n.layers() {
		if i > 0 {
			x = b.Op("Gelu", nil, x)
		}
		x = b.Op("Gemm", graph.Attrs{"transB": 1}, x, w[fmt.Sprintf("fc%d.weight", i+1)], w[fmt.Sprintf("fc%d.bias", i+1)])
	}
	return x
}

// losses is the cross-entropy of a coin with log-odds z against y: max(z, 0) - z·y + log(1 + e^-|z|),
// the form of log(1 + e^z) - z·y in which nothing overflows.
func (n *mlp) losses(b *graph.Builder, z, y graph.Ref) graph.Ref {
	linear := b.Op("Sub", nil, b.Op("Relu", nil, z), b.Op("Mul", nil, z, y))
	tail := b.Op("Exp", nil, b.Op("Neg", nil, b.Op("Abs", nil, z)))
	return b.Op("Add", nil, linear, b.Op("Log", nil, b.Op("Add", nil, tail, b.Float(1))))
}

func (n *mlp) answer(b *graph.Builder, z graph.Ref) { b.Output(Probability, b.Op("Sigmoid", nil, z)) }

// hidden: the first layer reads features, the last gives the score.
func (n *mlp) hidden(name string) bool {
	return strings.HasSuffix(name, ".weight") && name != "fc1.weight" && name != fmt.Sprintf("fc%d.weight", n.layers())
}

func (n *mlp) predictions() int { return 1 }

func (n *mlp) batch(s *data.Set, records []int) map[string]*tensor.Tensor {
	features := n.sizes[0]
	x, y := make([]float32, len(records)*features), make([]float32, len(records))
	for i, at := range records {
		y[i] = s.Row(x[i*features:(i+1)*features], at)
	}
	return map[string]*tensor.Tensor{
		Features: tensor.FromFloat32(x, len(records), features),
		Target:   tensor.FromFloat32(y, len(records), 1),
	}
}
