package optim

import (
	"fmt"
	"testing"

	"github.com/mutirao/mutirao/engine/autodiff"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// net is a small network of a usual kind with one batch to learn: what training steps are tested, exported and measured on.
// bench/train/peer.py has the same ones in PyTorch.
type net struct {
	name   string
	build  func(b *layers) (logits graph.Ref)
	labels int // rows of logits
}

// layers declares weights and batch as graph inputs and remembers them with their first contents.
type layers struct {
	*graph.Builder
	params []graph.Value
	feed   map[string]*tensor.Tensor
}

// op adds a node without attributes.
func (b *layers) op(name string, in ...graph.Ref) graph.Ref { return b.Op(name, nil, in...) }

// param is a weight with values spread evenly over ±spread, or all spread where even is false.
func (b *layers) param(name string, spread float32, even bool, shape ...int) graph.Ref {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		t.Float32()[i] = spread
		if even {
			t.Float32()[i] = float32(spread * (float32((i*7919+len(b.params)*31)%1009)/504 - 1))
		}
	}
	b.feed[name] = t
	b.params = append(b.params, graph.Value{Name: name, DType: tensor.Float32, Shape: shape})
	return b.Input(name, tensor.Float32, shape...)
}

// linear is x·wᵀ ⊕ b with weights [out, in].
func (b *layers) linear(name string, x graph.Ref, in, out int) graph.Ref {
	spread := 1 / sqrt32(float32(in))
	return b.Op("Gemm", graph.Attrs{"transB": 1}, x, b.param(name+".weight", spread, true, out, in), b.param(name+".bias", 0, false, out))
}

// pixels is a batch of floats that learning can tell apart.
func (b *layers) pixels(shape ...int) graph.Ref {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		t.Float32()[i] = float32((i*104729+i/977*13)%997)/498 - 1
	}
	b.feed["x"] = t
	return b.Input("x", tensor.Float32, shape...)
}

// perceptron is 784-1024-1024-10 with ReLU, or another width.
func perceptron(rows, in, width int) net {
	return net{"mlp", func(b *layers) graph.Ref {
		h := b.pixels(rows, in)
		for i := range 2 {
			h = b.op("Relu", b.linear(fmt.Sprint("layer", i), h, b.Shape(h)[1], width))
		}
		return b.linear("layer2", h, width, 10)
	}, rows}
}

// convolutional is stages of a 3x3 convolution, ReLU and a 2x2 maximum, then one dense layer.
func convolutional(batch, size int, channels ...int) net {
	return net{"cnn", func(b *layers) graph.Ref {
		h, in := b.pixels(batch, 3, size, size), 3
		for i, out := range channels {
			name := fmt.Sprint("conv", i)
			w := b.param(name+".weight", 1/sqrt32(float32(9*in)), true, out, in, 3, 3)
			h = b.Op("Conv", graph.Attrs{"pads": []int{1, 1, 1, 1}}, h, w, b.param(name+".bias", 0, false, out))
			h = b.Op("MaxPool", graph.Attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}, b.op("Relu", h))
			in, size = out, size/2
		}
		h = b.op("Reshape", h, b.Ints(batch, in*size*size))
		return b.linear("head", h, in*size*size, 10)
	}, batch}
}

// decoder is a causal transformer over bytes: norms first, biases, GELU, as in GPT-2.
func decoder(batch, length, width, heads, blocks int) net {
	return net{"transformer", func(b *layers) graph.Ref {
		tokens := tensor.New(tensor.Int64, batch, length)
		for i := range tokens.Int64() {
			tokens.Int64()[i] = int64(i * 31 % 256)
		}
		b.feed["tokens"] = tokens
		x := b.op("Gather", b.param("embedding", 1, true, 256, width), b.Input("tokens", tensor.Int64, batch, length))
		x = b.op("Reshape", b.op("Add", x, b.param("position", 0.02, true, length, width)), b.Ints(batch*length, width))
		for i := range blocks {
			name := func(s string) string { return fmt.Sprintf("block%d.%s", i, s) }
			h := b.norm(name("norm1"), x, width)
			x = b.op("Add", x, b.linear(name("out"), b.attention(name, h, batch, length, width, heads), width, width))
			h = b.op("Gelu", b.linear(name("up"), b.norm(name("norm2"), x, width), width, 4*width))
			x = b.op("Add", x, b.linear(name("down"), h, 4*width, width))
		}
		return b.linear("head", b.norm("norm", x, width), width, 256)
	}, batch * length}
}

func (b *layers) norm(name string, x graph.Ref, width int) graph.Ref {
	return b.op("LayerNormalization", x, b.param(name+".weight", 1, false, width), b.param(name+".bias", 0, false, width))
}

func (b *layers) attention(name func(string) string, h graph.Ref, batch, length, width, heads int) graph.Ref {
	swap := graph.Attrs{"perm": []int{0, 2, 1, 3}}
	split := func(s string) graph.Ref {
		return b.Op("Transpose", swap, b.op("Reshape", b.linear(name(s), h, width, width), b.Ints(batch, length, heads, width/heads)))
	}
	a := b.Op("Attention", graph.Attrs{"is_causal": 1}, split("query"), split("key"), split("value"))
	return b.op("Reshape", b.Op("Transpose", swap, a), b.Ints(batch*length, width))
}

// loss builds the graph of the mean cross-entropy and its gradients, and returns it ready to be extended by an optimizer.
func (n net) loss(t testing.TB) (*layers, map[string]string) {
	t.Helper()
	b := &layers{Builder: graph.NewBuilder(n.name), feed: map[string]*tensor.Tensor{}}
	logits := n.build(b)
	labels := tensor.New(tensor.Int64, n.labels)
	for i := range labels.Int64() {
		labels.Int64()[i] = int64(i * 17 % b.Shape(logits)[1])
	}
	b.feed["labels"] = labels
	b.Output("loss", b.op("SoftmaxCrossEntropyLoss", logits, b.Input("labels", tensor.Int64, n.labels)))
	forward, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range b.params {
		names = append(names, p.Name)
	}
	both, gradients, err := autodiff.Gradient(forward, "loss", names)
	if err != nil {
		t.Fatal(err)
	}
	b.Builder = graph.Extend(both)
	b.DropOutputs()
	b.Output("loss", "loss")
	return b, gradients
}
