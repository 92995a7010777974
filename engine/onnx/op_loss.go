package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// lossRules are losses over scores of shape [rows, classes, ...] and labels [rows, ...], with class weights and an ignored label.
var lossRules = map[string]rule{
	"SoftmaxCrossEntropyLoss": crossEntropy, "NegativeLogLikelihoodLoss": one(logLikelihood),
}

// crossEntropy uses the engine's operator where it can, else log-softmax and the negative log-likelihood.
func crossEntropy(n *node) []*value {
	x := n.need(0)
	_, ignores := n.ignored()
	if len(n.shape(x)) == 2 && !n.has(2) && n.dtype(n.need(1)) == tensor.Int64 && ignores {
		return own(n)
	}
	n.channels(x)
	logs := n.op("LogSoftmax", graph.Attrs{"axis": 1}, x)
	return []*value{{ref: n.likelihood(logs)}, {ref: logs}}
}

func logLikelihood(n *node) graph.Ref {
	n.channels(n.need(0))
	return n.likelihood(n.need(0))
}

func (n *node) ignored() (int64, bool) {
	if a := n.attr("ignore_index"); a != nil {
		return a.integer, true
	}
	return 0, false
}

// likelihood is minus the log-probability of each label times the label's weight; "mean" divides the sum by the sum of the weights.
func (n *node) likelihood(logs graph.Ref) graph.Ref {
	n.isFloat(logs)
	labels := n.cast(n.need(1), tensor.Int64)
	shape := n.shape(logs)
	want := slices.Delete(slices.Clone(shape), 1, 2)
	if !slices.Equal(n.shape(labels), want) {
		unsupported("labels of shape %v for scores of shape %v", n.shape(labels), shape)
	}
	var seen graph.Ref // 1 for a label that counts
	if index, ok := n.ignored(); ok {
		out := n.compare("Equal", labels, n.i(index))
		seen = n.where(out, n.f(0), n.f(1))
		labels = n.where(out, n.i(0), labels)
	}
	wide := n.op("Unsqueeze", nil, labels, n.l.b.Ints(1))
	loss := n.op("Neg", nil, n.reshape(n.op("GatherND", nil, logs, n.tuples(wide, 1)), want...))
	weights := seen
	if n.has(2) {
		weights = n.op("Gather", nil, n.x(2), labels)
		if seen != graph.None {
			weights = n.mul(weights, seen)
		}
	}
	if weights != graph.None {
		loss = n.mul(loss, weights)
	}
	all := upTo(len(want))
	switch r := n.text("reduction", "mean"); r {
	case "none":
		return loss
	case "sum":
		return n.reduce("ReduceSum", loss, false, all...)
	case "mean":
		if weights == graph.None {
			return n.reduce("ReduceMean", loss, false, all...)
		}
		return n.div(n.reduce("ReduceSum", loss, false, all...), n.reduce("ReduceSum", weights, false, all...))
	default:
		unsupported("reduction %q", r)
	}
	return graph.None
}
