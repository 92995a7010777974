package round

import (
	"context"
	"fmt"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/optim"
)

// Walk computes a task from one of its states on: from steps are done, after which the state is as given; nil is the start. visit
// is called before each step with all inputs of the step graph, and after the last with the state in place of the inputs. The map is
// the walk's, the tensors in it are never written again. It ends when visit says so, or with its error.
func (t *Trainer) Walk(ctx context.Context, task Task, from int, state []Entry, visit func(step int, in map[string]*tensor.Tensor) (more bool, err error)) error {
	if err := t.check("weights", task.Theta); err != nil {
		return err
	}
	if from < 0 || from > task.Steps {
		return fmt.Errorf("%w: step %d of %d", ErrState, from, task.Steps)
	}
	s := t.begin(task.Theta, task.Seed)
	for _, e := range state {
		s.in[e.Name] = e.Tensor
	}
	for s.taken < from {
		s.batches.next()
		s.taken++
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.taken < task.Steps {
			s.load(optim.Rate(t.recipe.Train.LR, s.taken, task.Steps))
		}
		if more, err := visit(s.taken, s.in); !more || err != nil || s.taken == task.Steps {
			return err
		}
		if err := s.compute(); err != nil {
			return err
		}
	}
}
