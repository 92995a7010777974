package autodiff

import (
	"errors"

	"github.com/mutirao/mutirao/engine/graph"
)

var layerRules = map[string]rule{
	"Softmax": softmax, "LogSoftmax": logSoftmax, "SoftmaxCrossEntropyLoss": crossEntropy,
	"LayerNormalization": normalization("LayerNormalizationGrad", 3), "RMSNormalization": normalization("RMSNormalizationGrad", 2),
	"Attention": attention,
}

// softmax: dx = y·(dy - Σ dy·y).
func softmax(n *node) ([]graph.Ref, error) {
	along := n.op("ReduceSum", n.op("Mul", n.dy[0], n.y()), n.Ints(n.call.Axis()))
	return []graph.Ref{n.op("Mul", n.y(), n.op("Sub", n.dy[0], along))}, nil
}

// logSoftmax: dx = dy - e^y·Σ dy.
func logSoftmax(n *node) ([]graph.Ref, error) {
	sum := n.op("ReduceSum", n.dy[0], n.Ints(n.call.Axis()))
	return []graph.Ref{n.op("Sub", n.dy[0], n.op("Mul", n.op("Exp", n.y()), sum))}, nil
}

func crossEntropy(n *node) ([]graph.Ref, error) {
	if len(n.dy) == 2 && n.dy[1] != graph.None {
		return nil, errors.New("output log_prob is not differentiated, use LogSoftmax")
	}
	return n.each(func(int) graph.Ref {
		return n.Op("SoftmaxCrossEntropyLossGrad", n.attrs(), n.dy[0], n.x(0), n.x(1))
	}), nil
}

// normalization: the operator computes the gradients of x, scale and for layer norm bias at once.
func normalization(op string, outputs int) rule {
	return func(n *node) ([]graph.Ref, error) {
		d := n.OpN(op, outputs, n.attrs(), n.dy[0], n.x(0), n.x(1))
		return n.each(func(i int) graph.Ref { return d[i] }), nil
	}
}

func attention(n *node) ([]graph.Ref, error) {
	if len(n.call.In) > 3 || n.call.Float("softcap") != 0 {
		return nil, errors.New("attention with a mask, past keys or softcap is not differentiated")
	}
	return n.OpN("AttentionGrad", 3, n.attrs(), n.dy[0], n.x(0), n.x(1), n.x(2)), nil
}
