package dryrun

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/sim"
)

// Names of the simulated members.
const (
	firstProvider  = "provider-1"
	secondProvider = "provider-2"
	onlyVerifier   = "verifier-1"
)

// blocksPerRound is more than an honest network in calm weather can need besides the windows in which claims stand: five phases and a block to join.
const blocksPerRound = 20

// simulate lets two honest providers and a verifier train for some rounds, and writes what they show into the report.
func simulate(ctx context.Context, o Options, r *recipe.Recipe, set *data.Set, t *round.Trainer, terms work.Spec, report *Report) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	short := *r
	short.Train.Rounds = o.Rounds
	terms.MinProviders, terms.MinVerifiers, terms.LeastVerifiers, terms.MaxUnits = 2, 1, 1, 2
	terms.Market = nil // nobody is hired here: the two machines are there
	n, err := sim.New(ctx, sim.Config{
		Seed: uint64(r.Train.Seed), Recipe: &short, Data: set, Terms: terms,
		Members: []sim.Member{
			{Name: firstProvider, Role: work.Provider}, {Name: secondProvider, Role: work.Provider}, {Name: onlyVerifier, Role: work.Verifier},
		},
		Observe: func(who string, news agent.News) {
			switch news.Name {
			case agent.Started:
				fmt.Fprintf(o.Progress, "round %d: %s computes unit %d\n", news.Round, who, news.Unit)
			case agent.Trouble, agent.Refused, agent.Disagreed:
				fail(failure.New(failure.Unverified, "the simulated round failed",
					fmt.Errorf("%s %s in round %d: %s", who, news.Name, news.Round, news.Detail), "report this with the run file: honest machines never disagree"))
			}
		},
	})
	if err != nil {
		return err
	}
	if err := evaluate(n, t, report, 0); err != nil {
		return err
	}
	began := time.Now()
	for range (blocksPerRound + int(terms.Windows.Challenge) + int(terms.Windows.Contest)) * (o.Rounds + 1) {
		err := n.Block(ctx)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		s := n.State()
		if int(s.Done) >= len(report.Rounds) {
			if err := evaluate(n, t, report, time.Since(began).Seconds()); err != nil {
				return err
			}
			began = time.Now()
		}
		if s.Phase.Ended() {
			summaries := n.Ledger().Summaries(s.ID)
			report.Time.BlocksPerRound = uint64(summaries[0].Closed - summaries[0].Opened)
			report.Traffic.SimulatedBytes = moved(n, report) / uint64(o.Rounds)
			return nil
		}
	}
	return failure.New(failure.General, "the simulated rounds do not end", sim.ErrStalled, "report this with the run file")
}

// moved is what all three members have received, apart from what they fetched to join.
func moved(n *sim.Network, report *Report) uint64 {
	sum := uint64(0)
	for _, name := range []string{firstProvider, secondProvider, onlyVerifier} {
		in, _ := n.Traffic(name)
		sum += in - report.Traffic.JoinBytes
	}
	return sum
}

var errNoState = errors.New("the simulated network lost its model")

// evaluate measures the current model on held-out records; rounds that close add a line, the start adds the first.
func evaluate(n *sim.Network, t *round.Trainer, report *Report, took float64) error {
	s := n.State()
	encoded, ok := n.Blob(s.Current.Blob)
	if !ok {
		return errNoState
	}
	public, err := round.DecodePublic(encoded)
	if err != nil {
		return err
	}
	m, err := t.Evaluate(public.Theta)
	if err != nil {
		return err
	}
	report.Data.HeldOut = m.Records
	report.Traffic.JoinBytes = uint64(report.Data.Bytes + len(encoded))
	report.Rounds = append(report.Rounds, Round{
		Round: int(s.Done), Seconds: took, Loss: m.Loss, Accuracy: m.Accuracy, AUC: m.AUC, BitsPerByte: m.BitsPerByte,
	})
	return nil
}
