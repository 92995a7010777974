package workshop

import (
	"context"
	"fmt"

	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol/work"
)

// Replay computes what a closed round led to from the state before it and from the payloads that the ledger admitted,
// which anybody can do as long as somebody serves them.
func (w *Workshop) Replay(ctx context.Context, from work.StateRef, summary work.RoundSummary) (work.StateRef, error) {
	public, err := w.Public(ctx, from)
	if err != nil {
		return work.StateRef{}, err
	}
	var list []round.Contribution
	for _, u := range summary.Units {
		if u.Verdict != work.Revealed && u.Verdict != work.Verified && u.Verdict != work.Rejected {
			continue
		}
		bytes, err := w.Fetch(ctx, u.Result.Payload)
		if err != nil {
			return work.StateRef{}, fmt.Errorf("unit %d of round %d: %w", u.Index, summary.Round, err)
		}
		list = append(list, round.Contribution{Payload: bytes, Tokens: w.trainer.UnitTokens(w.trainer.Recipe().Train.Steps)})
	}
	if len(list) == 0 {
		return from, nil
	}
	next, _, err := w.trainer.Aggregate(public, list)
	if err != nil {
		return work.StateRef{}, err
	}
	return w.Keep(ctx, next)
}
