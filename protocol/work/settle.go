package work

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// close pays the round and makes its result the current state. Effects: workers and verifiers are paid from the budget,
// the rest of each unit's price is burned; receipts and a summary are recorded. Rule: spec/work.md §10.
func (t *turn) close(v Vote) {
	for i := range t.Round.Units {
		u := &t.Round.Units[i]
		if u.admissible() && slices.Contains(v.Rejected, u.Index) {
			u.Status = Rejected
		}
	}
	if len(t.Admitted()) == 0 {
		t.repeat("the aggregate rejected every unit")
		return
	}
	for i := range t.Round.Seats {
		if s := &t.Round.Seats[i]; s.Present && s.Vote != nil && s.Vote.Equal(v) {
			s.Duties++
		}
	}
	t.Current, t.Repeats = v.Next, 0
	t.Done++
	var sum totals
	t.payUnits(&sum)
	t.payDuties(&sum)
	t.Tokens += sum.tokens
	t.summarize(sum)
	t.leaveRound()
	if t.Done == t.Spec.Rounds {
		t.end(PhaseFinished)
		return
	}
	t.gather()
}

// totals are the sums of a round's settlement.
type totals struct {
	pool, paid, burned money.Amount
	tokens             uint64
}

// unitReceipt explains what a unit's worker gets. The amounts are those of its verdict.
func (t *turn) unitReceipt(u *Unit) Receipt {
	r := Receipt{
		ID: fmt.Sprintf("r%d-u%d", t.Round.Number, u.Index), Kind: ForUnit, To: u.Worker, Round: t.Round.Number, Unit: u.Index,
		Attempt: u.Attempt, Verdict: u.Status, Gross: t.unitPrice(u.Worker), Split: t.Spec.Split, Tokens: t.Spec.UnitTokens,
	}
	if u.Attempt > 0 {
		r.ID += fmt.Sprintf(".%d", u.Attempt)
	}
	if u.Finding != nil {
		r.Verifiers = append(r.Verifiers, u.Auditor)
	}
	if u.Status.Pays() {
		r.Provider = r.Gross.Part(uint64(r.Split.Provider), parts)
		r.Pool = r.Gross.Part(uint64(r.Split.Verifiers), parts)
		r.Burned = r.Gross.Minus(r.Provider).Minus(r.Pool)
		if r.Vests = t.Spec.Vesting.Rounds; r.Vests == 0 {
			r.Amount = r.Provider
		}
	}
	return r
}

// payUnits takes the price of every admitted unit from the budget and pays the worker's part, or keeps it back for some rounds. The unit
// forgives one miss.
func (t *turn) payUnits(sum *totals) {
	earned := make([]money.Amount, len(t.Members))
	for i := range t.Round.Units {
		u := &t.Round.Units[i]
		r := t.unitReceipt(u)
		if u.Status.Pays() {
			r.Amount, r.Bonded = t.earnIn(u.Worker, r.Amount)
		}
		t.record(r)
		if !u.Status.Pays() {
			continue
		}
		t.Budget = t.Budget.Minus(r.Gross)
		t.pay(u.Worker, r.Amount)
		sum.paid = sum.paid.Plus(r.Provider)
		sum.pool = sum.pool.Plus(r.Pool)
		sum.burned = sum.burned.Plus(r.Burned)
		sum.tokens += t.Spec.UnitTokens
		if j := slices.IndexFunc(t.Members, func(m Member) bool { return m.Account == u.Worker }); j >= 0 {
			m := &t.Members[j]
			m.Clean++
			m.Units++
			m.Misses -= min(m.Misses, 1)
			earned[j] = earned[j].Plus(r.Provider)
		}
	}
	if t.Spec.Vesting.Rounds > 0 {
		t.vest(earned)
	}
}

// payDuties shares the verifiers' part by duties done; what division leaves over is burned with the rest. Expelled
// verifiers get nothing. Like an admitted unit, a paid round forgives one miss.
func (t *turn) payDuties(sum *totals) {
	all := uint32(0)
	for i := range t.Round.Seats {
		all += t.dutiesToPay(&t.Round.Seats[i])
	}
	left := sum.pool
	for i := range t.Round.Seats {
		s := &t.Round.Seats[i]
		n := t.dutiesToPay(s)
		if n == 0 {
			continue
		}
		amount := sum.pool.Part(uint64(n), uint64(all))
		left = left.Minus(amount)
		m := t.member(s.Account)
		m.Duties += n
		m.Misses -= min(m.Misses, 1)
		t.record(Receipt{
			ID: fmt.Sprintf("r%d-v%d", t.Round.Number, i), Kind: ForDuties, To: s.Account, Round: t.Round.Number,
			Duties: n, AllDuties: all, Gross: sum.pool, Split: t.Spec.Split, Amount: amount,
		})
		t.pay(s.Account, amount)
		t.event("duties-done", "round", fmt.Sprint(t.Round.Number), "account", s.Account.String(), "duties", fmt.Sprint(n))
		sum.paid = sum.paid.Plus(amount)
	}
	sum.burned = sum.burned.Plus(left)
	t.burn(sum.burned)
}

func (t *turn) dutiesToPay(s *Seat) uint32 {
	if m := t.member(s.Account); m == nil || m.Status == Expelled {
		return 0
	}
	return s.Duties
}

// repeat closes a round that admitted nothing, and another opens with a fresh beacon. Too many in a row stop the run.
// Rule: spec/work.md §10.
func (t *turn) repeat(why string) {
	t.Repeats++
	t.abandon(why)
	if t.Repeats >= MaxRepeats {
		t.end(PhaseStopped)
		return
	}
	t.gather()
}

// abandon closes a round without result: nobody is paid and the public state stays. Receipts and a summary say so.
func (t *turn) abandon(why string) {
	for i := range t.Round.Units {
		u := &t.Round.Units[i]
		switch u.Status {
		case Revealed, Verified, Disputed:
			u.Status = Void
		}
		t.record(t.unitReceipt(u))
	}
	t.event("round-void", "round", fmt.Sprint(t.Round.Number), "reason", why)
	t.summarize(totals{})
	t.leaveRound()
}

// summarize records what remains of the round.
func (t *turn) summarize(sum totals) {
	r := t.Round
	s := RoundSummary{
		Version: Version, Run: t.ID, Round: r.Number, Done: t.Done, Opened: r.Opened, Closed: t.env.Height, Time: t.env.Time,
		Beacon: r.Beacon, Next: t.Current, Tokens: sum.tokens, Paid: sum.paid, Burned: sum.burned, Passes: r.Pass,
		Reassigned: r.Reassigned, Slashes: r.Slashes,
	}
	for i := range r.Units {
		u := &r.Units[i]
		line := UnitSummary{Index: u.Index, Attempt: u.Attempt, Worker: u.Worker, Verdict: u.Status, Result: u.Result}
		if u.Finding != nil {
			line.Auditor = u.Auditor
			if !u.Finding.Agrees {
				line.Detail = u.Finding.Detail
			}
			s.Audited++
		}
		switch {
		case u.Status.Pays():
			s.Admitted++
		case u.Status == Rejected:
			s.Rejected++
		case u.Status == Missed:
			s.Missed++
		}
		s.Units = append(s.Units, line)
		t.event("unit-closed", "round", fmt.Sprint(r.Number), "unit", fmt.Sprint(u.Index), "worker", u.Worker.String(), "verdict", string(u.Status))
	}
	for i := range r.Seats {
		s.Verifiers = append(s.Verifiers, VerifierDuties{Account: r.Seats[i].Account, Duties: r.Seats[i].Duties, Present: r.Seats[i].Present})
	}
	t.emit(protocol.Record{Value: s})
	t.event("round-closed", "round", fmt.Sprint(r.Number), "done", fmt.Sprint(t.Done), "admitted", fmt.Sprint(s.Admitted), "model", s.Next.Model.String())
}

// leaveRound lets those go that asked for it and forgets the round.
func (t *turn) leaveRound() {
	t.Round = nil
	for i := range t.Members {
		if m := &t.Members[i]; m.Leaving && len(m.Kept) == 0 {
			t.release(m)
		}
	}
	t.forgetGone()
}

// gather waits for members; if there are enough, the next round opens in the same block.
func (t *turn) gather() { t.enter(PhaseGather, t.Spec.Windows.Wait) }
