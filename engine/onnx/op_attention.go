package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// attentionRules are attention and what belongs to it. The engine's Attention has heads as an axis; a file may have them side by side.
var attentionRules = map[string]rule{
	"Attention": attention, "RotaryEmbedding": one(rotaryEmbedding), "TensorScatter": own,
	"RMSNormalization": one(rmsNorm),
}

// attention is that of operator sets 23 and 24. A causal mask counts past keys, as set 24 says.
func attention(n *node) []*value {
	if len(n.p.outputs) > 3 && n.p.outputs[3] != "" {
		unsupported("output qk_matmul_output")
	}
	q, k, v := n.need(0), n.need(1), n.need(2)
	side := len(n.shape(q)) == 3
	if side {
		q = n.splitHeads(q, n.integer("q_num_heads", 0))
		k = n.splitHeads(k, n.integer("kv_num_heads", 0))
		v = n.splitHeads(v, n.integer("kv_num_heads", 0))
	}
	a := sdpa{q: q, k: k, v: v, mask: n.x(3), pastK: n.cached(4), pastV: n.cached(5), length: n.x(6),
		causal: n.integer("is_causal", 0), scale: n.float("scale", 0), softcap: n.float("softcap", 0)}
	out := n.sdpa(a)
	if side {
		out[0].ref = n.joinHeads(out[0].ref)
	}
	return out
}

// cached is input i, None if it is left out or a cache that is still empty.
func (n *node) cached(i int) graph.Ref {
	if n.has(i) && n.in[i].ref == graph.None && n.in[i].known.Len() == 0 {
		return graph.None
	}
	return n.x(i)
}

// sdpa is a scaled dot-product attention with heads as axis 1.
type sdpa struct {
	q, k, v, mask, pastK, pastV, length graph.Ref
	causal                              int
	scale, softcap                      float32
}

// sdpa adds an Attention; it gives the result, and all keys and values. A mask that is too short excludes the keys behind it.
func (n *node) sdpa(a sdpa) []*value {
	if len(n.shape(a.q)) != 4 || len(n.shape(a.k)) != 4 || len(n.shape(a.v)) != 4 {
		unsupported("shapes %v, %v and %v", n.shape(a.q), n.shape(a.k), n.shape(a.v))
	}
	keys := n.shape(a.k)[2]
	if a.pastK != graph.None {
		if len(n.shape(a.pastK)) != 4 {
			unsupported("past keys of shape %v", n.shape(a.pastK))
		}
		keys += n.shape(a.pastK)[2]
	}
	if a.mask != graph.None {
		a.mask = n.fullMask(a.mask, keys)
	}
	attrs := graph.Attrs{}
	if a.causal != 0 {
		attrs["is_causal"] = 1
	}
	if a.scale != 0 {
		attrs["scale"] = a.scale
	}
	if a.softcap != 0 {
		attrs["softcap"] = a.softcap
	}
	in := []graph.Ref{a.q, a.k, a.v, a.mask, a.pastK, a.pastV, a.length}
	for in[len(in)-1] == graph.None {
		in = in[:len(in)-1]
	}
	outputs := 1
	if a.pastK != graph.None {
		outputs = 3
	}
	refs := n.l.b.OpN("Attention", outputs, attrs, in...)
	n.check()
	out := []*value{{ref: refs[0]}, {ref: a.k}, {ref: a.v}}
	for i := range refs {
		out[i].ref = refs[i]
	}
	return out
}

// fullMask makes the last axis of a mask as long as there are keys.
func (n *node) fullMask(mask graph.Ref, keys int) graph.Ref {
	s := n.shape(mask)
	if len(s) == 0 || s[len(s)-1] == keys || s[len(s)-1] == 1 && n.l.opset < 23 {
		return mask
	}
	if s[len(s)-1] > keys {
		unsupported("a mask of shape %v for %d keys", s, keys)
	}
	none := n.bool(false)
	if n.dtype(mask) != tensor.Bool {
		none = n.f(negativeInfinity)
	}
	return n.pad(mask, len(s)-1, 0, keys-s[len(s)-1], "constant", none)
}

// splitHeads makes [batch, length, heads·size] to [batch, heads, length, size].
func (n *node) splitHeads(x graph.Ref, heads int) graph.Ref {
	s := n.shape(x)
	if len(s) != 3 || heads < 1 || s[2]%heads != 0 {
		unsupported("%d heads in a tensor of shape %v", heads, s)
	}
	return n.transpose(n.reshape(x, s[0], s[1], heads, s[2]/heads), 0, 2, 1, 3)
}

// joinHeads makes [batch, heads, length, size] to [batch, length, heads·size].
func (n *node) joinHeads(x graph.Ref) graph.Ref {
	s := n.shape(x)
	return n.reshape(n.transpose(x, 0, 2, 1, 3), s[0], s[2], s[1]*s[3])
}

// rotaryEmbedding is that of operator set 23.
func rotaryEmbedding(n *node) graph.Ref {
	return n.rotaryOf(n.need(0), n.need(1), n.need(2), n.x(3))
}

// rotaryOf turns pairs of numbers of x, heads as an axis or side by side, by angles whose cosines and sines are in tables:
// [positions, half] with the positions given as [batch, length], or [batch, length, half] without.
func (n *node) rotaryOf(x, cos, sin, positions graph.Ref) graph.Ref {
	side := len(n.shape(x)) == 3
	if side {
		x = n.splitHeads(x, n.integer("num_heads", 0))
	}
	s := n.shape(x)
	if len(s) != 4 {
		unsupported("shape %v", s)
	}
	size := n.integer("rotary_embedding_dim", 0)
	if size == 0 {
		size = s[3]
	}
	if size < 2 || size%2 != 0 || size > s[3] {
		unsupported("rotary_embedding_dim %d of %d", size, s[3])
	}
	angles := func(table graph.Ref) graph.Ref {
		if positions != graph.None {
			if len(n.shape(table)) != 2 {
				unsupported("a table of shape %v with positions", n.shape(table))
			}
			table = n.op("Gather", nil, table, n.cast(positions, tensor.Int64))
		}
		if t := n.shape(table); !slices.Equal(t, []int{s[0], s[2], size / 2}) {
			unsupported("cosines of shape %v for %v", t, s)
		}
		return n.reshape(table, s[0], 1, s[2], size/2)
	}
	y := n.rotate(n.slice(x, 3, 0, size, 1), angles(cos), angles(sin), n.flag("interleaved"))
	if size < s[3] {
		y = n.concat(3, y, n.slice(x, 3, size, s[3], 1))
	}
	if side {
		y = n.joinHeads(y)
	}
	return y
}

// rotate gives (a·cos - b·sin, a·sin + b·cos) for pairs (a, b): the two halves of the last axis, or neighbours if interleaved.
func (n *node) rotate(x, cos, sin graph.Ref, interleaved bool) graph.Ref {
	s := slices.Clone(n.shape(x))
	axis, size := len(s)-1, s[len(s)-1]
	a, b := n.slice(x, axis, 0, size/2, 1), n.slice(x, axis, size/2, size, 1)
	if interleaved {
		a, b = n.slice(x, axis, 0, size, 2), n.slice(x, axis, 1, size, 2)
	}
	first := n.sub(n.mul(a, cos), n.mul(b, sin))
	second := n.add(n.mul(a, sin), n.mul(b, cos))
	if !interleaved {
		return n.concat(axis, first, second)
	}
	pair := append(slices.Clone(s[:axis]), size/2, 1)
	return n.reshape(n.concat(axis+1, n.reshape(first, pair...), n.reshape(second, pair...)), s...)
}

// rmsNorm brings the scale to the shape of the axes that are normalised.
func rmsNorm(n *node) graph.Ref {
	x := n.need(0)
	axis := n.axis(n.integer("axis", -1), len(n.shape(x)))
	scale := n.expand(n.need(1), n.shape(x)[axis:]...)
	return n.op("RMSNormalization", graph.Attrs{"axis": axis, "epsilon": n.float("epsilon", 1e-5)}, x, scale)
}
