package work_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

var (
	four      = []string{"p1", "p2", "p3", "p4"}
	verifiers = []string{"v1", "v2", "v3", "v4", "v5"}
)

// start makes a world whose members are providers p… and verifiers v….
func start(t *testing.T, spec work.Spec, members ...[]string) (*world, []string) {
	t.Helper()
	w, err := newWorld(spec)
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(members...)
	for _, m := range all {
		role := work.Provider
		if m[0] == 'v' {
			role = work.Verifier
		}
		if err := w.join(m, role); err != nil {
			t.Fatal(err)
		}
	}
	return w, all
}

func TestHonestRun(t *testing.T) {
	w, all := start(t, testSpec(), four, verifiers)
	w.settle(t, 60, all, nil)
	s := w.state()
	if s.Phase != work.PhaseFinished || s.Done != 2 {
		t.Fatalf("run is %s after %d rounds", s.Phase, s.Done)
	}
	for _, p := range four {
		if got, want := w.paid(p), money.MUT(17); got != want {
			t.Errorf("%s was paid %s, not %s: two units at 85 %% of 10 MUT", p, got.Coins(), want.Coins())
		}
	}
	// 16 units were paid for, 8 are used: half of the budget goes back to the author.
	if got, want := w.ledger.Balance(w.author), money.MUT(80); got != want {
		t.Errorf("author has %s, not %s", got.Coins(), want.Coins())
	}
	if got := w.slashed(); got != nil {
		t.Errorf("slashed: %v", got)
	}
	for _, r := range w.ledger.Receipts(w.run) {
		if r.Kind == work.ForUnit && (r.Verdict != work.Verified || r.Provider.Plus(r.Pool).Plus(r.Burned) != r.Gross) {
			t.Errorf("receipt %+v", r)
		}
	}
	for _, p := range four {
		if m, _ := s.Member(account(p)); m.Units != 2 || m.Clean != 2 {
			t.Errorf("%s has %d units", p, m.Units)
		}
	}
}

// TestCheats has one cheat among honest members: it earns nothing, and nobody else is slashed.
func TestCheats(t *testing.T) {
	for _, c := range []struct {
		cheat   string
		how     strategy
		slashed bool
	}{
		{"p2", liar, true},
		{"p2", copier, false},
		{"p2", mute, false},
		{"w2", withholder, false},
		{"v2", contrarian, false},
		{"v2", echo, false},
		{"v2", shy, false},
		{"v2", stray, false},
		{"v2", mute, false},
	} {
		t.Run(string(c.how)+"/"+c.cheat, func(t *testing.T) {
			cast := [][]string{four, verifiers}
			if c.how == withholder {
				cast[0] = []string{"p1", "w2", "p3", "p4"}
			}
			w, all := start(t, testSpec(), cast...)
			w.settle(t, 100, all, map[string]strategy{c.cheat: c.how})
			if s := w.state(); s.Phase != work.PhaseFinished {
				t.Fatalf("run is %s after %d rounds: stalled by a %s", s.Phase, s.Done, c.how)
			}
			var want []string
			if c.slashed {
				want = []string{c.cheat}
			}
			if got := w.slashed(); !slices.Equal(got, want) {
				t.Errorf("slashed: %v, want %v", got, want)
			}
			if c.cheat[0] != 'v' && !w.paid(c.cheat).IsZero() {
				t.Errorf("the %s was paid %s", c.how, w.paid(c.cheat).Coins())
			}
			m, _ := w.state().Member(account(c.cheat))
			if (m.Status == work.Expelled) != c.slashed {
				t.Errorf("the %s is %s", c.how, m.Status)
			}
			for _, p := range all {
				if p[0] == 'p' && p != c.cheat && w.paid(p).IsZero() {
					t.Errorf("%s was not paid", p)
				}
			}
		})
	}
}

// TestCopierFails pins the error: the copy of a seal cannot be opened by another.
func TestCopierFails(t *testing.T) {
	w, _ := start(t, testSpec(), four[:3], verifiers)
	w.ledger.Advance()
	for _, p := range []string{"p1", "p3"} {
		if err := w.act(p, honest); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.act("p2", copier); err != nil {
		t.Fatal(err)
	}
	w.ledger.Advance()
	if err := w.act("p1", honest); err != nil {
		t.Fatal(err)
	}
	before := w.state()
	if err := w.act("p2", copier); !errors.Is(err, protocol.ErrSealMismatch) {
		t.Fatalf("copier's reveal: %v", err)
	}
	if w.state() != before {
		t.Error("a refused message changed the state")
	}
}

// TestKilled loses a provider in the middle of a round: its unit is reassigned inside the round, it comes back by Ready.
func TestKilled(t *testing.T) {
	w, all := start(t, testSpec(), four, verifiers)
	w.ledger.Advance()
	alive := slices.DeleteFunc(slices.Clone(all), func(m string) bool { return m == "p3" })
	for w.state().Round.Number == 1 {
		for _, m := range alive {
			if err := w.act(m, honest); err != nil {
				t.Fatal(err)
			}
		}
		w.ledger.Advance()
	}
	sum := w.ledger.Summaries(w.run)[0]
	if len(sum.Reassigned) != 1 || sum.Reassigned[0].From != account("p3") || sum.Admitted != 4 {
		t.Fatalf("summary %+v", sum)
	}
	if len(w.state().Round.Units) != 3 {
		t.Errorf("round 2 has %d units", len(w.state().Round.Units))
	}
	if tasks := work.Duty(w.state(), account("p3")); len(tasks) != 1 || tasks[0].Kind != work.TaskReady {
		t.Errorf("duty of the killed: %v", tasks)
	}
	if err := w.join("p5", work.Provider); err != nil { // joins late: no unit in the open round
		t.Fatal(err)
	}
	if tasks := work.Duty(w.state(), account("p5")); tasks != nil {
		t.Errorf("duty of who joined late: %v", tasks)
	}
	w.settle(t, 60, append(all, "p5"), nil)
	if got := w.slashed(); got != nil || w.state().Phase != work.PhaseFinished {
		t.Errorf("slashed %v, phase %s", got, w.state().Phase)
	}
}

// TestNoVerifiers loses all verifiers: the run pauses with a named reason, and goes on when they are back.
func TestNoVerifiers(t *testing.T) {
	spec := testSpec()
	spec.MinVerifiers, spec.LeastVerifiers = 3, 2
	w, _ := start(t, spec, four, verifiers[:3])
	w.ledger.Advance()
	for w.state().Phase != work.PhasePaused {
		for _, m := range four {
			if err := w.act(m, honest); err != nil {
				t.Fatal(err)
			}
		}
		w.ledger.Advance()
		if w.ledger.Height() > 30 {
			t.Fatalf("no pause in phase %s", w.state().Phase)
		}
	}
	if reason, deadline, _ := work.Waiting(w.state(), w.ledger.Height()); reason != work.WaitVerifiers || deadline <= w.ledger.Height() {
		t.Errorf("waits for %q until %d", reason, deadline)
	}
	all := slices.Concat(four, verifiers[:3])
	w.settle(t, 60, all, nil)
	if s := w.state(); s.Phase != work.PhaseFinished || len(w.slashed()) > 0 {
		t.Errorf("phase %s, slashed %v", s.Phase, w.slashed())
	}
}

// TestNobody never gets members: the run stops at its deadline and the author has the money back.
func TestNobody(t *testing.T) {
	w, all := start(t, testSpec(), four[:2])
	before := w.state().Budget
	w.settle(t, 60, all, nil)
	if s := w.state(); s.Phase != work.PhaseStopped {
		t.Fatalf("phase %s", s.Phase)
	}
	if got := w.ledger.Balance(w.author); got != before {
		t.Errorf("author has %s of %s", got.Coins(), before.Coins())
	}
	if got := w.ledger.Balance(account("p1")); got != money.MUT(50) {
		t.Errorf("p1 has %s", got.Coins())
	}
}

// TestAllMute stops after too many rounds without result.
func TestAllMute(t *testing.T) {
	w, all := start(t, testSpec(), four, verifiers)
	how := map[string]strategy{}
	for _, p := range four {
		how[p] = mute
	}
	w.settle(t, 400, all, how)
	if s := w.state(); s.Phase != work.PhaseStopped || s.Done != 0 {
		t.Errorf("phase %s after %d openings and %d rounds", s.Phase, s.Opened, s.Done)
	}
}

// TestSeedDecides repeats a run: assignment, shards and draws follow from the seed, not from the order of joining.
func TestSeedDecides(t *testing.T) {
	final := func(seed string, order []string) work.StateRef {
		spec := testSpec()
		spec.Seed = hash(seed)
		w, all := start(t, spec, order, verifiers)
		w.settle(t, 60, all, nil)
		return w.state().Current
	}
	a := final("1", []string{"p1", "p2", "p3", "p4"})
	if b := final("1", []string{"p4", "p2", "p1", "p3"}); a != b {
		t.Error("the order of joining changes the model")
	}
	if b := final("2", []string{"p1", "p2", "p3", "p4"}); a == b {
		t.Error("the seed does not change the model")
	}
}

func TestLeave(t *testing.T) {
	w, all := start(t, testSpec(), four, verifiers)
	w.ledger.Advance()
	p1 := account("p1")
	if err := w.ledger.Submit(p1, work.Leave{Run: w.run}); err != nil {
		t.Fatal(err)
	}
	if got := w.ledger.Balance(p1); !got.IsZero() {
		t.Errorf("the bond came back in the open round")
	}
	if err := w.ledger.Submit(p1, work.Leave{Run: w.run}); !errors.Is(err, protocol.ErrDuplicate) {
		t.Errorf("second Leave: %v", err)
	}
	for w.state().Round.Number == 1 {
		for _, m := range all {
			if err := w.act(m, honest); err != nil {
				t.Fatal(err)
			}
		}
		w.ledger.Advance()
	}
	want := money.MUT(50).Plus(w.paid("p1"))
	if got := w.ledger.Balance(p1); got != want {
		t.Errorf("p1 has %s, not %s", got.Coins(), want.Coins())
	}
	if len(w.state().Round.Units) != 3 {
		t.Errorf("round 2 has %d units", len(w.state().Round.Units))
	}
	// Its verified unit still counts.
	if m, _ := w.state().Member(p1); m.Units != 1 || m.Status != work.Left {
		t.Errorf("p1 is %+v", m)
	}
}

// TestApplyLeavesInput keeps the input of Apply and Tick as it was.
func TestApplyLeavesInput(t *testing.T) {
	w, all := start(t, testSpec(), four, verifiers)
	w.ledger.Advance()
	for range 20 {
		before := w.state()
		copied := before.Clone()
		for _, m := range all {
			if err := w.act(m, honest); err != nil {
				t.Fatal(err)
			}
		}
		w.ledger.Advance()
		if encode(t, before) != encode(t, copied) {
			t.Fatal("a transition changed its input")
		}
		if w.state().Phase.Ended() {
			return
		}
	}
	t.Fatal("the run did not end")
}

// TestAggregateThatNobodyFinds: verifiers that do everything but name an aggregate pause the round and come back, so that
// each pause ends. Such a round is given up, and after enough of them the run ends.
func TestAggregateThatNobodyFinds(t *testing.T) {
	w, all := start(t, testSpec(), four, verifiers)
	for range work.MaxRepeats * (work.MaxVotes*8 + 20) {
		for _, m := range all {
			for _, task := range work.Duty(w.state(), account(m)) {
				if task.Kind == work.TaskAggregate {
					continue
				}
				for _, msg := range w.message(account(m), honest, task) {
					if err := w.ledger.Submit(account(m), msg); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		w.ledger.Advance()
		if err := w.check(); err != nil {
			t.Fatal(err)
		}
		if w.state().Phase.Ended() {
			break
		}
	}
	if s := w.state(); s.Phase != work.PhaseStopped || s.Repeats != work.MaxRepeats {
		t.Errorf("the run is %s after %d rounds that admitted nothing", s.Phase, s.Repeats)
	}
}

// TestRecordsOfTheGoneGiveWay: whoever joins, misses and leaves takes no place for good, except while it is benched.
func TestRecordsOfTheGoneGiveWay(t *testing.T) {
	w, _ := start(t, testSpec(), four, verifiers)
	w.ledger.Advance()
	s := w.state()
	if s.Phase != work.PhaseCompute {
		t.Fatal(s.Phase)
	}
	s.Members[0].Units = 1
	for i := len(s.Members); i < work.MaxMembers; i++ {
		gone := work.Member{Account: protocol.Account{0xff, byte(i >> 8), byte(i)}, Role: work.Provider, Status: work.Left, Misses: 1}
		if i%2 == 0 {
			gone.Benched = s.Opened + 1
		}
		s.Members = append(s.Members, gone)
	}
	join := work.Join{Run: s.ID, Role: work.Provider}
	env := protocol.Env{Height: w.ledger.Height() + 1}
	next, _, err := work.Apply(s, join, account("p9"), env)
	if err != nil {
		t.Fatal(err)
	}
	if _, found := next.Member(account("p9")); !found {
		t.Error("the one that joined is no member")
	}
	for i := range s.Members {
		m := &s.Members[i]
		if _, kept := next.Member(m.Account); kept != (m.Status == work.Active || m.Benched > 0) {
			t.Errorf("%s, benched until %d: kept is %t", m.Status, m.Benched, kept)
		}
	}
	for i := range s.Members {
		if s.Members[i].Status == work.Left {
			s.Members[i].Benched = s.Opened + 1
		}
	}
	if _, _, err := work.Apply(s, join, account("p9"), env); !errors.Is(err, protocol.ErrFull) {
		t.Errorf("all places are taken by members on the bench: %v", err)
	}
}
