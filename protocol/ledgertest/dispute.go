package ledgertest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// DisputeParams are the terms of all disputes on a new ledger.
var DisputeParams = dispute.Params{Bond: money.MUT(1), Prices: 1, Clock: 60}

// Judge gives the ledger what it needs to judge moves in disputes about a run. Without it no dispute can be opened.
func (l *Ledger) Judge(referee func(run *work.State, d *dispute.State) dispute.Referee) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.referee = referee
}

// Programs tells the ledger the programs of aggregates. Without it all of them are zero, as fits runs of which nothing is computed.
func (l *Ledger) Programs(of func(run *work.State, units int) (protocol.Hash, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.programs = of
}

// DisputeBy changes the terms of the disputes that are opened from now on.
func (l *Ledger) DisputeBy(p dispute.Params) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.terms = p
}

// Referee judges by a unit's source. A signature is the account and the digest: this ledger trusts its clients.
func Referee(s bisect.Source) dispute.Referee { return referee{s} }

type referee struct{ bisect.Source }

func (referee) Signed(who protocol.Account, digest protocol.Hash, signature []byte) bool {
	return bytes.Equal(signature, Signature(who, digest))
}

// Signature is that of an account.
func Signature(who protocol.Account, digest protocol.Hash) []byte {
	return append(who[:], digest[:]...)
}

// Dispute returns a dispute. The error is ErrNotFound.
func (l *Ledger) Dispute(id protocol.Hash) (*dispute.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.disputeAt(id); i >= 0 {
		return l.disputes[i], nil
	}
	return nil, fmt.Errorf("%w: dispute %s", protocol.ErrNotFound, id)
}

// Disputes lists the disputes about a run in the order in which they were opened.
func (l *Ledger) Disputes(run protocol.Hash) []*dispute.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*dispute.State
	for _, d := range l.disputes {
		if d.Claim.Run == run {
			list = append(list, d)
		}
	}
	return list
}

// Rulings lists the rulings about a run in the order of time.
func (l *Ledger) Rulings(run protocol.Hash) []dispute.Ruling {
	return recorded(l, func(r dispute.Ruling) bool { return r.Claim.Run == run })
}

func (l *Ledger) disputeAt(id protocol.Hash) int {
	return slices.IndexFunc(l.disputes, func(d *dispute.State) bool { return d.ID == id })
}

// openDispute finds the claim on the ledger and opens a dispute about it.
func (l *Ledger) openDispute(m dispute.Open, from protocol.Account) error {
	if err := m.Check(); err != nil {
		return err
	}
	i := l.run(m.Run)
	if i < 0 || l.referee == nil {
		return fmt.Errorf("%w: run %s", protocol.ErrNotFound, m.Run)
	}
	run := l.runs[i]
	claim, inputs, err := dispute.Accused(run, m, *l.dataset(run.Spec.Dataset), func(units int) (protocol.Hash, error) {
		if l.programs == nil {
			return protocol.Hash{}, nil
		}
		return l.programs(run, units)
	})
	if err != nil {
		return err
	}
	if l.disputeAt(dispute.ID(claim, from, m.Nonce)) >= 0 {
		return fmt.Errorf("%w: dispute %s", protocol.ErrExists, dispute.ID(claim, from, m.Nonce))
	}
	d, effects, err := dispute.Create(m, claim, inputs, l.terms.For(run.Spec.Price.PerUnit), l.history(from), from, l.env())
	if err != nil {
		return err
	}
	if l.runs[i], err = work.OpenGame(run, m.Round, m.Unit, from); err != nil {
		return err
	}
	l.disputes = append(l.disputes, d)
	return l.execute(effects)
}

// history counts an opener's disputes.
func (l *Ledger) history(who protocol.Account) (h dispute.History) {
	for _, d := range l.disputes {
		switch {
		case d.Challenger != who:
		case !d.Ended:
			h.Open++
		case d.Game.Verdict == bisect.Upheld:
			h.Lost++
		}
	}
	return h
}

// dispute applies a message to a dispute that is open.
func (l *Ledger) dispute(m dispute.Msg, from protocol.Account) error {
	i := l.disputeAt(m.Target())
	if i < 0 {
		return fmt.Errorf("%w: dispute %s", protocol.ErrNotFound, m.Target())
	}
	var referee dispute.Referee
	if d := l.disputes[i]; !d.Ended {
		referee = l.referee(l.runs[l.run(d.Claim.Run)], d)
	}
	d, effects, err := dispute.Apply(l.disputes[i], m, from, referee, l.audits(i), l.env())
	if err != nil {
		return err
	}
	return l.advance(i, d, effects)
}

// audits asks the run of a dispute for the audit of its unit.
func (l *Ledger) audits(i int) dispute.Audits {
	claim := l.disputes[i].Claim
	return func() dispute.Audit { return claim.AuditIn(l.runs[l.run(claim.Run)]) }
}

// tickDisputes lets a block pass for all disputes.
func (l *Ledger) tickDisputes() {
	for i := range l.disputes {
		d, effects := dispute.Tick(l.disputes[i], l.audits(i), l.env())
		if err := l.advance(i, d, effects); err != nil {
			panic(fmt.Sprintf("ledgertest: block %d: %v", l.height+1, err)) // Tick never locks
		}
	}
}

// advance stores a dispute. If it has just ended, the run hears of it; and if the claim is refuted, all other disputes about it are moot.
func (l *Ledger) advance(i int, d *dispute.State, effects []protocol.Effect) error {
	over := d.Ended && !l.disputes[i].Ended
	l.disputes[i] = d
	if err := l.execute(effects); err != nil || !over {
		return err
	}
	ruling, _ := dispute.RulingIn(effects)
	if ruling.Verdict == bisect.Undecided { // the run has heard of the dispute that decided
		return nil
	}
	conviction := ruling.Conviction()
	at := l.run(d.Claim.Run)
	run, effects := work.CloseGame(l.runs[at], d.Claim.Round, d.Claim.Unit, d.Challenger, conviction, l.env())
	before := l.runs[at]
	l.runs[at] = run
	if err := l.execute(effects); err != nil || conviction == nil {
		return err
	}
	if err := l.forfeit(before, run); err != nil {
		return err
	}
	for j, other := range l.disputes {
		if other.Claim == d.Claim && !other.Ended {
			moot, effects := dispute.Moot(other, l.env())
			if err := l.advance(j, moot, effects); err != nil {
				return err
			}
		}
	}
	return nil
}
