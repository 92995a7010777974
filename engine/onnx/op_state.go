package onnx

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
)

// stateRules are layers that carry a state from one call to the next.
var stateRules = map[string]rule{"CausalConvWithState": causalConv, "LinearAttention": linearAttention}

// causalConv is a convolution of each channel [batch, channels, length] with the k - 1 positions before the first: the past state, or zeros.
// The new state is the last k - 1 positions.
func causalConv(n *node) []*value {
	x, weights := n.need(0), n.need(1)
	s, ws := n.shape(x), n.shape(weights)
	if len(s) != 3 || len(ws) != 3 || ws[0] != s[1] || ws[1] != 1 {
		unsupported("weights of shape %v for an input of shape %v", ws, s)
	}
	k := ws[2]
	if n.has(3) && k > 1 {
		x = n.concat(2, n.x(3), x)
	} else {
		x = n.pad(x, 2, k-1, 0, "constant", n.f(0))
	}
	in := []graph.Ref{x, weights}
	if n.has(2) {
		in = append(in, n.x(2))
	}
	y := n.op("Conv", graph.Attrs{"group": s[1], "strides": []int{1}, "dilations": []int{1}, "pads": []int{0, 0}}, in...)
	switch a := n.text("activation", "none"); a {
	case "none":
	case "silu", "swish":
		y = n.mul(y, n.op("Sigmoid", nil, y))
	default:
		unsupported("activation %q", a)
	}
	if k == 1 {
		return []*value{{ref: y}, n.nothing(x, []int{s[0], s[1], 0})}
	}
	length := n.shape(x)[2]
	return []*value{{ref: y}, {ref: n.op("Identity", nil, n.slice(x, 2, length-k+1, length, 1))}}
}

// linearAttention updates a state S [batch, heads, keys, values] for each token and reads it by scale·qᵀS. The update is S' + beta·k ⊗ (v - kᵀS')
// with S' = exp(decay)·S; "linear" and "gated" do not subtract kᵀS' and have no beta, "linear" and "delta" have no decay.
func linearAttention(n *node) []*value {
	q, kv := n.integer("q_num_heads", 0), n.integer("kv_num_heads", 0)
	shape := n.shape(n.need(0))
	if kv < 1 || q < kv || q%kv != 0 || len(shape) != 3 || shape[1] > maxSteps || shape[2]%q != 0 {
		unsupported("%d and %d heads of shape %v", q, kv, shape)
	}
	rule := n.text("update_rule", "gated_delta")
	gated, delta := rule == "gated" || rule == "gated_delta", rule == "delta" || rule == "gated_delta"
	if !gated && !delta && rule != "linear" {
		unsupported("update_rule %q", rule)
	}
	batch, length, keys := shape[0], shape[1], shape[2]/q
	values := n.shape(n.need(2))[len(n.shape(n.need(2)))-1] / kv
	scale := n.float("scale", 0)
	if scale == 0 {
		scale = float32(1 / math.Sqrt(float64(keys)))
	}
	state := n.expand(n.f(0), batch, kv, keys, values)
	if n.has(3) {
		state = n.x(3)
	}
	// token is what an input has for a token: a row or a column for each head.
	token := func(input, t, rows, columns int) graph.Ref {
		heads := product(n.shape(n.need(input))[2:]) / (rows * columns)
		return n.reshape(n.slice(n.need(input), 1, t, t+1, 1), batch, heads, rows, columns)
	}
	var outs []graph.Ref
	for t := range length {
		if gated {
			width := n.shape(n.need(4))[2] / kv // of a decay for each key or for all
			state = n.mul(state, n.op("Exp", nil, token(4, t, width, 1)))
		}
		k, v := token(1, t, keys, 1), token(2, t, 1, values)
		if delta {
			v = n.sub(v, n.op("MatMul", nil, token(1, t, 1, keys), state))
			v = n.mul(v, token(5, t, 1, 1))
		}
		state = n.add(state, n.mul(k, v))
		query := n.reshape(n.slice(n.need(0), 1, t, t+1, 1), batch, kv, q/kv, keys)
		y := n.mul(n.op("MatMul", nil, query, state), n.f(scale))
		outs = append(outs, n.reshape(y, batch, 1, q*values))
	}
	return []*value{{ref: n.concat(1, outs...)}, {ref: n.op("Identity", nil, state)}}
}
