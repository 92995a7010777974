package work_test

import (
	"slices"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// audited brings a round with one liar to the end of its audits, with verifiers that behave in one way.
func audited(t *testing.T, how strategy) (*world, uint32) {
	t.Helper()
	w, all := start(t, testSpec(), four, verifiers)
	for w.state().Phase != work.PhaseAuditReveal {
		for _, m := range all {
			h := honest
			if m == "p2" {
				h = liar
			} else if m[0] == 'v' {
				h = how
			}
			if err := w.act(m, h); err != nil {
				t.Fatal(err)
			}
		}
		w.ledger.Advance()
	}
	for _, m := range verifiers {
		if err := w.act(m, how); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range w.state().Round.Units {
		if u.Worker == account("p2") {
			return w, u.Index
		}
	}
	t.Fatal("the liar has no unit")
	return nil, 0
}

// convicted is a claim that somebody has brought down.
func convicted(second protocol.Account) *work.Conviction {
	return &work.Conviction{Detail: "step 3, node MatMul_1", Second: second, Bounty: func(a money.Amount) []work.Payee {
		return []work.Payee{{To: account("friend"), Amount: a}}
	}}
}

// TestWhoConfirmsALieIsSlashed: an auditor that confirmed what is refuted, and was called and could not defend it, loses its bond; one that was not
// called does not.
func TestWhoConfirmsALieIsSlashed(t *testing.T) {
	for _, called := range []bool{true, false} {
		w, unit := audited(t, accomplice)
		s := w.state()
		if s.Round.Units[unit].Status != work.Verified {
			t.Fatalf("the lie is %s", s.Round.Units[unit].Status)
		}
		auditor := s.Round.Units[unit].Auditor
		s, err := work.OpenGame(s, 1, unit, account("friend"))
		if err != nil {
			t.Fatal(err)
		}
		if who, due := s.Audit(1, unit); who != auditor || due {
			t.Errorf("%s has confirmed the claim, its report is due: %v", name(who), due)
		}
		second := protocol.Account{}
		if called {
			second = auditor
		}
		claims := s.Claims()
		for i := range s.Members { // as if each had been hired
			s.Members[i].Lease = protocol.Hash{byte(i + 1)}
		}
		before := s
		s, effects := work.CloseGame(s, 1, unit, account("friend"), convicted(second), protocol.Env{Height: 9})
		lost := map[protocol.Hash]protocol.Account{}
		for _, f := range work.Forfeits(before, s) {
			lost[f.Lease] = f.To
		}
		worker, _ := s.Member(s.Round.Units[unit].Worker)
		if to, ok := lost[worker.Lease]; !ok || to != account("friend") || len(lost) != map[bool]int{true: 2, false: 1}[called] || len(work.Forfeits(s, s)) > 0 {
			t.Errorf("called %v: forfeited are %v", called, lost)
		}
		m, _ := s.Member(auditor)
		if (m.Status == work.Expelled) != called || s.Round.Units[unit].Status != work.Wrong || s.Round.Units[unit].Games != 0 {
			t.Errorf("called %v: the auditor is %s, the unit %s", called, m.Status, s.Round.Units[unit].Status)
		}
		var gone money.Amount
		for _, e := range effects {
			switch e := e.(type) {
			case protocol.Pay:
				gone = gone.Plus(e.Amount)
			case protocol.Burn:
				gone = gone.Plus(e.Amount)
			}
		}
		if s.Claims().Plus(gone) != claims {
			t.Errorf("called %v: %s left the escrow, the run owes %s less", called, gone.Coins(), claims.Minus(s.Claims()).Coins())
		}
		if again, effects := work.CloseGame(s, 1, unit, account("other"), convicted(second), protocol.Env{Height: 9}); len(effects) != 0 || len(again.Round.Slashes) != len(s.Round.Slashes) {
			t.Error("a claim is refuted twice")
		}
	}
}

// TestStrangersDoNotEndAnAudit: an auditor's finding needs its own dispute; a stranger's, lost on purpose, changes nothing.
func TestStrangersDoNotEndAnAudit(t *testing.T) {
	w, unit := audited(t, honest)
	s := w.state()
	if s.Round.Units[unit].Status != work.Disputed {
		t.Fatalf("the lie is %s", s.Round.Units[unit].Status)
	}
	auditor := s.Round.Units[unit].Auditor
	s, err := work.OpenGame(s, 1, unit, account("friend"))
	if err != nil {
		t.Fatal(err)
	}
	s, _ = work.CloseGame(s, 1, unit, account("friend"), nil, protocol.Env{Height: 9})
	if u := s.Round.Units[unit]; u.Status != work.Disputed || u.Games != 0 || u.Backed {
		t.Errorf("after a stranger's dispute: %+v", u)
	}
	s, err = work.OpenGame(s, 1, unit, auditor)
	if err != nil {
		t.Fatal(err)
	}
	if u := s.Round.Units[unit]; !u.Backed || len(s.Round.Unproven(auditor)) != 0 {
		t.Errorf("after the auditor's: %+v", u)
	}
	s, _ = work.CloseGame(s, 1, unit, auditor, nil, protocol.Env{Height: 9})
	m, _ := s.Member(auditor)
	if u := s.Round.Units[unit]; u.Status != work.Revealed || u.Finding != nil || !u.Audited || m.Status != work.Away || m.Bond.IsZero() {
		t.Errorf("after the auditor has lost: %+v, the auditor is %s", u, m.Status)
	}
}

// TestSealOpensWhateverHappens: a claim that is refuted between an auditor's seal and its opening leaves the auditor a report that opens. It
// misses nothing, and is paid for its report.
func TestSealOpensWhateverHappens(t *testing.T) {
	w, all := start(t, testSpec(), four, verifiers)
	for w.state().Phase != work.PhaseAuditReveal {
		for _, m := range all {
			if err := w.act(m, league(m)); err != nil {
				t.Fatal(err)
			}
		}
		w.ledger.Advance()
	}
	unit := w.unitOf(t, "p2")
	s, err := work.OpenGame(w.state(), 1, unit.Index, account("friend"))
	if err != nil {
		t.Fatal(err)
	}
	env := protocol.Env{Height: w.ledger.Height() + 1}
	s, _ = work.CloseGame(s, 1, unit.Index, account("friend"), convicted(protocol.Account{}), env)
	auditor := s.Round.Units[unit.Index].Auditor
	for _, v := range verifiers { // with the report that it has sealed
		for _, task := range work.Duty(s, account(v)) {
			for _, m := range w.message(account(v), accomplice, task) {
				if s, _, err = work.Apply(s, m, account(v), env); err != nil {
					t.Fatalf("%s: %v", v, err)
				}
			}
		}
	}
	s, _ = work.Tick(s, env)
	m, _ := s.Member(auditor)
	seat := s.Round.Seats[slices.IndexFunc(s.Round.Seats, func(x work.Seat) bool { return x.Account == auditor })]
	if m.Status != work.Active || m.Misses != 0 || !seat.Present || seat.Duties == 0 || s.Round.Units[unit.Index].Status != work.Wrong || s.Round.Units[unit.Index].Finding != nil {
		t.Errorf("the auditor is %s with %d duties, the unit %s", m.Status, seat.Duties, s.Round.Units[unit.Index].Status)
	}
	if s.Phase != work.PhaseAggregate {
		t.Errorf("the run is in phase %s", s.Phase)
	}
}
