package round

import (
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Artifact is the model to publish: the inference graph with the weights as its last initializers, in
// name order, and the record as its only input. Taking the weights out again gives InferenceGraph. It
// shares nothing with theta. It returns ErrState for weights that are not the model's.
func (t *Trainer) Artifact(theta []tensor.Named) (*graph.Graph, error) {
	if err := t.check("weights", theta); err != nil {
		return nil, err
	}
	g := *t.inferenceGraph
	g.Inputs = g.Inputs[len(t.layout):] // weights come first
	g.Initializers = append(append([]tensor.Named{}, g.Initializers...), clone(theta)...)
	if _, err := graph.Infer(&g); err != nil {
		return nil, err
	}
	return &g, nil
}
