package dispute

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/bisect"
)

// Audit is what a ledger knows, when the defender has lost, of the audit of the unit in question.
type Audit struct {
	Confirmed protocol.Account // its auditor, if that has found what the worker claims; zero otherwise
	Due       bool             // its auditor has sealed a report and may still open it
}

// Audits asks the ledger for it; nil where nobody audits what is claimed.
type Audits func() Audit

// Loss is how the defender has lost its game.
type Loss struct {
	Reason string `json:"reason"`
	Proven bool   `json:"proven"`
}

// adjourned is for how many blocks a dispute waits before it asks again whether the unit's audit is there.
const adjourned = 5

// lose ends the defender's game, not yet the claim: whoever confirmed it as its auditor is asked to defend it too. A worker can lose with a true claim,
// by its death or on purpose, so its loss says nothing about its auditor; and an accomplice does not escape by its worker's
// silence. Rule: spec/dispute.md §6.
func (t *turn) lose(reason string, proven bool, audits Audits) {
	t.Lost = &Loss{reason, proven}
	t.decide(audits)
}

// decide waits for the unit's audit if that is sealed, since a worker could else lose quickly to save an accomplice, calls the auditor that confirmed the claim, or refutes the claim.
func (t *turn) decide(audits Audits) {
	var a Audit
	if audits != nil && t.Second.IsZero() {
		a = audits()
	}
	switch {
	case a.Due:
		t.Since = t.env.Height
	case a.Confirmed.IsZero() || a.Confirmed == t.Challenger:
		lost := t.Lost
		t.Lost = nil
		t.finish(bisect.Refuted, lost.Reason, lost.Proven)
	default:
		t.call(a.Confirmed)
	}
}

// call begins the game anew, with full clocks, since what the worker has shown in it may be false though its claim is true.
func (t *turn) call(second protocol.Account) {
	t.event("called", "second", second.String(), "reason", fmt.Sprintf("the worker has lost: %s", t.Lost.Reason))
	t.Second, t.Lost, t.Game = second, nil, bisect.New(t.Claim.Terms)
	t.Defends, t.Challenges, t.Since = t.Clock, t.Clock, t.env.Height
}
