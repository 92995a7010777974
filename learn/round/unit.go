package round

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/model"
	"github.com/mutirao/mutirao/learn/optim"
)

// Points is the number of states of a unit that are observed: the start, 15 between, the end.
const Points = 17

// RoleState is the role of the tensors of an observed state. Their names are those of the step graph's inputs.
const RoleState = "state"

// Task says what a unit computes.
type Task struct {
	Theta []tensor.Named // the round's weights; read only
	Seed  [32]byte       // drawn by the beacon; picks the order of the training records
	Steps int            // inner steps, 1 to the recipe's
}

// Output is what a unit sends and reports.
type Output struct {
	Payload []byte  // package payload's encoding of old minus new weights
	Tokens  uint64  // predictions learned from, UnitTokens
	Skips   int     // steps left out because their gradient was not finite
	Loss    float32 // mean over the steps taken, in nats; informative
}

// Entry is a tensor of an observed state.
type Entry struct {
	Name, Role string
	Tensor     *tensor.Tensor
}

// Unit computes a task. observe, unless nil, is called 17 times, in order, with all that passes from one
// step to the next, weights and the optimizer's state; the tensors are never written again and may be kept, not changed. An error
// of observe or the end of ctx, looked at before each step, stops the unit.
//
// With x the weights and s the optimizer's first state, each step takes the next batch of the task's order, and
//
//	skip if the sum of squares of the gradient is not finite
//	x, s = optimizer(x, s) as in optim.AppendAdamW and its kin, rate as in optim.Rate
//
// A skipped step changes nothing but consumes its batch and its place in the rate's climb. The result
// depends on the task, the recipe and the data alone. It returns ErrState for weights that are not the
// model's and ErrDiverged for a change that cannot be sent.
func (t *Trainer) Unit(ctx context.Context, task Task, observe func(point int, state []Entry) error) (Output, error) {
	if err := t.check("weights", task.Theta); err != nil {
		return Output{}, err
	}
	if task.Steps < 1 || task.Steps > t.recipe.Train.Steps {
		return Output{}, fmt.Errorf("%w: %d steps; 1 to %d are possible", ErrState, task.Steps, t.recipe.Train.Steps)
	}
	in := t.begin(task.Theta, task.Seed)
	in.own()
	point := 0
	show := func() error {
		for ; observe != nil && point < Points && t.PointStep(point, task.Steps) == in.taken; point++ {
			if err := observe(point, in.entries()); err != nil {
				return err
			}
		}
		return nil
	}
	if err := show(); err != nil {
		return Output{}, err
	}
	for range task.Steps {
		if err := ctx.Err(); err != nil {
			return Output{}, err
		}
		if err := in.advance(optim.Rate(t.recipe.Train.LR, in.taken, task.Steps)); err != nil {
			return Output{}, err
		}
		if err := show(); err != nil {
			return Output{}, err
		}
	}
	sent, err := t.pack(task.Theta, in.theta())
	if err != nil {
		return Output{}, err
	}
	return Output{Payload: sent, Tokens: t.UnitTokens(task.Steps), Skips: in.skips, Loss: in.meanLoss()}, nil
}

// diverged marks an error about numbers that grew out of range.
func diverged(err error) error { return fmt.Errorf("%w: %w", ErrDiverged, err) }

// inner is the state of the inner optimizer between two steps.
type inner struct {
	trainer *Trainer
	batches *batches
	in      map[string]*tensor.Tensor // inputs of the step graph; weights, moments and powers are the state
	taken   int                       // steps, with skipped ones
	skips   int
	losses  []float32                 // of the steps not skipped
	out     map[string]*tensor.Tensor // what a step puts out besides the state, if it replaces that; else nil
}

// own makes the state the inner optimizer's: steps replace it, and what is shown of it is copied.
func (s *inner) own() {
	for _, w := range s.trainer.layout {
		s.in[w.Name] = s.in[w.Name].Clone()
	}
	s.out = map[string]*tensor.Tensor{model.Loss: tensor.New(tensor.Float32), optim.SumSquares: tensor.New(tensor.Float32)}
}

// shown is a tensor of the state that is not written again.
func (s *inner) shown(name string) *tensor.Tensor {
	if s.out != nil {
		return s.in[name].Clone()
	}
	return s.in[name]
}

// begin starts from weights with the optimizer's state at its beginning.
func (t *Trainer) begin(theta []tensor.Named, seed [32]byte) *inner {
	s := &inner{trainer: t, batches: t.newBatches(seed), in: map[string]*tensor.Tensor{}}
	for _, v := range t.stepGraph.Outputs {
		if name, ok := strings.CutPrefix(v.Name, optim.Next); ok {
			s.in[name] = tensor.New(v.DType, v.Shape...)
			if first := optim.Initial(name); first != 0 {
				s.in[name].Float32()[0] = first
			}
		}
	}
	for _, w := range theta {
		s.in[w.Name] = w.Tensor
	}
	return s
}

// advance takes one step, or skips it.
func (s *inner) advance(rate float32) error {
	s.load(rate)
	return s.compute()
}

// load takes what the next step reads besides the state.
func (s *inner) load(rate float32) {
	for name, x := range s.trainer.model.Batch(s.trainer.set, s.batches.next()) {
		s.in[name] = x
	}
	s.in[optim.LearningRate] = tensor.Scalar(rate)
}

// compute takes the step that is loaded.
func (s *inner) compute() error {
	if s.out != nil {
		return s.replace()
	}
	if s.trainer.step == nil {
		step, err := exec.Compile(s.trainer.stepGraph)
		if err != nil {
			return err
		}
		s.trainer.step = step
	}
	out, err := s.trainer.step.Run(s.in)
	if err != nil {
		return fmt.Errorf("step %d: %w", s.taken+1, err)
	}
	s.taken++
	if !kernel.Finite(out[optim.SumSquares].Float32()) {
		s.skips++
		return nil
	}
	s.losses = append(s.losses, out[model.Loss].Float32()[0])
	for name, x := range out {
		if next, ok := strings.CutPrefix(name, optim.Next); ok {
			s.in[next] = x
		}
	}
	return nil
}

// replace is compute for a state that is the optimizer's own.
func (s *inner) replace() error {
	err := s.trainer.update.RunInto(s.in, s.out)
	switch {
	case errors.Is(err, exec.ErrSkipped):
		s.skips++
	case err != nil:
		return fmt.Errorf("step %d: %w", s.taken+1, err)
	default:
		s.losses = append(s.losses, s.out[model.Loss].Float32()[0])
	}
	s.taken++
	return nil
}

// theta lists the weights in name order.
func (s *inner) theta() []tensor.Named {
	out := make([]tensor.Named, len(s.trainer.layout))
	for i, w := range s.trainer.layout {
		out[i] = tensor.Named{Name: w.Name, Tensor: s.shown(w.Name)}
	}
	return out
}

// entries lists the whole state: what the step graph returns for its next run.
func (s *inner) entries() []Entry {
	var out []Entry
	for _, v := range s.trainer.stepGraph.Outputs {
		if name, ok := strings.CutPrefix(v.Name, optim.Next); ok {
			out = append(out, Entry{name, RoleState, s.shown(name)})
		}
	}
	return out
}

// meanLoss is the mean over the steps taken, NaN if all were skipped.
func (s *inner) meanLoss() float32 {
	if len(s.losses) == 0 {
		return float32(math.NaN())
	}
	return kernel.Sum(s.losses) / float32(len(s.losses))
}
