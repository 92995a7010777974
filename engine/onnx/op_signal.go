package onnx

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// signalRules are windows a - b·cos(2πi/n) + c·cos(4πi/n) of a known length.
var signalRules = map[string]rule{
	"HannWindow": one(cosineWindow(0.5, 0.5, 0)), "HammingWindow": one(cosineWindow(25.0/46, 1-25.0/46, 0)), "BlackmanWindow": one(cosineWindow(0.42, 0.5, 0.08)),
}

func cosineWindow(a, b, c float32) func(*node) graph.Ref {
	return func(n *node) graph.Ref {
		length := n.only(0)
		over := length
		if n.integer("periodic", 1) == 0 {
			over--
		}
		if length < 1 || length > foldLimit || over < 1 {
			unsupported("a window of %d", length)
		}
		if n.integer("output_datatype", 1) != 1 {
			unsupported("output_datatype %d", n.integer("output_datatype", 1))
		}
		angle := n.div(n.mul(n.iota(length, 0, 1, tensor.Float32), n.f(2*math.Pi)), n.f(float32(over)))
		w := n.sub(n.f(a), n.mul(n.f(b), n.op("Cos", nil, angle)))
		return n.add(w, n.mul(n.f(c), n.op("Cos", nil, n.add(angle, angle))))
	}
}
