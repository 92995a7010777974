package autodiff

import (
	"fmt"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// BenchmarkTransformerGradient is loss and gradients of a byte-level transformer: 4 layers of width 128, 4 heads, 8 sequences of
// 128 bytes. It reports multiply-accumulates per second, to be compared with what the matrix product alone reaches.
func BenchmarkTransformerGradient(b *testing.B) {
	const batch, length, width, heads, layers, classes = 8, 128, 128, 4, 4, 256
	g := graph.NewBuilder("transformer")
	feed := map[string]*tensor.Tensor{}
	var params []string
	param := func(name string, shape ...int) graph.Ref {
		t := tensor.New(tensor.Float32, shape...)
		for i := range t.Float32() {
			t.Float32()[i] = (float32(i*7919%1009)/504 - 1) / 16
		}
		feed[name] = t
		params = append(params, name)
		return g.Input(name, tensor.Float32, shape...)
	}
	op := func(name string, in ...graph.Ref) graph.Ref { return g.Op(name, nil, in...) }
	feed["tokens"], feed["labels"] = tensor.New(tensor.Int64, batch, length), tensor.New(tensor.Int64, batch*length)
	for i := range feed["labels"].Int64() {
		feed["tokens"].Int64()[i], feed["labels"].Int64()[i] = int64(i*31%classes), int64(i*17%classes)
	}
	embedding := param("embedding", classes, width)
	x := op("Add", op("Gather", embedding, g.Input("tokens", tensor.Int64, batch, length)), param("position", length, width))
	perm := graph.Attrs{"perm": []int{0, 2, 1, 3}}
	for i := range layers {
		name := func(s string) string { return fmt.Sprint(s, i) }
		h := op("LayerNormalization", x, param(name("scale1"), width), param(name("bias1"), width))
		split := func(w string) graph.Ref {
			return g.Op("Transpose", perm, op("Reshape", op("MatMul", h, param(name(w), width, width)), g.Ints(batch, length, heads, width/heads)))
		}
		a := g.Op("Attention", graph.Attrs{"is_causal": 1}, split("query"), split("key"), split("value"))
		a = op("Reshape", g.Op("Transpose", perm, a), g.Ints(batch, length, width))
		x = op("Add", x, op("MatMul", a, param(name("out"), width, width)))
		h = op("LayerNormalization", x, param(name("scale2"), width), param(name("bias2"), width))
		h = op("Gelu", op("MatMul", h, param(name("up"), width, 4*width)))
		x = op("Add", x, op("MatMul", h, param(name("down"), 4*width, width)))
	}
	logits := op("MatMul", op("Reshape", x, g.Ints(batch*length, width)), op("Transpose", embedding))
	g.Output("loss", op("SoftmaxCrossEntropyLoss", logits, g.Input("labels", tensor.Int64, batch*length)))
	forward, err := g.Graph()
	if err != nil {
		b.Fatal(err)
	}
	dg, _, err := Gradient(forward, "loss", params)
	if err != nil {
		b.Fatal(err)
	}
	macs, err := graph.MACs(dg)
	if err != nil {
		b.Fatal(err)
	}
	p := compile(b, dg)
	out := run(b, p, feed)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.RunInto(feed, out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(macs)*float64(b.N)/1e9/b.Elapsed().Seconds(), "GMAC/s")
}
