package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// contribDomain is the domain of ONNX Runtime's own operators, which its optimizer and some exporters write.
const contribDomain = "com.microsoft"

// contribRules are operators of that domain as compositions. Source: https://github.com/microsoft/onnxruntime,
// docs/ContribOperators.md.
var contribRules = map[string]rule{
	"Gelu":                             one(func(n *node) graph.Ref { return n.op("Gelu", nil, n.need(0)) }),
	"BiasGelu":                         one(func(n *node) graph.Ref { return n.op("Gelu", nil, n.add(n.need(0), n.need(1))) }),
	"FastGelu":                         one(func(n *node) graph.Ref { return n.tanhGelu(n.plus(n.need(0), 1)) }),
	"QuickGelu":                        one(func(n *node) graph.Ref { return n.swish(n.need(0), n.float("alpha", 1.702)) }),
	"FusedMatMul":                      one(fusedMatMul),
	"LayerNormalization":               layerNorm,
	"SimplifiedLayerNormalization":     one(rmsNorm),
	"SkipLayerNormalization":           skipNorm(4, true),
	"SkipSimplifiedLayerNormalization": skipNorm(3, false),
	"EmbedLayerNormalization":          embedNorm,
	"RotaryEmbedding": one(func(n *node) graph.Ref {
		return n.rotaryOf(n.need(0), n.need(2), n.need(3), n.positions(n.need(1)))
	}),
	"MultiHeadAttention": multiHead,
	"Attention":          one(joinedAttention),
	"CDist":              one(cdist),
}

// plus is x plus input i if there is one.
func (n *node) plus(x graph.Ref, i int) graph.Ref {
	if !n.has(i) {
		return x
	}
	return n.add(x, n.x(i))
}

// swish is x·sigmoid(alpha·x).
func (n *node) swish(x graph.Ref, alpha float32) graph.Ref {
	if alpha == 1 {
		return n.mul(x, n.op("Sigmoid", nil, x))
	}
	return n.mul(x, n.op("Sigmoid", nil, n.mul(x, n.f(alpha))))
}

// fusedMatMul multiplies after transposing the last two axes of a factor, then by alpha.
func fusedMatMul(n *node) graph.Ref {
	factor := func(i int, name string) graph.Ref {
		r := n.need(i)
		rank := len(n.shape(r))
		if !n.flag(name) || rank < 2 {
			return r
		}
		perm := upTo(rank)
		perm[rank-2], perm[rank-1] = rank-1, rank-2
		return n.transpose(r, perm...)
	}
	if n.flag("transBatchA") || n.flag("transBatchB") {
		unsupported("transBatchA or transBatchB")
	}
	y := n.op("MatMul", nil, factor(0, "transA"), factor(1, "transB"))
	if alpha := n.float("alpha", 1); alpha != 1 {
		y = n.mul(y, n.f(alpha))
	}
	return y
}

// skipNorm normalises the sum of input, skip and bias, which is also output 3. The bias is the given input.
func skipNorm(bias int, centred bool) rule {
	return func(n *node) []*value {
		sum := n.plus(n.add(n.need(0), n.need(1)), bias)
		axis := len(n.shape(sum)) - 1
		attrs := graph.Attrs{"axis": axis, "epsilon": n.float("epsilon", 1e-12)}
		in := []graph.Ref{sum, n.need(2)}
		op := "RMSNormalization"
		if centred {
			op = "LayerNormalization"
			if n.has(3) {
				in = append(in, n.x(3))
			}
		}
		return []*value{{ref: n.op(op, attrs, in...)}, nil, nil, {ref: n.op("Identity", nil, sum)}}
	}
}

// embedNorm normalises the sum of the embeddings of word, position and segment; output 1, which counts the tokens of a mask, is
// zeros without one, and output 2 is the sum.
func embedNorm(n *node) []*value {
	ids := n.cast(n.need(0), tensor.Int64)
	s := n.shape(ids)
	if len(s) != 2 || n.has(7) {
		unsupported("ids of shape %v, or a mask", s)
	}
	places := n.iota(s[1], 0, 1, tensor.Int64)
	if n.has(8) {
		places = n.cast(n.x(8), tensor.Int64)
	}
	sum := n.add(n.op("Gather", nil, n.need(2), ids), n.op("Gather", nil, n.need(3), places))
	if n.has(1) {
		sum = n.add(sum, n.op("Gather", nil, n.need(4), n.cast(n.x(1), tensor.Int64)))
	}
	attrs := graph.Attrs{"axis": 2, "epsilon": n.float("epsilon", 1e-12)}
	return []*value{{ref: n.op("LayerNormalization", attrs, sum, n.need(5), n.need(6))},
		{ref: n.cast(n.filled(n.f(0), 0, s[0]), tensor.Int32)}, {ref: n.op("Identity", nil, sum)}}
}

// positions makes the offset of all rows, one number that is known, to the positions of each token.
func (n *node) positions(r graph.Ref) graph.Ref {
	if len(n.shape(r)) == 2 {
		return r
	}
	start := n.only(1)
	s := n.shape(n.need(0))
	length := s[len(s)-2]
	return n.expand(n.add(n.iota(length, 1, 2, tensor.Int64), n.i(int64(start))), s[0], length)
}

// multiHead is attention of heads side by side, with one bias for queries, keys and values; bias and mask are added to the scores.
func multiHead(n *node) []*value {
	heads := n.integer("num_heads", 0)
	if !n.has(1) || !n.has(2) || len(n.shape(n.need(0))) != 3 || len(n.shape(n.need(1))) != 3 || len(n.shape(n.need(2))) != 3 {
		unsupported("queries, keys and values packed together")
	}
	var parts [3]graph.Ref
	at := 0
	for i := range parts {
		parts[i] = n.need(i)
		if width := n.shape(parts[i])[2]; n.has(3) {
			parts[i] = n.add(parts[i], n.slice(n.x(3), 0, at, at+width, 1))
			at += width
		}
		parts[i] = n.splitHeads(parts[i], heads)
	}
	a := sdpa{q: parts[0], k: parts[1], v: parts[2], mask: n.x(5), pastK: n.cached(6), pastV: n.cached(7),
		causal: n.integer("unidirectional", 0), scale: n.float("scale", 0)}
	if n.has(4) {
		a.mask = n.keyMask(n.x(4), a.mask, n.float("mask_filter_value", -10000))
	}
	out := n.sdpa(a)
	out[0].ref = n.joinHeads(out[0].ref)
	return out
}

// keyMask is a mask of keys, [batch, keys] of integers that are 0 for keys to leave out, as a number to add to scores.
func (n *node) keyMask(keys, bias graph.Ref, fill float32) graph.Ref {
	s := n.shape(keys)
	if len(s) != 2 {
		unsupported("a mask of shape %v", s)
	}
	zero := n.compare("Equal", keys, n.same(keys, 0))
	m := n.reshape(n.where(zero, n.f(fill), n.f(0)), s[0], 1, 1, s[1])
	if bias != graph.None {
		m = n.add(bias, m)
	}
	return m
}

// joinedAttention computes queries, keys and values by one product, then attention.
func joinedAttention(n *node) graph.Ref {
	if n.has(4) || n.flag("do_rotary") || len(n.p.outputs) > 1 && n.p.outputs[1] != "" {
		unsupported("past keys, rotary embedding or a second output")
	}
	joined := n.plus(n.op("MatMul", nil, n.need(0), n.need(1)), 2)
	s := n.shape(joined)
	heads := n.integer("num_heads", 0)
	if len(s) != 3 || s[2]%3 != 0 {
		unsupported("queries, keys and values of shape %v", s)
	}
	sizes := n.integers("qkv_hidden_sizes")
	if sizes == nil {
		sizes = slices.Repeat([]int{s[2] / 3}, 3)
	}
	if len(sizes) != 3 || sizes[0]+sizes[1]+sizes[2] != s[2] {
		unsupported("qkv_hidden_sizes %v of %d", sizes, s[2])
	}
	part := func(lo, size int) graph.Ref { return n.splitHeads(n.slice(joined, 2, lo, lo+size, 1), heads) }
	a := sdpa{q: part(0, sizes[0]), k: part(sizes[0], sizes[1]), v: part(sizes[0]+sizes[1], sizes[2]), mask: n.x(5),
		causal: n.integer("unidirectional", 0), scale: n.float("scale", 0)}
	if n.has(3) {
		a.mask = n.keyMask(n.x(3), a.mask, n.float("mask_filter_value", -10000))
	}
	return n.joinHeads(n.sdpa(a)[0].ref)
}
