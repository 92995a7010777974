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
	*Outline
	set *data.Set

	inferenceGraph        *graph.Graph
	update                *exec.Program // the step, which replaces its state unless the gradient is not finite
	step                  *exec.Program // the step into new tensors; this and the next two are compiled at first use
	evaluation, inference *exec.Program
}

// NewTrainer builds the model's graphs and compiles the training step. It keeps r and d, which must
// not change. Errors wrap those of recipe and data.
func NewTrainer(r *recipe.Recipe, d *data.Set) (*Trainer, error) {
	split := data.NewSplit(d.Count, r.Data.HoldoutPercent, r.Train.Seed)
	m, err := model.New(r, d, split)
	if err != nil {
		return nil, err
	}
	t := &Trainer{set: d}
	if t.Outline, err = outline(r, m, split, d.RecordSize); err != nil {
		return nil, err
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

// Data returns the trainer's data set, which must not change.
func (t *Trainer) Data() *data.Set { return t.set }

// InferenceGraph maps weights and one record to the model's answer. It is the trainer's and must not
// change.
func (t *Trainer) InferenceGraph() *graph.Graph { return t.inferenceGraph }

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
