// Package dryrun tries a run file on one machine: it measures a real unit, lets a small network in this process go through
// real rounds, and works out from both what the run would cost and how long it would take. It touches no ledger, no key
// and no coin, and it has no rule of its own: prices, draws and audit rates are those of the protocol.
package dryrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/mutirao/mutirao/agent/trainer"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol/work"
)

// Options are what a person decides.
type Options struct {
	File     string    // the run file
	Rounds   int       // rounds to simulate, from 1 to those of the run
	Progress io.Writer // a line for each step
}

// Run tries the run file. Errors are failures with an exit code and the next step, or the end of ctx.
func Run(ctx context.Context, o Options) (*Report, error) {
	r, set, err := Load(o.File)
	if err != nil {
		return nil, err
	}
	if o.Rounds < 1 || o.Rounds > r.Train.Rounds {
		return nil, failure.New(failure.Usage, "these rounds cannot be simulated", fmt.Errorf("--rounds is %d, the run has 1 to %d", o.Rounds, r.Train.Rounds), "choose another number")
	}
	terms, err := trainer.Terms(r, uint64(r.Train.Seed), work.DefaultSpec().Windows)
	if err != nil {
		return nil, failure.New(failure.Usage, "the pay of the run file is not valid", err, "correct it in "+o.File)
	}
	terms.Rounds = uint32(r.Train.Rounds)
	t, err := round.NewTrainer(r, set)
	if err != nil {
		return nil, failure.New(failure.General, "the model does not fit the data", err, "change [model] or [data] in "+o.File)
	}
	report := newReport(r, set, t)
	fmt.Fprintf(o.Progress, "computing one unit: %d steps of %d records\n", r.Train.Steps, r.Train.Batch)
	if report.Unit, err = measure(ctx, t); err != nil {
		return nil, diverged(err, o.File)
	}
	fmt.Fprintf(o.Progress, "one unit took %s; rounds of two providers and a verifier to simulate: %d, about %s\n",
		seconds(report.Unit.Seconds), o.Rounds, seconds(4*float64(o.Rounds)*report.Unit.Seconds))
	if err := simulate(ctx, o, r, set, t, terms, report); err != nil {
		return nil, diverged(err, o.File)
	}
	report.estimate(r, terms)
	return report, nil
}

// diverged gives advice where the training itself failed.
func diverged(err error, file string) error {
	if errors.Is(err, round.ErrDiverged) {
		return failure.New(failure.General, "the training diverges", err, "lower train.lr in "+file+" and try again")
	}
	return err
}

func newReport(r *recipe.Recipe, set *data.Set, t *round.Trainer) *Report {
	weights := 0
	for _, w := range t.Layout() {
		weights += w.Tensor.Len()
	}
	return &Report{
		Schema: Schema, Name: r.Name,
		Machine: Machine{Cores: runtime.GOMAXPROCS(0), Kernel: kernel.Active()},
		Data:    Data{Kind: r.Data.Kind, Records: set.Count, RecordBytes: set.RecordSize, Bytes: len(set.Encode())},
		Model:   Model{Kind: r.Model.Kind, Weights: weights},
	}
}
