package model

import (
	"fmt"
	"math"
	"strings"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
)

// vocabulary: a token is a byte.
const vocabulary = 256

// transformer is a causal language model over bytes: learned positions, blocks of attention and a
// GELU perceptron of four times the width, each behind an RMS norm and around a residual, no biases.
// Source: Vaswani et al., "Attention Is All You Need", 2017, with norms first as in GPT-2 and RMS norms
// as in Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
type transformer struct {
	window, width, blocks, heads int
}

func newTransformer(m recipe.Model) *transformer {
	return &transformer{window: m.Context, width: m.Width, blocks: m.Layers, heads: m.Heads}
}

// params are named block<i>.…, i from 0. Matrices are [out, in].
func (n *transformer) params() []Param {
	d := n.width
	ps := []Param{
		{Name: "embedding.weight", Shape: []int{vocabulary, d}, Init: Init{Spread: 1}},
		{Name: "position.weight", Shape: []int{n.window, d}, Init: Init{Spread: 0.1}},
		{Name: "norm.weight", Shape: []int{d}, Init: Init{Center: 1}},
		// Small first scores: the first loss is that of guessing evenly.
		{Name: "head.weight", Shape: []int{vocabulary, d}, Init: fanIn(d, 0.1)},
	}
	// Each block adds two terms to the residual stream; their sum keeps the variance of one.
	residual := float32(math.Sqrt(1 / float64(2*n.blocks)))
	for i := range n.blocks {
		name := func(part string) string { return fmt.Sprintf("block%02d.%s.weight", i, part) }
		ps = append(ps,
			Param{Name: name("attention.norm"), Shape: []int{d}, Init: Init{Center: 1}},
			Param{Name: name("attention.q"), Shape: []int{d, d}, Init: fanIn(d, 1)},
			Param{Name: name("attention.k"), Shape: []int{d, d}, Init: fanIn(d, 1)},
			Param{Name: name("attention.v"), Shape: []int{d, d}, Init: fanIn(d, 1)},
			Param{Name: name("attention.out"), Shape: []int{d, d}, Init: fanIn(d, residual)},
			Param{Name: name("mlp.norm"), Shape: []int{d}, Init: Init{Center: 1}},
			Param{Name: name("mlp.fc1"), Shape: []int{4 * d, d}, Init: fanIn(d, 1)},
			Param{Name: name("mlp.fc2"), Shape: []int{d, 4 * d}, Init: fanIn(4*d, residual)})
	}
	return ps
}

func (n *transformer) input(b *graph.Builder, records int) graph.Ref {
	return b.Input(Tokens, tensor.Int64, records, n.window)
}

func (n *transformer) target(b *graph.Builder, records int) graph.Ref {
	return b.Input(Target, tensor.Int64, records*n.window)
}

func (n *transformer) scores(b *graph.Builder, w weights, tokens graph.Ref) graph.Ref {
	records := 1
	if shape := b.Shape(tokens); len(shape) > 0 {
		records = shape[0]
	}
	x := b.Op("Gather", nil, w["embedding.weight"], tokens)
	x = b.Op("Add", nil, x, w["position.weight"])
	x = b.Op("Reshape", nil, x, b.Ints(records*n.window, n.width))
	for i := range n.blocks {
		of := func(part string) graph.Ref { return w[fmt.Sprintf("block%02d.%s.weight", i, part)] }
		h := b.Op("RMSNormalization", nil, x, of("attention.norm"))
		x = b.Op("Add", nil, x, n.attention(b, h, records, of))
		h = b.Op("RMSNormalization", nil, x, of("mlp.norm"))
		h = b.Op("Gelu", nil, linear(b, h, of("mlp.fc1")))
		x = b.Op("Add", nil, x, linear(b, h, of("mlp.fc2")))
	}
	x = b.Op("RMSNormalization", nil, x, w["norm.weight"])
	return linear(b, x, w["head.weight"])
}

// linear is x·wᵀ for w [out, in].
func linear(b *graph.Builder, x, w graph.Ref) graph.Ref {
	return b.Op("Gemm", graph.Attrs{"transB": 1}, x, w)
}

// attention of h [records·window, width]: every token looks at itself and those before it.
func (n *transformer) attention(b *graph.Builder, h graph.Ref, records int, of func(string) graph.Ref) graph.Ref {
	split := func(part string) graph.Ref {
		x := linear(b, h, of(part))
		x = b.Op("Reshape", nil, x, b.Ints(records, n.window, n.heads, n.width/n.heads))
		return b.Op("Transpose", graph.Attrs{"perm": []int{0, 2, 1, 3}}, x)
	}
	y := b.Op("Attention", graph.Attrs{"is_causal": 1}, split("attention.q"), split("attention.k"), split("attention.v"))
	y = b.Op("Transpose", graph.Attrs{"perm": []int{0, 2, 1, 3}}, y)
	y = b.Op("Reshape", nil, y, b.Ints(records*n.window, n.width))
	return linear(b, y, of("attention.out"))
}

func (n *transformer) losses(b *graph.Builder, scores, target graph.Ref) graph.Ref {
	return b.OpN("SoftmaxCrossEntropyLoss", 1, graph.Attrs{"reduction": "none"}, scores, target)[0]
}

func (n *transformer) answer(b *graph.Builder, scores graph.Ref) { b.Output(Logits, scores) }

// hidden: the matrices of the blocks.
func (n *transformer) hidden(name string) bool {
	return strings.HasPrefix(name, "block") && !strings.HasSuffix(name, "norm.weight")
}

func (n *transformer) predictions() int { return n.window }

func (n *transformer) batch(s *data.Set, records []int) map[string]*tensor.Tensor {
	x, y := make([]int64, 0, len(records)*n.window), make([]int64, 0, len(records)*n.window)
	for _, at := range records {
		window := s.Record(at)
		for i := range n.window {
			x = append(x, int64(window[i]))
			y = append(y, int64(window[i+1]))
		}
	}
	return map[string]*tensor.Tensor{
		Tokens: tensor.FromInt64(x, len(records), n.window),
		Target: tensor.FromInt64(y, len(y)),
	}
}
