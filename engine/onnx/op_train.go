package onnx

import (
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// trainingDomain is where ONNX keeps a step of training.
const trainingDomain = "ai.onnx.preview.training"

// trainRules are optimizers: inputs are the rate, the number of updates before, then the parameters, their gradients and their states;
// outputs are the new parameters, then the new states. A gradient counts with the parameter times norm_coefficient.
var trainRules = map[string]rule{
	trainingDomain + ".Adagrad": optimizer(1, adagrad), trainingDomain + ".Adam": optimizer(2, adam), trainingDomain + ".Momentum": optimizer(1, momentum),
}

// update is one parameter with its regularised gradient and its states.
type update struct {
	rate, count graph.Ref // scalars
	x, g        graph.Ref
	states      []graph.Ref
}

func optimizer(states int, step func(n *node, u update) []graph.Ref) rule {
	return func(n *node) []*value {
		count := (len(n.in) - 2) / (2 + states)
		if count < 1 || len(n.in) != 2+count*(2+states) {
			unsupported("%d inputs", len(n.in))
		}
		rate, times := n.reshape(n.need(0)), n.cast(n.reshape(n.need(1)), tensor.Float32)
		out := make([]*value, count*(1+states))
		for i := range count {
			x := n.need(2 + i)
			u := update{rate: rate, count: times, x: x, g: n.add(n.mul(n.f(n.float("norm_coefficient", 0)), x), n.need(2+count+i))}
			for s := range states {
				u.states = append(u.states, n.need(2+(2+s)*count+i))
			}
			for s, r := range step(n, u) {
				out[s*count+i] = &value{ref: r}
			}
		}
		return out
	}
}

// adagrad is h' = h + g², x' = x - rate/(1 + count·decay)·g / (sqrt(h') + epsilon).
func adagrad(n *node, u update) []graph.Ref {
	rate := n.div(u.rate, n.add(n.f(1), n.mul(u.count, n.f(n.float("decay_factor", 0)))))
	h := n.add(u.states[0], n.mul(u.g, u.g))
	adapted := n.add(n.op("Sqrt", nil, h), n.f(n.float("epsilon", 1e-6)))
	return []graph.Ref{n.sub(u.x, n.div(n.mul(rate, u.g), adapted)), h}
}

// adam is v' = alpha·v + (1 - alpha)·g, h' = beta·h + (1 - beta)·g², x' = (1 - norm_coefficient_post)·(x - r·v'/(sqrt(h') + epsilon)) with r the
// rate, times sqrt(1 - beta^count)/(1 - alpha^count) from the second update on.
func adam(n *node, u update) []graph.Ref {
	alpha, beta := n.float("alpha", 0.9), n.float("beta", 0.999)
	v := n.add(n.mul(n.f(alpha), u.states[0]), n.mul(n.f(1-alpha), u.g))
	h := n.add(n.mul(n.f(beta), u.states[1]), n.mul(n.f(1-beta), n.mul(u.g, u.g)))
	root := n.add(n.op("Sqrt", nil, h), n.f(n.float("epsilon", 1e-6)))
	left := func(base float32) graph.Ref { // 1 - base^count
		return n.op("Neg", nil, n.expm1(n.mul(u.count, n.op("Log", nil, n.f(base)))))
	}
	corrected := n.div(n.mul(u.rate, n.op("Sqrt", nil, left(beta))), left(alpha))
	rate := n.where(n.compare("Greater", u.count, n.f(0)), corrected, u.rate)
	x := n.sub(u.x, n.div(n.mul(rate, v), root))
	return []graph.Ref{n.mul(n.f(1-n.float("norm_coefficient_post", 0)), x), v, h}
}

// momentum is v' = alpha·v + b·g with b = beta from the second update on, 1 before; x' = x - rate·v', or with mode "nesterov"
// x - rate·(g + alpha·v').
func momentum(n *node, u update) []graph.Ref {
	alpha := n.f(n.float("alpha", 0))
	b := n.where(n.compare("Greater", u.count, n.f(0)), n.f(n.float("beta", 1)), n.f(1))
	v := n.add(n.mul(alpha, u.states[0]), n.mul(b, u.g))
	step := v
	switch mode := n.text("mode", "standard"); mode {
	case "standard":
	case "nesterov":
		step = n.add(u.g, n.mul(alpha, v))
	default:
		unsupported("mode %q", mode)
	}
	return []graph.Ref{n.sub(u.x, n.mul(u.rate, step)), v}
}
