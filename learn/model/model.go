// Package model builds the networks that a recipe can ask for, as graphs.
//
// A model is three graphs over the same weights: the loss of a batch (from which a training step is
// derived), the losses and scores of a batch (for evaluation), and the inference graph that is
// published. Weights are graph inputs under their own names; every other constant is an initializer.
// The package knows recipes and data sets and computes with the engine's kernels only.
package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
)

// Names of graph inputs and outputs other than weights.
const (
	Features = "features" // table: [batch, features] float32, raw
	Tokens   = "tokens"   // text: [batch, window] int64
	Target   = "target"   // table: [batch, 1] float32, 0 or 1; text: [batch·window] int64
	Loss     = "loss"     // scalar: mean of Losses
	Losses   = "losses"   // one for each prediction, in nats
	Scores   = "scores"   // table: [batch, 1] log-odds; text: [batch·window, 256] logits

	Probability = "probability" // table's answer: [1, 1], of label 1
	Logits      = "logits"      // text's answer: [window, 256], of the successor of each token
)

// Param describes one tensor of weights.
type Param struct {
	Name  string
	Shape []int
	Init  Init
}

// Model is a network for one recipe and one set of training data.
type Model struct {
	params []Param // sorted by name
	net    network
}

// network is what distinguishes the kinds of model.
type network interface {
	params() []Param
	// input and target declare the graph inputs of that many records.
	input(b *graph.Builder, records int) graph.Ref
	target(b *graph.Builder, records int) graph.Ref
	// scores is the network itself; losses compares its outcome with the target, one loss a prediction.
	scores(b *graph.Builder, w weights, x graph.Ref) graph.Ref
	losses(b *graph.Builder, scores, target graph.Ref) graph.Ref
	// hidden reports whether a param is a matrix between two layers inside the network.
	hidden(name string) bool
	// answer names the inference graph's output.
	answer(b *graph.Builder, scores graph.Ref)
	// batch makes the tensors for input and target.
	batch(s *data.Set, records []int) map[string]*tensor.Tensor
	// predictions is the number of predictions in one record.
	predictions() int
}

// weights are the graph inputs of the params, by name.
type weights map[string]graph.Ref

// New returns the model that a recipe asks for on a set. The training rows of the split fix the
// standardisation of a table's features. It returns an error if recipe and set do not fit.
func New(r *recipe.Recipe, s *data.Set, split data.Split) (*Model, error) {
	schema, err := data.DecodeSchema(s.Schema)
	if err != nil {
		return nil, err
	}
	if (schema.Window > 0) != (r.Data.Kind == recipe.Text) {
		return nil, fmt.Errorf("%w: the recipe wants a %s and the set is of the other kind", data.ErrInvalid, r.Data.Kind)
	}
	if r.Model.Kind != recipe.MLP {
		return of(r, 0, schema.Window, scaling{})
	}
	if schema.Label != r.Data.Label {
		return nil, fmt.Errorf("%w: the recipe predicts %q and the set %q", data.ErrInvalid, r.Data.Label, schema.Label)
	}
	return of(r, len(schema.Features), 0, standardise(s, split, len(schema.Features)))
}

// Shape returns the model that a recipe asks for on records of that many bytes. It has the graphs of New's, but for the values that
// follow from the data. It returns an error if recipe and records do not fit.
func Shape(r *recipe.Recipe, recordSize int) (*Model, error) {
	if r.Model.Kind != recipe.MLP {
		return of(r, 0, recordSize-1, scaling{})
	}
	features := recordSize/4 - 1
	if recordSize%4 != 0 || features < 1 || features > data.MaxFeatures {
		return nil, fmt.Errorf("%w: a record of %d bytes is no row of a table", data.ErrInvalid, recordSize)
	}
	return of(r, features, 0, scaling{tensor.New(tensor.Float32, features), tensor.New(tensor.Float32, features)})
}

// of makes the model for rows of so many features, or for windows of so many tokens.
func of(r *recipe.Recipe, features, window int, s scaling) (*Model, error) {
	var net network
	switch r.Model.Kind {
	case recipe.MLP:
		net = newMLP(features, r.Model.Hidden, s)
	case recipe.Transformer:
		if window != r.Model.Context {
			return nil, fmt.Errorf("%w: windows of %d tokens for a context of %d", data.ErrInvalid, window, r.Model.Context)
		}
		net = newTransformer(r.Model)
	default:
		return nil, fmt.Errorf("%w: model kind %q", recipe.ErrInvalid, r.Model.Kind)
	}
	params := net.params()
	slices.SortFunc(params, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
	return &Model{params: params, net: net}, nil
}

// Params lists the weights, sorted by name. The list is the model's.
func (m *Model) Params() []Param { return m.params }

// Hidden reports whether a param is a matrix between two layers inside the network, neither at its input nor at its output:
// those are what Muon is made for.
func (m *Model) Hidden(name string) bool { return m.net.hidden(name) }

// Predictions is the number of predictions in one record: 1 for a table, the window for a text.
func (m *Model) Predictions() int { return m.net.predictions() }

// LossGraph maps weights, a batch's input and Target to Loss.
func (m *Model) LossGraph(records int) (*graph.Graph, error) {
	b := graph.NewBuilder("loss")
	losses, _ := m.lossesOf(b, records)
	b.Output(Loss, b.Op("ReduceMean", graph.Attrs{"keepdims": 0}, losses))
	return b.Graph()
}

// EvaluationGraph maps weights, a batch's input and Target to Losses and Scores.
func (m *Model) EvaluationGraph(records int) (*graph.Graph, error) {
	b := graph.NewBuilder("evaluation")
	losses, scores := m.lossesOf(b, records)
	b.Output(Losses, losses)
	b.Output(Scores, scores)
	return b.Graph()
}

func (m *Model) lossesOf(b *graph.Builder, records int) (losses, scores graph.Ref) {
	w := m.declare(b)
	x, y := m.net.input(b, records), m.net.target(b, records)
	scores = m.net.scores(b, w, x)
	return m.net.losses(b, scores, y), scores
}

// InferenceGraph maps weights and one record's input to Probability or Logits.
func (m *Model) InferenceGraph() (*graph.Graph, error) {
	b := graph.NewBuilder("inference")
	w := m.declare(b)
	m.net.answer(b, m.net.scores(b, w, m.net.input(b, 1)))
	return b.Graph()
}

// declare adds the weights as graph inputs.
func (m *Model) declare(b *graph.Builder) weights {
	w := weights{}
	for _, p := range m.params {
		w[p.Name] = b.Input(p.Name, tensor.Float32, p.Shape...)
	}
	return w
}

// Batch returns the input and Target tensors of records of a set, by graph input.
func (m *Model) Batch(s *data.Set, records []int) map[string]*tensor.Tensor {
	return m.net.batch(s, records)
}
