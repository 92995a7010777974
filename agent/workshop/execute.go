package workshop

import (
	"context"
	"fmt"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/payload"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/replay"
	"github.com/mutirao/mutirao/verify/trace"
)

// Execution is a unit computed on this machine.
type Execution struct {
	Payload []byte
	Opening work.Opening // of the true result: points and payload root
	Loss    float32

	execution replay.Execution
}

// Execute computes a unit of the open round: a pure function of the run's state.
func (w *Workshop) Execute(ctx context.Context, s *work.State, unit uint32) (*Execution, error) {
	u := s.Round.Units[unit]
	public, err := w.Public(ctx, s.Current)
	if err != nil {
		return nil, err
	}
	var recorder replay.Recorder
	task := round.Task{Theta: public.Theta, Seed: u.Shard, Steps: int(s.Spec.Steps)}
	out, err := w.trainer.Unit(ctx, task, func(point int, state []round.Entry) error {
		if point == 0 {
			return recorder.Known(point, w.first)
		}
		if w.trainer.PointStep(point, task.Steps) == w.trainer.PointStep(point-1, task.Steps) {
			return recorder.Repeat(point)
		}
		list := make([]trace.Entry, len(state))
		for i, e := range state {
			list[i] = trace.Entry(e)
		}
		return recorder.Observe(point, list)
	})
	if err != nil {
		return nil, fmt.Errorf("unit %d of round %d: %w", unit, s.Round.Number, err)
	}
	done, err := recorder.Finish(out.Payload)
	if err != nil {
		return nil, err
	}
	opening := work.Opening{Unit: unit, Points: work.Points(done.Points), Payload: done.Payload}
	return &Execution{Payload: out.Payload, Opening: opening, Loss: out.Loss, execution: done}, nil
}

// Offer serves a payload to peers and returns the result that a worker claims by it. The trace is the execution's states
// with this payload, which is how a worker that alters its payload would have to claim it.
func (w *Workshop) Offer(ctx context.Context, e *Execution, bytes []byte) (work.Result, error) {
	blob, err := w.blobs.Put(ctx, bytes)
	if err != nil {
		return work.Result{}, err
	}
	claimed := e.Opening
	claimed.Payload = trace.PayloadRoot(bytes)
	ref := work.PayloadRef{Root: claimed.Payload, Blob: blob, Size: uint64(len(bytes))}
	return work.Result{Payload: ref, Trace: claimed.TraceRoot()}, nil
}

// Fetch returns a revealed payload from peers, checked against its root and in canonical form. All payloads of a model have
// one size, so nobody can make this machine fetch more. It may be called from several goroutines.
func (w *Workshop) Fetch(ctx context.Context, ref work.PayloadRef) ([]byte, error) {
	size := payload.Size(w.trainer.Layout())
	if ref.Size != uint64(size) {
		return nil, fmt.Errorf("payload: %w: %d bytes, those of this model have %d", ErrMismatch, ref.Size, size)
	}
	bytes, err := get(ctx, w.blobs, ref.Blob, size)
	if err != nil {
		return nil, err
	}
	if len(bytes) != size || trace.PayloadRoot(bytes) != ref.Root {
		return nil, fmt.Errorf("payload: %w: other size or root", ErrMismatch)
	}
	if _, err := payload.Decode(bytes, w.trainer.Layout()); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return bytes, nil
}

// Explain says in words where a worker's claim differs from an execution of one's own. claimed is the payload that the
// worker serves, or nil if it cannot be had.
func (w *Workshop) Explain(e *Execution, claim work.Result, claimed []byte) string {
	c := replay.Claim{Trace: claim.Trace, Payload: claim.Payload.Root}
	return replay.Explain(e.execution, e.Payload, c, claimed, format{w.trainer.Layout()})
}

// format tells package replay about payloads.
type format struct{ layout []tensor.Named }

// FirstDifference names the first element that differs, with both values.
func (f format) FirstDifference(own, claimed []byte) (element string, found bool, err error) {
	d, found, err := payload.FirstDifference(claimed, own, f.layout)
	return d.String(), found, err
}

// Aggregate fetches the admitted payloads and folds them, in unit order, into the next public state, which it keeps. The vote names the trace
// of the same computation as a program, which follows from the roots of both states.
func (w *Workshop) Aggregate(ctx context.Context, s *work.State) (work.Vote, error) {
	payloads, err := w.admitted(ctx, s)
	if err != nil {
		return work.Vote{}, err
	}
	contributions := make([]round.Contribution, len(payloads))
	for i, b := range payloads {
		contributions[i] = round.Contribution{Payload: b, Tokens: s.Spec.UnitTokens}
	}
	public, err := w.Public(ctx, s.Current)
	if err != nil {
		return work.Vote{}, err
	}
	before := w.at.roots
	state, flags, err := w.trainer.Aggregate(public, contributions)
	if err != nil {
		return work.Vote{}, err
	}
	if w.next, err = w.keep(ctx, state); err != nil {
		return work.Vote{}, err
	}
	v := work.Vote{Next: w.next.ref}
	units := s.Admitted()
	for i, out := range flags {
		if out {
			v.Rejected = append(v.Rejected, units[i])
		}
	}
	v.Trace = foldTrace(w.trainer.Layout(), before, w.next.roots, flags, dispute.AggregateBytes(v, units))
	return v, nil
}

// admitted fetches the payloads that the aggregate of the open round reads.
func (w *Workshop) admitted(ctx context.Context, s *work.State) ([][]byte, error) {
	var list [][]byte
	for _, unit := range s.Admitted() {
		b, err := w.Fetch(ctx, s.Round.Units[unit].Result.Payload)
		if err != nil {
			return nil, fmt.Errorf("unit %d: %w", unit, err)
		}
		list = append(list, b)
	}
	return list, nil
}
