package dryrun

import (
	"context"
	"runtime"
	"time"

	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/verify/trace"
)

// measure computes one unit as a provider does: from the first weights, with the roots of its trace.
func measure(ctx context.Context, t *round.Trainer) (Unit, error) {
	public, err := t.Initial()
	if err != nil {
		return Unit{}, err
	}
	steps := t.Recipe().Train.Steps
	began := time.Now()
	out, err := t.Unit(ctx, round.Task{Theta: public.Theta, Steps: steps}, func(point int, state []round.Entry) error {
		if point > 0 && t.PointStep(point, steps) == t.PointStep(point-1, steps) {
			return nil
		}
		list := make([]trace.Entry, len(state))
		for i, e := range state {
			list[i] = trace.Entry(e)
		}
		trace.StateRoot(list)
		return nil
	})
	if err != nil {
		return Unit{}, err
	}
	u := Unit{
		Steps: steps, Seconds: time.Since(began).Seconds(), Tokens: out.Tokens, Loss: out.Loss, Skips: out.Skips,
		PayloadBytes: len(out.Payload),
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	u.MemoryBytes = memory.Sys
	return u, nil
}
