package verifier

import (
	"context"
	"errors"
	"sync"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol/work"
)

// report says which payloads can be had and what a recomputation of the drawn units gives.
func (v *Verifier) report(ctx context.Context, s *work.State, audits []uint32) (work.Report, error) {
	v.fetchAll(ctx, s)
	report := work.Report{Available: make([]bool, len(s.Round.Units))}
	for i := range s.Round.Units {
		report.Available[i] = v.fetched[uint32(i)]
	}
	openings, err := v.recomputeAll(ctx, s, audits)
	report.Audits = openings
	return report, err
}

// fetchAll looks for the payloads that it has no answer about, all at once and for as long as its patience lasts. When the
// report is sealed, what this machine keeps is what it had found before it sealed: a restarted verifier asks nobody, so
// that it opens the same report also if more payloads can be had by now.
func (v *Verifier) fetchAll(ctx context.Context, s *work.State) {
	ctx, cancel := context.WithTimeout(ctx, v.patience)
	defer cancel()
	if s.Phase == work.PhaseAuditReveal {
		cancel()
	}
	found := make([]bool, len(s.Round.Units)) // each goroutine writes its own element
	var asked []uint32
	var wg sync.WaitGroup
	for i := range s.Round.Units {
		u := &s.Round.Units[i]
		if _, known := v.fetched[u.Index]; known || u.Result.Payload.Blob.IsZero() {
			continue
		}
		asked = append(asked, u.Index)
		wg.Go(func() {
			_, err := v.Shop.Fetch(ctx, u.Result.Payload)
			found[u.Index] = err == nil
		})
	}
	wg.Wait()
	for _, unit := range asked {
		v.fetched[unit] = found[unit]
	}
}

// recomputeAll executes units and compares them with their workers' claims.
func (v *Verifier) recomputeAll(ctx context.Context, s *work.State, units []uint32) ([]work.Opening, error) {
	var list []work.Opening
	for _, unit := range units {
		o, err := v.recompute(ctx, s, unit)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

func (v *Verifier) recompute(ctx context.Context, s *work.State, unit uint32) (work.Opening, error) {
	u := &s.Round.Units[unit]
	k := attempt{unit, u.Attempt}
	if o, done := v.openings[k]; done {
		return o, nil
	}
	e, err := v.Shop.Execute(ctx, s, unit)
	var o work.Opening
	switch {
	case errors.Is(err, round.ErrDiverged): // on every machine: who sealed a result of it has made that up
		o = work.Opening{Unit: unit, Detail: "the unit diverges, so it has no result"}
	case err != nil:
		return work.Opening{}, err
	default:
		o = e.Opening
	}
	if !o.Agrees(u.Result) {
		if e != nil {
			o.Detail = v.explain(ctx, u, e)
		}
		v.Observe.Tell(agent.News{Name: agent.Disagreed, Round: s.Round.Number, Unit: unit, Detail: o.Detail})
	}
	v.openings[k] = o
	return o, nil
}

// explain says where a worker's result is wrong, as far as that can be told from what this machine keeps: the words are
// sealed, so they may not depend on who can be reached when.
func (v *Verifier) explain(ctx context.Context, u *work.Unit, e *workshop.Execution) string {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	theirs, err := v.Shop.Fetch(ctx, u.Result.Payload)
	if err != nil {
		theirs = nil // explained as bytes that are not those revealed
	}
	return v.Shop.Explain(e, u.Result, theirs)
}
