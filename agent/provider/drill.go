package provider

import (
	"context"
	"time"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/payload"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// Drill makes a provider misbehave in one way, so that a demo, a simulation or a fire drill on a test network can show
// that the others notice. The rules know nothing of drills.
type Drill interface {
	// Before runs before a unit is computed.
	Before(ctx context.Context, round uint32) error
	// Payload may alter a payload before it is offered and sealed.
	Payload(round uint32, bytes []byte, layout []tensor.Named) ([]byte, error)
	// Seal may answer in place of a computation. A zero seal means that nothing is sent yet.
	Seal(s *work.State, unit uint32) (seal protocol.Hash, instead bool)
	// Opening may answer in place of the true opening of a seal.
	Opening(s *work.State, unit uint32) (result work.Result, salt protocol.Hash, instead bool)
}

type honest struct{}

func (honest) Before(context.Context, uint32) error { return nil }
func (honest) Payload(_ uint32, bytes []byte, _ []tensor.Named) ([]byte, error) {
	return bytes, nil
}
func (honest) Seal(*work.State, uint32) (protocol.Hash, bool) { return protocol.Hash{}, false }
func (honest) Opening(*work.State, uint32) (work.Result, protocol.Hash, bool) {
	return work.Result{}, protocol.Hash{}, false
}

// Liar alters one weight of its payload by one unit in the last place of the payload's 4-bit codes, in one round.
type Liar struct {
	honest
	Round uint32
}

// Payload moves the first code that is not at an end of its range one step towards zero or, from zero, to one.
func (l Liar) Payload(round uint32, bytes []byte, layout []tensor.Named) ([]byte, error) {
	if round != l.Round {
		return bytes, nil
	}
	return Nudge(bytes, layout)
}

// Slow waits before it computes in one round, as a machine does that is busy with its owner's work.
type Slow struct {
	honest
	Round uint32
	Delay time.Duration
}

// Before waits for the delay.
func (d Slow) Before(ctx context.Context, round uint32) error {
	if round != d.Round {
		return nil
	}
	timer := time.NewTimer(d.Delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Copier computes nothing. It repeats the seal of another worker and, when that worker has revealed, its opening.
type Copier struct{ honest }

// Seal returns the seal of the first other unit that has one.
func (Copier) Seal(s *work.State, unit uint32) (protocol.Hash, bool) {
	for i := range s.Round.Units {
		if u := &s.Round.Units[i]; u.Index != unit && u.Status == work.Committed {
			return u.Seal, true
		}
	}
	return protocol.Hash{}, true
}

// Opening returns what the victim revealed. The seal binds the victim's account, so the ledger refuses it.
func (Copier) Opening(s *work.State, unit uint32) (work.Result, protocol.Hash, bool) {
	own := s.Round.Units[unit].Seal
	for i := range s.Round.Units {
		if u := &s.Round.Units[i]; u.Index != unit && u.Seal == own && u.Status == work.Revealed {
			return u.Result, u.Salt, true
		}
	}
	return work.Result{}, protocol.Hash{}, true
}

// Nudge returns a canonical payload that differs from a canonical one in exactly one code, by one.
func Nudge(bytes []byte, layout []tensor.Named) ([]byte, error) {
	tensors, err := payload.Decode(bytes, layout)
	if err != nil {
		return nil, err
	}
	for _, t := range tensors {
		for i, code := range t.Codes {
			for _, step := range []int8{1, -1} {
				t.Codes[i] = code + step
				if altered, err := payload.Encode(tensors); err == nil {
					return altered, nil
				}
			}
			t.Codes[i] = code
		}
	}
	return bytes, nil // every code of the payload is fixed by its form: there is no lie to tell
}
