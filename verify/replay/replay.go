// Package replay compares two executions of one unit of work: the one that a worker claims and the one that a verifier has
// done itself. It collects the 17 points of an execution, decides whether a claim is confirmed, and says in words where the
// payloads differ. Which operation is wrong is for package bisect to find. It executes nothing and knows no payload format; it imports verify/trace and verify/merkle only. Source: spec/verify.md §6.
package replay

import (
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// ErrIncomplete reports points that came out of order, twice, or not at all.
var ErrIncomplete = errors.New("incomplete execution")

// Execution is what a full execution of a unit yields and what nobody can know without one.
type Execution struct {
	Points  [trace.Points]merkle.Hash // state roots: the start, 15 inner points, the end
	Payload merkle.Hash               // trace.PayloadRoot of the payload's bytes
}

// Trace returns the execution's hash on the ledger.
func (e Execution) Trace() merkle.Hash { return trace.TraceRoot(e.Points, e.Payload) }

// Claim returns what a worker with this execution reveals.
func (e Execution) Claim() Claim { return Claim{Trace: e.Trace(), Payload: e.Payload} }

// Claim is what a worker has revealed of its execution.
type Claim struct {
	Trace   merkle.Hash
	Payload merkle.Hash
}

// Confirms reports whether the claim is that of this very execution.
func (e Execution) Confirms(c Claim) bool { return e.Claim() == c }

// Recorder collects an execution while it runs. The zero value is ready. It is not safe for concurrent use.
type Recorder struct {
	execution Execution
	next      int
}

// Observe takes the state at a point; points come in ascending order from 0, each once. It hashes the state and keeps
// nothing of it. The error is ErrIncomplete.
func (r *Recorder) Observe(point int, state []trace.Entry) error {
	if err := r.expect(point); err != nil {
		return err
	}
	return r.Known(point, trace.StateRoot(state))
}

// Known takes the state root of a point that the caller knows without the state: that of the start follows from the model's. The error
// is ErrIncomplete.
func (r *Recorder) Known(point int, root merkle.Hash) error {
	if err := r.expect(point); err != nil {
		return err
	}
	r.execution.Points[point] = root
	r.next++
	return nil
}

func (r *Recorder) expect(point int) error {
	if point != r.next || point >= trace.Points {
		return fmt.Errorf("%w: point %d, expected %d of %d", ErrIncomplete, point, r.next, trace.Points)
	}
	return nil
}

// Repeat takes the state of the point before once more, without hashing it again: a unit of few steps shows some states
// twice. The error is ErrIncomplete.
func (r *Recorder) Repeat(point int) error {
	if point != r.next || point == 0 || point >= trace.Points {
		return fmt.Errorf("%w: repeated point %d, expected %d of %d", ErrIncomplete, point, r.next, trace.Points)
	}
	r.execution.Points[point] = r.execution.Points[point-1]
	r.next++
	return nil
}

// Finish returns the execution that ended in payload. The error is ErrIncomplete if points are missing.
func (r *Recorder) Finish(payload []byte) (Execution, error) {
	if r.next != trace.Points {
		return Execution{}, fmt.Errorf("%w: %d points of %d", ErrIncomplete, r.next, trace.Points)
	}
	e := r.execution
	e.Payload = trace.PayloadRoot(payload)
	return e, nil
}
