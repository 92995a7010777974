// Package workshop owns what it takes to compute for one run: it fetches recipe, data and states by content address,
// checks each against the ledger, and executes units and aggregates on the engine. Provider, verifier and trainer share it,
// so that a unit is computed and recomputed by the same code. It sends nothing to the ledger.
package workshop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/split"
	"github.com/mutirao/mutirao/verify/trace"
)

// ErrMismatch reports bytes that are not what the ledger names.
var ErrMismatch = errors.New("does not match the ledger")

// Workshop computes for one run. One goroutine owns it.
type Workshop struct {
	blobs   *shelf
	trainer *round.Trainer
	program protocol.Hash

	at    kept                   // the public state asked for last
	next  kept                   // the one that this machine has computed last
	first merkle.Hash            // point 0 of every unit that starts from at
	begin map[string]merkle.Hash // roots of what a unit starts from besides the weights
}

// New makes a workshop from a recipe and its data, for who has both at hand.
func New(blobs agent.Blobs, r *recipe.Recipe, set *data.Set) (*Workshop, error) {
	t, err := round.NewTrainer(r, set)
	if err != nil {
		return nil, err
	}
	return &Workshop{blobs: newShelf(blobs), trainer: t, program: trace.ProgramHash(t.StepGraph())}, nil
}

// Open fetches what the run names and checks it: the data against the dataset's root, the program that follows from
// recipe and data against the run's program hashes. Errors wrap ErrMismatch where content differs.
func Open(ctx context.Context, ledger agent.Ledger, blobs agent.Blobs, s *work.State) (*Workshop, error) {
	blobs.SetPeers(s.Peers())
	r, err := recipe.Decode(s.Spec.Recipe)
	if err != nil {
		return nil, fmt.Errorf("recipe of the run: %w", err)
	}
	dataset, err := ledger.Dataset(ctx, s.Spec.Dataset)
	if err != nil {
		return nil, fmt.Errorf("dataset of the run: %w", err)
	}
	encoded, err := get(ctx, blobs, dataset.Blob, data.MaxEncoded)
	if err != nil {
		return nil, fmt.Errorf("fetch the data: %w", err)
	}
	set, err := data.Decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("data of the run: %w", err)
	}
	if RecordsRoot(set) != dataset.Root || uint64(set.Count) != dataset.Records || uint64(set.RecordSize) != dataset.RecordSize {
		return nil, fmt.Errorf("data of the run: %w: its records have another root, number or size", ErrMismatch)
	}
	w, err := New(blobs, r, set)
	if err != nil {
		return nil, err
	}
	if w.program != s.Spec.Program || w.InferenceProgram() != s.Spec.InferenceProgram {
		return nil, fmt.Errorf("program of the run: %w: this version builds another step from its recipe", ErrMismatch)
	}
	if got := w.trainer.UnitTokens(int(s.Spec.Steps)); got != s.Spec.UnitTokens || int(s.Spec.Steps) != r.Train.Steps {
		return nil, fmt.Errorf("terms of the run: %w: a unit of %d steps has %d tokens, not %d", ErrMismatch, s.Spec.Steps, got, s.Spec.UnitTokens)
	}
	if err := split.Check(w.trainer.StepGraph()); err != nil {
		return nil, fmt.Errorf("program of the run: lies in it could not be found: %w", err)
	}
	w.blobs.data = dataset.Blob
	return w, nil
}

// patience is how long one attempt to fetch a blob lasts. What has arrived by then is kept, so a large blob takes several
// attempts, and in between the role looks at the ledger: a blob that nobody serves must not keep it from its other duties.
const patience = 10 * time.Second

func get(ctx context.Context, blobs agent.Blobs, id protocol.Hash, max int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return blobs.GetAtMost(ctx, id, int64(max))
}

// RecordsRoot is the Merkle root over the records of a data set.
func RecordsRoot(set *data.Set) protocol.Hash {
	leaves := make([]merkle.Hash, 0, set.Count)
	for _, record := range set.Leaves() {
		leaves = append(leaves, merkle.Leaf(record))
	}
	return merkle.Root(leaves)
}

// Trainer returns the trainer, which the workshop goes on owning.
func (w *Workshop) Trainer() *round.Trainer { return w.trainer }

// Program is the hash of one training step.
func (w *Workshop) Program() protocol.Hash { return w.program }

// InferenceProgram is the hash of the model without its weights.
func (w *Workshop) InferenceProgram() protocol.Hash {
	return trace.ProgramHash(w.trainer.InferenceGraph())
}
