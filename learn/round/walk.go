package round

import (
	"context"
	"fmt"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
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

// Pack encodes the change of the weights from before a unit to after it: what the unit sends. The lists are in name order.
func (t *Trainer) Pack(before, after []tensor.Named) ([]byte, error) { return t.pack(before, after) }

// RecordOf is the record of the set that a step of a unit reads as row row of its batch.
func (t *Trainer) RecordOf(seed [32]byte, step, row int) int {
	b := t.newBatches(seed)
	at := step*t.recipe.Train.Batch + row
	b.epoch = uint64(at / t.split.Training())
	b.shuffle()
	return t.split.TrainingAt(b.order.At(at % t.split.Training()))
}

// Rate is the learning rate of a step of a unit.
func (t *Trainer) Rate(step, steps int) float32 { return optim.Rate(t.recipe.Train.LR, step, steps) }

// ReadRecord returns what one record contributes to the inputs of a batch, by input: tensors of a batch of one.
func (t *Trainer) ReadRecord(record []byte) (map[string]*tensor.Tensor, error) {
	if len(record) != t.set.RecordSize {
		return nil, fmt.Errorf("%w: a record of %d bytes, want %d", data.ErrInvalid, len(record), t.set.RecordSize)
	}
	one := &data.Set{Schema: t.set.Schema, RecordSize: t.set.RecordSize, Count: 1, Records: record}
	return t.model.Batch(one, []int{0}), nil
}
