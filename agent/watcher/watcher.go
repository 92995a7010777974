// Package watcher owns the role that needs neither seat nor bond: it executes the units of a run that others have revealed and computes the
// aggregate, and disputes what is false while its claim is open to dispute. One honest machine that looks at every unit is enough for no false one to be paid, whoever
// else lies; its owner may name a share instead, which no worker can guess. A watcher needs coins for the bonds of its disputes, which come back
// with half of each liar's bond.
package watcher

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/member"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
)

// atOnce is how many units a step executes before it says what it has found: a false one is to be disputed before the window is over.
const atOnce = 8

// Watcher is the role. One goroutine owns it.
type Watcher struct {
	*member.Member
	share   uint32 // of all units, parts per million
	round   uint32
	checked map[attempt]bool // units of this round that were executed, by whether the claim is false
}

type attempt struct{ unit, attempt uint32 }

// New makes a watcher that executes a share of all units, in parts per million.
func New(c member.Config, share uint32) *Watcher {
	return &Watcher{Member: member.New(c, ""), share: share}
}

// Step executes units that can be disputed, says which it disputes, and plays. A restarted watcher finds the same again.
func (w *Watcher) Step(ctx context.Context, s *work.State) ([]protocol.Msg, error) {
	if s.Phase.Ended() {
		return nil, nil
	}
	if err := w.Visit(ctx, s); err != nil {
		return nil, err
	}
	if s.Round == nil {
		_, err := w.Shop.Public(ctx, s.Current) // at hand when the next units are revealed
		return nil, err
	}
	if s.Round.Number != w.round {
		w.round, w.checked = s.Round.Number, map[attempt]bool{}
	}
	msgs, err := w.look(ctx, s)
	if err != nil {
		return msgs, err
	}
	moves, err := w.Play(ctx, s)
	if msgs = append(msgs, moves...); err != nil {
		return msgs, err
	}
	objections, err := w.Object(ctx, s)
	return append(msgs, objections...), err
}

// look executes some of the units that it has not looked at, and disputes those that are false.
func (w *Watcher) look(ctx context.Context, s *work.State) (msgs []protocol.Msg, err error) {
	executed := 0
	for i := range s.Round.Units {
		unit := uint32(i)
		u, err := s.Disputable(s.Round.Number, unit)
		if err != nil || !w.chosen(s, u) {
			continue
		}
		k := attempt{unit, u.Attempt}
		if _, done := w.checked[k]; !done && executed < atOnce {
			if w.checked[k], err = w.lies(ctx, s, u); err != nil {
				delete(w.checked, k)
				return msgs, err
			}
			executed++
		}
		if !w.checked[k] {
			continue
		}
		open, err := w.open(ctx, s, u)
		if err != nil {
			return msgs, err
		}
		if !open {
			msgs = append(msgs, dispute.Open{Run: s.ID, Round: s.Round.Number, Unit: unit})
		}
	}
	return msgs, nil
}

// chosen draws the units to look at. A worker that knew which would lie in the others.
func (w *Watcher) chosen(s *work.State, u work.Unit) bool {
	h := w.Identity.Salt("watch", s.ID, s.Round.Number, u.Index<<1|u.Attempt)
	return uint32(binary.BigEndian.Uint64(h[:8])%work.PPM) < w.share
}

// lies executes a unit and reports whether its worker claims something else. Nobody can have a result of a unit that diverges.
func (w *Watcher) lies(ctx context.Context, s *work.State, u work.Unit) (bool, error) {
	e, err := w.Shop.Execute(ctx, s, u.Index)
	if err != nil && !errors.Is(err, round.ErrDiverged) {
		return false, err
	}
	if err == nil && e.Opening.Agrees(u.Result) {
		return false, nil
	}
	detail := "the unit diverges, so it has no result"
	if err == nil {
		detail = fmt.Sprintf("an execution on this machine differs from the claim of %s", u.Worker)
	}
	w.Observe.Tell(agent.News{Name: agent.Disagreed, Round: s.Round.Number, Unit: u.Index, Detail: detail})
	return true, nil
}

// open reports whether this watcher disputes a claim already.
func (w *Watcher) open(ctx context.Context, s *work.State, u work.Unit) (bool, error) {
	if u.Games == 0 {
		return false, nil
	}
	list, err := w.Court.Disputes(ctx, s.ID)
	for _, d := range list {
		if d.Challenger == w.Identity.Account && d.Claim.Round == s.Round.Number && d.Claim.Unit == u.Index {
			return true, err
		}
	}
	return false, err
}
