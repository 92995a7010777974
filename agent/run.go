package agent

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// Role decides from the state of a run what to send. Step may take as long as a unit takes to compute.
type Role interface {
	Step(ctx context.Context, s *work.State) ([]protocol.Msg, error)
}

// retryPause is how long a role waits after the ledger did not answer, before it asks again.
const retryPause = 500 * time.Millisecond

// Run takes part in a run until it ends or ctx does. A ledger that does not answer is asked again; a message that a rule
// refuses is reported as news and not repeated before the run is in another phase or round, or a while has passed: each
// refusal costs a fee. It returns nil when the run has ended.
func Run(ctx context.Context, ledger Ledger, run protocol.Hash, role Role, observe Observer) error {
	var height protocol.Height
	var refused refusals
	for {
		next, err := ledger.Next(ctx, height)
		if err == nil {
			height = next
			var ended bool
			if ended, err = turn(ctx, ledger, run, role, refused.at(next), observe); ended {
				observe.Tell(News{Name: Ended})
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			observe.Tell(News{Name: Trouble, Detail: err.Error()})
			if !pause(ctx, retryPause) {
				return ctx.Err()
			}
		}
	}
}

// forgiveAfter is for how many blocks a refusal counts while the run stands still: what was short of coins or found no
// place may have more luck later.
const forgiveAfter = 20

// refusals are the messages that the ledger refused in the phase of a run that lasts now.
type refusals struct {
	phase    work.Phase
	round    uint32
	deadline protocol.Height // a phase that begins again has another one
	since    protocol.Height
	now      protocol.Height
	msgs     []protocol.Msg
}

// at notes the height of the ledger.
func (r *refusals) at(h protocol.Height) *refusals {
	r.now = h
	return r
}

// enter forgets everything when the run has moved on.
func (r *refusals) enter(s *work.State) {
	if r.phase != s.Phase || r.round != s.Opened || r.deadline != s.Deadline || r.now >= r.since+forgiveAfter {
		*r = refusals{phase: s.Phase, round: s.Opened, deadline: s.Deadline, since: r.now, now: r.now}
	}
}

// has reports whether m was refused.
func (r *refusals) has(m protocol.Msg) bool {
	return slices.ContainsFunc(r.msgs, func(o protocol.Msg) bool { return reflect.DeepEqual(m, o) })
}

// turn asks for the state once and does what is due.
func turn(ctx context.Context, ledger Ledger, run protocol.Hash, role Role, refused *refusals, observe Observer) (ended bool, err error) {
	s, err := ledger.Run(ctx, run)
	if err != nil {
		return false, err
	}
	refused.enter(s)
	msgs, failed := role.Step(ctx, s)
	for _, m := range msgs { // what could be done counts, also when something else failed
		if refused.has(m) {
			continue
		}
		if err := ledger.Submit(ctx, m); err != nil {
			if protocol.Code(err) == protocol.CodeUnknown {
				return false, errors.Join(failed, err)
			}
			refused.msgs = append(refused.msgs, m)
			observe.Tell(News{Name: Refused, Round: s.Opened, Detail: m.Kind() + ": " + err.Error()})
		}
	}
	return s.Phase.Ended(), failed
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
