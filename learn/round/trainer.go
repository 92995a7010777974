// Package round is one round of low-communication training, profile S.
//
// A unit is a pure function of public data: weights, shard seed, recipe. It runs some inner steps of
// AdamW from zero moments and returns the change of the weights in 4-bit codes. Aggregate folds the
// units' changes, in ledger order, into the next public state. Whoever repeats either gets the same
// bits, on any machine and with any number of threads.
//
// The package computes with the engine only and knows neither ledger, network nor money.
package round

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mutirao/mutirao/engine/autodiff"
	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/model"
	"github.com/mutirao/mutirao/learn/optim"
	"github.com/mutirao/mutirao/learn/recipe"
)

var (
	// ErrState reports weights or a public state that do not belong to the trainer's model.
	ErrState = errors.New("state does not fit the model")
	// ErrDiverged reports a unit whose weights are no longer finite, or too large to send.
	ErrDiverged = errors.New("training diverged")
)

// Trainer runs units, rounds and evaluations of one recipe on one data set. It is not safe for
// concurrent use: one goroutine owns it.
type Trainer struct {
	recipe *recipe.Recipe
	set    *data.Set
	split  data.Split
	model  *model.Model
	layout []tensor.Named // names and shapes of the weights, sorted by name

	stepGraph, inferenceGraph *graph.Graph
	stepMACs, stateBytes      uint64
	update                    *exec.Program // the step, which replaces its state unless the gradient is not finite
	step                      *exec.Program // the step into new tensors; this and the next two are compiled at first use
	evaluation, inference     *exec.Program
}

// NewTrainer builds the model's graphs and compiles the training step. It keeps r and d, which must
// not change. Errors wrap those of recipe and data.
func NewTrainer(r *recipe.Recipe, d *data.Set) (*Trainer, error) {
	t := &Trainer{recipe: r, set: d, split: data.NewSplit(d.Count, r.Data.HoldoutPercent, r.Train.Seed)}
	var err error
	if t.model, err = model.New(r, d, t.split); err != nil {
		return nil, err
	}
	for _, p := range t.model.Params() {
		t.layout = append(t.layout, tensor.Named{Name: p.Name, Tensor: tensor.New(tensor.Float32, p.Shape...)})
	}
	if t.stepGraph, err = t.buildStep(); err != nil {
		return nil, err
	}
	if t.stepMACs, err = graph.MACs(t.stepGraph); err != nil {
		return nil, err
	}
	for _, v := range t.stepGraph.Outputs {
		if strings.HasPrefix(v.Name, optim.Next) {
			t.stateBytes += uint64(v.Len() * v.DType.Size())
		}
	}
	if t.inferenceGraph, err = t.model.InferenceGraph(); err != nil {
		return nil, err
	}
	state := map[string]string{}
	for _, v := range t.stepGraph.Outputs {
		if name, ok := strings.CutPrefix(v.Name, optim.Next); ok {
			state[v.Name] = name
		}
	}
	if t.update, err = exec.CompileUpdate(t.stepGraph, exec.Update{State: state, Guard: optim.SumSquares}); err != nil {
		return nil, err
	}
	return t, nil
}

// buildStep makes one graph of forward pass, backward pass, clipping and the inner optimizer.
func (t *Trainer) buildStep() (*graph.Graph, error) {
	forward, err := t.model.LossGraph(t.recipe.Train.Batch)
	if err != nil {
		return nil, err
	}
	var names []string
	var params []graph.Value
	for _, p := range t.layout {
		names = append(names, p.Name)
		params = append(params, graph.Value{Name: p.Name, DType: tensor.Float32, Shape: p.Tensor.Shape()})
	}
	both, gradients, err := autodiff.Gradient(forward, model.Loss, names)
	if err != nil {
		return nil, fmt.Errorf("derive the training step: %w", err)
	}
	b := graph.Extend(both)
	b.DropOutputs()
	b.Output(model.Loss, model.Loss)
	t.appendOptimizer(b, params, gradients)
	return b.Graph()
}

// appendOptimizer adds the step of the recipe's inner optimizer.
func (t *Trainer) appendOptimizer(b *graph.Builder, params []graph.Value, gradients map[string]string) {
	train := t.recipe.Train
	adamW := optim.Hyper{Beta1: train.Beta1, Beta2: train.Beta2, Eps: train.Eps, WeightDecay: train.WeightDecay, Clip: train.Clip}
	switch train.Optimizer {
	case recipe.SGD, recipe.Nesterov:
		optim.AppendSGD(b, params, gradients, optim.SGD{
			Momentum: train.Momentum, WeightDecay: train.WeightDecay, Clip: train.Clip, Nesterov: train.Optimizer == recipe.Nesterov})
	case recipe.Muon:
		hidden := func(p graph.Value) bool { return t.model.Hidden(p.Name) && optim.IsMatrix(p) }
		optim.AppendMuon(b, params, gradients, hidden, optim.Muon{Hyper: adamW, Momentum: train.Momentum})
	case recipe.Adafactor:
		optim.AppendAdafactor(b, params, gradients, optim.Adafactor{Eps: train.Eps, WeightDecay: train.WeightDecay, Clip: train.Clip})
	default:
		optim.AppendAdamW(b, params, gradients, adamW)
	}
}

// StepGraph is the graph of one training step: weights, moments and a batch in, the next weights and
// moments out. It is the trainer's and must not change.
func (t *Trainer) StepGraph() *graph.Graph { return t.stepGraph }

// InferenceGraph maps weights and one record to the model's answer. It is the trainer's and must not
// change.
func (t *Trainer) InferenceGraph() *graph.Graph { return t.inferenceGraph }

// Layout lists names and shapes of the weights, sorted by name; the values are zeros and meaningless.
// It is what package payload needs to read a payload. It is the trainer's.
func (t *Trainer) Layout() []tensor.Named { return t.layout }

// Recipe returns the trainer's recipe, which must not change.
func (t *Trainer) Recipe() *recipe.Recipe { return t.recipe }

// UnitTokens is the number of predictions that a unit of that many steps learns from: records of a
// table, bytes of a text.
func (t *Trainer) UnitTokens(steps int) uint64 {
	return uint64(steps) * uint64(t.recipe.Train.Batch) * uint64(t.model.Predictions())
}

// check tests that tensors have the layout's names and shapes and hold finite numbers.
func (t *Trainer) check(what string, x []tensor.Named) error {
	if len(x) != len(t.layout) {
		return fmt.Errorf("%w: %s: %d tensors where the model has %d", ErrState, what, len(x), len(t.layout))
	}
	for i, want := range t.layout {
		if err := checkTensor(x[i], want); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrState, what, err)
		}
	}
	return nil
}
