package sim

import (
	"context"
	"fmt"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// Judged is a revealed unit of a closed round with the truth about it.
type Judged struct {
	Round uint32
	work.UnitSummary
	Right bool // a recomputation from the records gives the same points and payload
}

// Replay recomputes a run from its records and the archive of blobs alone, without roles, workshop or state machine: every
// revealed unit from the state before its round, every aggregate from the payloads that were admitted. It returns the
// units by round and index. The error names the first round whose recorded result is another.
func (n *Network) Replay(ctx context.Context) ([]Judged, error) {
	t, err := round.NewTrainer(n.config.Recipe, n.config.Data)
	if err != nil {
		return nil, err
	}
	public, err := t.Initial()
	if err != nil {
		return nil, err
	}
	var units []Judged
	for _, s := range n.ledger.Summaries(n.run) {
		var contributions []round.Contribution
		var rejected []bool
		for _, u := range s.Units {
			if u.Result.Trace.IsZero() {
				continue
			}
			right, err := n.right(ctx, t, public, s, u)
			if err != nil {
				return nil, err
			}
			units = append(units, Judged{s.Round, u, right})
			if u.Verdict.Pays() || u.Verdict == work.Rejected {
				bytes, ok := n.Blob(u.Result.Payload.Blob)
				if !ok || trace.PayloadRoot(bytes) != u.Result.Payload.Root {
					return nil, fmt.Errorf("round %d: unit %d was admitted without its payload", s.Round, u.Index)
				}
				contributions = append(contributions, round.Contribution{Payload: bytes, Tokens: t.UnitTokens(n.config.Recipe.Train.Steps)})
				rejected = append(rejected, u.Verdict == work.Rejected)
			}
		}
		if s.Admitted > 0 {
			next, flags, err := t.Aggregate(public, contributions)
			if err != nil {
				return nil, fmt.Errorf("round %d: %w", s.Round, err)
			}
			for i := range flags {
				if flags[i] != rejected[i] {
					return nil, fmt.Errorf("round %d: the ledger rejected other units than the aggregation rule", s.Round)
				}
			}
			public = next
		}
		if got := refer(public); got != s.Next {
			return nil, fmt.Errorf("round %d: the records lead to model %s, the ledger has %s", s.Round, got.Model, s.Next.Model)
		}
	}
	return units, nil
}

// right recomputes one unit.
func (n *Network) right(ctx context.Context, t *round.Trainer, p round.Public, s work.RoundSummary, u work.UnitSummary) (bool, error) {
	o := work.Opening{Unit: u.Index}
	task := round.Task{
		Theta: p.Theta, Seed: work.ShardSeed(s.Beacon, s.Round, u.Index, u.Attempt, u.Worker), Steps: n.config.Recipe.Train.Steps,
	}
	out, err := t.Unit(ctx, task, func(point int, state []round.Entry) error {
		if point > 0 && t.PointStep(point, task.Steps) == t.PointStep(point-1, task.Steps) {
			o.Points[point] = o.Points[point-1]
			return nil
		}
		list := make([]trace.Entry, len(state))
		for i, e := range state {
			list[i] = trace.Entry(e)
		}
		o.Points[point] = trace.StateRoot(list)
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("round %d: unit %d: %w", s.Round, u.Index, err)
	}
	o.Payload = trace.PayloadRoot(out.Payload)
	return o.Agrees(u.Result), nil
}

// refer names a public state as the ledger does.
func refer(p round.Public) work.StateRef {
	root := func(roles []string, lists ...[]tensor.Named) protocol.Hash {
		var all []trace.Entry
		for i, list := range lists {
			for _, t := range list {
				all = append(all, trace.Entry{Name: t.Name, Role: roles[i], Tensor: t.Tensor})
			}
		}
		return trace.StateRoot(all)
	}
	return work.StateRef{
		Model: root([]string{"theta"}, p.Theta),
		Outer: root([]string{"momentum", "residual"}, p.Momentum, p.Residual),
		Blob:  merkle.Leaf(round.EncodePublic(p)),
	}
}
