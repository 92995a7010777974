package agent

import (
	"context"
	"errors"
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
// refuses is reported as news and not repeated before the state has changed. It returns nil when the run has ended.
func Run(ctx context.Context, ledger Ledger, run protocol.Hash, role Role, observe Observer) error {
	var height protocol.Height
	for {
		next, err := ledger.Next(ctx, height)
		if err == nil {
			height = next
			var ended bool
			if ended, err = turn(ctx, ledger, run, role, observe); ended {
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

// turn asks for the state once and does what is due.
func turn(ctx context.Context, ledger Ledger, run protocol.Hash, role Role, observe Observer) (ended bool, err error) {
	s, err := ledger.Run(ctx, run)
	if err != nil {
		return false, err
	}
	msgs, failed := role.Step(ctx, s)
	for _, m := range msgs { // what could be done counts, also when something else failed
		if err := ledger.Submit(ctx, m); err != nil {
			if protocol.Code(err) == protocol.CodeUnknown {
				return false, errors.Join(failed, err)
			}
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
